"""The gap between one session's last price and the next one's first."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.market.calendar.calendar import Session
from app.market.calendar.session_gaps import SessionPrices, session_gaps, session_prices
from app.market.calendar.weekly import forex
from tests.market.calendar.helpers import us

HOUR_US = 3_600_000_000


def test_a_gap_is_the_open_against_the_close_of_the_session_before() -> None:
    sessions = forex().sessions(us("2024-05-02T22:00"), us("2024-05-08T20:00"))
    days = [SessionPrices(date(2024, 5, 3), 100, 200), SessionPrices(date(2024, 5, 6), 205, 203)]
    days += [SessionPrices(date(2024, 5, 7), 203, 0), SessionPrices(date(2024, 5, 8), 1, 1)]
    up, none = session_gaps("oanda:EURUSD", sessions, days)  # a close of zero has no percentage
    assert up[:4] == ("oanda:EURUSD", date(2024, 5, 6), 200, 205)
    assert (up.gap_amount_e8, up.gap_percent, up.gap_direction) == (5, Decimal("2.50000000"), "up")
    assert (none.gap_amount_e8, none.gap_direction) == (0, "flat")
    days = [SessionPrices(date(2024, 5, 6), 3, 3), SessionPrices(date(2024, 5, 7), 2, 2)]
    (down,) = session_gaps("X", sessions, days)
    assert (down.gap_percent, down.gap_direction) == (Decimal("-33.33333333"), "down")


@given(st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)))
def test_a_gap_is_between_neighbours_alone_and_passes_over_holidays(holidays: set[int], priced: set[int]) -> None:
    days = [date(2024, 5, 1 + number) for number in range(10)]
    sessions = [
        Session(day, None, None, 0, is_holiday=True)
        if number in holidays
        else Session(day, us(f"{day}T08:00"), us(f"{day}T16:00"), 8 * HOUR_US)
        for number, day in enumerate(days)
    ]
    prices = [SessionPrices(days[number], number + 1, number + 1) for number in sorted(priced - holidays)]
    expected = []
    for number in sorted(priced - holidays):
        before = number - 1
        while before in holidays:
            before -= 1
        if before in priced:
            expected.append((days[number], before + 1, number + 1))
    assert [gap[1:] for gap in session_gaps("X", sessions, prices)] == expected


def test_prices_belong_to_the_session_they_lie_in() -> None:
    sessions = forex().sessions(us("2014-05-01T21:00"), us("2014-05-06T21:00"))
    prices = [
        (us("2014-05-01T20:59"), 1, 1),  # before the first session
        (us("2014-05-01T21:00"), 2, 3),
        (us("2014-05-02T20:59"), 4, 5),
        (us("2014-05-03T12:00"), 6, 6),  # on a closed Saturday
        (us("2014-05-04T21:00"), 7, 8),
        (us("2014-05-09T12:00"), 9, 9),  # after the last session
    ]
    found = session_prices(sessions, prices)
    assert found == [(date(2014, 5, 2), 2, 5), (date(2014, 5, 5), 7, 8)]
    (weekend,) = session_gaps("oanda:EURUSD", sessions, found)
    assert (weekend.prior_close_e8, weekend.current_open_e8, weekend.gap_direction) == (5, 7, "up")
