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
    """A session's open against the close of the session directly before it, in 1e-8 units of the quote asset."""

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


def session_gaps(symbol: str, sessions: Sequence[Session], prices: Sequence[SessionPrices]) -> list[SessionGap]:
    """
    Return the gap between each two sessions that follow each other and have both prices; none follows a close of zero.

    All by rising date. ``sessions``: those of the market, at least all between the first and the last with prices.
    Holidays without trading are passed over. After a session without prices there is no row: a gap across it would
    be one of our knowledge, not of the market.
    """
    priced = {one.date: one for one in prices}
    days = [one.date for one in sessions if one.start_us is not None]
    both = ((priced.get(before), priced.get(after)) for before, after in pairwise(days))
    return [
        SessionGap(symbol, after.date, before.close_e8, after.open_e8)
        for before, after in both
        if before is not None and after is not None and before.close_e8
    ]
