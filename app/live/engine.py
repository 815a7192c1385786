"""
The running program without a window: feed, recorder, repairer, database, clock, and the tasks that keep them going.

The window and ``collect`` are two faces of one engine. It starts without a database and without an exchange; whichever
comes later is taken into use when it comes, and what is wrong meanwhile is said in one sentence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from app.live.board import MarketBoard
from app.live.clock import ExchangeClock
from app.live.databases import Database, DatabaseKeeper, OpenDatabase, inside
from app.live.history import CandleHistory
from app.live.recorder import Recorder
from app.live.repair import Repairer
from app.market.errors import FeedError, FeedRejected, StoreError, UsageError
from app.market.ports import Clock, TradeFeed, TradeHistory
from app.market.symbol import Symbol

logger = logging.getLogger(__name__)

_MEASURE_CLOCK_EVERY_S = 300.0
_RETRY_EXCHANGE_S = 5.0


class Engine:
    """
    Start with `start`, end with `close`; all on one loop.

    ``open_database`` blocks and raises StoreError. ``on_database`` and ``on_symbols`` are called on the loop when a
    database opened or failed to, and when the list of symbols arrived. ``feed_reason`` is one sentence once receiving
    has ended for good; `retry_exchange` begins it anew.
    """

    def __init__(
        self,
        *,
        feed: TradeFeed,
        exchange: TradeHistory,
        open_database: OpenDatabase,
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
        self.feed_reason = ""
        self.symbols: dict[str, Symbol] = {}
        self.on_database: Callable[[], None] = _nothing
        self.on_symbols: Callable[[], None] = _nothing
        self._databases = DatabaseKeeper(
            self.recorder, open_database, on_open=self._use_database, on_failure=lambda: self.on_database()
        )
        self._clock_measured = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._receiving: asyncio.Task[None] | None = None

    @property
    def database(self) -> Database | None:
        """The database in use."""
        return self._databases.database

    @property
    def database_reason(self) -> str:
        """One sentence while there is no database."""
        return self._databases.reason

    @property
    def database_failed(self) -> bool:
        """Whether there is none because of a failure, rather than because it is starting or being changed."""
        return self._databases.failed

    def start(self, symbols: Iterable[str]) -> None:
        """Begin to receive these symbols, to open the database and to learn about the exchange."""
        self.set_symbols(list(symbols))
        for work in (self._measure_clock(), self._learn_symbols(), self._databases.run(), self.repairer.run()):
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
        self._databases.retry()

    async def change_database(self, open_database: OpenDatabase) -> None:
        """
        Record into another database, and read from it, from now on; nothing received is lost on the way.

        Raises:
            StoreError: If it cannot be opened. The one in use stays in use.
        """
        await self._databases.change(open_database)

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
        unstored = await self._databases.close()
        if unstored:
            logger.error("%d trades received could not be stored", unstored)
        return unstored

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
            self.feed_reason = inside("Receiving trades", error)
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

    async def _use_database(self, database: Database) -> None:
        self.history.store = database.store
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
        database = self.database
        if database is None or database.reading_only:
            return  # what another program records is no gap of ours
        try:
            for symbol in symbols:
                ranges = await asyncio.to_thread(database.store.coverage, symbol)
                if database is self.database:
                    self.recorder.stored(symbol, ranges)
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


def _nothing() -> None:
    """What an engine calls that nobody listens to."""
