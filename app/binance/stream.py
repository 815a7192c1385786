"""
The live feed: one healthy connection at all times, and its events to one receiver.

`BinanceFeed` implements `app.market.ports.TradeFeed`. It keeps a `Link` alive by the rules of `connection`: opens it,
watches over it, replaces it before it ends where that can be foreseen, and opens another where not. A replacement is
up and subscribed before the old link closes, so both deliver for a moment: repeats are possible, and dropping them is
the receiver's part (`app.market.coverage`).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Literal

from app.binance.connection import ConnectionEvent, Watchdog, backoff_s, explain, next_state, with_retry
from app.binance.endpoints import (
    CONNECTION_ATTEMPTS_PERIOD_S,
    MAX_CONNECTION_ATTEMPTS,
    MAX_SYMBOLS,
    REPLACE_AFTER_S,
    STREAM_PATH,
    check_ws_base,
    host_of,
    is_loopback,
    streams_of,
)
from app.binance.link import Link
from app.binance.subscriptions import Pacer
from app.market.errors import FeedDisconnected, FeedError, FeedRejected, UsageError
from app.market.ports import Clock, EventHandler, FeedCounters, FeedState, FeedStatus
from app.market.trade import MarketEvent

log = logging.getLogger(__name__)

_SETTLE_TIMEOUT_S = 10.0
# How long a replaced connection is still read: what was on its way when the new one was subscribed arrives meanwhile.
_OVERLAP_S = 2.0
# A connection that lasted this long has proved itself, even if nothing was subscribed on it.
_PROVEN_AFTER_S = 60.0


class BinanceFeed:
    """
    Live trades, best bid and ask, and rolling day of the chosen symbols, from Binance's spot streams.

    ``stall_after_s``: silence after which a connection is replaced. ``max_attempts``: failed attempts in a row after
    which `run` gives up; 0 for never. ``max_age_s``: age at which a connection is replaced. ``proxy``: the address of a
    proxy, True for that of the system (never for this machine itself), None for none.

    Raises:
        SettingsError: If ``ws_url`` is no base address of the streams.
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
        proxy: str | Literal[True] | None = True,
        chance: random.Random | None = None,
    ) -> None:
        base = check_ws_base(ws_url)
        self._url = base + STREAM_PATH
        self._host = host_of(base)
        self._clock = clock
        self._max_attempts = max_attempts
        self._max_age_s = max_age_s
        self._connect_timeout_s = connect_timeout_s
        self._tick_s = min(1.0, stall_after_s / 4)
        self._proxy = None if proxy is True and is_loopback(base) else proxy
        self._chance = chance or random.Random()  # noqa: S311  # because it spreads retries in time, hides nothing
        self._symbols: frozenset[str] = frozenset()
        self._status = FeedStatus()
        self._counters = FeedCounters()
        self._listeners: list[Callable[[FeedStatus], None]] = []
        self._watchdog = Watchdog(stall_after_s)
        self._attempts = Pacer(MAX_CONNECTION_ATTEMPTS, CONNECTION_ATTEMPTS_PERIOD_S)
        self._failures = 0
        self._has_connected = False
        self._links: list[Link] = []
        self._retiring: set[asyncio.Task[None]] = set()
        self._retry = asyncio.Event()
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._handler: EventHandler | None = None

    @property
    def status(self) -> FeedStatus:
        """The state as of now."""
        return self._status

    @property
    def counters(self) -> FeedCounters:
        """Totals since the feed was made; a live object."""
        return self._counters

    def on_status(self, listener: Callable[[FeedStatus], None]) -> None:
        """Call ``listener`` on the loop at each change of state."""
        self._listeners.append(listener)

    def set_symbols(self, symbols: Collection[str]) -> None:
        """
        Make these the symbols received.

        Raises:
            UsageError: If they are more than one connection carries; nothing is changed.
        """
        chosen = frozenset(symbols)
        if len(chosen) > MAX_SYMBOLS:
            raise UsageError(f"{len(chosen)} symbols are too many at once; choose at most {MAX_SYMBOLS}.")
        self._symbols = chosen
        for link in self._links:
            link.want(self._streams())

    def retry_now(self) -> None:
        """End a wait between attempts at once, unless the exchange itself asked for it."""
        self._retry.set()

    async def run(self, handler: EventHandler) -> None:
        """
        Receive until cancelled, reconnecting for ever or until ``max_attempts`` failed in a row.

        Raises:
            FeedRejected: If the exchange refuses for good, or attempts ran out.
            RuntimeError: If it runs already.
        """
        if self._handler is not None:
            raise RuntimeError("the feed runs already")
        self._handler = handler
        self._failures = 0
        self._move(ConnectionEvent.STARTED)
        try:
            await self._keep_connected()
        except FeedRejected as error:
            self._move(ConnectionEvent.REJECTED, str(error))
            raise
        finally:
            await self._shut()

    async def _keep_connected(self) -> None:
        link: Link | None = None
        while True:
            try:
                if link is None:
                    link = await self._open()
                    self._move(ConnectionEvent.OPENED)
                link = await self._attend(link)
            except FeedDisconnected as error:
                if link is not None:
                    self._retire(link, after_s=0.0)
                    link = None
                await self._back_off(error)

    async def _open(self) -> Link:
        """Return a new link with every stream wished for; raises FeedError."""
        if (delay_s := self._attempts.delay_s(self._clock.monotonic_s())) > 0:
            await self._clock.sleep(delay_s)
        self._attempts.note(self._clock.monotonic_s())
        try:
            link = await Link.open(
                self._url,
                self._deliver,
                self._counters,
                self._clock,
                timeout_s=self._connect_timeout_s,
                proxy=self._proxy,
            )
        except Exception as error:
            meaning = explain(error, self._host)
            if meaning is None:
                raise
            raise meaning from error
        self._counters.reconnects += self._has_connected
        self._has_connected = True
        self._links.append(link)
        link.want(self._streams())
        return link

    async def _attend(self, link: Link) -> Link:
        """Watch over ``link`` until another has replaced it, and return that one; raises FeedError where it ended."""
        self._watchdog.watch(self._clock.monotonic_s())
        replace_at_s = link.opened_at_s + self._max_age_s
        while True:
            await self._stir_or_sleep(link, self._tick_s)
            now_s = self._clock.monotonic_s()
            if link.received or now_s - link.opened_at_s > _PROVEN_AFTER_S:
                self._failures = 0
            self._check(link)
            excused = link.is_blocked or not link.has_streams
            if self._watchdog.is_silent(link.received, now_s, excused=excused):
                self._move(ConnectionEvent.SILENT, f"{self._host} has gone silent; opening a new connection.")
                return await self._replace(link, overlap_s=0.0)
            if link.is_shutting_down or now_s >= replace_at_s:
                try:
                    return await self._replace(link, overlap_s=_OVERLAP_S)
                except FeedError as error:
                    # The old one still serves; it will say itself when it no longer does.
                    log.warning("The connection could not be replaced yet: %s", error)
                    link.is_shutting_down = False
                    replace_at_s = self._clock.monotonic_s() + backoff_s(8, chance=self._chance)

    async def _replace(self, old: Link, *, overlap_s: float) -> Link:
        link = await self._open()
        deadline_s = self._clock.monotonic_s() + _SETTLE_TIMEOUT_S
        try:
            while not link.is_settled and self._clock.monotonic_s() < deadline_s:
                await self._stir_or_sleep(link, self._tick_s)
                self._check(link)
        except FeedDisconnected:
            self._retire(link, after_s=0.0)
            raise
        self._move(ConnectionEvent.REPLACED)
        self._retire(old, after_s=overlap_s)
        return link

    async def _back_off(self, error: FeedDisconnected) -> None:
        self._failures += 1
        if self._max_attempts and self._failures >= self._max_attempts:
            raise FeedRejected(f"{str(error).rstrip('.')}; gave up after {self._failures} attempts.") from error
        delay_s = backoff_s(self._failures, error.retry_after_s, chance=self._chance)
        self._retry.clear()
        self._move(ConnectionEvent.FAILED, with_retry(error, delay_s), retry_in_s=delay_s)
        if error.retry_after_s is None:
            await _first_of(self._retry.wait(), self._clock.sleep(delay_s))
        else:
            await self._clock.sleep(delay_s)
        self._move(ConnectionEvent.RETRIED)

    def _check(self, link: Link) -> None:
        closed = link.ended()
        if closed is not None:
            raise (explain(closed, self._host) or closed) from closed

    def _deliver(self, event: MarketEvent) -> Awaitable[None] | None:
        if event.symbol not in self._symbols or self._handler is None:
            return None
        received_us = self._clock.now_us()
        if self._waiting:  # an event of the other link is still being taken
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

    def _streams(self) -> list[str]:
        return [stream for symbol in sorted(self._symbols) for stream in streams_of(symbol)]

    async def _stir_or_sleep(self, link: Link, seconds: float) -> None:
        await _first_of(link.stirred.wait(), self._clock.sleep(seconds))
        link.stirred.clear()

    def _retire(self, link: Link, *, after_s: float) -> None:
        task = asyncio.create_task(self._close_after(link, after_s))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _close_after(self, link: Link, seconds: float) -> None:
        if seconds:
            await self._clock.sleep(seconds)
            # Where we have been too busy to read, it may still hold trades from before the new one began.
            await link.finish()
        await link.close()
        self._links.remove(link)

    async def _shut(self) -> None:
        if self._status.state is not FeedState.REFUSED:
            self._move(ConnectionEvent.STOPPED)
        try:
            for task in self._retiring:
                task.cancel()
            await asyncio.gather(*self._retiring, return_exceptions=True)
            await asyncio.gather(*(link.close() for link in self._links))
        finally:
            self._links.clear()
            self._handler = None
            if self._status.state is not FeedState.REFUSED:
                self._move(ConnectionEvent.ENDED)

    def _move(self, event: ConnectionEvent, reason: str = "", *, retry_in_s: float | None = None) -> None:
        before = self._status.state
        state = next_state(before, event)
        self._status = FeedStatus(state, reason, self._failures, retry_in_s)
        log.log(logging.WARNING if reason else logging.INFO, "Feed %s: %s → %s. %s", event.value, before, state, reason)
        for listener in self._listeners:
            listener(self._status)


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Return when the first of ``waits`` does, and cancel the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
