"""
The running program without a window: feed, recorder, repairer, database, clock, and the tasks that keep them going.

The window and ``collect`` are two faces of one engine. It starts without a database and without an exchange; whichever
comes later is taken into use when it comes, and what is wrong meanwhile is said in one sentence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from app.concurrency.background import in_background
from app.concurrency.tasks import Tasks
from app.live.charts.candle_history import CandleHistory
from app.live.environment.clocks import ExchangeClock
from app.live.recording.database_keeper import DatabaseKeeper, inside
from app.live.recording.market_snapshot import MarketSnapshot
from app.live.recording.recorder import Recorder
from app.live.recording.stall_detection import StallDetector
from app.live.recording.symbol_directory import ListedHistory, SymbolDirectory
from app.live.repair.coverage_sync import CoverageSync
from app.live.repair.repairer import Repairer
from app.live.repair.shared_repairs import SharedRepairs
from app.market.errors import FeedDisconnected, FeedError, FeedRejected, StoreError, UsageError
from app.market.exchange_ban import ExchangeBan
from app.market.ports.clock import Clock
from app.market.ports.database import OpenDatabase, OpenedDatabase
from app.market.ports.exchange import FeedState, FeedStatus, TradeFeed, TradeHistory
from app.market.ports.storage import SpoolStatus, TradeSpool
from app.market.symbol import Symbol

logger = logging.getLogger(__name__)

_MEASURE_CLOCK_EVERY_S = 300.0
_RETRY_EXCHANGE_S = 5.0
_PAGE = 1000


class Engine:
    """
    Start with `start`, end with `close`; all on one loop.

    ``open_database`` blocks and raises StoreError. ``on_database`` and ``on_symbols`` are called on the loop when a
    database opened or failed to, and when something changed among the exchange's symbols. ``feed_reason`` is one
    sentence once receiving has ended for good; `retry_exchange` begins it anew. ``ban``: how long the
    exchange keeps this address out.
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
        ban: ExchangeBan | None = None,
        spool: TradeSpool | None = None,
    ) -> None:
        self.feed = feed
        self.exchange = exchange
        self.ban = ban or ExchangeBan()
        self.exchange_clock = exchange_clock
        self.clock = clock
        self.market_snapshot = MarketSnapshot()
        self.recorder = Recorder(
            exchange_clock,
            self.market_snapshot,
            queue_trades=queue_trades,
            repair_trades=repair_trades,
            spool=spool,
            clock=clock,
        )
        self.directory = SymbolDirectory(exchange, clock)
        listed = ListedHistory(exchange, self.directory)
        self.repairer = Repairer(self.recorder, listed, clock)
        self.history = CandleHistory(listed)
        self.feed_reason = ""
        self.on_database: Callable[[], None] = _nothing
        self.on_symbols: Callable[[], None] = _nothing
        self._databases = DatabaseKeeper(
            self.recorder, open_database, on_open=self._use_database, on_failure=lambda: self.on_database()
        )
        self._listed = listed
        self._repair_trades = repair_trades
        self._trading: set[str] = set()
        self._stored_symbols: dict[str, Symbol] = {}
        self._feed_status = feed.status
        self.directory.on_change = self._on_directory
        self.directory.is_urgent = lambda: any(self.symbol(name).is_listed for name in self.not_trading())
        feed.on_status(self._on_feed_status)
        self._settled = CoverageSync(self.recorder, lambda: self.database, clock)
        self._sharing = SharedRepairs(self.recorder, self.repairer, self._settled, lambda: self.database, clock)
        self.stall_detector = StallDetector(
            self.recorder, listed, clock, exchange_clock, is_receiving=self.is_receiving
        )
        self._clock_measured = asyncio.Event()
        self._measuring: asyncio.Task[None] | None = None
        self._tasks = Tasks("the engine")
        self._receiving: asyncio.Task[None] | None = None

    @property
    def database(self) -> OpenedDatabase | None:
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
        self.recorder.outbox.start()
        self._measuring = self._tasks.begin(self._measure_clock())
        keepers = (self.directory, self._databases, self.repairer, self._settled, self._sharing, self.stall_detector)
        for keeper in keepers:
            self._tasks.begin(keeper.run())
        self._receiving = self._tasks.begin(self._receive())

    @property
    def waiting_trades(self) -> int:
        """How many received trades are neither with the database nor on disk yet."""
        return self.recorder.outbox.waiting

    @property
    def spool_status(self) -> SpoolStatus:
        """What is on disk; nothing where there is no spool."""
        return self.recorder.outbox.spool

    async def drain(self) -> None:
        """Hand all received trades to the database, if it is at work; it still has to commit them."""
        await self.recorder.drain()

    @property
    def symbols(self) -> dict[str, Symbol]:
        """Every symbol the exchange lists or once listed, by name; empty until known."""
        return self.directory.symbols

    def symbol(self, name: str) -> Symbol:
        """Return the symbol of that name; its status tells where the exchange has none such."""
        return self.directory.symbol(name)

    def set_symbols(self, symbols: Sequence[str]) -> None:
        """
        Receive and record these symbols from now on.

        Those that do not trade are not asked for until they do; what is known of them stays.

        Raises:
            UsageError: If they are more than can be received; nothing is changed.
        """
        self.feed.set_symbols(self._to_receive(symbols))
        added = [symbol for symbol in symbols if self.recorder.tracker(symbol) is None]
        self.recorder.set_symbols(symbols)
        self._trading = set(self._to_receive(symbols))
        if added and self._tasks:
            self._tasks.begin(self._load_coverage(added))
            self._tasks.begin(self._load_day_tickers(added))

    def not_trading(self) -> list[str]:
        """Return the recorded symbols that wait for their trading to go on, as the exchange said in this run."""
        if not self.directory.is_current:
            return []
        return [name for name in self.recorder.symbols if not self.symbol(name).is_trading]

    def _to_receive(self, symbols: Iterable[str]) -> list[str]:
        # What a database remembers of a status may be old.
        return [name for name in symbols if not self.directory.is_current or self.symbol(name).is_trading]

    def is_receiving(self, symbol: str) -> bool:
        """Whether the connection that carries ``symbol`` is live."""
        return not self.feed_reason and self.feed.status_of(symbol).state is FeedState.LIVE

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
            self._receiving = self._tasks.begin(self._receive())
        else:
            self.feed.retry_now()

    def measure_clock(self) -> None:
        """Ask for the exchange's time again now, because ours may have been set; of no effect before `start`."""
        if self._measuring is not None:
            self._measuring.cancel()
            self._measuring = self._tasks.begin(self._measure_clock())

    @property
    def is_clock_measured(self) -> bool:
        """Whether the exchange's clock has been compared with ours, or could not be."""
        return self._clock_measured.is_set()

    async def wait_for_clock(self) -> None:
        """Return when `is_clock_measured`."""
        await self._clock_measured.wait()

    async def close(self) -> int:
        """
        Stop the feed, write what was received, close the database. Bounded in time.

        Returns how many trades received are neither stored nor on disk, see `TradeOutbox.spool`; they will show as
        missing.
        """
        await self._tasks.end()
        unstored = await self._databases.close()
        await self._tasks.end()  # what a change of databases has begun meanwhile
        if unstored:
            logger.error("%d trades received could not be stored", unstored)
        return unstored

    # The tasks

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
                self.exchange_clock.note_measurement(server_us, asked_us, self.clock.now_us())
            except FeedError as error:
                logger.info("the exchange's clock is not known: %s", error)
                wait_s = _RETRY_EXCHANGE_S
            finally:
                self._clock_measured.set()
            await self.clock.sleep(wait_s)

    def _on_feed_status(self, status: FeedStatus) -> None:
        before, self._feed_status = self._feed_status, status
        came_back = before.state is not FeedState.LIVE or status.down < before.down
        if status.state is FeedState.LIVE and came_back and self._tasks:
            self.directory.refresh()  # what changed meanwhile is not told by the streams

    def _on_directory(self, changed: Sequence[Symbol]) -> None:
        """Receive what trades now and no longer what does not."""
        recorded = self.recorder.symbols
        trading = set(self._to_receive(recorded))
        begun, ended = trading - self._trading, self._trading - trading
        self._trading = trading
        if begun or ended:
            try:
                self.feed.set_symbols([name for name in recorded if name in trading])
            except UsageError as error:
                logger.error("the symbols received stay as they are: %s", error)
        if self._tasks:
            if ended:
                self._tasks.begin(self._fetch_last(ended))
            if self.directory.is_current:
                asked = {symbol.name for symbol in changed if symbol.is_listed} | begun
                self._tasks.begin(self._load_day_tickers([name for name in recorded if name in asked]))
            if self.database is not None:
                self._tasks.begin(self._keep_symbols(self.database))
        self.on_symbols()

    async def _fetch_last(self, symbols: Iterable[str]) -> None:
        """Fetch the last trades of symbols that trade no more: nothing follows that would show what is missing."""
        for name in symbols:
            while name in self.not_trading() and self.symbol(name).is_listed:
                try:
                    await self._fetch_to_the_end(name)
                    break
                except FeedError as error:
                    logger.info("the last trades of %s were not fetched: %s", name, error, extra={"symbol": name})
                    if not isinstance(error, FeedDisconnected):
                        break
                    await self.clock.sleep(error.retry_after_s or _RETRY_EXCHANGE_S)

    async def _fetch_to_the_end(self, name: str) -> None:
        tracker, fetched = self.recorder.tracker(name), 0
        last = None if tracker is None else tracker.held().last
        while last is not None and fetched < self._repair_trades:
            page = await self._listed.trades_from(name, last + 1, limit=_PAGE)
            await self.recorder.ingest(page)
            last = page[-1].trade_id if len(page) == _PAGE else None
            fetched += len(page)

    async def _load_day_tickers(self, symbols: Sequence[str]) -> None:
        known = [symbol for symbol in symbols if symbol in self.symbols]
        if known:
            try:
                self.market_snapshot.note_all(await self._listed.day_tickers(known))
            except FeedError as error:
                logger.info("no 24 h figures yet: %s", error)

    async def _use_database(self, database: OpenedDatabase) -> None:
        self.history.store = database.store
        self.on_database()
        try:
            stored = await in_background(database.store.symbols, "read-symbols")
            self._stored_symbols = {symbol.name: symbol for symbol in stored}
            self.directory.remember(stored)
            await self._keep_symbols(database)
        except StoreError as error:
            logger.warning("symbols not read: %s", error)
        await self._load_coverage(self.recorder.symbols)

    async def _keep_symbols(self, database: OpenedDatabase) -> None:
        """Store what the exchange said in this run and the database does not know."""
        said = [self.symbols[name] for name in sorted(self.directory.seen)]
        news = [symbol for symbol in said if self._stored_symbols.get(symbol.name) != symbol]
        if not news:
            return
        try:
            await in_background(partial(database.store.save_symbols, news), "save-symbols")
        except StoreError as error:
            logger.warning("symbols not kept: %s", error)
        else:
            if database is self.database:
                self._stored_symbols |= {symbol.name: symbol for symbol in news}

    async def _load_coverage(self, symbols: Sequence[str]) -> None:
        loaded = await self._settled.load(symbols)
        # By itself, because the exchange may keep it waiting, and a change of databases is done without.
        self._tasks.begin(self._fetch_last([name for name in self.not_trading() if name in loaded]))


def _nothing() -> None:
    """What an engine calls that nobody listens to."""
