"""
The server's side of one WebSocket: subscriptions, frames out, pings, and its end.

The connection pulls frames from its cursor, applies its faults, and writes them in batches: many WebSocket frames in
one write, then a wait until the client has read enough. So a client sets its own pace.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from app.market.candle import Candle
from app.market.interval import EXCHANGE_INTERVALS, SECOND_US, Interval
from app.sandbox import wire
from app.sandbox.server.faults import StreamFaults
from app.sandbox.server.garbage import OutgoingMessage
from app.sandbox.server.subscriptions import ClientSubscriptions
from app.sandbox.source import Frame, FrameCursor, MarketSource
from app.sandbox.wire import kline_event, text_frame

_ROWS = 1000
_INTERVALS = {f"kline_{interval.name}": interval for interval in EXCHANGE_INTERVALS}


class KlinePusher:
    """
    The frames of kline streams: a changed candle every second of exchange time for 1s, every two for other intervals.

    A candle that closes is sent once more as closed.
    """

    def __init__(self, source: MarketSource) -> None:
        self._source = source
        self._sent: dict[str, Candle] = {}
        self._second = -1

    async def next_frames(self, streams: Collection[str], *, microseconds: bool) -> list[Frame]:
        """Return the frames that are due now."""
        wanted = [stream for stream in streams if stream.partition("@")[2] in _INTERVALS]
        second = self._source.now_us() // SECOND_US
        if not wanted or second == self._second:
            return []
        self._second = second
        known = {symbol.name for symbol in self._source.symbols()}
        frames = []
        for stream in wanted:
            name, _, kind = stream.partition("@")
            interval = _INTERVALS[kind]
            if name == name.lower() and name.upper() in known and (interval.seconds == 1 or second % 2 == 0):
                for candle in await self._due(stream, name.upper(), interval):
                    event = kline_event(
                        name.upper(), interval, candle, self._source.now_us(), microseconds=microseconds
                    )
                    frames.append(Frame(stream, event))
        return frames

    async def _due(self, stream: str, symbol: str, interval: Interval) -> list[Candle]:
        sent = self._sent.get(stream)
        newest = await self._source.klines(
            symbol, interval, start_us=None if sent is None else sent.open_time_us, end_us=None, limit=_ROWS
        )
        if sent is None:
            newest = newest[-1:]
        if newest:
            self._sent[stream] = newest[-1]
        return [candle for candle in newest if candle != sent]


_SHUTDOWN_STREAM = "!serverShutdown"
_CLOSE_WAIT_S = 2.0
_LEAST_WAIT_S = 0.01  # while ``silent``, an overdue pong stays due, and would make the loop a busy one
_PING = 0x89  # the first byte of a whole ping frame (RFC 6455, 5.2)


@dataclass(frozen=True, slots=True)
class Limits:
    """
    The exchange's limits, which tests lower.

    ``attempts``: connections per five minutes. ``weight_per_minute``: of REST requests.
    """

    ping_every_s: float = 20.0
    pong_within_s: float = 60.0
    lifetime_s: float = 24 * 3600.0
    shutdown_notice_s: float = 10.0
    messages_per_s: int = 5
    attempts: int = 300
    weight_per_minute: int = wire.WEIGHT_PER_MINUTE


class Connection:
    """
    One client's connection. Change ``faults``, and call `cut`, `close` or `announce_shutdown`, at any time.

    ``wrapped``: whether events are sent with the name of their stream. ``microseconds``: the unit of their times.
    """

    def __init__(
        self,
        request: web.Request,
        source: MarketSource,
        limits: Limits,
        faults: StreamFaults,
        streams: list[str],
        *,
        wrapped: bool,
        microseconds: bool,
    ) -> None:
        self.faults = faults
        self.subscriptions = ClientSubscriptions(streams)
        self.wrapped = wrapped
        self.microseconds = microseconds
        self.messages_sent = 0
        self._request = request
        self._source = source
        self._cursor: FrameCursor = source.open_cursor()
        self._klines = KlinePusher(source)
        self._limits = limits
        # With a limit of 0 every send waits until the client has read, instead of filling this machine's memory.
        self._socket = web.WebSocketResponse(autoping=False, compress=False, timeout=_CLOSE_WAIT_S, writer_limit=0)
        self._incoming: deque[float] = deque(maxlen=limits.messages_per_s + 1)
        self._unanswered: set[bytes] = set()
        self._pong_due_s: float | None = None

    async def run(self) -> web.WebSocketResponse:
        """Serve the client until either side ends the connection."""
        await self._socket.prepare(self._request)
        tasks = [asyncio.create_task(work) for work in (self._receive(), self._send(), self._keep_alive())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, ConnectionError):
                raise result
        return self._socket

    def cut(self, *, mid_frame: bool = False) -> None:
        """End the TCP connection without a close frame; with ``mid_frame``, in the middle of a message."""
        transport = self._request.transport
        if transport is None:
            return
        if mid_frame:
            transport.write(text_frame(b'{"e":"trade","E":1,"s":"BTCUSDT"}')[:12])
            transport.close()  # unlike abort(), it sends what is buffered, the half frame included
        else:
            transport.abort()

    def scramble(self) -> None:
        """Send bytes that are not a WebSocket frame, so that the client must give the connection up."""
        transport = self._request.transport
        if transport is not None:
            transport.write(b"\xf3\xff\xff\xff scrambled")

    async def close(self, code: int, reason: str = "") -> None:
        """Close with a close frame and that code; 1006 stands for a missing close frame, so it cuts."""
        if code == 1006:
            self.cut()
            return
        with suppress(ConnectionError):
            try:
                async with asyncio.timeout(_CLOSE_WAIT_S):
                    await self._socket.close(code=code, message=reason.encode())
            except TimeoutError:
                self.cut()  # a client that does not read does not answer the close frame either

    async def send(self, text: bytes) -> None:
        """Send one text message, to which no fault is applied."""
        await self._write([OutgoingMessage("", text)])

    async def announce_shutdown(self) -> None:
        """Announce to the client that the connection is about to end."""
        event = wire.shutdown_event(self._source.now_us(), microseconds=self.microseconds)
        await self._write([self._message(Frame(_SHUTDOWN_STREAM, event))])

    async def _receive(self) -> None:
        loop = asyncio.get_running_loop()
        async for message in self._socket:
            now_s = loop.time()
            self._incoming.append(now_s)
            if len(self._incoming) > self._limits.messages_per_s and now_s - self._incoming[0] < 1.0:
                await self.close(1008, "Too many requests")
                return
            if self.faults.silent:
                continue
            if message.type is WSMsgType.PING:
                await self._socket.pong(message.data)
            elif message.type is WSMsgType.PONG:
                self._on_pong(bytes(message.data))
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                await self._write([OutgoingMessage("", self.subscriptions.answer(message.data))])

    async def _send(self) -> None:
        while True:
            streams = self.subscriptions.names()
            frames = [*await self._cursor.next_frames(streams, microseconds=self.microseconds)]
            frames += await self._klines.next_frames(streams, microseconds=self.microseconds)
            messages = self.faults.apply([self._message(frame) for frame in frames])
            if messages:
                await self._write(messages)

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        end_s = begin_s + self._limits.lifetime_s
        ping_s = begin_s + self._limits.ping_every_s
        notice_s: float | None = end_s - self._limits.shutdown_notice_s
        while (now_s := loop.time()) < end_s:
            if self._pong_due_s is not None and now_s >= self._pong_due_s and not self.faults.silent:
                await self.close(1008, "Pong timeout")
                return
            if notice_s is not None and now_s >= notice_s:
                notice_s = None
                await self.announce_shutdown()
            if now_s >= ping_s:
                ping_s += self._limits.ping_every_s
                self._ping(now_s)
            due = [at_s for at_s in (ping_s, notice_s, self._pong_due_s, end_s) if at_s is not None]
            await asyncio.sleep(max(min(due) - loop.time(), _LEAST_WAIT_S))
        await self.close(1001, "Connection lifetime reached")

    def _ping(self, now_s: float) -> None:
        if self.faults.silent:
            return
        payload = str(self._source.now_us() // 1000).encode()
        self._unanswered.add(payload)
        transport = self._request.transport
        if transport is not None:
            # Not through the socket, whose send would wait for a client that does not read, and so delay its time-out.
            transport.write(bytes((_PING, len(payload))) + payload)
        if self._pong_due_s is None:
            self._pong_due_s = now_s + self._limits.pong_within_s

    def _on_pong(self, payload: bytes) -> None:
        # An unsolicited pong does not answer a ping.
        if payload in self._unanswered:
            self._unanswered.clear()
            self._pong_due_s = None

    def _message(self, frame: Frame) -> OutgoingMessage:
        stream, payload = frame
        if not self.wrapped:
            return OutgoingMessage(stream, payload)
        return OutgoingMessage(stream, b'{"stream":"%b","data":%b}' % (stream.encode(), payload))

    async def _write(self, messages: Sequence[OutgoingMessage]) -> None:
        transport = self._request.transport
        if transport is None or transport.is_closing() or self._socket.closed:
            raise ConnectionResetError("the client is gone")
        self.messages_sent += len(messages)
        if len(messages) > 1:
            transport.write(b"".join([text_frame(text) for _, text in messages[:-1]]))
        await self._socket.send_frame(messages[-1].text, WSMsgType.TEXT)
