"""
One pricing stream: chunked HTTP in, ticks out.

A stream lives until its connection ends and never reconnects; `app.brokers.oanda.feed` does that. It stores no data: a
tick is delivered before the next line is read, so a slow receiver slows the reading down, and the operating system's
buffers fill meanwhile; then OANDA ends the connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import aiohttp

from app.brokers.oanda.decode import Heartbeat, decode_line
from app.market.errors import FeedAway, MalformedMessage
from app.market.ports.clock import Clock
from app.market.ports.exchange import FeedCounters
from app.market.quotes.tick import Tick

log = logging.getLogger(__name__)

MAX_LINE_BYTES = 2**20  # a price has a few hundred bytes; what is longer is none
_LINES_PER_TURN = 64
_LOG_MALFORMED_EVERY_S = 60.0

Deliver = Callable[[Tick], Awaitable[None] | None]
"""Takes one tick; if it returns an awaitable, the stream awaits it before reading on."""


class PricingStream:
    """
    An open stream of ``instruments`` (OANDA's names). Make it from an answer of `HttpClient.open_stream`; `close` it.

    ``heard`` counts lines that could be read, heartbeats included. ``wakeup`` is set when the stream has ended; the
    owner clears it.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        instruments: frozenset[str],
        deliver: Deliver,
        counters: FeedCounters,
        clock: Clock,
        host: str,
    ) -> None:
        self.instruments = instruments
        self.opened_at_s = clock.monotonic_s()
        self.heard = 0
        self._heard_at_s = self.opened_at_s
        self._is_blocked = False
        self.wakeup = asyncio.Event()
        self._response = response
        self._deliver = deliver
        self._counters = counters
        self._clock = clock
        self._host = host
        self._logged_malformed_at_s: float | None = None
        self._task = asyncio.create_task(self._read())
        self._task.add_done_callback(lambda _: self.wakeup.set())

    def silent_s(self, now_s: float) -> float:
        """Return for how long nothing readable came; 0 while the receiver of a tick holds up the reading."""
        return 0.0 if self._is_blocked else now_s - self._heard_at_s

    def ended(self) -> Exception | None:
        """
        Return how the connection ended, or None until every received tick has been delivered.

        Raises:
            Exception: Whatever the receiver of a tick raised.
        """
        return self._task.result() if self._task.done() else None

    async def close(self) -> None:
        """End the connection."""
        self._task.cancel()
        self._response.close()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> Exception:
        """Deliver ticks until the connection ends; return how it did."""
        waiting = b""
        lines = 0
        while True:
            try:
                chunk = await self._response.content.readany()
            except (aiohttp.ClientError, OSError) as error:
                return error
            if not chunk:
                return FeedAway(f"{self._host} ended the stream.")
            *whole, waiting = (waiting + chunk).split(b"\n")
            for line in whole:
                if len(line) > MAX_LINE_BYTES:
                    return self._too_long(line)
                if text := line.strip():
                    await self._take(text)
                lines += 1
                if lines % _LINES_PER_TURN == 0:
                    await asyncio.sleep(0)
            if len(waiting) > MAX_LINE_BYTES:
                return self._too_long(waiting)

    def _too_long(self, line: bytes) -> FeedAway:
        self._note_malformed(f"A line of the stream was longer than {MAX_LINE_BYTES} bytes.", line[:100])
        return FeedAway(f"{self._host} sent a line too long to be one of OANDA's.")

    async def _take(self, line: bytes) -> None:
        self._counters.messages += 1
        try:
            message = decode_line(line)
        except MalformedMessage as error:
            self._note_malformed(str(error), line[:100])
            return
        self.heard += 1
        self._heard_at_s = self._clock.monotonic_s()
        if message is None or isinstance(message, Heartbeat):
            return
        delivery = self._deliver(message)
        if delivery is not None:
            self._is_blocked = True
            try:
                await delivery
            finally:
                self._is_blocked = False
                self._heard_at_s = self._clock.monotonic_s()  # nothing could be read meanwhile

    def _note_malformed(self, reason: str, sample: bytes) -> None:
        self._counters.malformed += 1
        self._counters.last_malformed = reason
        now_s = self._clock.monotonic_s()
        if self._logged_malformed_at_s is None or now_s - self._logged_malformed_at_s >= _LOG_MALFORMED_EVERY_S:
            self._logged_malformed_at_s = now_s
            log.warning("Unreadable lines so far: %d; the last one: %s", self._counters.malformed, reason)
            log.debug("it began with %r", sample)
