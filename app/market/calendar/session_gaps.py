"""The jump of a price from one session's last trade to the next one's first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import NamedTuple

from app.market.calendar.calendar import Session

_PERCENT_PLACES = Decimal("1E-8")


class SessionPrices(NamedTuple):
    """The first and the last price of a session, in 1e-8 units of the quote asset."""

    date: date
    open_e8: int
    close_e8: int


class SessionGap(NamedTuple):
    """A session's open against the close of the session with prices before it, in 1e-8 units of the quote asset."""

    symbol: str
    session_date: date
    prior_close_e8: int
    current_open_e8: int

    @property
    def gap_amount_e8(self) -> int:
        """The open less the close before."""
        return self.current_open_e8 - self.prior_close_e8

    @property
    def gap_percent(self) -> Decimal:
        """The gap in percent of the close before, to eight places; a half is rounded away from zero, as in SQL."""
        return (Decimal(100 * self.gap_amount_e8) / Decimal(self.prior_close_e8)).quantize(
            _PERCENT_PLACES, ROUND_HALF_UP
        )

    @property
    def gap_direction(self) -> str:
        """``"up"``, ``"down"``, or ``"flat"``."""
        return "up" if self.gap_amount_e8 > 0 else "down" if self.gap_amount_e8 < 0 else "flat"


def session_prices(sessions: Sequence[Session], prices: Iterable[tuple[int, int, int]]) -> list[SessionPrices]:
    """
    Return the first and last price of each session in which there was one.

    Both rise by time. ``prices``: open time (UTC microseconds), open and close of candles, or the time and twice the
    price of ticks. What lies outside of all sessions belongs to none.
    """
    found: list[SessionPrices] = []
    trading = [each for each in sessions if each.start_us is not None]
    at = 0
    for time_us, open_e8, close_e8 in prices:
        while at < len(trading) and (trading[at].end_us or 0) <= time_us:
            at += 1
        if at == len(trading):
            break
        if time_us < (trading[at].start_us or 0):
            continue
        day = trading[at].date
        if found and found[-1].date == day:
            found[-1] = found[-1]._replace(close_e8=close_e8)
        else:
            found.append(SessionPrices(day, open_e8, close_e8))
    return found


def session_gaps(symbol: str, prices: Sequence[SessionPrices]) -> list[SessionGap]:
    """Return the gap before each session but the first, by rising date as given; none follows a close of zero."""
    return [
        SessionGap(symbol, after.date, before.close_e8, after.open_e8)
        for before, after in pairwise(prices)
        if before.close_e8
    ]
