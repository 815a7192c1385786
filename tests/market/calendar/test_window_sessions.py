"""What sessions say about windows, against the calendar asked minute by minute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.calendar.always_open import AlwaysOpen
from app.market.calendar.calendar import MINUTE_US, Calendar
from app.market.calendar.session_table import ListedSession, SessionTable
from app.market.calendar.weekly import forex
from app.market.calendar.window_sessions import NO_SESSION, closed_minutes, window_sessions
from tests.depth import examples
from tests.market.calendar.helpers import us

FRIDAY_US = us("2024-03-08 20:00")
DAY_US = 86_400_000_000


def with_break() -> Calendar:
    """A market with a session of eight hours each day but the third, and a break in each."""
    listed = [
        ListedSession(
            np.datetime64(FRIDAY_US + day * DAY_US, "us").astype("datetime64[D]").item(),
            FRIDAY_US + day * DAY_US,
            FRIDAY_US + day * DAY_US + 480 * MINUTE_US,
            (FRIDAY_US + day * DAY_US + 200 * MINUTE_US, FRIDAY_US + day * DAY_US + 230 * MINUTE_US),
        )
        for day in range(-3, 9)
        if day != 3
    ]
    return SessionTable("TEST", listed)


@settings(max_examples=examples(60))
@given(st.sampled_from((AlwaysOpen(), forex(), with_break())), st.integers(0, 6 * 1440), st.integers(1, 3_000))
def test_windows_are_described_as_the_calendar_says_of_their_minutes(
    calendar: Calendar, offset: int, length: int
) -> None:
    starts_us = FRIDAY_US + (offset + np.arange(40)) * MINUTE_US
    ends_us = starts_us + length * MINUTE_US
    found = window_sessions(calendar, starts_us, ends_us)
    sessions = calendar.sessions(FRIDAY_US - 9 * DAY_US, int(ends_us[-1]) + DAY_US)
    known = [(one.start_us, one.end_us) for one in sessions if one.start_us is not None and one.end_us is not None]
    for row, (start_us, end_us) in enumerate(zip(starts_us.tolist(), ends_us.tolist(), strict=True)):
        touched = [one for one in known if one[0] < end_us and one[1] > start_us]
        assert found.spans_sessions[row] == (len(touched) > 1)
        is_open = calendar.is_open(end_us - MINUTE_US)
        assert found.is_regular[row] == is_open
        if not is_open:
            assert found.minutes_into_session[row] == NO_SESSION
            assert not found.has_gap[row]
            continue
        at = next(at for at, one in enumerate(known) if one[0] <= end_us - MINUTE_US < one[1])
        assert found.minutes_into_session[row] == (end_us - known[at][0]) // MINUTE_US
        assert found.has_gap[row] == (known[at][0] > known[at - 1][1])


def test_crypto_counts_the_minutes_of_the_utc_day_and_has_no_gaps() -> None:
    ends_us = us("2024-08-08 23:58") + np.arange(4) * MINUTE_US
    found = window_sessions(AlwaysOpen(), ends_us - 2 * MINUTE_US, ends_us)
    assert found.minutes_into_session.tolist() == [1438, 1439, 1440, 1]
    assert found.spans_sessions.tolist() == [False, False, False, True]
    assert found.is_regular.all()
    assert not found.has_gap.any()


@pytest.mark.parametrize("calendar", [AlwaysOpen(), forex(), with_break()])
def test_closed_minutes_are_those_in_which_the_market_is_closed(calendar: Calendar) -> None:
    opens_us = FRIDAY_US + np.arange(6 * 1440) * MINUTE_US
    assert closed_minutes(calendar, opens_us).tolist() == [not calendar.is_open(one) for one in opens_us.tolist()]


def test_no_windows_have_no_sessions() -> None:
    none = np.empty(0, np.int64)
    assert len(window_sessions(forex(), none, none).is_regular) == 0
