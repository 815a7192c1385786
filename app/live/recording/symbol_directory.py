"""
The exchange's symbols, kept up to date while the program runs: new listings, halts, delistings, changed price steps.

The list costs little (20 of 6,000 weight a minute), so it is read every ten minutes, every minute while something
waits for a symbol to trade again, and when somebody asks for a fresh one: after a reconnect, when the picker opens,
when a request met a symbol that is not known. A symbol that the exchange lists no more stays, marked as delisted: what
is stored of it can still be looked at.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from app.market.candle import Candle
from app.market.errors import FeedDisconnected, FeedError, UnknownSymbol, UsageError
from app.market.interval import Interval
from app.market.ports.clock import Clock
from app.market.ports.exchange import TradeHistory
from app.market.symbol import DELISTED, UNLISTED, Symbol
from app.market.trade import DayTicker, Trade


async def check_symbols(exchange: TradeHistory, names: Sequence[str]) -> list[Symbol]:
    """
    Return the symbols of these names.

    Raises:
        UsageError: If one does not exist, or none is trading. One that is halted is recorded once it trades.
        FeedError: If the exchange cannot be asked.
    """
    known = {symbol.name: symbol for symbol in await exchange.symbols()}
    unknown = [name for name in names if name not in known]
    if unknown:
        are = "is not a symbol" if len(unknown) == 1 else "are not symbols"
        raise UsageError(f"{in_quotes(unknown)} {are} of the exchange: name one such as BTCUSDT.")
    if not any(known[name].is_trading for name in names):
        raise UsageError(
            f"{names[0]} is not trading now (status {known[names[0]].status}): name another symbol."
            if len(names) == 1
            else f"None of the {len(names)} symbols named is trading now: name others."
        )
    return [known[name] for name in names]


def in_quotes(names: Sequence[str], most: int = 5) -> str:
    """Return names for a sentence, ``“A”, “B” and 3 more``."""
    shown = ", ".join(f"“{name}”" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


logger = logging.getLogger(__name__)

REFRESH_EVERY_S = 600.0
_URGENT_EVERY_S = 60.0
_RETRY_FIRST_S, _RETRY_LAST_S = 5.0, 300.0
# Every program that started with the same outage must not ask in the same second.
_JITTER = 0.1
# An answer that lacks so many symbols, and most of them, is a fault rather than news.
_MOST_GONE = 10


class SymbolDirectory:
    """
    Knows every symbol by name, in ``symbols``; `run` keeps it current.

    ``is_current``: the exchange has answered in this run. ``on_change`` is called on the loop with the symbols that
    are new or different; the first time also where none is. ``is_urgent`` tells whether somebody waits for a symbol to
    trade again.
    """

    def __init__(self, exchange: TradeHistory, clock: Clock, *, chance: random.Random | None = None) -> None:
        self.symbols: dict[str, Symbol] = {}
        self.seen: set[str] = set()
        """What the exchange itself listed in this run."""
        self.is_current = False
        self.on_change: Callable[[list[Symbol]], None] = lambda _: None
        self.is_urgent: Callable[[], bool] = lambda: False
        self._exchange = exchange
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311  # because it spreads requests in time, hides nothing
        self._asked_s = -REFRESH_EVERY_S
        self._wanted = asyncio.Event()
        self._failures = 0

    def symbol(self, name: str) -> Symbol:
        """Return the symbol of that name; where it is not known, what can be said of it."""
        known = self.symbols.get(name)
        if known is not None:
            return known
        return Symbol(name, "", "", 1_000_000, status=UNLISTED) if self.is_current else Symbol(name, "", "", 1_000_000)

    def remember(self, symbols: Iterable[Symbol]) -> None:
        """Take in what a database remembers. What the exchange said in this run counts more."""
        changed = [
            replace(symbol, status=DELISTED) if self.is_current else symbol
            for symbol in symbols
            if symbol.name not in self.symbols
        ]
        if changed:
            self.symbols = {**self.symbols, **{symbol.name: symbol for symbol in changed}}
            self.on_change(changed)

    def refresh(self, *, older_than_s: float = 60.0) -> None:
        """Ask the exchange now, unless it was asked that shortly before."""
        if self._clock.monotonic_s() - self._asked_s >= older_than_s:
            self._wanted.set()

    async def run(self) -> None:
        """Keep the list current until cancelled."""
        while True:
            self._wanted.clear()
            wait_s = await self._ask()
            await self._sleep(wait_s * self._chance.uniform(1 - _JITTER, 1 + _JITTER))

    async def _ask(self) -> float:
        """Ask once; return after how many seconds to ask again."""
        self._asked_s = self._clock.monotonic_s()
        try:
            symbols = await self._exchange.symbols()
        except FeedError as error:
            logger.info("the list of symbols was not read: %s", error)
            wait_s: float = min(_RETRY_FIRST_S * 2.0**self._failures, _RETRY_LAST_S)
            self._failures = min(self._failures + 1, 10)
            asked_s = error.retry_after_s if isinstance(error, FeedDisconnected) else None
            return max(wait_s, asked_s or 0.0)
        self._failures = 0
        self._take(symbols)
        return _URGENT_EVERY_S if self.is_urgent() else REFRESH_EVERY_S

    def _take(self, symbols: Sequence[Symbol]) -> None:
        listed = {symbol.name: symbol for symbol in symbols}
        trading = {symbol.name for symbol in self.symbols.values() if symbol.is_trading} & self.seen
        gone = trading - listed.keys()
        if not listed or (len(gone) > _MOST_GONE and 2 * len(gone) > len(trading)):
            logger.warning("the exchange's list lacks %d of %d symbols and is not believed", len(gone), len(trading))
            return
        before, self.symbols = self.symbols, dict(listed)
        for name, symbol in before.items():
            if name not in listed:
                self.symbols[name] = replace(symbol, status=DELISTED)
        changed = [symbol for name, symbol in self.symbols.items() if before.get(name) != symbol]
        first, self.is_current = not self.is_current, True
        self.seen |= listed.keys()
        if not first:
            for symbol in changed:
                _tell(before.get(symbol.name), symbol)
        if first or changed:
            self.on_change(changed)

    async def _sleep(self, seconds: float) -> None:
        tasks = [asyncio.ensure_future(wait) for wait in (self._wanted.wait(), self._clock.sleep(seconds))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class ListedHistory:
    """
    A `TradeHistory` that leaves the exchange in peace about symbols it does not list: of those there are no candles.

    A refusal of a name makes ``directory`` look at the list again.
    """

    def __init__(self, exchange: TradeHistory, directory: SymbolDirectory) -> None:
        self._exchange = exchange
        self._directory = directory

    async def symbols(self) -> list[Symbol]:
        return await self._exchange.symbols()

    async def server_time_us(self) -> int:
        return await self._exchange.server_time_us()

    async def exchange_time_us(self) -> int:
        return await self._exchange.exchange_time_us()

    async def day_tickers(self, symbols: Sequence[str]) -> list[DayTicker]:
        # One name that is not listed, and the exchange refuses all.
        listed = [name for name in symbols if self._directory.symbol(name).is_listed]
        try:
            return await self._exchange.day_tickers(listed) if listed else []
        except UnknownSymbol:
            self._directory.refresh()
            raise

    async def klines(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = 1000,
    ) -> list[Candle]:
        if not self._directory.symbol(symbol).is_listed:
            return []
        try:
            return await self._exchange.klines(symbol, interval, start_us=start_us, end_us=end_us, limit=limit)
        except UnknownSymbol:
            self._directory.refresh()
            raise

    async def trades_from(self, symbol: str, first_trade_id: int, *, limit: int = 1000) -> list[Trade]:
        self._need_listed(symbol)
        try:
            return await self._exchange.trades_from(symbol, first_trade_id, limit=limit)
        except UnknownSymbol:
            self._directory.refresh()
            raise

    async def recent_trades(self, symbol: str, *, limit: int = 1000) -> list[Trade]:
        self._need_listed(symbol)
        return await self._exchange.recent_trades(symbol, limit=limit)

    async def first_trade_id_since(self, symbol: str, time_us: int) -> int | None:
        self._need_listed(symbol)
        return await self._exchange.first_trade_id_since(symbol, time_us)

    def _need_listed(self, symbol: str) -> None:
        if not self._directory.symbol(symbol).is_listed:
            raise UnknownSymbol(symbol)


def _tell(before: Symbol | None, symbol: Symbol) -> None:
    fields = {"symbol": symbol.name, "state": symbol.status}
    if before is None:
        logger.info("%s is listed now (%s)", symbol.name, symbol.status, extra=fields)
    elif before.status != symbol.status:
        logger.warning("%s: %s → %s", symbol.name, before.status, symbol.status, extra=fields)
    else:
        logger.info("%s has other steps now", symbol.name, extra=fields)
