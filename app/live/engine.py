"""
The running program without a window: feed, recorder, repairer, database, clock, and the tasks that keep them going.

The window and ``collect`` are two faces of one engine. It starts without a database and without an exchange; whichever
comes later is taken into use when it comes, and what is wrong meanwhile is said in one sentence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol

from app.live.board import MarketBoard
from app.live.clock import ExchangeClock
from app.live.export import CandleReader
from app.live.history import CandleHistory
from app.live.recorder import Recorder
from app.live.repair import Repairer
from app.market.errors import FeedError, FeedRejected, StoreError, StoreSchemaMismatch, UsageError
from app.market.ports import CandleStore, Clock, TradeFeed, TradeHistory, TradeWriter
from app.market.symbol import Symbol
from app.market.trade import Trade

logger = logging.getLogger(__name__)

_MEASURE_CLOCK_EVERY_S = 300.0
_RETRY_EXCHANGE_S = 5.0
_RETRY_DATABASE_S = 30.0
_FLUSH_S = 10.0
_CLOSE_S = 10.0


class Store(CandleStore, CandleReader, Protocol):
    """What the engine reads through."""


class Writer(TradeWriter, Protocol):
    """What the engine writes through, and asks at the end what it could not write."""

    @property
    def refused(self) -> int:
        """Trades that the database would not take as they are."""

    def unwritten(self) -> list[Trade]:
        """Return the trades put and not committed, once the database is closed."""


class Database(Protocol):
    """An open database, as `storage.database` gives it."""

    @property
    def writer(self) -> Writer: ...

    @property
    def store(self) -> Store: ...

    @property
    def label(self) -> str:
        """``"Embedded PostgreSQL 18.4"``."""

    def close(self, timeout_s: float = ...) -> bool:
        """Commit what is queued, close, leave an embedded server; about ``timeout_s`` at most. False: trades left."""


class Engine:
    """
    Start with `start`, end with `close`; all on one loop.

    ``open_database`` blocks and raises StoreError. ``database_reason`` is one sentence while there is no database,
    ``database_failed`` whether that is a failure rather than a beginning. ``on_database`` and ``on_symbols`` are called
    on the loop when a database opened or failed to, and when the list of symbols arrived. ``feed_reason`` is one
    sentence once receiving has ended for good; `retry_exchange` begins it anew.
    """

    def __init__(
        self,
        *,
        feed: TradeFeed,
        exchange: TradeHistory,
        open_database: Callable[[], Database],
        clock: Clock,
        exchange_clock: ExchangeClock,
        queue_trades: int,
        repair_trades: int,
    ) -> None:
        self.feed = feed
        self.exchange = exchange
        self.exchange_clock = exchange_clock
        self.clock = clock
        self.board = MarketBoard()
        self.recorder = Recorder(exchange_clock, self.board, queue_trades=queue_trades, repair_trades=repair_trades)
        self.repairer = Repairer(self.recorder, exchange, clock)
        self.history = CandleHistory(exchange)
        self.database: Database | None = None
        self.database_reason = "The database is starting."
        self.database_failed = False
        self.feed_reason = ""
        self.symbols: dict[str, Symbol] = {}
        self.on_database: Callable[[], None] = _nothing
        self.on_symbols: Callable[[], None] = _nothing
        self._open_database = open_database
        self._retry_database = asyncio.Event()
        self._clock_measured = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._opening: asyncio.Future[Database] | None = None
        self._receiving: asyncio.Task[None] | None = None

    def start(self, symbols: Iterable[str]) -> None:
        """Begin to receive these symbols, to open the database and to learn about the exchange."""
        self.set_symbols(list(symbols))
        for work in (self._measure_clock(), self._learn_symbols(), self._keep_database(), self.repairer.run()):
            self._begin(work)
        self._receiving = self._begin(self._receive())

    def set_symbols(self, symbols: Sequence[str]) -> None:
        """Receive and record these symbols from now on."""
        added = [symbol for symbol in symbols if self.recorder.tracker(symbol) is None]
        self.recorder.set_symbols(symbols)
        self.feed.set_symbols(symbols)
        if added and self._tasks:
            self._begin(self._load_coverage(added))
            self._begin(self._load_day_tickers(added))

    def retry_database(self) -> None:
        """Try to open the database now instead of later."""
        self._retry_database.set()

    def retry_exchange(self) -> None:
        """Try to reach the exchange now: instead of later, or again where it refused."""
        if self._receiving is not None and self._receiving.done():
            self.feed_reason = ""
            self._receiving = self._begin(self._receive())
        else:
            self.feed.retry_now()

    async def clock_measured(self) -> None:
        """Return when the exchange's clock has been compared with ours, or could not be."""
        await self._clock_measured.wait()

    async def close(self) -> int:
        """
        Stop the feed, write what was received, close the database. Bounded in time.

        Returns how many trades received are not stored; they will show as missing.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        unstored = await self._close_database()
        if unstored:
            logger.error("%d trades received could not be stored", unstored)
        return unstored

    async def _close_database(self) -> int:
        self.recorder.outbox.close()
        database = self.database or await self._opened_late()
        self.database = None
        if database is None:
            return self.recorder.unstored()
        self.recorder.attach(database.writer)
        try:
            async with asyncio.timeout(_FLUSH_S):
                await self.recorder.outbox.drain()
            await database.writer.flush(_FLUSH_S)
        except TimeoutError:
            logger.warning("the database takes too long to store what waits")
        await asyncio.to_thread(database.close, _CLOSE_S)
        return self.recorder.unstored() + len(database.writer.unwritten()) + database.writer.refused

    async def _opened_late(self) -> Database | None:
        if self._opening is None:
            return None
        try:
            async with asyncio.timeout(_CLOSE_S):
                return await self._opening
        except Exception as error:  # because what failed need not be closed
            logger.info("no database at the end", exc_info=error)
            return None

    # The tasks

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._on_done)
        return task

    def _on_done(self, task: asyncio.Task[None]) -> None:
        if task in self._tasks:
            self._tasks.remove(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.critical("a background task failed", exc_info=error)

    async def _receive(self) -> None:
        try:
            await self.feed.run(self.recorder.receive)
        except FeedRejected as error:
            self.feed_reason = str(error)
            logger.error("the feed ended: %s", error)
        except Exception as error:  # because a bug must not look like a quiet market
            self.feed_reason = _inside("Receiving trades", error)
            logger.critical("the feed ended by a fault in the program", exc_info=error)

    async def _measure_clock(self) -> None:
        while True:
            wait_s = _MEASURE_CLOCK_EVERY_S
            asked_us = self.clock.now_us()
            try:
                server_us = await self.exchange.server_time_us()
                self.exchange_clock.measured(server_us, asked_us, self.clock.now_us())
            except FeedError as error:
                logger.info("the exchange's clock is not known: %s", error)
                wait_s = _RETRY_EXCHANGE_S
            finally:
                self._clock_measured.set()
            await self.clock.sleep(wait_s)

    async def _learn_symbols(self) -> None:
        while True:
            try:
                symbols = await self.exchange.symbols()
            except FeedError as error:
                logger.info("the list of symbols is not known: %s", error)
                await self.clock.sleep(_RETRY_EXCHANGE_S)
                continue
            self._set_known_symbols(symbols)
            if self.database is not None:
                await self._remember_symbols(self.database)
            await self._load_day_tickers(self.recorder.symbols)
            return

    def _set_known_symbols(self, symbols: Iterable[Symbol]) -> None:
        self.symbols = {symbol.name: symbol for symbol in symbols}
        self.on_symbols()

    async def _load_day_tickers(self, symbols: Sequence[str]) -> None:
        known = [symbol for symbol in symbols if symbol in self.symbols]
        if known:
            try:
                self.board.note_all(await self.exchange.day_tickers(known))
            except FeedError as error:
                logger.info("no 24 h figures yet: %s", error)

    async def _keep_database(self) -> None:
        while self.database is None:
            self._retry_database.clear()
            try:
                # Shielded, because a database that opens while we close must be closed, too.
                self._opening = asyncio.ensure_future(asyncio.to_thread(self._open_database))
                database = await asyncio.shield(self._opening)
            except StoreError as error:
                logger.error("no database: %s", error)
                await self._wait_without_database(
                    str(error), None if isinstance(error, StoreSchemaMismatch) else _RETRY_DATABASE_S
                )
                continue
            except Exception as error:  # because a bug must not look like a database that is starting for ever
                logger.critical("no database by a fault in the program", exc_info=error)
                await self._wait_without_database(_inside("Opening the database", error), None)
                continue
            await self._use_database(database)

    async def _wait_without_database(self, reason: str, wait_s: float | None) -> None:
        """Return when it is time to try again; ``wait_s`` None: not before the user says so."""
        self.database_reason, self.database_failed = reason, True
        self.on_database()
        try:
            async with asyncio.timeout(wait_s):
                await self._retry_database.wait()
        except TimeoutError:
            pass

    async def _use_database(self, database: Database) -> None:
        self.database, self.database_reason, self.database_failed = database, "", False
        self.history.store = database.store
        self.recorder.attach(database.writer)
        logger.info("database open: %s", database.label)
        if self.symbols:
            await self._remember_symbols(database)
        else:
            try:
                self._set_known_symbols(await asyncio.to_thread(database.store.symbols))
            except StoreError as error:
                logger.warning("symbols not read: %s", error)
        self.on_database()
        await self._load_coverage(self.recorder.symbols)

    async def _remember_symbols(self, database: Database) -> None:
        try:
            await asyncio.to_thread(database.store.save_symbols, list(self.symbols.values()))
        except StoreError as error:
            logger.warning("symbols not kept: %s", error)

    async def _load_coverage(self, symbols: Iterable[str]) -> None:
        if self.database is None:
            return
        try:
            for symbol in symbols:
                self.recorder.stored(symbol, await asyncio.to_thread(self.database.store.coverage, symbol))
        except StoreError as error:
            logger.warning("what is stored is not known: %s", error)


async def check_symbols(exchange: TradeHistory, names: Sequence[str]) -> list[Symbol]:
    """
    Return the symbols of these names.

    Raises:
        UsageError: If one does not exist or is not trading.
        FeedError: If the exchange cannot be asked.
    """
    known = {symbol.name: symbol for symbol in await exchange.symbols()}
    for name in names:
        if name not in known:
            raise UsageError(f"“{name}” is not a symbol of the exchange: name one such as BTCUSDT.")
        if not known[name].is_trading:
            raise UsageError(f"{name} is not trading now (status {known[name].status}): name another symbol.")
    return [known[name] for name in names]


def _inside(what: str, error: Exception) -> str:
    return f"{what} failed inside ({type(error).__name__}): retry, or restart the program; the log file tells more."


def _nothing() -> None:
    """What an engine calls that nobody listens to."""
