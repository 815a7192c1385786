"""Sessions as rows of a table."""

from __future__ import annotations

from datetime import date

from app.market.calendar.always_open import AlwaysOpen
from app.market.calendar.session_rows import session_rows
from app.market.calendar.spans import spans_of
from app.market.calendar.weekly import forex
from tests.market.calendar.helpers import us


def test_a_row_says_when_a_session_is_open_and_why_it_is_short() -> None:
    christmas = forex(
        spans_of([(us("2025-12-24T22:00"), us("2025-12-25T22:00")), (us("2025-12-26T12:00"), us("2025-12-27"))])
    )
    rows = session_rows(christmas, us("2025-12-24"), us("2025-12-27"))
    assert rows == [
        ("FOREX", date(2025, 12, 24), us("2025-12-23T22:00"), us("2025-12-24T22:00"), 1440, False, False, ""),
        ("FOREX", date(2025, 12, 25), None, None, 0, False, True, ""),
        ("FOREX", date(2025, 12, 26), us("2025-12-25T22:00"), us("2025-12-26T12:00"), 840, True, False, ""),
    ]
    (day,) = session_rows(AlwaysOpen(), us("2025-12-25"), us("2025-12-26"))
    assert day == ("CRYPTO", date(2025, 12, 25), us("2025-12-25"), us("2025-12-26"), 1440, False, False, "")
