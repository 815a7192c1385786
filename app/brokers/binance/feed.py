"""
The live feed: as many connections as the symbols need, and one receiver of their events.

`BinanceFeed` implements `app.market.ports.exchange.TradeFeed`. It distributes the symbols over connections
(`symbol_assignment`), each of which keeps itself alive (`feed_connection`), and combines their statuses into one
(`feed_status`). What the connections share is here: the dialer with the limits of this address, and the receiver, which
takes one event at a time. The others continue when the exchange refuses one connection for good; the feed ends when it
has refused all of them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager

from app.brokers.addresses import host_of
from app.brokers.binance.dialer import Dialer
from app.brokers.binance.endpoints import MAX_SYMBOLS, REPLACE_AFTER_S, STREAM_PATH, check_ws_base
from app.brokers.binance.feed_connection import ConnectionLimits, FeedConnection
from app.brokers.binance.feed_status import overall_status
from app.brokers.binance.stream_socket import StreamSocket
from app.brokers.binance.symbol_assignment import SymbolAssignment
from app.brokers.proxy import SYSTEM_PROXY, check_proxy, proxy_for
from app.concurrency.tasks import first_of
from app.market.errors import FeedRejected
from app.market.exchange_ban import ExchangeBan
from app.market.ports.clock import Clock
from app.market.ports.exchange import EventHandler, FeedCounters, FeedState, FeedStatus
from app.market.trade import MarketEvent


class BinanceFeed:
    """
    Live trades, best bid and ask, and rolling day of the chosen symbols, from Binance's spot streams.

    ``stall_after_s``, ``max_attempts`` and ``max_age_s``: see `ConnectionLimits`. ``connect_timeout_s``: the longest a
    handshake may take. ``proxy``: see `app.brokers.proxy`. ``ban``: the one shared by everything that asks the exchange
    from this address. ``symbols_each``: how many symbols a connection carries at most. ``chance``: spreads retries in
    time.

    Raises:
        SettingsError: If ``ws_url`` is not a base address of the streams or ``proxy`` not a proxy.
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
        proxy: str = SYSTEM_PROXY,
        ban: ExchangeBan | None = None,
        symbols_each: int = MAX_SYMBOLS,
        chance: random.Random | None = None,
    ) -> None:
        base = check_ws_base(ws_url)
        check_proxy(proxy)
        self._clock = clock
        self._counters = FeedCounters()
        self._url = base + STREAM_PATH
        self._host = host_of(base)
        self._chance = chance or random.Random()  # noqa: S311  # because it spreads retries in time, hides nothing
        self._limits = ConnectionLimits(stall_after_s, max_attempts, max_age_s)
        self._dialer = Dialer(
            self._host,
            self._open_socket,
            clock=clock,
            ban=ban or ExchangeBan(),
            proxy=lambda: proxy_for(proxy, base),
            timeout_s=connect_timeout_s,
            on_return=self._wake_connections,
        )
        self._symbols: frozenset[str] = frozenset()
        self._assignment = SymbolAssignment(symbols_each)
        self._connections: dict[int, FeedConnection] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._removed_tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._status = FeedStatus()
        self._listeners: list[Callable[[FeedStatus], None]] = []
        self._delivery_lock = asyncio.Lock()
        self._waiting_deliveries = 0
        self._handler: EventHandler | None = None

    @property
    def status(self) -> FeedStatus:
        """The current status of all connections together, see `app.brokers.binance.feed_status`."""
        return self._status

    def status_of(self, symbol: str) -> FeedStatus:
        """Return the status of the connection that carries ``symbol``; the feed's where none does."""
        connection = self._connections.get(self._assignment.connection_of(symbol) or 0)
        return self._status if connection is None else connection.status

    @property
    def counters(self) -> FeedCounters:
        """Totals since the feed was created; a live object."""
        return self._counters

    @property
    def connections(self) -> int:
        """The number of connections, empty ones included."""
        return len(self._connections)

    def on_status(self, listener: Callable[[FeedStatus], None]) -> None:
        """Call ``listener`` on the loop at each change of state."""
        self._listeners.append(listener)

    def set_symbols(self, symbols: Collection[str]) -> None:
        """Receive exactly these symbols, on as many connections as they need."""
        self._symbols = frozenset(symbols)
        self._changed.set()

    def retry_now(self) -> None:
        """
        End a wait between attempts at once, unless the exchange itself asked for it.

        Connections that were refused while others continued are tried again.
        """
        for number, connection in self._connections.items():
            connection.retry_now()
            if self._handler is not None and self._tasks[number].done():  # it was refused, or `run` would have ended
                self._start(number, connection)

    def _wake_connections(self) -> None:
        for connection in self._connections.values():
            connection.retry_now()

    def doubt(self, reason: str, symbol: str | None = None) -> None:
        """
        Replace the sockets that are probably dead: that of ``symbol``, or all of them.

        ``reason`` is a sentence without its full stop. If a socket is alive after all, none of its events is lost.
        """
        doubted = None if symbol is None else self._assignment.connection_of(symbol)
        for number, connection in self._connections.items():
            if symbol is None or number == doubted:
                connection.doubt(reason)

    async def run(self, handler: EventHandler) -> None:
        """
        Receive until cancelled; reconnect without end, or until ``max_attempts`` failed in a row.

        Raises:
            FeedRejected: If the exchange refuses every connection for good, or attempts ran out on each.
            RuntimeError: If it is running already.
        """
        if self._handler is not None:
            raise RuntimeError("the feed is already running")
        self._handler = handler
        self._connections.clear()
        try:
            await self._supervise()
        finally:
            await self._stop()

    async def _open_socket(self, *, timeout_s: float, proxy: str | None) -> StreamSocket:
        return await StreamSocket.open(
            self._url, self._deliver, self._counters, self._clock, timeout_s=timeout_s, proxy=proxy
        )

    async def _supervise(self) -> None:
        """Keep as many connections running as the symbols need; raises the error that ends all of them."""
        while True:
            self._changed.clear()
            self._assign_symbols()
            self._raise_if_over()
            idle_s = self._assignment.next_removal_s(self._clock.monotonic_s())
            if idle_s is None:
                await self._changed.wait()
            else:
                await first_of(self._changed.wait(), self._clock.sleep(idle_s))

    def _raise_if_over(self) -> None:
        """Raise the bug of any connection, or FeedRejected once every connection in use is refused."""
        refused: dict[int, FeedRejected] = {}
        for number, task in self._tasks.items():
            if task.done():
                try:
                    task.result()
                except FeedRejected as error:
                    refused[number] = error
        in_use = self._assignment.in_use
        if all(number in refused for number in in_use):
            raise refused[in_use[0]]

    def _assign_symbols(self) -> None:
        now_s = self._clock.monotonic_s()
        refused = [
            number for number, connection in self._connections.items() if connection.status.state is FeedState.REFUSED
        ]
        self._assignment.assign(self._symbols, now_s, full=refused)
        for number in self._assignment.remove_idle(now_s):
            self._remove(number)
        for number, symbols in self._assignment.by_connection.items():
            if number not in self._connections:
                self._add(number)
            self._connections[number].set_symbols(symbols)
        if self._tasks:
            self._update_status()

    def _add(self, number: int) -> None:
        self._connections[number] = connection = FeedConnection(
            number,
            self._dialer,
            self._update_status,
            host=self._host,
            clock=self._clock,
            counters=self._counters,
            limits=self._limits,
            chance=self._chance,
        )
        self._start(number, connection)

    def _start(self, number: int, connection: FeedConnection) -> None:
        self._tasks[number] = task = asyncio.create_task(connection.run())
        task.add_done_callback(lambda _: self._changed.set())

    def _remove(self, number: int) -> None:
        self._connections.pop(number, None)
        task = self._tasks.pop(number, None)
        if task is not None:
            task.cancel()
            # Held until it has closed its sockets, which takes a moment.
            self._removed_tasks.add(task)
            task.add_done_callback(self._removed_tasks.discard)

    def _update_status(self) -> None:
        symbols = self._assignment.by_connection
        in_use = [number for number in self._assignment.in_use if number in self._connections]
        if not in_use:
            return
        status = overall_status([(self._connections[number].status, symbols[number]) for number in in_use])
        if status != self._status and status.state is not FeedState.IDLE:  # IDLE: none has been started yet
            self._status = status
            for listener in self._listeners:
                listener(status)

    async def _stop(self) -> None:
        tasks = {*self._tasks.values(), *self._removed_tasks}
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._tasks.clear()
            self._handler = None

    def _deliver(self, event: MarketEvent) -> Awaitable[None] | None:
        # A stream that was just unsubscribed may still deliver.
        if event.symbol not in self._symbols or self._handler is None:
            return None
        # The time of receipt is taken before waiting for a turn, so that it measures the network and not the receiver.
        received_us = self._clock.now_us()
        if self._waiting_deliveries:  # the receiver is still taking an event of another socket
            return self._deliver_in_turn(event, received_us)
        delivery = self._handler(event, received_us)
        return None if delivery is None else self._wait_in_turn(delivery)

    async def _wait_in_turn(self, delivery: Awaitable[None]) -> None:
        async with self._delivery_turn():
            await delivery

    async def _deliver_in_turn(self, event: MarketEvent, received_us: int) -> None:
        async with self._delivery_turn():
            delivery = self._handler(event, received_us) if self._handler is not None else None
            if delivery is not None:
                await delivery

    @asynccontextmanager
    async def _delivery_turn(self) -> AsyncIterator[None]:
        # Counted apart from the lock, which for a moment is unlocked while it passes from one holder to the next.
        self._waiting_deliveries += 1
        try:
            async with self._delivery_lock:
                yield
        finally:
            self._waiting_deliveries -= 1
