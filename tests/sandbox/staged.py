"""
A market in which nothing happens by itself: a test stages each trade, listing, halt and delisting.

Ids are consecutive across a halt, and a delisted symbol is unknown to the exchange. Trades have the clock's time at
their staging, so for a client on the same machine they have just happened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace

from app.concurrency.system_clock import SystemClock
from app.market.candle import Candle
from app.market.errors import UsageError
from app.market.interval import Interval
from app.market.ports.clock import Clock
from app.market.symbol import TRADING, Symbol
from app.market.trade import Quote, Trade
from app.market.units import E8
from app.sandbox.market.published_symbol import PublishedSymbol
from app.sandbox.source import Frame, FrameCursor, RollingDay
from app.sandbox.wire import quote_event, trade_event

_TICK_S = 0.01
_LOG_KEPT = 200_000


class StagedMarket:
    """A `MarketSource` whose ``symbols`` trade from the start. Call its methods on the server's loop."""

    def __init__(self, symbols: Sequence[Symbol], *, clock: Clock | None = None) -> None:
        self.clock = clock if clock is not None else SystemClock()
        self._symbols = {symbol.name: symbol for symbol in symbols}
        self._published = {symbol.name: PublishedSymbol(symbol.name) for symbol in symbols}
        self._quotes: dict[str, Quote] = {}
        self.log: deque[Trade] = deque(maxlen=_LOG_KEPT)
        self.staged = 0

    def trade(self, name: str, price_e8: int = 100 * E8, *, count: int = 1, quantity_e8: int = E8) -> list[Trade]:
        """
        Publish ``count`` trades with the current time, and return them.

        Raises:
            UsageError: If the symbol is not trading.
        """
        symbol = self._symbols.get(name)
        if symbol is None or not symbol.is_trading:
            raise UsageError(f"{name} is not trading: stage its trades before it is halted, or resume it.")
        published, now_us = self._published[name], self.now_us()
        ids = published.trade_ids()
        first = 1 if ids is None else ids[1] + 1
        trades = [Trade(name, first + at, now_us, price_e8, quantity_e8, bool(at % 2)) for at in range(count)]
        for one in trades:
            published.add(one)
        self._quotes[name] = Quote(name, trades[-1].trade_id, price_e8 - 1, E8, price_e8, E8)
        self.log.extend(trades)
        self.staged += count
        return trades

    def list_symbol(self, symbol: Symbol) -> None:
        """List a symbol, or change the description of a listed one."""
        self._symbols[symbol.name] = symbol
        self._published.setdefault(symbol.name, PublishedSymbol(symbol.name))

    def set_status(self, name: str, status: str = TRADING) -> None:
        """Halt a symbol (``"HALT"``, ``"BREAK"``) or resume it."""
        self._symbols[name] = replace(self._symbols[name], status=status)

    def delist(self, name: str) -> None:
        """Delist a symbol. Its ids continue if it is listed again."""
        del self._symbols[name]

    def now_us(self) -> int:
        return self.clock.now_us()

    def symbols(self) -> Sequence[Symbol]:
        return list(self._symbols.values())

    def trade_ids(self, symbol: str) -> tuple[int, int] | None:
        return self._published[symbol].trade_ids()

    def first_id_from(self, symbol: str, time_us: int) -> int:
        return self._published[symbol].first_id_from(time_us)

    def trades(self, symbol: str, first_id: int, limit: int) -> list[Trade]:
        return self._published[symbol].trades(first_id, limit)

    async def klines(
        self, symbol: str, interval: Interval, *, start_us: int | None, end_us: int | None, limit: int
    ) -> list[Candle]:
        return self._published[symbol].klines(interval, self.now_us(), start_us, end_us, limit)

    async def day(self, symbol: str) -> RollingDay | None:
        return self._published[symbol].day(self.now_us())

    def quote(self, symbol: str) -> Quote | None:
        return self._quotes.get(symbol)

    def open_cursor(self) -> FrameCursor:
        return _StagedCursor(self)


class _StagedCursor:
    """A `FrameCursor` of the trades staged from now on, in order."""

    def __init__(self, market: StagedMarket) -> None:
        self._market = market
        self._sent = market.staged

    async def next_frames(self, streams: Collection[str], *, microseconds: bool) -> Sequence[Frame]:
        market = self._market
        if self._sent == market.staged:
            await market.clock.sleep(_TICK_S)
            return []  # trades staged meanwhile go to the streams subscribed by then
        behind = min(market.staged - self._sent, len(market.log))
        self._sent = market.staged
        wanted, frames, quoted = set(streams), [], {}
        for trade in list(market.log)[len(market.log) - behind :]:
            name = trade.symbol.lower()
            if f"{name}@trade" in wanted:
                frames.append(Frame(f"{name}@trade", trade_event(trade, microseconds=microseconds)))
            if f"{name}@bookTicker" in wanted:
                quoted[name] = market.quote(trade.symbol)
        frames += [Frame(f"{name}@bookTicker", quote_event(quote)) for name, quote in quoted.items() if quote]
        return frames
