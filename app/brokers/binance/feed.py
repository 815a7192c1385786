"""
The live feed: as many connections as the symbols need, and their events to one receiver.

`BinanceFeed` implements `app.market.ports.exchange.TradeFeed`. It spreads the symbols over connections (`spread`), each
of which keeps itself alive (`shard`), sums their states up into one (`summary`), and sees to what they have in common:
the limits that hold for the whole address, and the receiver, which takes one event at a time. A connection that the
exchange refuses for good leaves the others at work; the feed ends when all are refused.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager

from app.brokers.addresses import host_of
from app.brokers.binance.dialer import Dialer
from app.brokers.binance.endpoints import (
    CONNECTION_ATTEMPTS_PERIOD_S,
    FREE_CONNECTION_ATTEMPTS,
    MAX_CONNECTION_ATTEMPTS,
    MAX_SYMBOLS,
    REPLACE_AFTER_S,
    STREAM_PATH,
    check_ws_base,
)
from app.brokers.binance.feed_connection import FeedConnection
from app.brokers.binance.feed_status import summed
from app.brokers.binance.symbol_assignment import SymbolAssignment
from app.brokers.proxy import SYSTEM, check_proxy, proxy_for
from app.brokers.rate_limit import Pacer
from app.concurrency.tasks import first_of
from app.market.errors import FeedRejected
from app.market.exchange_ban import ExchangeBan
from app.market.ports.clock import Clock
from app.market.ports.exchange import EventHandler, FeedCounters, FeedState, FeedStatus
from app.market.trade import MarketEvent


class BinanceFeed:
    """
    Live trades, best bid and ask, and rolling day of the chosen symbols, from Binance's spot streams.

    ``stall_after_s``: silence after which a connection is replaced. ``max_attempts``: failed attempts of one connection
    in a row after which it counts as refused; 0 for never. ``max_age_s``: age at which a connection is replaced.
    ``proxy``: see `app.brokers.proxy`. ``ban``: the one that all who ask the exchange from this address share.
    ``symbols_each``: how many symbols a connection carries at most.

    Raises:
        SettingsError: If ``ws_url`` is no base address of the streams, or ``proxy`` none of a proxy.
    """

    def __init__(
        self,
        ws_url: str,
        *,
        clock: Clock,
        stall_after_s: float = 15.0,
        max_attempts: int = 0,
        max_age_s: float = REPLACE_AFTER_S,
        connect_timeout_s: float = 10.0,
        proxy: str = SYSTEM,
        ban: ExchangeBan | None = None,
        symbols_each: int = MAX_SYMBOLS,
        chance: random.Random | None = None,
    ) -> None:
        base = check_ws_base(ws_url)
        check_proxy(proxy)
        self._clock = clock
        self._counters = FeedCounters()
        self._way = Dialer(
            url=base + STREAM_PATH,
            host=host_of(base),
            clock=clock,
            proxy=lambda: proxy_for(proxy, base),
            deliver=self._deliver,
            counters=self._counters,
            attempts=Pacer(MAX_CONNECTION_ATTEMPTS, CONNECTION_ATTEMPTS_PERIOD_S, freely=FREE_CONNECTION_ATTEMPTS),
            ban=ban or ExchangeBan(),
            chance=chance or random.Random(),  # noqa: S311  # because it spreads retries in time, hides nothing
            stall_after_s=stall_after_s,
            max_attempts=max_attempts,
            max_age_s=max_age_s,
            connect_timeout_s=connect_timeout_s,
        )
        self._symbols: frozenset[str] = frozenset()
        self._spread = SymbolAssignment(symbols_each)
        self._shards: dict[int, FeedConnection] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._status = FeedStatus()
        self._listeners: list[Callable[[FeedStatus], None]] = []
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._handler: EventHandler | None = None

    @property
    def status(self) -> FeedStatus:
        """The state of all connections as of now, see `app.brokers.binance.feed_status`."""
        return self._status

    def status_of(self, symbol: str) -> FeedStatus:
        """Return the status of the connection that carries ``symbol``; the feed's where none does."""
        shard = self._shards.get(self._spread.carrier(symbol) or 0)
        return self._status if shard is None else shard.status

    @property
    def counters(self) -> FeedCounters:
        """Totals since the feed was made; a live object."""
        return self._counters

    @property
    def connections(self) -> int:
        """How many connections are kept."""
        return len(self._shards)

    def on_status(self, listener: Callable[[FeedStatus], None]) -> None:
        """Call ``listener`` on the loop at each change of state."""
        self._listeners.append(listener)

    def set_symbols(self, symbols: Collection[str]) -> None:
        """Make these the symbols received, on as many connections as they need."""
        self._symbols = frozenset(symbols)
        self._changed.set()

    def retry_now(self) -> None:
        """
        End a wait between attempts at once, unless the exchange itself asked for it.

        Connections that were refused while others went on are tried again.
        """
        for number, shard in self._shards.items():
            shard.retry_now()
            if self._handler is not None and self._tasks[number].done():  # refused, or `run` would have ended
                self._start(number, shard)

    def doubt(self, reason: str, symbol: str | None = None) -> None:
        """
        Replace every connection at once, or that of a symbol, because it is probably dead: ``reason`` says why, without
        a full stop.

        Where one lives after all, nothing it brings is lost.
        """
        carrier = None if symbol is None else self._spread.carrier(symbol)
        for number, shard in self._shards.items():
            if symbol is None or number == carrier:
                shard.doubt(reason)

    async def run(self, handler: EventHandler) -> None:
        """
        Receive until cancelled, reconnecting for ever or until ``max_attempts`` failed in a row.

        Raises:
            FeedRejected: If the exchange refuses every connection for good, or attempts ran out on each.
            RuntimeError: If it runs already.
        """
        if self._handler is not None:
            raise RuntimeError("the feed runs already")
        self._handler = handler
        self._shards.clear()
        try:
            await self._conduct()
        finally:
            await self._shut()

    async def _conduct(self) -> None:
        """Keep as many connections running as the symbols need; raises what ends all of them."""
        while True:
            self._changed.clear()
            self._follow()
            self._look_for_ends()
            idle_s = self._spread.next_spent_s(self._clock.monotonic_s())
            if idle_s is None:
                await self._changed.wait()
            else:
                await first_of(self._changed.wait(), self._clock.sleep(idle_s))

    def _look_for_ends(self) -> None:
        """Raise a fault of any connection, and the refusal where all that matter are refused."""
        refused: dict[int, FeedRejected] = {}
        for number, task in self._tasks.items():
            if task.done():
                try:
                    task.result()
                except FeedRejected as error:
                    refused[number] = error
        busy = self._spread.busy
        if all(number in refused for number in busy):
            raise refused[busy[0]]

    def _follow(self) -> None:
        now_s = self._clock.monotonic_s()
        refused = [number for number, shard in self._shards.items() if shard.status.state is FeedState.REFUSED]
        self._spread.assign(self._symbols, now_s, full=refused)
        for number in self._spread.spent(now_s):
            self._leave(number)
        for number, symbols in self._spread.parts.items():
            if number not in self._shards:
                self._add(number)
            self._shards[number].want(symbols)
        if self._tasks:
            self._sum_up()

    def _add(self, number: int) -> None:
        self._shards[number] = shard = FeedConnection(number, self._way, self._sum_up)
        self._start(number, shard)

    def _start(self, number: int, shard: FeedConnection) -> None:
        self._tasks[number] = task = asyncio.create_task(shard.run())
        task.add_done_callback(lambda _: self._changed.set())

    def _leave(self, number: int) -> None:
        self._shards.pop(number, None)
        task = self._tasks.pop(number, None)
        if task is not None:
            task.cancel()
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def _sum_up(self) -> None:
        parts = self._spread.parts
        busy = [number for number in self._spread.busy if number in self._shards]
        if not busy:
            return
        status = summed([(self._shards[number].status, parts[number]) for number in busy])
        if status != self._status and status.state is not FeedState.IDLE:  # none has begun yet
            self._status = status
            for listener in self._listeners:
                listener(status)

    async def _shut(self) -> None:
        tasks = {*self._tasks.values(), *self._leaving}
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._tasks.clear()
            self._handler = None

    def _deliver(self, event: MarketEvent) -> Awaitable[None] | None:
        if event.symbol not in self._symbols or self._handler is None:
            return None
        received_us = self._clock.now_us()
        if self._waiting:  # an event of another link is still being taken
            return self._deliver_in_turn(event, received_us)
        taken = self._handler(event, received_us)
        return None if taken is None else self._wait_in_turn(taken)

    async def _wait_in_turn(self, taken: Awaitable[None]) -> None:
        async with self._my_turn():
            await taken

    async def _deliver_in_turn(self, event: MarketEvent, received_us: int) -> None:
        async with self._my_turn():
            taken = self._handler(event, received_us) if self._handler is not None else None
            if taken is not None:
                await taken

    @asynccontextmanager
    async def _my_turn(self) -> AsyncIterator[None]:
        # Counted apart from the lock, which is not locked for a moment while it passes from one to the next.
        self._waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1
