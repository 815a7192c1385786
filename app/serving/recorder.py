"""
Serves the data of a program that records: its engine's live trades, quotes and ticks, its health and its metrics.

The engine runs on the program's loop, the server on one of its own. Events cross over in batches through a bounded
queue; figures are read on the engine's loop. Symbols that other programs record into the same database are followed
there, as by a server alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from typing import TypeVar

from app.live.engine import Engine
from app.live.recording.measures import Distribution
from app.market.errors import StoreError
from app.market.ports.exchange import FeedState
from app.market.quotes.tick import Tick
from app.market.symbol import broker_of, broker_title
from app.market.trade import DayTicker, MarketEvent, Quote, Trade
from app.observability.metrics import Metrics
from app.observability.prometheus import metrics_text
from app.serving.live import exchange_events, live_messages
from app.serving.live.gathered_events import BookStreams, TradeAggregates
from app.serving.live.hub import LiveHub
from app.serving.live.live_client import LiveItem
from app.serving.live.stored_follower import StoredFollower
from app.serving.live.subscriptions import QUOTE, TICK, TRADE
from app.serving.live.tick_follower import tick_items
from app.serving.program import BrokerState, ProgramFigures

_MOST_WAITING = 200_000  # events on their way to the server's loop
_KEPT, _KEPT_US = 20_000, 60_000_000  # trades of each symbol that may not be stored yet: batches are a second long
_KEPT_TICKS = 2_500  # likewise: ten minutes at four ticks per second
_JOINS_S = 0.25  # trades of one order come at one go
_ANSWER_S = 5.0
_OVERWHELMED = "The server could not keep up with the exchange: connect again, with since."

Result = TypeVar("Result")


class RecordingProgram:
    """
    A `app.serving.program.ServedProgram` with an engine, and the `LiveSource` of its server.

    Make it and call `take` on the engine's loop; everything else runs on the server's, which `attach` names.
    """

    has_feed = True
    has_quotes = True

    def __init__(self, engine: Engine, metrics: Metrics) -> None:
        self._engine = engine
        self._metrics = metrics
        self._engine_loop = asyncio.get_running_loop()
        self._begin_s = engine.clock.monotonic_s()
        self._server_loop: asyncio.AbstractEventLoop | None = None
        self._hub: LiveHub | None = None
        self._follower: StoredFollower | None = None
        self._aggregates: TradeAggregates | None = None
        self._books: BookStreams | None = None
        self._spread_percent = 0.0
        self._crossing: deque[MarketEvent] = deque()
        self._is_crossing = False
        self._quotes: dict[str, Quote] = {}
        self._recent: dict[str, deque[Trade]] = {}
        self._recent_ticks: dict[str, deque[Tick]] = {}

    def attach(
        self, loop: asyncio.AbstractEventLoop, hub: LiveHub, follower: StoredFollower, spread_percent: float
    ) -> RecordingProgram:
        """Publish to that hub, on that loop, from now on; ``follower`` follows what this program does not record."""
        self._hub, self._follower, self._spread_percent = hub, follower, spread_percent
        self._server_loop = loop
        self._aggregates, self._books = TradeAggregates(hub, _JOINS_S), BookStreams(hub, self._engine.clock)
        follower.leave_out = lambda: self._engine.recorded
        follower.best_of = self.quote
        return self

    # On the engine's loop

    def take(self, event: MarketEvent) -> None:
        """Pass an event on to the server's loop; quick, as it is called for each."""
        if self._server_loop is None:
            return
        if len(self._crossing) >= _MOST_WAITING:
            return  # `_cross` tells the clients, who resume by id
        self._crossing.append(event)
        if not self._is_crossing:
            self._is_crossing = True
            with contextlib.suppress(RuntimeError):  # the server has ended
                self._server_loop.call_soon_threadsafe(self._cross)

    # On the server's loop

    def _cross(self) -> None:
        """Publish the events that have crossed over."""
        self._is_crossing = False
        hub, follower = self._hub, self._follower
        assert hub is not None
        assert follower is not None
        assert self._aggregates is not None
        assert self._books is not None
        count = len(self._crossing)
        if count >= _MOST_WAITING:
            self._crossing.clear()
            hub.close(_OVERWHELMED)
            return
        items: list[LiveItem] = []
        for event in [self._crossing.popleft() for _ in range(count)]:
            symbol = event.symbol
            if type(event) is Trade:
                self._keep(event)
                follower.note_trades(symbol)
                if hub.is_wanted((symbol, TRADE)):
                    items.append(LiveItem((symbol, TRADE), event.trade_id, live_messages.trade_message(event)))
                if hub.is_wanted((symbol, TICK)):
                    items.append(LiveItem((symbol, TICK), -1, self._price_update(event)))
                items += exchange_events.trade_items(event, hub)
                self._aggregates.take(event, partial(self._kept, symbol, event.trade_id - 1))
            elif type(event) is DayTicker:
                follower.days.publish_day(event)
            elif type(event) is Tick:
                if self._keep_tick(event):
                    follower.note_trades(symbol)
                    items += tick_items(event, hub)
            elif type(event) is Quote:
                self._books.take(self._quotes.get(symbol), event)
                self._quotes[symbol] = event
                if hub.is_wanted((symbol, QUOTE)):
                    items.append(LiveItem((symbol, QUOTE), -1, live_messages.quote_message(event)))
                items += exchange_events.quote_items(event, hub)
        hub.publish(items)

    def _keep(self, trade: Trade) -> None:
        recent = self._recent.get(trade.symbol)
        if recent is None:
            recent = self._recent[trade.symbol] = deque(maxlen=_KEPT)
        recent.append(trade)
        while trade.time_us - recent[0].time_us > _KEPT_US:
            recent.popleft()

    def _keep_tick(self, tick: Tick) -> bool:
        """Keep a tick that is newer than all before, and return True; an older one is history: return False."""
        recent = self._recent_ticks.get(tick.symbol)
        if recent is None:
            recent = self._recent_ticks[tick.symbol] = deque(maxlen=_KEPT_TICKS)
        if recent and tick.number <= recent[-1].number:
            return False
        recent.append(tick)
        return True

    def _kept(self, symbol: str, trade_id: int) -> Trade | None:
        """Return that trade if it is one of the newest, most of which come in the order of their ids."""
        return next((one for one in reversed(self._recent.get(symbol, ())) if one.trade_id == trade_id), None)

    def _price_update(self, trade: Trade) -> bytes:
        quote = self._quotes.get(trade.symbol)
        if quote is None or self._spread_percent > 0:
            return live_messages.price_around(trade, self._spread_percent)
        return live_messages.price_update(trade, quote.bid_e8, quote.ask_e8)

    async def assets(self) -> list[str]:
        """See `app.serving.live.live_socket.LiveSource`: first those recorded here."""
        assert self._follower is not None
        recorded, stored = self._engine.recorded, list[str]()
        with contextlib.suppress(StoreError):  # live messages need no database
            stored = await self._follower.assets()
        return [*recorded, *(one for one in stored if one not in recorded)]

    async def follow(self, symbols: Collection[str]) -> None:
        """See `app.serving.live.live_socket.LiveSource`."""
        assert self._follower is not None
        recorded = set(self._engine.recorded)
        await self._follower.follow([symbol for symbol in symbols if symbol not in recorded])

    def quote(self, symbol: str) -> Quote | None:
        """See `app.serving.live.live_socket.LiveSource`; what was the best before a connection was lost is not it."""
        return self._quotes.get(symbol) if self._engine.is_receiving(symbol) else None

    def recent_trades(self, symbol: str, first_trade_id: int) -> list[Trade]:
        """See `app.serving.live.live_socket.LiveSource`."""
        return sorted(one for one in self._recent.get(symbol, ()) if one.trade_id >= first_trade_id)

    def recent_ticks(self, symbol: str, after: int) -> tuple[list[Tick], bool]:
        """See `app.serving.live.live_socket.LiveSource`."""
        recent = self._recent_ticks.get(symbol, deque())
        is_all = len(recent) < _KEPT_TICKS or recent[0].number <= after
        return [one for one in recent if one.number > after], is_all

    async def feed_trouble(self) -> str:
        """See `app.serving.program.ServedProgram`."""
        return await self._on_engine(self._trouble, "The program does not answer.")

    async def brokers(self) -> dict[str, BrokerState]:
        """See `app.serving.program.ServedProgram`."""
        return await self._on_engine(self._brokers, {})

    async def metrics_text(self) -> bytes:
        """See `app.serving.program.ServedProgram`."""
        return await self._on_engine(lambda: metrics_text(self._metrics), b"")

    async def figures(self) -> ProgramFigures:
        """See `app.serving.program.ServedProgram`."""
        memory = self._metrics.process.memory_info().rss
        return await self._on_engine(self._figures, ProgramFigures(0.0, memory))

    async def _on_engine(self, read: Callable[[], Result], otherwise: Result) -> Result:
        """Return what ``read`` returns on the engine's loop; ``otherwise`` if that is too busy."""

        async def call() -> Result:
            return read()

        try:
            async with asyncio.timeout(_ANSWER_S):
                return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), self._engine_loop))
        except TimeoutError:
            return otherwise

    def _trouble(self) -> str:
        engine = self._engine
        if not engine.recorder.symbols and engine.recorded:
            return ""  # the exchange's stream is not wanted
        if engine.feed_reason:
            return engine.feed_reason
        status = engine.feed.status
        if status.state is FeedState.LIVE:
            return ""
        return status.reason or status.sentence(engine.clock.monotonic_s()) or "The exchange's stream is not live yet."

    def _brokers(self) -> dict[str, BrokerState]:
        engine, found = self._engine, dict[str, BrokerState]()
        used = {broker_of(name) for name in engine.quotes.recorder.symbols}
        for name, broker in engine.quotes.brokers.items():
            if name in used:
                status = broker.status
                trouble = status.reason or f"The stream of {broker_title(f'{name}:')} is not live yet."
                is_live = status.state is FeedState.LIVE
                found[name] = BrokerState(status.state.value, "" if is_live else trouble)
        return found

    def _figures(self) -> ProgramFigures:
        engine, measures = self._engine, self._metrics.measures
        counters, snapshot = engine.feed.counters, engine.market_snapshot
        now_us = engine.exchange_clock.now_us()
        per_minute = sum(snapshot.latest(symbol).trades_per_minute(now_us) for symbol in engine.recorder.symbols)
        return ProgramFigures(
            uptime_s=engine.clock.monotonic_s() - self._begin_s,
            memory_bytes=self._metrics.process.memory_info().rss,
            trades_per_s=per_minute / 60,
            latency_ms=_mean(measures.received) * 1e3,
            batch_ms=_mean(measures.batch_s) * 1e3,
            errors=counters.malformed,
            reconnects=counters.reconnects,
            buffered=self._metrics.writer.queued + engine.waiting_trades,
            trades=engine.recorder.trades_received,
            ticks=engine.quotes.recorder.ticks_received,
            batches=measures.batch_s.count,
            is_feed_live=bool(engine.recorder.symbols) and not self._trouble(),
        )


def _mean(distribution: Distribution) -> float:
    return distribution.total / count if (count := distribution.count) else 0.0
