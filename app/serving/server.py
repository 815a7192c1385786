"""
The server: one aiohttp application with its sockets, and what every request passes before its route.

A request is checked for its host, its token and its client's rate; whatever fails is one sentence of JSON. Bodies are
never read: every route is a GET. The server knows no engine and no database; routes are added by what it is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from app.market.errors import CryptopipeError, SettingsError, StoreError, StoreUnavailable, UsageError
from app.market.ports.clock import Clock
from app.serving.access import Access, RateLimit, cross_origin_headers, token_in
from app.serving.answers import error_answer, json_answer
from app.serving.connections import Connections, let_wait
from app.serving.description.route import Handler, Route
from app.serving.errors import NotFound, ServerBusy
from app.serving.handshakes import Handshakes
from app.serving.request_values import is_upgrade

logger = logging.getLogger(__name__)
# Where aiohttp reports what is no HTTP, with a traceback each: anybody could fill the log file by that.
_protocol_logger = logging.getLogger(f"{__name__}.protocol")
_protocol_logger.setLevel(logging.CRITICAL)

_STATUS: Sequence[tuple[type[CryptopipeError], int]] = (
    (UsageError, 400),
    (NotFound, 404),
    (StoreUnavailable, 503),
    (ServerBusy, 503),
    (StoreError, 500),
)
_HTTP_SENTENCES = {
    400: "This request cannot be answered.",
    404: "There is no such page.",
    405: "Only GET is answered here.",
    413: "The request is too large.",
}
_EXCHANGE_CODES = {401: -2015, 403: -1002, 429: -1003, 503: -1001}
_STOP_S = 2.0
_ACCEPTED_AT_ONCE, _MOST_WAITING = 32, 1_024  # connections; those waiting cost no file
_LOOK_S = 0.02
_METRICS_HOST = "127.0.0.1"
_METRICS_PATHS = ("/metrics", "/health", "/health/db", "/health/binance")


@dataclass(frozen=True, slots=True)
class Limits:
    """
    ``clients``: connections at a time; of these ``live_clients`` may be WebSockets, so that there is always room for
    requests. ``handshakes``: connections whose TLS handshake is not over; they come on top. ``request_within_s``: for a
    handshake, and for a connection to bring a complete request.

    ``slowest_bytes_per_s``: at which a client may read an answer after that time. ``unread_bytes``: answers in memory.
    """

    clients: int = 2_000
    handshakes: int = 128
    request_within_s: float = 15.0
    slowest_bytes_per_s: int = 1 << 16
    unread_bytes: int = 1 << 28

    @property
    def live_clients(self) -> int:
        """How many of the connections may be WebSockets."""
        return max(1, self.clients * 3 // 4)


class MarketServer:
    """
    Serves ``routes`` from `start` until `stop`, both on one loop; port 0 picks a free one, None stands for no address.

    At ``metrics_port`` only programs of this machine read, only the metrics and health, and without a token: scrapers
    have been set up for that.

    ``requests`` counts those that came, refusals included.
    """

    def __init__(
        self,
        access: Access,
        port: int | None,
        metrics_port: int | None,
        routes: Sequence[Route],
        clock: Clock,
        limits: Limits | None = None,
    ) -> None:
        self.port = port
        self.metrics_port = metrics_port if metrics_port != port else None
        self.requests = 0
        self._access = access
        self._clock = clock
        self._limits = limits or Limits()
        self._unread_bytes = 0
        self._rate = RateLimit(access.requests_per_minute)
        self._application = web.Application(middlewares=[self._checked], client_max_size=1024)
        for one in routes:
            self._application.router.add_get(one.path, one.handler)
        self._public_paths = frozenset(one.path for one in routes if one.is_public)
        self._runner: web.AppRunner | None = None
        self._connections: Connections | None = None
        self._handshakes: Handshakes | None = None
        self._listening: list[asyncio.Server] = []

    @property
    def url(self) -> str:
        """The address to reach it at; empty if it serves metrics alone."""
        if self.port is None:
            return ""
        scheme = "https" if self._access.certificate is not None else "http"
        host = f"[{self._access.host}]" if ":" in self._access.host else self._access.host
        return f"{scheme}://{host}:{self.port}"

    @property
    def metrics_url(self) -> str:
        """The address of the metrics alone, empty if there is none."""
        return f"http://{_METRICS_HOST}:{self.metrics_port}/metrics" if self.metrics_port is not None else ""

    @property
    def clients(self) -> int:
        """How many connections there are."""
        server = self._runner.server if self._runner is not None else None
        return 0 if server is None else len(server.connections)

    async def start(self) -> None:
        """
        Begin to serve.

        Raises:
            SettingsError: If the access may not be given, or the port cannot be used.
        """
        tls = self._access.check()
        runner = web.AppRunner(
            self._application,
            access_log=None,
            logger=_protocol_logger,
            handle_signals=False,
            shutdown_timeout=_STOP_S,
            keepalive_timeout=self._limits.request_within_s,
            lingering_time=0.0,
            auto_decompress=False,
        )
        await runner.setup()
        assert runner.server is not None
        self._connections = factory = Connections(runner.server, self._limits.clients, self._clock)
        try:
            if self.port is not None:
                self.port = await self._listen(factory, self._access.host, self.port, tls)
            if self.metrics_port is not None:
                self.metrics_port = await self._listen(factory, _METRICS_HOST, self.metrics_port, None)
        except BaseException:
            await self.stop()
            await runner.cleanup()
            raise
        self._runner = runner
        logger.info("serving at %s", self.url or self.metrics_url)

    async def _listen(
        self, factory: Callable[[], asyncio.Protocol], host: str, port: int, tls: ssl.SSLContext | None
    ) -> int:
        """Listen there, and return the port."""
        if tls is not None:
            factory = self._handshakes = Handshakes(
                factory, tls, self._limits.request_within_s, self._limits.handshakes
            )
        try:
            listening = await asyncio.get_running_loop().create_server(factory, host, port, backlog=_ACCEPTED_AT_ONCE)
        except (OSError, OverflowError) as error:
            if port == self.metrics_port:
                raise SettingsError(
                    f"The metrics cannot be served at port {port} ({_reason(error)}): set metrics_port to another, or "
                    "to 0 for none."
                ) from error
            raise SettingsError(
                f"The server cannot listen at {host}, port {port} ({_reason(error)}): set serve_port to another, or "
                "serve_host to an address of this machine."
            ) from error
        for one in listening.sockets:
            let_wait(one.fileno(), _MOST_WAITING)
        self._listening.append(listening)
        number: int = listening.sockets[0].getsockname()[1]
        return number

    async def stop(self) -> None:
        """Listen no more, and end every connection; bounded in time."""
        runner, self._runner = self._runner, None
        for listening in self._listening:
            listening.close()
        self._listening.clear()
        if self._handshakes is not None:
            await self._handshakes.close()
        if runner is None:
            return
        await runner.cleanup()
        logger.info("the server has ended")

    @web.middleware
    async def _checked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests += 1
        assert self._connections is not None
        with self._connections.busy(request.protocol):
            return await self._answered(request, handler)

    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            answer = self._refusal(request) or await handler(request)
        except web.HTTPException as error:
            sentence = _HTTP_SENTENCES.get(error.status, error.reason)
            headers = {"Allow": error.headers["Allow"]} if error.status == 405 else {}
            answer = _error(request, error.status, sentence, headers)
        except CryptopipeError as error:
            status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
            answer = _error(request, status, str(error), {"Retry-After": "1"} if status == 503 else {})
        except Exception as error:  # because a client must not see a traceback, nor wait for ever; the log gets it
            if isinstance(error, ConnectionError):
                raise
            logger.critical("a request failed inside: %s", request.rel_url.raw_path[:100], exc_info=error)
            sentence = f"Something went wrong inside ({type(error).__name__}); the log file tells more."
            answer = _error(request, 500, sentence)
        if not answer.prepared:
            size = len(answer.body) if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else 0
            if size and self._unread_bytes + size > self._limits.unread_bytes:
                sentence = "Too many answers wait to be read by others: retry later."
                answer, size = _error(request, 503, sentence, {"Retry-After": "5"}), 0
            self._finish(request, answer)
            self._unread_bytes += size
            try:
                await self._send(request, answer, size)
            finally:
                self._unread_bytes -= size
        return answer

    async def _send(self, request: web.Request, answer: web.StreamResponse, size: int) -> None:
        """Send an answer; cut a client that does not read it, whose answer would stay in memory for ever."""
        transport, limits = request.transport, self._limits
        with contextlib.suppress(ConnectionError):  # the client has left
            try:
                async with asyncio.timeout(limits.request_within_s + size / limits.slowest_bytes_per_s):
                    await answer.prepare(request)
                    await answer.write_eof()
                    while transport is not None and transport.get_write_buffer_size():
                        await self._clock.sleep(_LOOK_S)
            except TimeoutError:
                if transport is not None:
                    transport.abort()

    def _refusal(self, request: web.Request) -> web.Response | None:
        """Return the answer to a request that may not be made, None if it may."""
        access = self._access
        is_for_metrics = self._is_for_metrics(request)
        is_open = is_for_metrics or not access.token  # a token is what no web page of another origin has
        if is_open and not access.accepts_host(request.headers.get("Host", "")):
            return _error(request, 403, "This server answers as 127.0.0.1 or localhost only: use one of these names.")
        if is_for_metrics:
            is_known = request.path in _METRICS_PATHS
            return None if is_known else _error(request, 404, "Only metrics are served at this port.")
        if _is_of_foreign_page(request, access):
            return _error(request, 403, "Pages of this origin may not read here: serve_origins says which may.")
        if request.path in self._public_paths and not is_upgrade(request):
            return None  # in memory, and a page is a dozen of them
        wait_s = self._rate.wait_s(request.remote or "", self._clock.monotonic_s())
        if wait_s:
            headers = {"Retry-After": str(int(wait_s) + 1)}
            return _error(request, 429, f"Too many requests: retry in {int(wait_s) + 1} s.", headers)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return self._preflight(request)
        if not access.accepts_token(request.headers.get("Authorization", ""), _token_of_page(request)):
            sentence = "This server wants a token: send it as Authorization: Bearer …"
            return _error(request, 401, sentence, {"WWW-Authenticate": "Bearer"})
        return None

    def _is_for_metrics(self, request: web.Request) -> bool:
        if self.metrics_port is None or request.transport is None:
            return False
        address: tuple[object, ...] = request.transport.get_extra_info("sockname") or (None, None)
        return address[1] == self.metrics_port

    def _preflight(self, request: web.Request) -> web.Response:
        """Answer a browser that asks whether a page may read (Fetch Standard, CORS-preflight)."""
        headers = {
            "Access-Control-Allow-Methods": "GET, HEAD",
            "Access-Control-Allow-Headers": "Authorization, If-None-Match",
            "Access-Control-Max-Age": "600",
        }
        return web.Response(status=204, headers=headers)

    def _finish(self, request: web.Request, answer: web.StreamResponse) -> None:
        answer.headers.update(cross_origin_headers(self._access, request.headers.get("Origin", "")))
        answer.headers["Server"] = "cryptopipe"
        answer.headers["X-Content-Type-Options"] = "nosniff"


def _is_of_foreign_page(request: web.Request, access: Access) -> bool:
    """Whether a web page sent this request that may not read here (Fetch Metadata Request Headers)."""
    headers = request.headers
    if "Origin" in headers:
        return not access.allows_page(headers["Origin"], headers.get("Host", ""))
    # A picture or script of another site has no origin; whoever follows a link to here is welcome.
    return headers.get("Sec-Fetch-Site") == "cross-site" and headers.get("Sec-Fetch-Mode") != "navigate"


def _error(request: web.Request, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a refusal; below `/api/v3` as the exchange writes one."""
    if request.path.startswith("/api/v3/"):
        value = {"code": _EXCHANGE_CODES.get(status, -1000), "msg": sentence}
        return json_answer(value, status=status, headers=headers)
    return error_answer(status, sentence, headers)


def _token_of_page(request: web.Request) -> str:
    """Return the token with which a browser, which sends no header of its own, opens a WebSocket."""
    if not is_upgrade(request):
        return ""
    return token_in(request.headers.get("Sec-WebSocket-Protocol", "")) or request.query.get("token", "")


def _reason(error: OSError | OverflowError) -> str:
    if isinstance(error, OverflowError):
        return "ports end at 65535"
    if isinstance(error, socket.gaierror):
        return "there is no such address"
    return "it is in use" if error.errno == errno.EADDRINUSE else (error.strerror or str(error))
