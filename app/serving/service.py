"""
The server as the program starts and stops it: built from the settings, and run on a loop of its own in a thread.

A loop of its own, because the program's is the window's, or the recorder's: no client may make either wait.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.concurrency.tasks import Tasks
from app.config import passwords
from app.config.settings import Settings
from app.market.ports.clock import Clock
from app.market.ports.database import OpenedDatabase
from app.serving.access import Access, parse_origins
from app.serving.connections import room_for
from app.serving.description.route import Routes
from app.serving.live.exchange_streams import ExchangeStreams
from app.serving.live.hub import LiveHub
from app.serving.live.live_socket import LiveSocket, LiveSource
from app.serving.live.stored_follower import StoredFollower
from app.serving.program import ServedProgram
from app.serving.routes.arrow import ArrowRoutes
from app.serving.routes.charts import ChartRoutes
from app.serving.routes.description import DescriptionRoutes
from app.serving.routes.exchange import ExchangeRoutes
from app.serving.routes.health import HealthRoutes
from app.serving.routes.market import MarketRoutes
from app.serving.routes.page import PageRoutes
from app.serving.routes.quotes_arrow import QuoteArrowRoutes
from app.serving.server import Limits, MarketServer
from app.serving.stored_market import CONNECTIONS, DEADLINE_S, StoredMarket

_START_S, _STOP_S = 20.0, 10.0

Result = TypeVar("Result")


def access_of(settings: Settings) -> Access:
    """
    Return the access that the settings give; a token that they lack comes from the keyring. May block for a minute.

    Raises:
        SettingsError: If it may not be given.
    """
    access = Access(
        host=settings.serve_host,
        token=settings.serve_token.text or passwords.serve_token(),
        origins=parse_origins(settings.serve_origins),
        certificate=Path(settings.serve_certificate).expanduser() if settings.serve_certificate else None,
        key=Path(settings.serve_key).expanduser() if settings.serve_key else None,
        requests_per_minute=settings.serve_requests_per_minute,
    )
    access.check()
    return access


class Ports(NamedTuple):
    """``data``: where everything is served, None for nowhere; ``metrics``: where the metrics alone are, on loopback."""

    data: int | None
    metrics: int | None = None


Attach = Callable[[asyncio.AbstractEventLoop, LiveHub, StoredFollower, float], LiveSource]
"""Returns the source of a hub's live messages, given the server's loop, a follower and the spread in percent."""


class ServingService:
    """
    A server in a thread of its own, from `start` to `stop`; both block, and any thread may call them.

    ``program`` is what the server reports the health of. `use` names the database to read; no read takes longer than
    ``deadline_s``. ``live``: where live messages come from instead of the database alone.
    """

    def __init__(
        self,
        access: Access,
        ports: Ports,
        program: ServedProgram,
        clock: Clock,
        *,
        limits: Limits | None = None,
        deadline_s: float | None = None,
        spread_percent: float = 0.0,
        live: Attach | None = None,
    ) -> None:
        self._deadline_s = deadline_s or DEADLINE_S
        self._tasks = Tasks("the server")
        self._loop = asyncio.new_event_loop()
        self._market = StoredMarket(deadline_s=self._deadline_s)
        limits = limits or Limits()
        limits = replace(limits, clients=room_for(limits.clients))
        self._hub = LiveHub(limits.live_clients)
        self._follower = StoredFollower(self._market, self._hub, clock, spread_percent)
        source: LiveSource = self._follower
        if live is not None:
            source = live(self._loop, self._hub, self._follower, spread_percent)
        live_socket = LiveSocket(self._market, self._hub, source, clock)
        parts: list[Routes] = [
            MarketRoutes(self._market, clock),
            ArrowRoutes(self._market, clock),
            QuoteArrowRoutes(self._market, clock),
            ChartRoutes(self._market, clock),
            ExchangeRoutes(self._market, clock, source.quote),
            live_socket,
            PageRoutes(live_socket.answer),
            ExchangeStreams(self._hub, source, clock),
            HealthRoutes(self._market, program, clock, self._metrics_text),
        ]
        routes = [route for part in parts for route in part.routes()]
        routes += DescriptionRoutes(routes).routes()
        self._server = MarketServer(access, ports.data, ports.metrics, routes, clock, limits)
        self._thread = threading.Thread(target=self._run, name="serve", daemon=True)
        self._database: OpenedDatabase | None = None

    @property
    def url(self) -> str:
        """The address to reach it at."""
        return self._server.url

    @property
    def metrics_url(self) -> str:
        """The address of the metrics alone; empty if they have none of their own."""
        return self._server.metrics_url

    @property
    def clients(self) -> int:
        """How many connections there are."""
        return self._server.clients

    @property
    def live_clients(self) -> int:
        """How many clients get live messages."""
        return self._hub.clients

    @property
    def requests(self) -> int:
        """How many requests were answered so far."""
        return self._server.requests

    def use(self, database: OpenedDatabase | None) -> None:
        """Read from that database from now on, over connections of the server's own."""
        if database is not self._database:
            self._database = database
            self._market.use(None if database is None else database.separate_store(CONNECTIONS, self._deadline_s))
            self._loop.call_soon_threadsafe(self._follower.begin_again)

    def start(self) -> None:
        """
        Begin to serve.

        Raises:
            SettingsError: If the access may not be given, or the port cannot be used.
        """
        self._thread.start()
        try:
            self._on_loop(self._begin(), _START_S)
        except BaseException:
            self._end()
            raise

    def stop(self) -> None:
        """Tell the clients that the server ends, and end; bounded in time."""
        try:
            self._on_loop(self._close_clients(), _STOP_S)
            self._market.close()  # so that no request waits for the database any more
            self._on_loop(self._server.stop(), _STOP_S)
        finally:
            self._end()

    async def _begin(self) -> None:
        await self._server.start()
        self._tasks.begin(self._follower.run())

    async def _close_clients(self) -> None:
        await self._tasks.end()
        self._hub.close("The server is ending: connect again later.")

    def _end(self) -> None:
        self._market.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_S)

    def _on_loop(self, work: Coroutine[Any, Any, Result], timeout_s: float) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _metrics_text(self) -> bytes:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_ServerCollector(self._server, self._hub))
        return generate_latest(registry)


class _ServerCollector(Collector):
    """The server's own metrics."""

    def __init__(self, server: MarketServer, hub: LiveHub) -> None:
        self._server = server
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        """Yield them with their values now."""
        server, hub = self._server, self._hub
        yield GaugeMetricFamily("cryptopipe_serve_clients", "Connections to the server.", server.clients)
        yield GaugeMetricFamily("cryptopipe_serve_live_clients", "Clients of live messages.", hub.clients)
        yield CounterMetricFamily("cryptopipe_serve_requests", "Requests to the server.", server.requests)
        yield CounterMetricFamily("cryptopipe_serve_messages", "Live messages sent.", hub.sent)
