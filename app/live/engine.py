"""
The program without a window: builds feed, recorder, repairs and database, starts and stops them.

The window and ``collect`` both run an `Engine`. It starts without a database and without an exchange, uses each as soon
as it is there, and meanwhile says in one sentence what is wrong. What the parts do is in their own modules; here is how
they are connected.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.concurrency.tasks import Tasks
from app.live.alerts.alert_keeper import AlertKeeper
from app.live.charts.candle_history import CandleHistory
from app.live.charts.cold_days import ColdDays
from app.live.drawings.drawing_board import DrawingBoard
from app.live.environment.clocks import ClockSync, ExchangeClock
from app.live.recording.database_keeper import DatabaseKeeper, fault_sentence
from app.live.recording.market_snapshot import MarketSnapshot
from app.live.recording.recorder import Recorder
from app.live.recording.stall_detection import StallDetector
from app.live.recording.symbol_directory import ListedHistory, SymbolDirectory
from app.live.recording.symbol_tracker import SymbolTracker
from app.live.repair.coverage_sync import CoverageSync
from app.live.repair.last_trades import LastTrades
from app.live.repair.repairer import Repairer
from app.live.repair.shared_repairs import SharedRepairs
from app.live.ticks.quote_broker import QuoteBroker
from app.live.ticks.quote_markets import QuoteMarkets
from app.market.errors import FeedRejected, UsageError
from app.market.exchange_ban import ExchangeBan
from app.market.ports.clock import Clock
from app.market.ports.cold import ColdSource
from app.market.ports.database import OpenDatabase, OpenedDatabase
from app.market.ports.drawings import DrawingJournal
from app.market.ports.exchange import FeedState, FeedStatus, TradeFeed, TradeHistory
from app.market.ports.storage import SpoolStatus, TradeSpool
from app.market.ports.ticks import TickSpool
from app.market.quotes.tick import PriceSide
from app.market.symbol import BROKER, Symbol, broker_of, in_usual_quote

if TYPE_CHECKING:  # few programs have alerts on trouble
    from app.live.alerts.trouble_sources import TroubleSources

logger = logging.getLogger(__name__)


class Engine:
    """
    Start with `start`, end with `close`; all on one loop.

    ``open_database`` blocks and raises StoreError. ``on_database`` is called on the loop when a database opened or
    failed to open, ``on_symbols`` when the exchange's symbols changed, ``on_exchange_back`` when the exchange answers
    requests again after it was away. ``feed_reason`` is one sentence once receiving has ended for good;
    `retry_exchange` starts it again. ``ban``: how long the exchange refuses this address. ``cold``: a lake, from which
    charts fetch days that the database has not. ``drawing_journal``: where drawings outlive a kill. ``data_dir``:
    where the data are; alerts may be about its disk.
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
        quote_brokers: Sequence[QuoteBroker] = (),
        tick_spool: TickSpool | None = None,
        has_left_ticks: bool = False,
        cold: ColdSource | None = None,
        drawing_journal: DrawingJournal | None = None,
        data_dir: Path | None = None,
    ) -> None:
        self._data_dir = data_dir
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
        self.quotes = QuoteMarkets(
            quote_brokers,
            self.market_snapshot,
            clock,
            queue_ticks=queue_trades,
            spool=tick_spool,
            has_left=has_left_ticks,
        )
        self.directory = SymbolDirectory(exchange, clock)
        listed = ListedHistory(exchange, self.directory)
        self.repairer = Repairer(self.recorder, listed, clock)
        self.history = CandleHistory(listed)
        if cold is not None:
            self.history.cold = ColdDays(cold, clock)
        self.stall_detector = StallDetector(
            self.recorder, listed, clock, exchange_clock, is_receiving=self.is_receiving
        )
        self.feed_reason = ""
        self.on_database: Callable[[], None] = _do_nothing
        self.on_symbols: Callable[[], None] = _do_nothing
        self.on_exchange_back: Callable[[], None] = _do_nothing
        self._listed = listed
        self._databases = DatabaseKeeper(
            self.recorder, open_database, on_open=self._use_database, on_failure=lambda: self.on_database()
        )
        self._clock_sync = ClockSync(exchange, clock, exchange_clock)
        self._coverage_sync = CoverageSync(self.recorder, lambda: self.database, clock)
        self._shared_repairs = SharedRepairs(
            self.recorder, self.repairer, self._coverage_sync, lambda: self.database, clock
        )
        self.alerts = AlertKeeper(self.recorder, lambda: self.database, clock, self._trouble_sources)
        self.drawings = DrawingBoard(drawing_journal, lambda: self.database, clock)
        self._last_trades = LastTrades(self.recorder, listed, self.directory, clock)
        self._tasks = Tasks("the engine")
        self._receiving: asyncio.Task[None] | None = None
        self._trading: set[str] = set()  # the recorded symbols that the feed was last asked for
        self._feed_status = feed.status
        self._clock_sync.on_return = self._on_exchange_back
        self.directory.on_away = self._clock_sync.note_away
        self.directory.on_change = self._on_directory
        self.directory.is_urgent = lambda: any(self.symbol(name).is_listed for name in self.not_trading())
        feed.on_status(self._on_feed_status)
        self.quotes.on_symbols = lambda: self.on_symbols()

    # Start and end

    def start(self, symbols: Iterable[str], *, asks_exchange: bool = True) -> None:
        """
        Begin to receive these symbols, to open the database and to ask the exchange of trades for its symbols and time.

        ``asks_exchange``: False where none of its symbols is recorded, now or later: then nothing is asked of it.
        """
        self.set_symbols(list(symbols))
        self.recorder.start()
        for part in (
            *((self._clock_sync, self.directory) if asks_exchange else ()),
            self._databases,
            self.repairer,
            self._coverage_sync,
            self._shared_repairs,
            self.stall_detector,
            self.alerts,
            self.drawings,
        ):
            self._tasks.begin(part.run())
        self._receiving = self._tasks.begin(self._receive())
        self.quotes.start()

    async def close(self) -> int:
        """
        Stop the feed, write what was received, close the database. Bounded in time.

        Returns the number of received trades that are neither stored nor on disk (see `spool_status`); the next start
        finds them missing.
        """
        await self._tasks.end()
        await self.alerts.finish()
        await self.drawings.finish()
        unstored = await self.quotes.close()
        unstored += await self._databases.close()
        await self._tasks.end()  # tasks that a change of databases began meanwhile
        if unstored:
            logger.error("%d trades or ticks received could not be stored", unstored)
        return unstored

    # The database

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
        """Whether opening the database failed; False while it is starting or being changed."""
        return self._databases.failed

    def retry_database(self) -> None:
        """Try to open the database now instead of later."""
        self._databases.retry()

    async def change_database(self, open_database: OpenDatabase) -> None:
        """
        Record into another database, and read from it, from now on; no received trade is lost in between.

        Raises:
            StoreError: If it cannot be opened. The one in use stays in use.
        """
        await self._databases.change(open_database)

    @property
    def waiting_trades(self) -> int:
        """How many received trades are neither with the database nor on disk yet."""
        return self.recorder.outbox.waiting

    @property
    def spool_status(self) -> SpoolStatus:
        """The contents of the spool on disk; empty without a spool."""
        return self.recorder.outbox.spool_status

    async def drain(self) -> None:
        """Hand all received trades to the database, if it is at work; it still has to commit them."""
        await self.recorder.drain()

    # Symbols

    @property
    def symbols(self) -> dict[str, Symbol]:
        """Every symbol that a broker lists or once listed, by name; empty until known."""
        return {**self.directory.symbols, **self.quotes.symbols} if self.quotes.brokers else self.directory.symbols

    @property
    def recorded(self) -> list[str]:
        """The symbols recorded: those of the exchange of trades, then those of brokers of quotes."""
        return [*self.recorder.symbols, *self.quotes.recorder.symbols]

    def symbol(self, name: str) -> Symbol:
        """Return the symbol of that name; see `SymbolDirectory.symbol` for an unknown one."""
        return self.directory.symbol(name) if broker_of(name) == BROKER else self.quotes.symbol(name)

    def is_recorded(self, name: str) -> bool:
        """Whether the trades or ticks of a symbol are received and recorded."""
        if broker_of(name) == BROKER:
            return self.recorder.tracker(name) is not None
        return self.quotes.recorder.tracker(name) is not None

    def chart_tracker(self, name: str, side: PriceSide = PriceSide.MID) -> SymbolTracker | None:
        """Return what a chart of the symbol listens to; None if it is not recorded. ``side``: of its ticks."""
        return self.recorder.tracker(name) if broker_of(name) == BROKER else self.quotes.tracker(name, side)

    def chart_history(self, name: str, side: PriceSide = PriceSide.MID) -> CandleHistory:
        """Return what a chart of the symbol reads its past candles from. ``side``: of its ticks."""
        return self.history if broker_of(name) == BROKER else self.quotes.history(name, side)

    def set_symbols(self, symbols: Sequence[str]) -> None:
        """
        Receive and record these symbols from now on.

        Symbols that do not trade are recorded but not received until they do. A base asset alone stands for its USDT
        pair, from when the exchange's symbols are known (`app.market.symbol.in_usual_quote`).

        Raises:
            UsageError: If they are more than can be received; nothing is changed.
        """
        symbols = self._resolved(symbols)
        before = self.quotes.recorder.symbols
        self.quotes.set_symbols([name for name in symbols if broker_of(name) != BROKER])
        symbols = [name for name in symbols if broker_of(name) == BROKER]
        try:
            self.feed.set_symbols(self._to_receive(symbols))
        except UsageError:
            self.quotes.set_symbols(before)
            raise
        added = [symbol for symbol in symbols if self.recorder.tracker(symbol) is None]
        self.recorder.set_symbols(symbols)
        self._trading = set(self._to_receive(symbols))
        if added and self._tasks:
            self._tasks.begin(self._load_coverage(added))
            self._tasks.begin(self._load_day_tickers(added))

    def not_trading(self) -> list[str]:
        """Return the recorded symbols that do not trade now, as the exchange said in this run."""
        if not self.directory.is_current:
            return []
        return [name for name in self.recorder.symbols if not self.symbol(name).is_trading]

    def _resolved(self, names: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(in_usual_quote(name, self.symbols) for name in names))

    def _to_receive(self, symbols: Iterable[str]) -> list[str]:
        # A status that only the database remembers may be outdated, so it keeps no symbol from being received.
        return [name for name in symbols if not self.directory.is_current or self.symbol(name).is_trading]

    # The exchange

    def status_of(self, symbol: str) -> FeedStatus:
        """Return the state of the connection that carries ``symbol``, also after receiving has ended for good."""
        if broker_of(symbol) != BROKER:
            return self.quotes.status_of(symbol)
        return FeedStatus(FeedState.REFUSED, self.feed_reason) if self.feed_reason else self.feed.status_of(symbol)

    def is_receiving(self, symbol: str) -> bool:
        """Whether the connection that carries ``symbol`` is live."""
        return self.status_of(symbol).state is FeedState.LIVE

    def is_live(self, symbol: str) -> bool:
        """Whether ``symbol`` trades, is asked for, and its connection is live: its latest figures are those of now."""
        return self.is_recorded(symbol) and self.symbol(symbol).is_trading and self.is_receiving(symbol)

    def retry_exchange(self) -> None:
        """Try to reach every broker now: instead of later, or again after it refused."""
        self.quotes.retry_now()
        if self._receiving is not None and self._receiving.done():
            self.feed_reason = ""
            self._receiving = self._tasks.begin(self._receive())
        else:
            self.feed.retry_now()

    def measure_clock(self) -> None:
        """Ask for the exchange's time again, because this computer's clock may have been set."""
        self._clock_sync.measure_now()

    @property
    def is_clock_measured(self) -> bool:
        """Whether the exchange's clock has been compared with ours, or that failed."""
        return self._clock_sync.is_attempted

    async def wait_for_clock(self) -> None:
        """Return when `is_clock_measured`."""
        await self._clock_sync.wait()

    async def _receive(self) -> None:
        try:
            await self.feed.run(self.recorder.receive)
        except FeedRejected as error:
            self.feed_reason = str(error)
            logger.error("the feed ended: %s", error)
        except Exception as error:  # because a bug must not look like a quiet market
            self.feed_reason = fault_sentence("Receiving trades", error)
            logger.critical("the feed ended by a fault in the program", exc_info=error)

    # How the parts react to each other

    def _trouble_sources(self) -> TroubleSources:
        from app.live.alerts.trouble_sources import TroubleSources  # here: most programs have no alerts on trouble

        return TroubleSources(
            self.recorder,
            self.status_of,
            lambda name: self.symbol(name).is_trading,
            lambda: self.database,
            lambda: self.database_reason if self.database_failed else "",
            self._data_dir,
        )

    def _on_feed_status(self, status: FeedStatus) -> None:
        before, self._feed_status = self._feed_status, status
        for name in self.recorder.symbols:
            tracker = self.recorder.tracker(name)
            if tracker is not None and not self.is_receiving(name):
                tracker.note_break()
        came_back = before.state is not FeedState.LIVE or status.down < before.down
        if status.state is FeedState.LIVE and came_back and self._tasks:
            self.directory.refresh()  # the streams do not report what changed meanwhile
            if self._clock_sync.is_away:
                self._clock_sync.measure_now()  # requests may be answered again, too

    def _on_exchange_back(self) -> None:
        """Let everything that waits for the exchange go on at once, instead of each after a delay of its own."""
        self.directory.retry_now()
        self.repairer.wake()
        self.on_exchange_back()

    def _on_directory(self, changed: Sequence[Symbol]) -> None:
        """Receive the symbols that trade now, and no longer those that stopped."""
        if self._resolved(self.recorder.symbols) != list(self.recorder.symbols):
            self.set_symbols(self.recorded)
        recorded = self.recorder.symbols
        trading = set(self._to_receive(recorded))
        started, stopped = trading - self._trading, self._trading - trading
        self._trading = trading
        if started or stopped:
            try:
                self.feed.set_symbols([name for name in recorded if name in trading])
            except UsageError as error:
                logger.error("the symbols received stay as they are: %s", error)
        if self._tasks:
            if stopped:
                self._tasks.begin(self._last_trades.fetch(stopped))
            if self.directory.is_current:
                asked = {symbol.name for symbol in changed if symbol.is_listed} | started
                self._tasks.begin(self._load_day_tickers([name for name in recorded if name in asked]))
            if self.database is not None:
                self._tasks.begin(self.directory.save_to(self.database.store))
        self.on_symbols()

    async def read_coverage(self, symbols: Sequence[str]) -> None:
        """Read again which trades of these symbols are held: an import has stored some. Logs failures."""
        await self._load_coverage([name for name in symbols if name in self.recorder.symbols])

    async def _use_database(self, database: OpenedDatabase) -> None:
        self.history.store = database.store
        await self.quotes.use_database(database)
        self.on_database()
        await self.directory.load_from(database.store)
        await self._load_coverage(self.recorder.symbols)

    async def _load_coverage(self, symbols: Sequence[str]) -> None:
        loaded = await self._coverage_sync.load(symbols)
        # In a task of its own: the exchange may keep it waiting, and a change of databases must not wait for that.
        self._tasks.begin(self._last_trades.fetch([name for name in self.not_trading() if name in loaded]))

    async def _load_day_tickers(self, symbols: Sequence[str]) -> None:
        known = [name for name in symbols if name in self.symbols]  # one unknown name, and the exchange refuses all
        await self.market_snapshot.load_day_tickers(self._listed, known)


def _do_nothing() -> None:
    """Default callback: do nothing."""
