"""
One of the feed's connections, kept alive: opened, watched, replaced, retried.

A `FeedConnection` carries some of the feed's symbols and recovers by itself, by the rules of
`app.brokers.connection_state`. If it can foresee the end of its `StreamSocket`, it replaces it beforehand, and
otherwise afterwards. A replacement is open and subscribed before the old socket closes, so both deliver for a moment:
repeated trades are possible, and the receiver drops them (`app.market.coverage`).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass

from app.brokers.binance.dialer import AttemptDeferred, Dialer, ProbeDeferred
from app.brokers.binance.endpoints import REPLACE_AFTER_S, streams_of
from app.brokers.binance.error_mapping import explain
from app.brokers.binance.retiring_sockets import MIN_OVERLAP_S, RetiringSockets
from app.brokers.binance.stream_socket import StreamSocket
from app.brokers.connection_state import ConnectionEvent, Watchdog, backoff_s, next_state, retry_delay_s
from app.concurrency.tasks import first_of
from app.market.durations import in_words
from app.market.errors import FeedDisconnected, FeedError, FeedRejected
from app.market.ports.clock import Clock
from app.market.ports.exchange import FeedCounters, FeedState, FeedStatus

log = logging.getLogger(__name__)

# A replacement whose subscriptions take longer than this takes over anyway: the old socket is dead or about to end.
_SUBSCRIBE_TIMEOUT_S = 10.0
_ANSWERS_WITHIN_S = 30.0
# A socket that lasted this long has proved itself, even if nothing was subscribed on it.
_PROVEN_AFTER_S = 60.0


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """
    When a connection is replaced or given up.

    ``stall_after_s``: silence after which its socket is replaced. ``max_attempts``: failed attempts in a row after
    which it counts as refused; 0 for never. ``max_age_s``: age at which its socket is replaced.
    """

    stall_after_s: float = 15.0
    max_attempts: int = 0
    max_age_s: float = REPLACE_AFTER_S


class FeedConnection:
    """
    Connection ``number`` of a feed from ``host``. ``on_status`` is called on the loop at each change of ``status``.

    Set the symbols it carries with `set_symbols`, then `run` it. ``counters`` are those of the whole feed; ``chance``
    spreads the retries in time.
    """

    def __init__(
        self,
        number: int,
        dialer: Dialer,
        on_status: Callable[[], None],
        *,
        host: str,
        clock: Clock,
        counters: FeedCounters,
        limits: ConnectionLimits,
        chance: random.Random,
    ) -> None:
        self.number = number
        self.status = FeedStatus()
        self._dialer = dialer
        self._on_status = on_status
        self._host = host
        self._clock = clock
        self._counters = counters
        self._limits = limits
        self._chance = chance
        self._streams: list[str] = []
        self._watchdog = Watchdog(limits.stall_after_s)
        self._tick_s = min(1.0, limits.stall_after_s / 4)
        self._failures = 0
        self._has_connected = False
        self._retiring = RetiringSockets(clock, self._tick_s)
        self._sockets = self._retiring.sockets
        self._retry = asyncio.Event()
        self._doubt = ""

    def set_symbols(self, symbols: Collection[str]) -> None:
        """Carry exactly these symbols; `app.brokers.binance.endpoints.MAX_SYMBOLS` at most."""
        self._streams = [stream for symbol in sorted(symbols) for stream in streams_of(symbol)]
        for socket in self._sockets:
            socket.set_streams(self._streams)

    def retry_now(self) -> None:
        """End a wait between attempts at once, unless the exchange itself asked for it."""
        self._retry.set()

    def doubt(self, reason: str) -> None:
        """Replace the socket at once because of ``reason``; without a socket, try again at once."""
        self._doubt = reason
        self._retry.set()
        for socket in self._sockets:
            socket.wakeup.set()

    async def run(self) -> None:
        """
        Receive until cancelled; reconnect without end, or until ``max_attempts`` failed in a row.

        Raises:
            FeedRejected: If the exchange refuses for good or attempts ran out. It may be `run` again.
        """
        self._failures = 0
        self._doubt = ""
        self._change_state(ConnectionEvent.STARTED)
        try:
            await self._keep_connected()
        except FeedRejected as error:
            self._change_state(ConnectionEvent.REJECTED, str(error))
            raise
        finally:
            await self._stop()

    async def _keep_connected(self) -> None:
        socket: StreamSocket | None = None
        while True:
            began_s = self._clock.monotonic_s()
            try:
                if socket is None:
                    socket = await self._open()
                    self._change_state(ConnectionEvent.OPENED)
                socket = await self._watch(socket)
            except FeedDisconnected as error:
                # Failures in a row are counted from zero once the socket has delivered or lasted.
                proven = socket is not None and not self._failures
                # A handshake that hung has taken some of the wait already.
                took_s = self._clock.monotonic_s() - began_s if socket is None else 0.0
                if socket is not None:
                    self._retiring.retire(socket)
                    socket = None
                await self._back_off(error, proven=proven, took_s=took_s)

    async def _open(self) -> StreamSocket:
        """Return a new socket that requests every stream of this connection; raises FeedError."""
        socket = await self._dialer.dial(self._failures, self.number)
        self._counters.reconnects += self._has_connected
        self._has_connected = True
        self._doubt = ""  # it was about the socket before
        self._sockets.append(socket)
        socket.set_streams(self._streams)  # not before dialing, during which they may change
        return socket

    async def _watch(self, socket: StreamSocket) -> StreamSocket:
        """Watch ``socket`` until another has replaced it, and return that one; raises FeedError if it ended."""
        self._watchdog.watch(self._clock.monotonic_s())
        replace_at_s = socket.opened_at_s + self._limits.max_age_s
        postponed = 0
        while True:
            await self._wait_for_wakeup(socket)
            now_s = self._clock.monotonic_s()
            if socket.received or now_s - socket.opened_at_s > _PROVEN_AFTER_S:
                self._failures = 0
            self._raise_if_ended(socket)
            suspicion = self._find_suspicion(socket, now_s)
            if suspicion is not None:
                if (other := await self._replace_suspect(socket, *suspicion)) is not socket:
                    return other
                self._watchdog.watch(self._clock.monotonic_s())
            elif socket.is_shutting_down or now_s >= replace_at_s:
                try:
                    return await self._replace(socket, overlap_s=MIN_OVERLAP_S)
                except FeedError as error:
                    # The old socket still serves, and its end will be noticed.
                    socket.is_shutting_down = False
                    postponed += 1
                    retry_after_s = error.retry_after_s if isinstance(error, FeedDisconnected) else None
                    delay_s = backoff_s(postponed, retry_after_s, chance=self._chance)
                    replace_at_s = self._clock.monotonic_s() + delay_s
                    reason = str(error).rstrip(".")
                    log.warning("Connection %d not replaced yet: %s; again %s.", self.number, reason, in_words(delay_s))

    def _find_suspicion(self, socket: StreamSocket, now_s: float) -> tuple[ConnectionEvent, str] | None:
        """Return why ``socket`` is probably dead, as the event and a sentence, or None."""
        excused = socket.is_blocked or not socket.has_streams
        if self._watchdog.check(socket.received, now_s, excused=excused):
            return ConnectionEvent.SILENT, f"{self._host} has gone silent; opening a new connection."
        if self._doubt:
            return ConnectionEvent.DOUBTED, f"{self._doubt}; opening a new connection."
        if socket.unanswered_s(now_s) > _ANSWERS_WITHIN_S:
            # Streams subscribed before may still deliver, while those just requested would be missing unnoticed.
            return ConnectionEvent.DOUBTED, f"{self._host} leaves requests unanswered; opening a new connection."
        return None

    async def _replace_suspect(self, socket: StreamSocket, event: ConnectionEvent, reason: str) -> StreamSocket:
        """Return the socket that replaced ``socket``, or ``socket`` itself if that failed and it is alive after all."""
        self._doubt = ""
        received = socket.received
        self._change_state(event, reason)
        # A socket that is only in doubt may well be alive, so it is read until its trades overlap with the new one's.
        overlap_s = MIN_OVERLAP_S if event is ConnectionEvent.DOUBTED else 0.0
        try:
            return await self._replace(socket, overlap_s=overlap_s)
        except FeedError as error:
            if isinstance(error, AttemptDeferred) and event is ConnectionEvent.DOUBTED:
                await self._await_sign_of_life(socket, error)
            if socket.received == received or socket.ended() is not None:
                raise
            log.info("Connection %d could not be replaced, but is alive after all: %s", self.number, error)
            self._change_state(ConnectionEvent.HEARD)
            return socket

    async def _await_sign_of_life(self, socket: StreamSocket, deferral: AttemptDeferred) -> None:
        """
        Return when ``socket`` receives an event, has ended, or has been silent for long enough to be given up.

        An attempt that was deferred took no time, in which the socket could have received something.
        """
        received = socket.received
        patience_s = min(self._limits.stall_after_s, deferral.retry_after_s or 0.0)
        end_s = self._clock.monotonic_s() + patience_s
        while socket.received == received and not socket.has_ended and self._clock.monotonic_s() < end_s:
            await self._wait_for_wakeup(socket)

    async def _replace(self, old: StreamSocket, *, overlap_s: float) -> StreamSocket:
        socket = await self._open()
        deadline_s = self._clock.monotonic_s() + _SUBSCRIBE_TIMEOUT_S
        try:
            while not socket.is_synced and self._clock.monotonic_s() < deadline_s:
                await self._wait_for_wakeup(socket)
                self._raise_if_ended(socket)
        except FeedDisconnected:
            self._retiring.retire(socket)
            raise
        self._change_state(ConnectionEvent.REPLACED)
        self._retiring.retire(old, after_s=overlap_s, successor=socket)
        return socket

    async def _back_off(self, error: FeedDisconnected, *, proven: bool, took_s: float) -> None:
        if isinstance(error, AttemptDeferred):
            delay_s = error.retry_after_s or 0.0
        elif isinstance(error, ProbeDeferred):
            delay_s = error.wait_s
        else:
            self._failures += 1
            delay_s = retry_delay_s(
                error,
                self._failures,
                max_attempts=self._limits.max_attempts,
                chance=self._chance,
                proven=proven,
                took_s=took_s,
            )
        if not self._doubt:  # a doubt that came while dialing is a reason to try again at once
            self._retry.clear()
        self._doubt = ""
        self._change_state(ConnectionEvent.FAILED, str(error), retry_in_s=delay_s)
        # Ending a wait that the exchange asked for would prolong a ban.
        if error.retry_after_s is None:
            await first_of(self._retry.wait(), self._clock.sleep(delay_s))
        else:
            await self._clock.sleep(delay_s)
        self._change_state(ConnectionEvent.RETRIED, str(error))  # as long as none succeeds, that is why

    def _raise_if_ended(self, socket: StreamSocket) -> None:
        closed = socket.ended()
        if closed is not None:
            raise (explain(closed, self._host) or closed) from closed

    async def _wait_for_wakeup(self, socket: StreamSocket) -> None:
        """Wait until ``socket`` sets its ``wakeup``, for one tick at most."""
        await first_of(socket.wakeup.wait(), self._clock.sleep(self._tick_s))
        socket.wakeup.clear()

    async def _stop(self) -> None:
        # REFUSED is the result of the run, which the user must be able to see afterwards.
        if self.status.state is not FeedState.REFUSED:
            self._change_state(ConnectionEvent.STOPPED)
        try:
            await self._retiring.close_all()
        finally:
            if self.status.state is not FeedState.REFUSED:
                self._change_state(ConnectionEvent.ENDED)

    def _change_state(self, event: ConnectionEvent, reason: str = "", *, retry_in_s: float | None = None) -> None:
        before = self.status.state
        state = next_state(before, event)
        retry_at_s = None if retry_in_s is None else self._clock.monotonic_s() + retry_in_s
        self.status = FeedStatus(state, reason, self._failures, retry_in_s, retry_at_s)
        is_news = reason and event is not ConnectionEvent.RETRIED
        level = logging.WARNING if is_news else logging.INFO
        sentence = self.status.sentence(self._clock.monotonic_s()) if is_news else ""
        fields = {"connection": self.number, "state": state.value, "attempt": self._failures, "retry_in_s": retry_in_s}
        template = "Connection %d %s: %s → %s. %s"
        log.log(level, template, self.number, event.value, before, state, sentence, extra=fields)
        self._on_status()
