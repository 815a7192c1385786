"""
What a broker of quotes offers of the past: ticks hour by hour, and candles that it made of them itself.

Both are asked on the loop. Each request may raise FeedDisconnected (try later), FeedRejected (permanent) or
UnknownSymbol; `TickHistory.hour` alone has tried often enough by itself and says so in its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from app.market.interval import SECOND_US, Interval
from app.market.quotes.tick_candle import TickCandle
from app.market.quotes.tick_columns import TickColumns

HOUR_US = 3_600 * SECOND_US


class TickHour(NamedTuple):
    """
    The answer to a question for one hour, from ``start_us`` (UTC microseconds), of a symbol.

    ``ticks``: all that the broker published, none where the hour had none, which is an answer to be remembered.
    ``skipped``: one sentence why nothing is known of that hour; then there are no ticks, and it may be asked for again.
    """

    start_us: int
    ticks: TickColumns
    skipped: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether the broker says that there was no tick."""
        return not self.skipped and not len(self.ticks)


class TickHistory(Protocol):
    """Published ticks of past hours."""

    async def hour(self, symbol: str, start_us: int) -> TickHour:
        """
        Return what is published of the hour that begins at ``start_us``; tried a limited number of times.

        Raises:
            UnknownSymbol: If the broker has no such symbol.
        """


class QuoteCandle(NamedTuple):
    """
    A candle that the broker made itself. ``closed``: whether no more prices can change it.

    Its ``ticks`` are the broker's count, its volumes 0 where the broker gives none. ``first`` and ``last`` are the ends
    of the interval, because the broker does not say when the first and last price came.
    """

    candle: TickCandle
    closed: bool


class QuoteCandleSource(Protocol):
    """Candles of bid, ask and mid that the broker made itself."""

    def has_candles_of(self, interval: Interval) -> bool:
        """Whether the broker makes candles of that interval, on our boundaries."""

    async def quote_candles(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> Sequence[QuoteCandle]:
        """Return the candles that open in ``[start_us, end_us)``, oldest first; intervals without a price have none."""
