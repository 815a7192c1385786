"""Clocks that tests control, and a small exchange on a loopback socket that tests control."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from app.market.ports.exchange import FeedState, FeedStatus
from app.market.trade import MarketEvent, Quote, Trade

PATIENCE_S = 10.0


class ManualClock:
    """A clock that stands still until `advance` is called."""

    def __init__(self, now_us: int = 1_723_161_255_000_000) -> None:
        self._start_us = now_us
        self._elapsed_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    def now_us(self) -> int:
        return self._start_us + round(self._elapsed_s * 1e6)

    def monotonic_s(self) -> float:
        return self._elapsed_s

    @property
    def sleepers(self) -> int:
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed_s + seconds, next(self._count), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Let that much time pass, and wake each sleeper at its time."""
        end_s = self._elapsed_s + seconds
        await self._let_others_run()
        while self._sleepers and self._sleepers[0][0] <= end_s:
            self._elapsed_s, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
                await self._let_others_run()
        self._elapsed_s = end_s

    async def _let_others_run(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


class FastClock:
    """The real clock, ``speed`` times as fast."""

    def __init__(self, speed: float = 20.0) -> None:
        self._speed = speed
        self._start_s = time.monotonic()

    def now_us(self) -> int:
        return 1_723_161_255_000_000 + round(self.monotonic_s() * 1e6)

    def monotonic_s(self) -> float:
        return (time.monotonic() - self._start_s) * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)


async def until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Return as soon as ``condition`` holds; fail after `PATIENCE_S`."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # polled, because no event announces an arbitrary condition
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what}") from None


def trade_frame(trade_id: int, symbol: str = "BTCUSDT", **changes: Any) -> str:
    """Return a combined-stream frame of one trade."""
    event = {
        "e": "trade",
        "E": 1723161255343000 + trade_id,
        "s": symbol,
        "t": trade_id,
        "p": "61837.63000000",
        "q": "0.02000000",
        "T": 1723161255342000 + trade_id,
        "m": True,
        "M": True,
    }
    return json.dumps({"stream": f"{symbol.lower()}@trade", "data": event | changes}, separators=(",", ":"))


def quote_frame(update_id: int, symbol: str = "BTCUSDT") -> str:
    """Return a combined-stream frame of one best bid and ask."""
    event = {"u": update_id, "s": symbol, "b": "1.00000000", "B": "2.00000000", "a": "3.00000000", "A": "4.00000000"}
    return json.dumps({"stream": f"{symbol.lower()}@bookTicker", "data": event}, separators=(",", ":"))


class Recorder:
    """A receiver that keeps every event, and a listener that keeps every status."""

    def __init__(self) -> None:
        self.events: list[MarketEvent] = []
        self.ids: list[int] = []
        self.quotes: list[Quote] = []
        self.statuses: list[FeedStatus] = []

    def __call__(self, event: MarketEvent, received_us: int) -> None:
        self.events.append(event)
        if isinstance(event, Trade):
            self.ids.append(event.trade_id)
        elif isinstance(event, Quote):
            self.quotes.append(event)

    @property
    def states(self) -> list[FeedState]:
        return [status.state for status in self.statuses]


class StreamServer:
    """
    A real WebSocket server that answers requests as the exchange does.

    ``statuses``: HTTP statuses (with headers) for the coming handshakes; None accepts. ``answers`` False leaves
    requests without an answer.
    """

    def __init__(self) -> None:
        self.sockets: list[ServerConnection] = []
        self.open: list[ServerConnection] = []
        self.requests: list[list[tuple[float, dict[str, Any]]]] = []
        self.subscribed: dict[ServerConnection, set[str]] = {}
        self.statuses: list[tuple[int, dict[str, str]] | None] = []
        self.paths: list[str] = []
        self.answers = True
        self.handshake = asyncio.Event()
        self.handshake.set()
        self._server: Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def __aenter__(self) -> StreamServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self.port,
            process_request=self._process,
            compression=None,
            ping_interval=None,
            close_timeout=0.2,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self.handshake.set()
            for socket in self.open:
                socket.transport.abort()
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def publish(self, *frames: str | bytes) -> None:
        """Send the frames on every open connection."""
        for socket in list(self.open):
            for frame in frames:
                await socket.send(frame)

    async def answer(self, socket: ServerConnection, request: dict[str, Any]) -> None:
        """Execute a request and confirm it."""
        change = set(request["params"])
        if request["method"] == "SUBSCRIBE":
            self.subscribed[socket] |= change
        else:
            self.subscribed[socket] -= change
        await socket.send(json.dumps({"result": None, "id": request["id"]}))

    async def until_subscribed(self, streams: Iterable[str], connections: int = 1) -> None:
        """Wait until that many connections have been opened and the newest is subscribed to exactly these streams."""
        expected = set(streams)
        await until(
            lambda: len(self.sockets) >= connections and self.subscribed[self.sockets[-1]] == expected,
            f"{connections} connections with {expected}",
        )

    async def _process(self, _: ServerConnection, request: Request) -> Response | None:
        self.paths.append(request.path)
        await self.handshake.wait()
        refusal = self.statuses.pop(0) if self.statuses else None
        if refusal is None:
            return None
        status, headers = refusal
        return Response(status, HTTPStatus(status).phrase, Headers(headers | {"Content-Length": "0"}), b"")

    async def _serve(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        self.open.append(socket)
        self.subscribed[socket] = set()
        requests: list[tuple[float, dict[str, Any]]] = []
        self.requests.append(requests)
        try:
            async for text in socket:
                request = json.loads(text)
                requests.append((time.monotonic(), request))
                if self.answers:
                    await self.answer(socket, request)
        except Exception:  # noqa: BLE001  # because the client's tests check how it ended
            pass
        finally:
            self.open.remove(socket)
