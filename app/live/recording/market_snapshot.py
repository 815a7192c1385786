"""
The latest of each symbol, for panels and the watchlist: last trade, best bid and ask, rolling day, trade rate.

Nothing is kept beyond that; the trades themselves go to the outbox (`app.live.recording.recorder`).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from app.market.errors import FeedError
from app.market.interval import SECOND_US
from app.market.ports.exchange import DayTickerSource
from app.market.quotes.tick import Tick
from app.market.trade import DayTicker, MarketEvent, Quote, Trade

logger = logging.getLogger(__name__)

_MINUTE_S = 60
_MINUTE_US = _MINUTE_S * SECOND_US


@dataclass(slots=True)
class SymbolSnapshot:
    """
    The newest events of one symbol; None before the first of a kind.

    ``per_second`` holds the last 60 seconds that had trades, or ticks, oldest first, each as ``[second, number]``.
    """

    trade: Trade | None = None
    quote: Quote | None = None
    tick: Tick | None = None
    day: DayTicker | None = None
    per_second: deque[list[int]] = field(default_factory=lambda: deque(maxlen=_MINUTE_S))

    @property
    def last_price_e8(self) -> int | None:
        """The price of the newest trade, or the mid of the newest tick, else the day ticker's last price."""
        if self.trade is not None:
            return self.trade.price_e8
        if self.tick is not None:
            return self.tick.mid_e8
        return self.day.close_e8 if self.day is not None else None

    @property
    def change_percent(self) -> float | None:
        """How far the last price is from the price 24 hours ago, in percent."""
        return self.change_percent_at(self.last_price_e8)

    def change_percent_at(self, price_e8: int | None) -> float | None:
        """Return how far a price is from the price 24 hours ago, in percent."""
        if self.day is None or not self.day.open_e8 or price_e8 is None:
            return None
        return (price_e8 / self.day.open_e8 - 1.0) * 100.0

    def trades_per_minute(self, now_us: int) -> int:
        """Return the number of trades in the 60 s before ``now_us`` (the exchange's time)."""
        return sum(count for second, count in self.per_second if second * SECOND_US > now_us - _MINUTE_US)

    def bid_ask_e8(self, spread_percent: float, last_e8: int | None = None) -> tuple[int | None, int | None]:
        """
        Return best bid and ask; with a spread set, the last price less and plus that percentage.

        ``last_e8`` is a last price that counts instead of `last_price_e8`.
        """
        if spread_percent > 0:
            last = self.last_price_e8 if last_e8 is None else last_e8
            if last is None:
                return None, None
            return round(last * (1 - spread_percent / 100)), round(last * (1 + spread_percent / 100))
        best = self.quote or self.tick
        return (best.bid_e8, best.ask_e8) if best is not None else (None, None)


class MarketSnapshot:
    """Keeps a `SymbolSnapshot` for every symbol that had an event. All methods on the loop."""

    def __init__(self) -> None:
        self._latest: dict[str, SymbolSnapshot] = {}

    def latest(self, symbol: str) -> SymbolSnapshot:
        """Return the snapshot of a symbol, an empty one before its first event."""
        known = self._latest.get(symbol)
        if known is None:
            known = self._latest[symbol] = SymbolSnapshot()
        return known

    def note(self, event: MarketEvent) -> None:
        """Take in one event; a trade, quote or day older than the known one does not replace it."""
        latest = self.latest(event.symbol)
        if type(event) is Trade:
            if latest.trade is None or event.trade_id > latest.trade.trade_id:
                latest.trade = event
            _count(latest.per_second, event.time_us // SECOND_US)
        elif type(event) is Quote:
            if latest.quote is None or event.update_id >= latest.quote.update_id:
                latest.quote = event
        elif type(event) is Tick:
            if latest.tick is None or event.time_us >= latest.tick.time_us:
                latest.tick = event
            _count(latest.per_second, event.time_us // SECOND_US)
        elif type(event) is DayTicker and (latest.day is None or event.time_us >= latest.day.time_us):
            latest.day = event

    def note_all(self, events: Iterable[MarketEvent]) -> None:
        """Take in several events."""
        for event in events:
            self.note(event)

    async def load_day_tickers(self, exchange: DayTickerSource, symbols: Sequence[str]) -> None:
        """Read the rolling day of these symbols, so that it shows before the stream's first; logs failures."""
        if symbols:
            try:
                self.note_all(await exchange.day_tickers(symbols))
            except FeedError as error:
                logger.info("no 24 h figures yet: %s", error)


def _count(per_second: deque[list[int]], second: int) -> None:
    if per_second and per_second[-1][0] >= second:  # a late trade counts in the newest second: the sum stays right
        per_second[-1][1] += 1
    else:
        per_second.append([second, 1])
