"""
The sandbox exchange: a loopback server for Binance spot's protocol, WebSocket, REST and archive, on one port.

It serves a `MarketSource` (a recording or a simulated market) with the limits and errors that a client would meet at
the exchange, and with `Faults` that can be injected while it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque

from aiohttp import web

from app.concurrency.system_clock import SystemClock
from app.market.ports.clock import Clock
from app.sandbox import wire
from app.sandbox.answer_faults import send_half
from app.sandbox.loopback import HOST, LoopbackServer
from app.sandbox.server.archive import Archive
from app.sandbox.server.connection import Connection, Limits
from app.sandbox.server.faults import Faults, RestFault, RestFaults
from app.sandbox.server.request_weights import RequestWeights
from app.sandbox.server.rest import ApiError, RestApi
from app.sandbox.server.subscriptions import MAX_STREAMS
from app.sandbox.source import MarketSource

_ATTEMPTS_WINDOW_S = 300.0
_KLINE_SLOTS = 4  # as many as one client of this program asks for at once
_CLIENT_CLOSED_REQUEST = 499  # nginx's status for it; nobody reads it
_TIME_UNITS = {"MICROSECOND": True, "MILLISECOND": False}


class SandboxServer:
    """
    A server of one source for any number of clients.

    `start` binds the port (0: any free one) and returns; `stop` ends every connection. ``faults``, ``limits`` and each
    of ``connections`` may be changed at any time on the server's loop; ``limits`` apply to later connections.
    ``requests`` counts what was asked for, by path: ``/api/v3/klines``, or a file of the archive.
    """

    def __init__(
        self,
        source: MarketSource,
        *,
        port: int = 0,
        faults: Faults | None = None,
        limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.faults = faults if faults is not None else Faults()
        self.connections: list[Connection] = []
        self.requests: Counter[str] = Counter()
        self._source = source
        self._port = port
        self.limits = limits if limits is not None else Limits()
        self._clock = clock if clock is not None else SystemClock()
        self._rest = RestApi(source, weight_per_minute=self.limits.weight_per_minute)
        self._archive = Archive(source, self.faults.archive)
        self._weights = RequestWeights(self.limits.weight_per_minute)
        self._attempts: deque[float] = deque()
        self._server: LoopbackServer | None = None
        self._kline_slots = asyncio.Semaphore(_KLINE_SLOTS)

    @property
    def source(self) -> MarketSource:
        """The market that is served."""
        return self._source

    @property
    def port(self) -> int:
        """The port, once the server has been started."""
        return self._port

    @property
    def ws_url(self) -> str:
        """The base address of the WebSocket streams, without a path."""
        return f"ws://{HOST}:{self._port}"

    @property
    def rest_url(self) -> str:
        """The base address of the REST endpoints, and of the archive, without a path."""
        return f"http://{HOST}:{self._port}"

    @property
    def rest_faults(self) -> RestFaults:
        """The faults of REST requests."""
        return self.faults.rest

    async def start(self) -> None:
        """
        Bind the port and begin to serve.

        Raises:
            UsageError: If the port cannot be bound.
        """
        application = web.Application()
        application.router.add_get("/ws", self._on_raw)
        application.router.add_get("/ws/{streams:.*}", self._on_raw)
        application.router.add_get("/stream", self._on_combined)
        application.router.add_get("/api/{path:.*}", self._on_rest)
        application.router.add_get("/data/{path:.*}", self._on_archive)
        server = LoopbackServer(application, self._port)
        await server.start()
        self._server, self._port = server, server.port

    async def stop(self) -> None:
        """End every connection and free the port."""
        if self._server is None:
            return
        # Cut first, so that no open connection is waited for.
        for connection in list(self.connections):
            connection.cut()
        await self._server.stop()
        await self._archive.close()
        self._server = None

    async def _on_raw(self, request: web.Request) -> web.StreamResponse:
        streams = request.match_info.get("streams", "")
        return await self._on_socket(request, streams, wrapped=False)

    async def _on_combined(self, request: web.Request) -> web.StreamResponse:
        return await self._on_socket(request, request.query.get("streams", ""), wrapped=True)

    async def _on_socket(self, request: web.Request, streams: str, *, wrapped: bool) -> web.StreamResponse:
        if self.faults.handshakes.delay_s:
            await asyncio.sleep(self.faults.handshakes.delay_s)
        status = self.faults.handshakes.take()
        headers = self.faults.handshakes.headers if status is not None else None
        if status is None and not self._count_attempt():  # a refusal on demand does not count as an attempt
            status = 429
        names = [name for name in streams.split("/") if name]
        unit = _TIME_UNITS.get(request.query.get("timeUnit", "MILLISECOND").upper())
        if status is None and (len(names) > MAX_STREAMS or unit is None):
            status = 400
        if status is not None:
            return web.Response(status=status, headers=headers)
        connection = Connection(
            request,
            self._source,
            self.limits,
            self.faults.streams.copy(),
            names,
            wrapped=wrapped,
            microseconds=bool(unit),
        )
        self.connections.append(connection)
        self.faults.counts["connections"] += 1
        try:
            return await connection.run()
        finally:
            self.connections.remove(connection)

    def _count_attempt(self) -> bool:
        """Count an attempt to connect, and return whether it is within the limit."""
        now_s = self._clock.monotonic_s()
        while self._attempts and self._attempts[0] <= now_s - _ATTEMPTS_WINDOW_S:
            self._attempts.popleft()
        self._attempts.append(now_s)
        return len(self._attempts) <= self.limits.attempts

    def _kline_slot(self, request: web.Request) -> contextlib.AbstractAsyncContextManager[None]:
        """
        Return the context to answer ``request`` in, which limits how many klines are computed at once.

        Klines whose client has gone while they waited are then not computed at all.
        """
        return self._kline_slots if request.path.lower().endswith("klines") else contextlib.nullcontext()

    async def _on_archive(self, request: web.Request) -> web.StreamResponse:
        self.requests[request.path] += 1
        return await self._archive.answer(request)

    async def _on_rest(self, request: web.Request) -> web.StreamResponse:
        self.requests[request.path] += 1
        fault = self.faults.rest.take(request.path)
        if fault is not None:
            await asyncio.sleep(fault.hang_s)
        refusal = self._weights.charge(self._rest.weight(request.path, request.query), self._clock.monotonic_s())
        headers = {"X-MBX-USED-WEIGHT": str(self._weights.used), "X-MBX-USED-WEIGHT-1M": str(self._weights.used)}
        if fault is not None and fault.body is not None:
            return _faulty_response(fault, headers)
        try:
            if refusal is not None:
                status, wait_s = refusal
                headers["Retry-After"] = str(wait_s)
                raise ApiError(status, -1003, _too_much_weight(self.limits.weight_per_minute, status, wait_s))
            unit = request.headers.get("X-MBX-TIME-UNIT", "MILLISECOND").upper()
            if unit not in _TIME_UNITS:
                raise ApiError(400, -1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")
            async with self._kline_slot(request):
                if request.transport is None or request.transport.is_closing():
                    return web.Response(status=_CLIENT_CLOSED_REQUEST)
                value = await self._rest.answer(request.path, request.query, microseconds=_TIME_UNITS[unit])
            if fault is not None and fault.change is not None:
                value = fault.change(value)
        except ApiError as error:
            return web.Response(
                status=error.status, body=error.body, headers=headers, content_type="application/json", charset="utf-8"
            )
        body = wire.encode(value)
        if fault is not None and fault.is_cut:
            return await send_half(request, body, "application/json")
        return web.Response(body=body, headers=headers, content_type="application/json", charset="utf-8")


def _faulty_response(fault: RestFault, headers: dict[str, str]) -> web.Response:
    return web.Response(
        status=fault.status,
        body=fault.body,
        headers=headers | fault.headers,
        content_type="application/json",
        charset="utf-8",
    )


def _too_much_weight(limit: int, status: int, wait_s: int) -> str:
    if status == 418:
        return f"Way too much request weight used; IP banned for {wait_s} seconds."
    return f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE."
