"""The latest of each symbol: last trade, best bid and ask, rolling day, and how often it trades."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from app.market.interval import SECOND_US
from app.market.trade import DayTicker, MarketEvent, Quote, Trade

_MINUTE_US = 60 * SECOND_US


@dataclass(slots=True)
class SymbolSnapshot:
    """What the board knows of one symbol; None where nothing has come yet."""

    trade: Trade | None = None
    quote: Quote | None = None
    day: DayTicker | None = None
    per_second: deque[list[int]] = field(default_factory=lambda: deque(maxlen=60))

    @property
    def last_price_e8(self) -> int | None:
        """The price of the newest trade, else the day ticker's last price."""
        if self.trade is not None:
            return self.trade.price_e8
        return self.day.close_e8 if self.day is not None else None

    @property
    def change_percent(self) -> float | None:
        """The last price against that of 24 hours ago, in percent."""
        if self.day is None or not self.day.open_e8:
            return None
        last = self.last_price_e8
        return None if last is None else (last / self.day.open_e8 - 1.0) * 100.0

    def trades_per_minute(self, now_us: int) -> int:
        """How many trades came in the 60 s before ``now_us`` (the exchange's time)."""
        return sum(count for second, count in self.per_second if second * SECOND_US > now_us - _MINUTE_US)

    def bid_ask_e8(self, spread_percent: float) -> tuple[int | None, int | None]:
        """Return best bid and ask; with a spread set, the last price less and plus that percentage."""
        if spread_percent > 0:
            last = self.last_price_e8
            if last is None:
                return None, None
            return round(last * (1 - spread_percent / 100)), round(last * (1 + spread_percent / 100))
        return (self.quote.bid_e8, self.quote.ask_e8) if self.quote is not None else (None, None)


class MarketSnapshot:
    """Keeps the `SymbolSnapshot` of every symbol an event came for."""

    def __init__(self) -> None:
        self._latest: dict[str, SymbolSnapshot] = {}

    def latest(self, symbol: str) -> SymbolSnapshot:
        """Return the latest of a symbol, empty where nothing has come."""
        known = self._latest.get(symbol)
        if known is None:
            known = self._latest[symbol] = SymbolSnapshot()
        return known

    def note(self, event: MarketEvent) -> None:
        """Take in one event; an older trade, quote or day than the one known changes nothing."""
        latest = self.latest(event.symbol)
        if type(event) is Trade:
            if latest.trade is None or event.trade_id > latest.trade.trade_id:
                latest.trade = event
            _count(latest.per_second, event.time_us // SECOND_US)
        elif type(event) is Quote:
            if latest.quote is None or event.update_id >= latest.quote.update_id:
                latest.quote = event
        elif type(event) is DayTicker and (latest.day is None or event.time_us >= latest.day.time_us):
            latest.day = event

    def note_all(self, events: Iterable[MarketEvent]) -> None:
        """Take in several events."""
        for event in events:
            self.note(event)


def _count(per_second: deque[list[int]], second: int) -> None:
    if per_second and per_second[-1][0] >= second:
        per_second[-1][1] += 1
    else:
        per_second.append([second, 1])
