"""
One WebSocket connection: frames in, events out, wishes for streams in, paced requests out.

A link lives until its connection ends and never reconnects; that is its keeper's part (`shard`). It keeps no data: an
event is delivered before the next frame is read, so that whoever takes long slows down the reading. What the exchange
sends meanwhile waits in the connection's queue of `QUEUE_FRAMES` frames, then in the buffers of the operating system,
and where those overflow too, the exchange ends the connection.
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

logger = logging.getLogger(__name__)

MAX_FRAME_BYTES = 2**20
QUEUE_FRAMES = 1024
CLOSE_TIMEOUT_S = 1.0
# A full queue is read without a pause, which would keep the loop, and the chart, from everything else for as long.
_FRAMES_PER_TURN = 64

_SAY_MALFORMED_EVERY_S = 60.0

_NOT_DATA = (SubscriptionAnswer, SubscriptionError, ServerShutdown, OtherEvent)

Deliver = Callable[[MarketEvent], Awaitable[None] | None]


class StreamSocket:
    """
    An open connection. Make one with `StreamSocket.open`; `close` it in any case.

    ``received`` counts the events of data; ``first_trade_us`` and ``newest_trade_us`` are times of trades, None
    and 0 before there was one. ``is_blocked`` while the receiver of an event holds up the reading.
    ``stirred`` is set when something happened that the owner should look at: the connection ended, the exchange
    announced its shutdown, or the requests were answered.
    """

    def __init__(self, socket: ClientConnection, deliver: Deliver, counters: FeedCounters, clock: Clock) -> None:
        self._socket = socket
        self._deliver = deliver
        self._counters = counters
        self._clock = clock
        self._subscriptions = Subscriptions()
        self._wishes = asyncio.Event()
        self._closed: ConnectionClosed | None = None
        self._said_malformed_at_s: float | None = None
        self._unanswered_since_s: float | None = None
        self.opened_at_s = clock.monotonic_s()
        self.received = 0
        self.first_trade_us: int | None = None
        self.newest_trade_us = 0
        self.is_blocked = False
        self.is_shutting_down = False
        self.stirred = asyncio.Event()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._request())]
        self._tasks[0].add_done_callback(lambda _: self.stirred.set())
        self._tasks[1].add_done_callback(lambda _: self.stirred.set())

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
        Connect to ``url``; nothing is subscribed yet.

        ``proxy``: its address, or None.

        Raises:
            OSError, InvalidHandshake: as `websockets.asyncio.client.connect`; `faults.explain` reads them.
        """
        socket = await connect(
            url,
            compression=None,  # trades are small, and inflating them costs more than receiving them
            proxy=proxy,
            open_timeout=timeout_s,
            close_timeout=CLOSE_TIMEOUT_S,
            # The exchange pings us. Our own keepalive would time out behind a flood of trades and close a
            # connection that is perfectly well (python-binance #948); the watchdog sees to the dead ones.
            ping_interval=None,
            max_size=MAX_FRAME_BYTES,
            max_queue=QUEUE_FRAMES,
        )
        return cls(socket, deliver, counters, clock)

    @property
    def is_settled(self) -> bool:
        """Whether every wish has been asked for and answered."""
        return self._subscriptions.is_settled

    @property
    def has_streams(self) -> bool:
        """Whether the exchange has been asked for any stream."""
        return len(self._subscriptions) > 0

    def unanswered_s(self, now_s: float) -> float:
        """Return for how long the exchange has left our requests without an answer; 0 where none waits."""
        waits = self._unanswered_since_s is not None and not self.is_blocked
        return now_s - (self._unanswered_since_s or 0.0) if waits else 0.0

    def want(self, streams: Iterable[str]) -> None:
        """Make these the streams received; requests follow as fast as the exchange allows."""
        self._subscriptions.want(streams)
        self._wishes.set()

    def ended(self) -> ConnectionClosed | None:
        """
        Return how the connection ended, once all it brought has been delivered; None before.

        Raises:
            Exception: Whatever the receiver of an event raised, as it was.
        """
        for task in self._tasks:
            if task.done():
                task.result()
        return self._closed

    def overlaps(self, successor: StreamSocket) -> bool:
        """Whether trades have come here that are no older than the first of ``successor``: it lacks none then."""
        return successor.first_trade_us is not None and self.newest_trade_us >= successor.first_trade_us

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self._tasks[0].done()

    async def finish(self) -> None:
        """Say goodbye and deliver what has come until then; both for `CLOSE_TIMEOUT_S` at most. `close` it then."""
        await self._socket.close()
        await asyncio.wait(self._tasks[:1], timeout=CLOSE_TIMEOUT_S)

    async def close(self) -> None:
        """Close the connection, politely for `CLOSE_TIMEOUT_S` and then at once."""
        for task in self._tasks:
            task.cancel()
        try:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._socket.close()
        finally:
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
                self._say_malformed(error.__cause__ or "it is none of the exchange's", error.sample)
                continue
            if isinstance(message, _NOT_DATA):
                self._note(message)
                continue
            self.received += 1
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
            self._watch_answers()  # we could not read them meanwhile

    def _note_closed(self, closed: ConnectionClosed) -> None:
        if closed.sent is not None and closed.sent.code == CloseCode.MESSAGE_TOO_BIG:
            what = f"A message of the exchange was larger than {MAX_FRAME_BYTES} bytes."
            self._note_malformed(what)
            self._say_malformed(what, b"")
        self._closed = closed

    def _note_malformed(self, what: str) -> None:
        self._counters.malformed += 1
        self._counters.last_malformed = what

    def _say_malformed(self, reason: object, sample: bytes) -> None:
        now_s = self._clock.monotonic_s()
        if self._said_malformed_at_s is None or now_s - self._said_malformed_at_s >= _SAY_MALFORMED_EVERY_S:
            self._said_malformed_at_s = now_s
            logger.warning("Unreadable messages so far: %d; the last one: %s", self._counters.malformed, reason)
            logger.debug("It begins: %r", sample)

    def _note(self, message: SubscriptionAnswer | SubscriptionError | ServerShutdown | OtherEvent) -> None:
        if isinstance(message, ServerShutdown):
            self.is_shutting_down = True
            self.stirred.set()
        elif isinstance(message, SubscriptionAnswer | SubscriptionError):
            self._subscriptions.answered(message)
            self._watch_answers()
            self._wishes.set()  # what was refused together may be asked again apart
            self.stirred.set()

    def _watch_answers(self) -> None:
        self._unanswered_since_s = self._clock.monotonic_s() if self._subscriptions.has_unanswered else None

    async def _request(self) -> None:
        pacer = Pacer(1, REQUEST_SPACING_S)
        while True:
            await self._wishes.wait()
            if (delay_s := pacer.delay_s(self._clock.monotonic_s())) > 0:
                await self._clock.sleep(delay_s)
                continue
            request = self._subscriptions.next_request()
            if request is None:
                self._wishes.clear()
                self.stirred.set()
                continue
            pacer.note(self._clock.monotonic_s())
            if self._unanswered_since_s is None:
                self._watch_answers()
            try:
                await self._socket.send(request)
            except ConnectionClosed:
                return  # the reader says why
