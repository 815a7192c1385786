"""A calendar whose sessions are known for part of the time."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from app.market.calendar.partly_known import PartlyKnown
from app.market.calendar.spans import spans_of
from app.market.calendar.weekly import forex
from tests.market.calendar.helpers import open_at, us

HOUR_US = 3_600_000_000
HOLIDAY = forex(spans_of([(us("2024-12-24T18:00"), us("2024-12-25T22:00"))]))
USUAL = forex()
KNOWN = PartlyKnown("dukascopy:EURUSD", HOLIDAY.sessions(us("2024-12-10"), us("2025-01-10")), USUAL)
FIRST_US, LAST_US = us("2024-11-20"), us("2025-02-01")


@given(st.integers(0, 1_700), st.integers(0, 400))
@example(862, 1)  # begins as the session that Christmas takes the place of would have ended
@example(834, 1)  # begins as the half day before it ends
def test_any_range_is_open_as_known_and_elsewhere_as_usual(first: int, hours: int) -> None:
    start_us = FIRST_US + first * HOUR_US
    end_us = min(start_us + hours * HOUR_US, LAST_US)
    assert KNOWN.closed_spans(start_us, end_us).tolist() == HOLIDAY.closed_spans(start_us, end_us).tolist()
    assert KNOWN.sessions(start_us, end_us) == HOLIDAY.sessions(start_us, end_us)


def test_single_times_agree_with_ranges() -> None:
    times = np.arange(FIRST_US, LAST_US, HOUR_US, dtype=np.int64)
    assert [KNOWN.is_open(time_us) for time_us in times.tolist()] == open_at(HOLIDAY, times).tolist()
    assert open_at(USUAL, times).sum() - open_at(HOLIDAY, times).sum() == 28
    assert KNOWN.closes
