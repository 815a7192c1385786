"""
One of the feed's connections, kept alive: opened, watched over, replaced, tried again.

A `FeedConnection` carries some of the feed's symbols and heals by itself, by the rules of `connection`. It replaces its
`StreamSocket` before that ends where the end can be foreseen, and opens another where not. A replacement is up and
subscribed before the old link closes, so both deliver for a moment: repeats are possible, and dropping them is the
receiver's part (`app.market.coverage`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

from app.brokers.binance.connection_state import ConnectionEvent, Watchdog, backoff_s, next_state
from app.brokers.binance.dialer import AttemptDeferred, Dialer
from app.brokers.binance.endpoints import streams_of
from app.brokers.binance.error_mapping import explain
from app.brokers.binance.retiring_sockets import OVERLAP_S, RetiringSockets
from app.brokers.binance.stream_socket import StreamSocket
from app.concurrency.tasks import first_of
from app.market.durations import in_words
from app.market.errors import FeedDisconnected, FeedError, FeedRejected
from app.market.ports.exchange import FeedState, FeedStatus

log = logging.getLogger(__name__)

_SETTLE_TIMEOUT_S = 10.0
_ANSWERS_WITHIN_S = 30.0
# A connection that lasted this long has proved itself, even if nothing was subscribed on it.
_PROVEN_AFTER_S = 60.0


class FeedConnection:
    """
    Connection ``number`` of a feed. ``on_status`` is called on the loop at each change of ``status``.

    Say what it carries with `want`, then `run` it.
    """

    def __init__(self, number: int, way: Dialer, on_status: Callable[[], None]) -> None:
        self.number = number
        self.status = FeedStatus()
        self._way = way
        self._clock = way.clock
        self._on_status = on_status
        self._streams: list[str] = []
        self._watchdog = Watchdog(way.stall_after_s)
        self._tick_s = min(1.0, way.stall_after_s / 4)
        self._failures = 0
        self._has_connected = False
        self._leaving = RetiringSockets(way.clock, self._tick_s)
        self._links = self._leaving.links
        self._retry = asyncio.Event()
        self._doubt = ""

    def want(self, symbols: Collection[str]) -> None:
        """Make these the symbols carried; `app.brokers.binance.endpoints.MAX_SYMBOLS` at most."""
        self._streams = [stream for symbol in sorted(symbols) for stream in streams_of(symbol)]
        for link in self._links:
            link.want(self._streams)

    def retry_now(self) -> None:
        """End a wait between attempts at once, unless the exchange itself asked for it."""
        self._retry.set()

    def doubt(self, reason: str) -> None:
        """Replace the connection at once, because of what ``reason`` says; where there is none, try again at once."""
        self._doubt = reason
        self._retry.set()
        for link in self._links:
            link.stirred.set()

    async def run(self) -> None:
        """
        Receive until cancelled, reconnecting for ever or until ``max_attempts`` failed in a row.

        Raises:
            FeedRejected: If the exchange refuses for good, or attempts ran out; `run` it again where the user wants to.
        """
        self._failures = 0
        self._doubt = ""
        self._move(ConnectionEvent.STARTED)
        try:
            await self._keep_connected()
        except FeedRejected as error:
            self._move(ConnectionEvent.REJECTED, str(error))
            raise
        finally:
            await self._shut()

    async def _keep_connected(self) -> None:
        link: StreamSocket | None = None
        while True:
            try:
                if link is None:
                    link = await self._open()
                    self._move(ConnectionEvent.OPENED)
                link = await self._attend(link)
            except FeedDisconnected as error:
                proven = link is not None and not self._failures
                if link is not None:
                    self._leaving.leave(link)
                    link = None
                await self._back_off(error, proven=proven)

    async def _open(self) -> StreamSocket:
        """Return a new link with every stream wished for; raises FeedError."""
        link = await self._way.open(self._failures)
        self._way.counters.reconnects += self._has_connected
        self._has_connected = True
        self._doubt = ""  # which was about the link before
        self._links.append(link)
        link.want(self._streams)  # which may have changed meanwhile
        return link

    async def _attend(self, link: StreamSocket) -> StreamSocket:
        """Watch over ``link`` until another has replaced it, and return that one; raises FeedError where it ended."""
        self._watchdog.watch(self._clock.monotonic_s())
        replace_at_s = link.opened_at_s + self._way.max_age_s
        postponed = 0
        while True:
            await self._stir_or_sleep(link, self._tick_s)
            now_s = self._clock.monotonic_s()
            if link.received or now_s - link.opened_at_s > _PROVEN_AFTER_S:
                self._failures = 0
            self._check(link)
            excused = link.is_blocked or not link.has_streams
            suspicion: tuple[ConnectionEvent, str] | None = None
            if self._watchdog.is_silent(link.received, now_s, excused=excused):
                suspicion = ConnectionEvent.SILENT, f"{self._way.host} has gone silent; opening a new connection."
            elif self._doubt:
                suspicion = ConnectionEvent.DOUBTED, f"{self._doubt}; opening a new connection."
            elif link.unanswered_s(now_s) > _ANSWERS_WITHIN_S:
                # Others of its streams may be well, and these would be missing without a word.
                suspicion = (
                    ConnectionEvent.DOUBTED,
                    f"{self._way.host} leaves requests unanswered; opening a new connection.",
                )
            if suspicion is not None:
                if (other := await self._replace_suspect(link, *suspicion)) is not link:
                    return other
                self._watchdog.watch(self._clock.monotonic_s())
            elif link.is_shutting_down or now_s >= replace_at_s:
                try:
                    return await self._replace(link, overlap_s=OVERLAP_S)
                except FeedError as error:
                    # The old one still serves; it will say itself when it no longer does.
                    link.is_shutting_down = False
                    postponed += 1
                    retry_after_s = error.retry_after_s if isinstance(error, FeedDisconnected) else None
                    delay_s = backoff_s(postponed, retry_after_s, chance=self._way.chance)
                    replace_at_s = self._clock.monotonic_s() + delay_s
                    reason = str(error).rstrip(".")
                    log.warning("Connection %d not replaced yet: %s; again %s.", self.number, reason, in_words(delay_s))

    async def _replace_suspect(self, link: StreamSocket, event: ConnectionEvent, reason: str) -> StreamSocket:
        """Return the link that replaced one that is probably dead; the same where that fails and it lives after all."""
        self._doubt = ""
        received = link.received
        self._move(event, reason)
        # What was only doubted may well be alive, and then it is read to its end.
        overlap_s = OVERLAP_S if event is ConnectionEvent.DOUBTED else 0.0
        try:
            return await self._replace(link, overlap_s=overlap_s)
        except FeedError as error:
            if isinstance(error, AttemptDeferred) and event is ConnectionEvent.DOUBTED:
                await self._listen(link, error)
            if link.received == received or link.ended() is not None:
                raise
            log.info("Connection %d could not be replaced, but lives after all: %s", self.number, error)
            self._move(ConnectionEvent.HEARD)
            return link

    async def _listen(self, link: StreamSocket, held_back: AttemptDeferred) -> None:
        """
        Return when ``link`` brings something, has ended, or has been silent for long enough to be given up.

        Where no other may be tried, no time has passed in which it could have shown that it lives.
        """
        received = link.received
        patience_s = min(self._way.stall_after_s, held_back.retry_after_s or 0.0)
        end_s = self._clock.monotonic_s() + patience_s
        while link.received == received and not link.has_ended and self._clock.monotonic_s() < end_s:
            await self._stir_or_sleep(link, self._tick_s)

    async def _replace(self, old: StreamSocket, *, overlap_s: float) -> StreamSocket:
        link = await self._open()
        deadline_s = self._clock.monotonic_s() + _SETTLE_TIMEOUT_S
        try:
            while not link.is_settled and self._clock.monotonic_s() < deadline_s:
                await self._stir_or_sleep(link, self._tick_s)
                self._check(link)
        except FeedDisconnected:
            self._leaving.leave(link)
            raise
        self._move(ConnectionEvent.REPLACED)
        self._leaving.leave(old, after_s=overlap_s, successor=link)
        return link

    async def _back_off(self, error: FeedDisconnected, *, proven: bool) -> None:
        way = self._way
        if isinstance(error, AttemptDeferred):
            delay_s = error.retry_after_s or 0.0
        else:
            self._failures += 1
            if way.max_attempts and self._failures >= way.max_attempts:
                raise FeedRejected(f"{str(error).rstrip('.')}; gave up after {self._failures} attempts.") from error
            delay_s = backoff_s(self._failures, error.retry_after_s, chance=way.chance, proven=proven)
        if not self._doubt:  # raised while connecting, and so a reason to try again at once
            self._retry.clear()
        self._doubt = ""
        self._move(ConnectionEvent.FAILED, str(error), retry_in_s=delay_s)
        if error.retry_after_s is None:
            await first_of(self._retry.wait(), self._clock.sleep(delay_s))
        else:
            await self._clock.sleep(delay_s)
        self._move(ConnectionEvent.RETRIED)

    def _check(self, link: StreamSocket) -> None:
        closed = link.ended()
        if closed is not None:
            raise (explain(closed, self._way.host) or closed) from closed

    async def _stir_or_sleep(self, link: StreamSocket, seconds: float) -> None:
        await first_of(link.stirred.wait(), self._clock.sleep(seconds))
        link.stirred.clear()

    async def _shut(self) -> None:
        if self.status.state is not FeedState.REFUSED:
            self._move(ConnectionEvent.STOPPED)
        try:
            await self._leaving.shut()
        finally:
            if self.status.state is not FeedState.REFUSED:
                self._move(ConnectionEvent.ENDED)

    def _move(self, event: ConnectionEvent, reason: str = "", *, retry_in_s: float | None = None) -> None:
        before = self.status.state
        state = next_state(before, event)
        retry_at_s = None if retry_in_s is None else self._clock.monotonic_s() + retry_in_s
        self.status = FeedStatus(state, reason, self._failures, retry_in_s, retry_at_s)
        level = logging.WARNING if reason else logging.INFO
        said = self.status.sentence(self._clock.monotonic_s())
        fields = {"connection": self.number, "state": state.value, "attempt": self._failures, "retry_in_s": retry_in_s}
        words = "Connection %d %s: %s → %s. %s"
        log.log(level, words, self.number, event.value, before, state, said, extra=fields)
        self._on_status()
