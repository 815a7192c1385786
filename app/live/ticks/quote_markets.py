"""
The brokers of quotes that an engine runs beside the exchange of trades, and what their ticks become.

A symbol names its broker, so every question is by symbol: who carries it, how its connection is, what charts read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from app.concurrency.background import in_background
from app.concurrency.tasks import Tasks
from app.live.charts.candle_history import CandleHistory
from app.live.recording.market_snapshot import MarketSnapshot
from app.live.recording.symbol_tracker import SymbolTracker
from app.live.ticks.quote_broker import QuoteBroker
from app.live.ticks.tick_recorder import TickRecorder, WatchedSpan
from app.live.ticks.tick_tracker import SHORTEST
from app.market.errors import StoreError
from app.market.ports.clock import Clock
from app.market.ports.database import OpenedDatabase
from app.market.ports.exchange import FeedState, FeedStatus
from app.market.ports.storage import WriterStatus
from app.market.ports.ticks import TickSpool
from app.market.quotes.tick import PriceSide, Tick
from app.market.symbol import Symbol, broker_of

logger = logging.getLogger(__name__)

_SAVE_WATCHED_S = 10.0
_FLUSH_S = 10.0
_FIRST_SESSIONS_S, _NEXT_SESSIONS_S, _LATER_S = 60.0, 86_400.0, 3_600.0


class QuoteMarkets:
    """
    Runs the brokers; all methods on the loop. ``on_status`` is called with a broker whose state has changed.

    ``queue_ticks``: how many received ticks wait in memory while neither the database nor the disk takes them.
    ``spool``: keeps them on disk; ``has_left``: an earlier run may have left some there.
    """

    def __init__(
        self,
        brokers: Sequence[QuoteBroker],
        market_snapshot: MarketSnapshot,
        clock: Clock,
        *,
        queue_ticks: int,
        spool: TickSpool | None = None,
        has_left: bool = False,
    ) -> None:
        self.brokers = {broker.name: broker for broker in brokers}
        self.recorder = TickRecorder(market_snapshot, queue_ticks=queue_ticks, spool=spool, clock=clock)
        self._has_left = has_left
        self._is_recording = False
        self._away: set[str] = set()  # recorded symbols that had no live stream at the last change of state
        self.on_status: Callable[[QuoteBroker], None] = lambda _: None
        self.on_symbols: Callable[[], None] = lambda: None
        self._clock = clock
        self._tasks = Tasks("the brokers of quotes")
        self._database: OpenedDatabase | None = None
        self._histories: dict[tuple[str, PriceSide], CandleHistory] = {}
        for broker in brokers:
            broker.directory.on_change = lambda _: self.on_symbols()
            broker.on_status = partial(self._on_broker_status, broker)

    @property
    def writer_status(self) -> WriterStatus:
        """The status of the writer of ticks; an empty one while none writes."""
        database = self._database
        writes = database is not None and self.brokers and not database.read_only_reason
        return database.tick_writer.status if database is not None and writes else WriterStatus()

    def start(self) -> None:
        """Begin to receive, and to keep the brokers' symbols current."""
        for broker in self.brokers.values():
            self._tasks.begin(broker.run(self.recorder.receive))
        if self.brokers:
            self._tasks.begin(self._keep_watched())
            self._tasks.begin(self._keep_sessions())

    async def close(self) -> int:
        """Stop receiving, and store what was received; return how many ticks are neither stored nor on disk."""
        await self._tasks.end()
        if not self._is_recording:
            return 0
        outbox, database = self.recorder.outbox, self._database
        outbox.close()
        outbox.release()
        left: list[Tick] = []
        if database is not None:
            if not outbox.can_skip_database and await self._flushed(database):
                await self._save_watched(self.recorder.take_watched())
            left = database.tick_writer.unwritten()
        unsaved = await outbox.save(left)
        await outbox.finish()
        return len(unsaved) + self.recorder.lost

    async def _flushed(self, database: OpenedDatabase) -> bool:
        """Return whether all received ticks are committed; bounded in time."""
        try:
            async with asyncio.timeout(_FLUSH_S):
                await self.recorder.outbox.drain()
                return await database.tick_writer.flush(_FLUSH_S)
        except TimeoutError:
            logger.warning("the database takes too long to store the waiting ticks")
            return False

    def set_symbols(self, symbols: Sequence[str]) -> None:
        """
        Receive and record these symbols, all of brokers of quotes, from now on.

        Raises:
            UsageError: If they are more than a broker takes; nothing is changed.
        """
        for broker in self.brokers.values():
            broker.set_symbols([one for one in symbols if broker_of(one) == broker.name])
        self.recorder.set_symbols(symbols)
        if symbols:
            self._begin_recording()

    def _begin_recording(self) -> None:
        """Open the spool, and hand ticks to the database once there is one."""
        if not self._is_recording:
            self._is_recording = True
            self.recorder.outbox.start()
            self._attach()

    def _attach(self) -> None:
        database = self._database
        if self._is_recording and database is not None:
            self.recorder.outbox.attach(database.tick_writer, recording=not database.read_only_reason)

    async def use_database(self, database: OpenedDatabase) -> None:
        """Store into this database, and read from it, from now on."""
        before, self._database = self._database, database
        if before is not None and self._is_recording:
            self.recorder.outbox.attach(None)
            self.recorder.change_database(before.tick_writer.unwritten())
            if database.read_only_reason and not before.read_only_reason:
                # It would discard what the old one did not store; the disk keeps that for another database.
                self.recorder.note_lost(len(await self.recorder.outbox.save()))
        for (_, side), history in self._histories.items():
            history.store = database.store.of_side(side)
        if self._has_left:
            self._begin_recording()
        self._attach()
        for broker in self.brokers.values():
            await broker.directory.load_from(database.store)

    # By symbol

    @property
    def symbols(self) -> dict[str, Symbol]:
        """Every symbol that the brokers list or once listed, by name."""
        return {name: one for broker in self.brokers.values() for name, one in broker.directory.symbols.items()}

    def symbol(self, name: str) -> Symbol:
        """Return the symbol of that name; see `SymbolDirectory.symbol` for an unknown one."""
        broker = self.brokers.get(broker_of(name))
        return Symbol(name, "", "", tick_size_e8=1_000) if broker is None else broker.directory.symbol(name)

    def status_of(self, symbol: str) -> FeedStatus:
        """Return the state of the connection that carries a symbol."""
        broker = self.brokers.get(broker_of(symbol))
        if broker is None:
            return FeedStatus(FeedState.REFUSED, f"“{symbol}” is of a broker that is not set up.")
        return broker.status_of(symbol)

    def tracker(self, symbol: str, side: PriceSide) -> SymbolTracker | None:
        """Return what a chart of one price listens to; None if the symbol is not recorded."""
        tracker = self.recorder.tracker(symbol)
        return None if tracker is None else tracker.sides[side]

    def history(self, symbol: str, side: PriceSide) -> CandleHistory:
        """Return what a chart of one price reads its past candles from."""
        name = broker_of(symbol)
        history = self._histories.get((name, side))
        if history is None:
            broker = self.brokers.get(name) or QuoteBroker(name, self._clock, None)
            store = None if self._database is None else self._database.store.of_side(side)
            history = self._histories[name, side] = CandleHistory(broker.klines(side), store, finest=SHORTEST)
        return history

    def retry_now(self) -> None:
        """End the waits between attempts at once."""
        for broker in self.brokers.values():
            broker.retry_now()

    def doubt(self, reason: str) -> None:
        """Replace the connections of all brokers, as after a sleep of the computer; see `QuoteBroker.doubt`."""
        for broker in self.brokers.values():
            broker.doubt(reason)

    # How the parts react to each other

    def _on_broker_status(self, broker: QuoteBroker) -> None:
        recorded = {one for one in self.recorder.symbols if broker_of(one) == broker.name}
        away = {one for one in recorded if broker.status_of(one).state is not FeedState.LIVE}
        # A stream in doubt may have gone on until now; what it sent last, and was not read, the new one does not have.
        self.recorder.note_break(away | (self._away & recorded))
        self._away = {one for one in self._away if broker_of(one) != broker.name} | away
        self.on_status(broker)

    async def _keep_watched(self) -> None:
        while True:
            await self._clock.sleep(_SAVE_WATCHED_S)
            await self._save_watched(self.recorder.take_watched())

    async def _keep_sessions(self) -> None:
        """Keep the tables of sessions and of the gaps between them, once a day; the start comes first."""
        await self._clock.sleep(_FIRST_SESSIONS_S)
        while True:
            wait_s = _LATER_S
            database = self._database
            if database is not None and not database.read_only_reason:
                work = partial(database.store.keep_sessions, self._clock.now_us())
                try:
                    await in_background(work, "keep-sessions")
                    wait_s = _NEXT_SESSIONS_S
                except StoreError as error:
                    logger.warning("The sessions of markets were not stored: %s", error)
            await self._clock.sleep(wait_s)

    async def _save_watched(self, watched: Sequence[WatchedSpan]) -> None:
        """Remember the times watched, once their ticks are committed; otherwise they do not count as watched."""
        database = self._database
        if database is None or database.read_only_reason or not watched:
            return
        outbox = self.recorder.outbox
        # What waits here or on disk is not committed yet, and may be lost: the time is remembered with the next span.
        is_saved = False
        try:
            if not outbox.is_spooling and not outbox.waiting and await database.tick_writer.flush(_FLUSH_S):
                await in_background(partial(_remember, database, watched), "save-watched")
                is_saved = True
        except StoreError as error:
            logger.warning("Not remembered yet from when to when ticks were watched: %s", error)
        finally:  # also where the program ends meanwhile: `close` tries once more
            if not is_saved and database is self._database:
                self.recorder.give_back(watched)


def _remember(database: OpenedDatabase, watched: Iterable[WatchedSpan]) -> None:
    loader = database.tick_loader()
    try:
        for span in watched:
            loader.store_ticks([], span)
    finally:
        loader.close()
