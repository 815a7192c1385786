"""
One WebSocket: frames in, events out; wanted streams in, paced requests out.

A socket lives until its connection ends and never reconnects; `app.brokers.binance.feed_connection` does that. It
stores no data: an event is delivered before the next frame is read, so a slow receiver slows the reading down. Frames
that the exchange sends meanwhile fill the queue of `QUEUE_FRAMES`, then the buffers of the operating system; if those
overflow too, the exchange ends the connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from app.brokers.binance.decode_stream import OtherEvent, ServerShutdown, SubscriptionAnswer, SubscriptionError, decode
from app.brokers.binance.endpoints import REQUEST_SPACING_S
from app.brokers.binance.subscriptions import Subscriptions
from app.brokers.rate_limit import Pacer
from app.market.errors import MalformedMessage
from app.market.ports.clock import Clock
from app.market.ports.exchange import FeedCounters
from app.market.trade import MarketEvent, Trade

log = logging.getLogger(__name__)

MAX_FRAME_BYTES = 2**20  # the exchange's own frames have a few hundred bytes; a larger one is refused unread
QUEUE_FRAMES = 1024
CLOSE_TIMEOUT_S = 1.0
# recv() does not suspend while frames are queued, so without a pause a full queue would block the loop and the chart.
_FRAMES_PER_TURN = 64
# A stream that is broken for good would else fill the log file with its thousands of messages per minute.
_LOG_MALFORMED_EVERY_S = 60.0

_NOT_DATA = (SubscriptionAnswer, SubscriptionError, ServerShutdown, OtherEvent)

Deliver = Callable[[MarketEvent], Awaitable[None] | None]
"""Takes one event; if it returns an awaitable, the socket awaits it before reading on."""


class StreamSocket:
    """
    An open socket. Create one with `StreamSocket.open` and always `close` it.

    ``received`` counts market events. ``first_trade_us`` and ``newest_trade_us`` are times of trades (UTC
    microseconds), None and 0 before the first. ``is_blocked`` is True while the receiver of an event holds up the
    reading. ``is_shutting_down`` is True once the exchange has announced the end of the connection. ``wakeup`` is set
    when the owner should look: the connection ended or will, or the requests were answered. The owner clears it.
    """

    def __init__(self, socket: ClientConnection, deliver: Deliver, counters: FeedCounters, clock: Clock) -> None:
        self._socket = socket
        self._deliver = deliver
        self._counters = counters
        self._clock = clock
        self._subscriptions = Subscriptions()
        self._has_changes = asyncio.Event()
        self._closed: ConnectionClosed | None = None
        self._logged_malformed_at_s: float | None = None
        self._unanswered_since_s: float | None = None
        self.opened_at_s = clock.monotonic_s()
        self.received = 0
        self.first_trade_us: int | None = None
        self.newest_trade_us = 0
        self.is_blocked = False
        self.is_shutting_down = False
        self.wakeup = asyncio.Event()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._request())]
        for task in self._tasks:
            task.add_done_callback(lambda _: self.wakeup.set())

    @classmethod
    async def open(
        cls,
        url: str,
        deliver: Deliver,
        counters: FeedCounters,
        clock: Clock,
        *,
        timeout_s: float,
        proxy: str | None,
    ) -> StreamSocket:
        """
        Connect to ``url`` through the proxy at that address, or without one; nothing is subscribed yet.

        Raises:
            OSError, InvalidHandshake: As `websockets.asyncio.client.connect`; `error_mapping.explain` reads them.
        """
        socket = await connect(
            url,
            compression=None,  # trades are small, and inflating them costs more than receiving them
            proxy=proxy,
            open_timeout=timeout_s,
            close_timeout=CLOSE_TIMEOUT_S,
            # The exchange pings us. Our own keepalive would time out behind a flood of trades and close a healthy
            # connection (python-binance #948); the watchdog finds the dead ones.
            ping_interval=None,
            max_size=MAX_FRAME_BYTES,
            max_queue=QUEUE_FRAMES,
        )
        return cls(socket, deliver, counters, clock)

    @property
    def is_synced(self) -> bool:
        """Whether every change of the streams has been requested and answered."""
        return self._subscriptions.is_synced

    @property
    def has_streams(self) -> bool:
        """Whether any stream has been requested."""
        return len(self._subscriptions) > 0

    def unanswered_s(self, now_s: float) -> float:
        """Return for how long the oldest unanswered request has waited at ``now_s`` (monotonic); 0 without any."""
        waits = self._unanswered_since_s is not None and not self.is_blocked
        return now_s - (self._unanswered_since_s or 0.0) if waits else 0.0

    def set_streams(self, streams: Iterable[str]) -> None:
        """Receive exactly these streams; the requests follow as fast as the exchange allows."""
        self._subscriptions.set_wanted(streams)
        self._has_changes.set()

    def ended(self) -> ConnectionClosed | None:
        """
        Return how the connection ended, or None until every received event has been delivered.

        Raises:
            Exception: Whatever the receiver of an event raised.
        """
        for task in self._tasks:
            if task.done():
                task.result()
        return self._closed

    def overlaps(self, successor: StreamSocket) -> bool:
        """Whether this socket has received a trade at or after the first of ``successor``, which then misses none."""
        return successor.first_trade_us is not None and self.newest_trade_us >= successor.first_trade_us

    @property
    def has_ended(self) -> bool:
        """Whether no more events will come."""
        return self._tasks[0].done()

    async def finish(self) -> None:
        """Send a close frame and deliver what was received, each within `CLOSE_TIMEOUT_S`. Call `close` afterwards."""
        await self._socket.close()
        await asyncio.wait(self._tasks[:1], timeout=CLOSE_TIMEOUT_S)

    async def close(self) -> None:
        """Close the connection: with a close frame within `CLOSE_TIMEOUT_S`, or else by aborting it."""
        for task in self._tasks:
            task.cancel()
        try:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._socket.close()
        finally:
            # A server that hangs never answers the close frame.
            self._socket.transport.abort()

    async def _read(self) -> None:
        frames = 0
        while True:
            try:
                frame = await self._socket.recv(decode=False)
            except ConnectionClosed as closed:
                self._note_closed(closed)
                return
            frames += 1
            if frames % _FRAMES_PER_TURN == 0:
                await asyncio.sleep(0)
            self._counters.messages += 1
            try:
                message = decode(frame)
            except MalformedMessage as error:
                self._note_malformed(str(error))
                self._log_malformed(error.__cause__ or "it is none of the exchange's", error.sample)
                continue
            if isinstance(message, _NOT_DATA):
                self._note_control_message(message)
                continue
            self.received += 1
            # type() is cheaper here than isinstance(), and this runs for every trade.
            if type(message) is Trade:
                self.newest_trade_us = message.time_us
                if self.first_trade_us is None:
                    self.first_trade_us = message.time_us
            delivery = self._deliver(message)
            if delivery is not None:
                await self._wait_for(delivery)

    async def _wait_for(self, delivery: Awaitable[None]) -> None:
        self.is_blocked = True
        try:
            await delivery
        finally:
            self.is_blocked = False
            self._restart_answer_timer()  # answers could not be read meanwhile

    def _note_closed(self, closed: ConnectionClosed) -> None:
        if closed.sent is not None and closed.sent.code == CloseCode.MESSAGE_TOO_BIG:
            reason = f"A message of the exchange was larger than {MAX_FRAME_BYTES} bytes."
            self._note_malformed(reason)
            self._log_malformed(reason, b"")
        self._closed = closed

    def _note_malformed(self, reason: str) -> None:
        self._counters.malformed += 1
        self._counters.last_malformed = reason

    def _log_malformed(self, reason: object, sample: bytes) -> None:
        now_s = self._clock.monotonic_s()
        if self._logged_malformed_at_s is None or now_s - self._logged_malformed_at_s >= _LOG_MALFORMED_EVERY_S:
            self._logged_malformed_at_s = now_s
            log.warning("Unreadable messages so far: %d; the last one: %s", self._counters.malformed, reason)
            log.debug("It begins: %r", sample)

    def _note_control_message(
        self, message: SubscriptionAnswer | SubscriptionError | ServerShutdown | OtherEvent
    ) -> None:
        if isinstance(message, ServerShutdown):
            self.is_shutting_down = True
            self.wakeup.set()
        elif isinstance(message, SubscriptionAnswer | SubscriptionError):
            self._subscriptions.note_answer(message)
            self._restart_answer_timer()
            self._has_changes.set()  # streams that were refused together are requested again in halves
            self.wakeup.set()

    def _restart_answer_timer(self) -> None:
        self._unanswered_since_s = self._clock.monotonic_s() if self._subscriptions.has_unanswered else None

    async def _request(self) -> None:
        pacer = Pacer(1, REQUEST_SPACING_S)
        while True:
            await self._has_changes.wait()
            if (delay_s := pacer.delay_s(self._clock.monotonic_s())) > 0:
                await self._clock.sleep(delay_s)
                continue
            request = self._subscriptions.next_request()
            if request is None:
                self._has_changes.clear()
                self.wakeup.set()
                continue
            pacer.note(self._clock.monotonic_s())
            if self._unanswered_since_s is None:
                self._restart_answer_timer()
            try:
                await self._socket.send(request)
            except ConnectionClosed:
                return  # the reading task notes how the connection ended
