"""
The exchange's symbols, kept up to date while the program runs: new listings, halts, delistings, changed price steps.

`SymbolDirectory` reads the list and remembers it in the database, for a start without the exchange. A symbol that the
exchange no longer lists stays, marked as delisted: its stored candles can still be shown. `ListedHistory` uses the
directory to spare the exchange requests about symbols it does not list. Which symbols are received is decided by
`app.live.engine`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

from app.concurrency.background import in_background
from app.concurrency.tasks import first_of
from app.market.candle import Candle
from app.market.errors import FeedAway, FeedDisconnected, FeedError, StoreError, UnknownSymbol, UsageError
from app.market.interval import Interval
from app.market.ports.clock import Clock
from app.market.ports.exchange import DayTickerSource, KlineSource, SymbolSource, TradeSource
from app.market.ports.storage import SymbolStore
from app.market.suggestions import at_brokers, nearest
from app.market.symbol import BROKER, DELISTED, UNLISTED, Symbol, broker_of, read_symbol
from app.market.trade import DayTicker, Trade

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# The list costs 20 of the 6,000 weight allowed a minute, so that reading it often costs little.
REFRESH_EVERY_S = 600.0
_URGENT_EVERY_S = 60.0
_RETRY_FIRST_S, _RETRY_LAST_S = 5.0, 300.0
# Programs that started with the same outage must not ask in the same second.
_JITTER = 0.1
# If more symbols than these are gone, and more than half of all, the answer is faulty: no exchange delists that many.
_MOST_DELISTED = 10
_UNKNOWN_STEP_E8 = 1_000_000  # 0.01: prices show two decimals until the exchange has said the real step


class SymbolDirectory:
    """
    Knows every symbol of one broker by name, in ``symbols``; `run` keeps it current. All methods on the loop.

    The list is read every ten minutes, every minute while ``is_urgent()`` says that a recorded symbol waits to trade
    again, and after `refresh`: call that after a reconnect, when the picker opens and when a request met an unknown
    symbol.

    ``is_current``: the exchange has answered in this run; ``seen``: the names it listed in this run. ``on_change`` is
    called with the symbols that are new or different, and once with the first answer, even if nothing changed;
    ``on_away`` when the exchange was not there to be asked. Call `retry_now` when it is back.
    """

    def __init__(
        self,
        exchange: SymbolSource,
        clock: Clock,
        *,
        broker: str = BROKER,
        chance: random.Random | None = None,
    ) -> None:
        self.symbols: dict[str, Symbol] = {}
        self.seen: set[str] = set()
        self.is_current = False
        self.on_change: Callable[[list[Symbol]], None] = lambda _: None
        self.on_away: Callable[[], None] = lambda: None
        self.is_urgent: Callable[[], bool] = lambda: False
        self._exchange = exchange
        self._broker = broker
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311  # because it spreads requests in time, hides nothing
        self._asked_s = -REFRESH_EVERY_S
        self._refresh_requested = asyncio.Event()
        self._failures = 0
        self._store: SymbolStore | None = None
        self._stored: dict[str, Symbol] = {}  # as the store knows them

    def symbol(self, name: str) -> Symbol:
        """Return the symbol of that name; for an unknown one a placeholder, unlisted once the list is current."""
        known = self.symbols.get(name)
        if known is not None:
            return known
        unknown = Symbol(name, "", "", _UNKNOWN_STEP_E8)
        return replace(unknown, status=UNLISTED) if self.is_current else unknown

    def remember(self, symbols: Iterable[Symbol]) -> None:
        """Add symbols that a database remembers; answers of the exchange in this run take precedence."""
        changed = [
            replace(symbol, status=DELISTED) if self.is_current else symbol
            for symbol in symbols
            if symbol.name not in self.symbols and broker_of(symbol.name) == self._broker
        ]
        if changed:
            self.symbols = {**self.symbols, **{symbol.name: symbol for symbol in changed}}
            self.on_change(changed)

    def refresh(self, *, older_than_s: float = 60.0) -> None:
        """Ask the exchange now, unless it was asked less than ``older_than_s`` ago."""
        if self._clock.monotonic_s() - self._asked_s >= older_than_s:
            self._refresh_requested.set()

    def retry_now(self) -> None:
        """Ask the exchange now if the last request failed."""
        if self._failures:
            self._failures = 0
            self._refresh_requested.set()

    async def run(self) -> None:
        """Keep the list current until cancelled."""
        while True:
            self._refresh_requested.clear()
            wait_s = await self._ask()
            wait_s *= self._chance.uniform(1 - _JITTER, 1 + _JITTER)
            await first_of(self._refresh_requested.wait(), self._clock.sleep(wait_s))

    async def load_from(self, store: SymbolStore) -> None:
        """Take in the symbols this store remembers, and store what the exchange said in this run; logs failures."""
        self._store = store
        try:
            stored = await in_background(store.symbols, "read-symbols")
        except StoreError as error:
            logger.warning("symbols not read: %s", error)
            return
        self._stored = {symbol.name: symbol for symbol in stored}
        self.remember(stored)
        await self.save_to(store)

    async def save_to(self, store: SymbolStore) -> None:
        """Store the symbols that the exchange listed in this run and the store does not know; logs failures."""
        listed = [self.symbols[name] for name in sorted(self.seen)]
        changed = [symbol for symbol in listed if self._stored.get(symbol.name) != symbol]
        if not changed:
            return
        try:
            await in_background(partial(store.save_symbols, changed), "save-symbols")
        except StoreError as error:
            logger.warning("symbols not stored: %s", error)
        else:
            if store is self._store:  # another may have taken its place meanwhile
                self._stored |= {symbol.name: symbol for symbol in changed}

    async def _ask(self) -> float:
        """Ask once; return the seconds until the next request."""
        self._asked_s = self._clock.monotonic_s()
        try:
            symbols = await self._exchange.symbols()
        except FeedError as error:
            logger.info("the list of symbols was not read: %s", error)
            wait_s: float = min(_RETRY_FIRST_S * 2.0**self._failures, _RETRY_LAST_S)
            self._failures = min(self._failures + 1, 10)
            if isinstance(error, FeedAway):
                self.on_away()
            asked_s = error.retry_after_s if isinstance(error, FeedDisconnected) else None
            return max(wait_s, asked_s or 0.0)
        self._failures = 0
        self._take(symbols)
        return _URGENT_EVERY_S if self.is_urgent() else REFRESH_EVERY_S

    def _take(self, symbols: Sequence[Symbol]) -> None:
        listed = {symbol.name: symbol for symbol in symbols}
        trading = {symbol.name for symbol in self.symbols.values() if symbol.is_trading} & self.seen
        gone = trading - listed.keys()
        if not listed or (len(gone) > _MOST_DELISTED and 2 * len(gone) > len(trading)):
            logger.warning("the exchange's list lacks %d of %d symbols and is ignored", len(gone), len(trading))
            return
        before, self.symbols = self.symbols, dict(listed)
        for name, symbol in before.items():
            if name not in listed:
                self.symbols[name] = replace(symbol, status=DELISTED)
        changed = [symbol for name, symbol in self.symbols.items() if before.get(name) != symbol]
        first, self.is_current = not self.is_current, True
        self.seen |= listed.keys()
        if not first:  # at the start all are new
            for symbol in changed:
                _log_change(before.get(symbol.name), symbol)
        if first or changed:
            self.on_change(changed)


class ListedSource(DayTickerSource, KlineSource, TradeSource, Protocol):
    """The roles of an exchange that `ListedHistory` asks."""


class ListedHistory:
    """
    Asks the exchange only about symbols it lists, and refreshes the directory when it refuses a name.

    Implements the roles of `ListedSource`: an unlisted symbol has no klines and no day ticker, and a request for its
    trades raises UnknownSymbol. ``on_away`` of the directory is called when the exchange was not there to be asked.
    """

    def __init__(self, exchange: ListedSource, directory: SymbolDirectory) -> None:
        self._exchange = exchange
        self._directory = directory

    async def exchange_time_us(self) -> int:
        return await self._exchange.exchange_time_us()

    async def day_tickers(self, symbols: Sequence[str]) -> list[DayTicker]:
        # The exchange refuses the whole request because of one unlisted name.
        listed = [name for name in symbols if self._is_listed(name)]
        return await self._refreshing(partial(self._exchange.day_tickers, listed)) if listed else []

    async def klines(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = 1000,
    ) -> list[Candle]:
        if not self._is_listed(symbol):
            return []
        request = partial(self._exchange.klines, symbol, interval, start_us=start_us, end_us=end_us, limit=limit)
        return await self._refreshing(request)

    async def trades_from(self, symbol: str, first_trade_id: int, *, limit: int = 1000) -> list[Trade]:
        self._require_listed(symbol)
        return await self._refreshing(partial(self._exchange.trades_from, symbol, first_trade_id, limit=limit))

    async def recent_trades(self, symbol: str, *, limit: int = 1000) -> list[Trade]:
        self._require_listed(symbol)
        return await self._refreshing(partial(self._exchange.recent_trades, symbol, limit=limit))

    def _is_listed(self, symbol: str) -> bool:
        return self._directory.symbol(symbol).is_listed

    def _require_listed(self, symbol: str) -> None:
        if not self._is_listed(symbol):
            raise UnknownSymbol(symbol)

    async def _refreshing(self, request: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the answer; if the exchange does not know the symbol, have the directory ask for the list again."""
        try:
            return await request()
        except FeedAway:
            self._directory.on_away()
            raise
        except UnknownSymbol:
            self._directory.refresh()
            raise


async def check_symbols(exchange: SymbolSource, names: Sequence[str]) -> list[Symbol]:
    """
    Return the symbols of these names, which may also be base assets alone (`app.market.symbol.read_symbol`).

    A halted symbol is accepted, because it is recorded once it trades again.

    Raises:
        UsageError: If one does not exist, or none is trading.
        FeedError: If the exchange cannot be asked.
    """
    return listed_symbols({symbol.name: symbol for symbol in await exchange.symbols()}, names)


def listed_symbols(known: Mapping[str, Symbol], names: Sequence[str]) -> list[Symbol]:
    """Return the symbols of these names out of those ``known``, all that the exchange lists; see `check_symbols`."""
    names = list(dict.fromkeys(read_symbol(name, known) for name in names))
    unknown = [name for name in names if name not in known]
    if unknown:
        are = "is not a symbol" if len(unknown) == 1 else "are not symbols"
        if len(unknown) == 1 and (elsewhere := at_brokers(unknown[0])):
            raise UsageError(f"{_quoted(unknown)} is not a symbol of the exchange{elsewhere}")
        meant = nearest(unknown[0], known) if len(unknown) == 1 else None
        advice = f"did you mean {meant}? If not, name one" if meant else "name one"
        raise UsageError(f"{_quoted(unknown)} {are} of the exchange: {advice} such as BTCUSDT.")
    if not any(known[name].is_trading for name in names):
        raise UsageError(
            f"{names[0]} is not trading now (status {known[names[0]].status}): name another symbol."
            if len(names) == 1
            else f"None of the {len(names)} symbols named is trading now: name others."
        )
    return [known[name] for name in names]


def _quoted(names: Sequence[str], most: int = 5) -> str:
    """Return names for a sentence, ``“A”, “B” and 3 more``."""
    shown = ", ".join(f"“{name}”" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _log_change(before: Symbol | None, symbol: Symbol) -> None:
    fields = {"symbol": symbol.name, "state": symbol.status}
    if before is None:
        logger.info("%s is listed now (%s)", symbol.name, symbol.status, extra=fields)
    elif before.status != symbol.status:
        logger.warning("%s: %s → %s", symbol.name, before.status, symbol.status, extra=fields)
    else:
        logger.info("%s has other price or quantity steps now", symbol.name, extra=fields)
