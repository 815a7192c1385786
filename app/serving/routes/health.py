"""
The routes by which others watch this program: `/health`, of the database and of each broker, and `/metrics`.

A health route answers 200, or 503 with the sentence that says what is wrong. `/metrics` is Prometheus's text, or JSON
where the client accepts that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from app.market.errors import StoreError
from app.market.ports.clock import Clock
from app.market.ports.database import SeparateStore
from app.market.symbol import STREAMING_BROKERS, broker_title
from app.serving.answers import json_answer
from app.serving.description.route import Failure, Route
from app.serving.program import BrokerState, ProgramFigures, ServedProgram
from app.serving.stored_market import StoredMarket

_NO_FEED = "This server has no feed of its own: it follows a database that others record into."
_GROUP = "Health and metrics"


class BrokerStream(msgspec.Struct):
    """The state of the stream of a broker of quotes: ``live``, ``connecting``, ``refused`` …"""

    broker: str
    state: str


class Healthy(msgspec.Struct):
    """Everything asked about works. ``brokers``: those of quotes that are recorded."""

    status: Literal["ok"] = "ok"
    brokers: list[BrokerStream] = []


class Unhealthy(msgspec.Struct):
    """``error`` says what does not work; ``brokers`` as where all works."""

    error: str
    status: Literal["unhealthy"] = "unhealthy"
    brokers: list[BrokerStream] = []


class Performance(msgspec.Struct, rename="camel"):
    """Times in milliseconds, memory in bytes."""

    trades_per_second: float
    average_latency: float
    error_count: int
    reconnection_count: int
    memory_usage: int
    batch_processing_time: float


class ProgramStatus(msgspec.Struct, rename="camel"):
    """``uptime`` in seconds."""

    is_running: bool
    binance_connected: bool
    database_connected: bool
    buffer_size: int
    total_trades: int
    total_batches: int
    uptime: float
    total_ticks: int


class ServedFigures(msgspec.Struct):
    """The figures of the program; ``timestamp`` is ISO 8601, ``brokers`` are the recorded brokers of quotes."""

    timestamp: str
    performance: Performance
    status: ProgramStatus
    brokers: list[BrokerStream]


class HealthRoutes:
    """Answers for ``program``. ``server_text`` returns the server's own metrics as text."""

    def __init__(
        self, market: StoredMarket, program: ServedProgram, clock: Clock, server_text: Callable[[], bytes]
    ) -> None:
        self._market = market
        self._program = program
        self._clock = clock
        self._server_text = server_text

    def routes(self) -> Sequence[Route]:
        """See `app.serving.description.route.Routes`."""
        failures = Unhealthy, Failure
        return (
            Route("/health", self.health, _GROUP, "Whether everything works.", Healthy, failures=failures),
            Route("/health/db", self.database, _GROUP, "Whether the database answers.", Healthy, failures=failures),
            Route(
                "/health/binance",
                self.exchange,
                _GROUP,
                "Whether the exchange’s stream is live.",
                Healthy,
                failures=failures,
            ),
            *(
                Route(
                    f"/health/{name}",
                    partial(self.broker, name),
                    _GROUP,
                    f"Whether {broker_title(f'{name}:')}’s stream is live.",
                    Healthy,
                    failures=failures,
                )
                for name in STREAMING_BROKERS
            ),
            Route(
                "/metrics",
                self.metrics,
                _GROUP,
                "The metrics: text for Prometheus, or JSON where the client accepts that.",
                ServedFigures,
                text_type="text/plain",
            ),
        )

    async def health(self, request: web.Request) -> web.Response:
        """200 while everything that this program has works."""
        del request
        troubles = [await self._database_trouble()]
        if self._program.has_feed:
            troubles.append(await self._program.feed_trouble())
        brokers = await self._program.brokers()
        troubles += [one.trouble for one in brokers.values()]
        return _health(" ".join(filter(None, troubles)), _streams(brokers))

    async def database(self, request: web.Request) -> web.Response:
        """200 while the database answers."""
        del request
        return _health(await self._database_trouble())

    async def exchange(self, request: web.Request) -> web.Response:
        """200 while the exchange's stream is live."""
        del request
        return _health(await self._program.feed_trouble() if self._program.has_feed else _NO_FEED)

    async def broker(self, name: str, request: web.Request) -> web.Response:
        """200 while the stream of that broker of quotes is live."""
        del request
        if not self._program.has_feed:
            return _health(_NO_FEED)
        brokers = await self._program.brokers()
        found = brokers.get(name)
        trouble = f"No symbol of {broker_title(f'{name}:')} is recorded here." if found is None else found.trouble
        return _health(trouble, _streams({} if found is None else {name: found}))

    async def metrics(self, request: web.Request) -> web.Response:
        """The metrics of the program and of this server."""
        if _wants_json(request.headers.get("Accept", "")):
            figures = await self._program.figures()
            is_connected = not await self._database_trouble()
            brokers = _streams(await self._program.brokers())
            return json_answer(_document(figures, brokers, self._clock.now_us(), database_connected=is_connected))
        body = await self._program.metrics_text() + self._server_text()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})

    async def _database_trouble(self) -> str:
        try:
            await self._market.read(_touch)
        except StoreError as error:
            return str(error)
        return ""


def _touch(store: SeparateStore) -> None:
    store.coverage_of(())


def _health(trouble: str, brokers: Sequence[BrokerStream] = ()) -> web.Response:
    if trouble:
        return json_answer(Unhealthy(trouble, brokers=list(brokers)), status=503)
    return json_answer(Healthy(brokers=list(brokers)))


def _streams(brokers: Mapping[str, BrokerState]) -> list[BrokerStream]:
    return [BrokerStream(name, one.state) for name, one in brokers.items()]


def _wants_json(accept: str) -> bool:
    """Whether a header Accept asks for JSON before it would take text; Prometheus names text/plain."""
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return "application/json" in kinds and "text/plain" not in kinds[: kinds.index("application/json")]


def _document(
    figures: ProgramFigures, brokers: list[BrokerStream], now_us: int, *, database_connected: bool
) -> ServedFigures:
    moment = datetime.fromtimestamp(now_us / 1e6, UTC)
    return ServedFigures(
        moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        Performance(
            figures.trades_per_s,
            figures.latency_ms,
            figures.errors,
            figures.reconnects,
            figures.memory_bytes,
            figures.batch_ms,
        ),
        ProgramStatus(
            True,
            figures.is_feed_live,
            database_connected,
            figures.buffered,
            figures.trades,
            figures.batches,
            figures.uptime_s,
            figures.ticks,
        ),
        brokers,
    )
