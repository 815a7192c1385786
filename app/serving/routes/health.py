"""
The routes by which others watch this program: `/health`, `/health/db`, `/health/binance` and `/metrics`.

A health route answers 200, or 503 with the sentence that says what is wrong. `/metrics` is Prometheus's text, or JSON
where the client accepts that.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from app.market.errors import StoreError
from app.market.ports.clock import Clock
from app.market.ports.database import SeparateStore
from app.serving.answers import json_answer
from app.serving.program import ProgramFigures, ServedProgram
from app.serving.stored_market import StoredMarket

_NO_FEED = "This server has no feed of its own: it follows a database that others record into."


class HealthRoutes:
    """Answers for ``program``; `add_to` an application. ``server_text`` returns the server's own metrics as text."""

    def __init__(
        self, market: StoredMarket, program: ServedProgram, clock: Clock, server_text: Callable[[], bytes]
    ) -> None:
        self._market = market
        self._program = program
        self._clock = clock
        self._server_text = server_text

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_get("/health", self.health)
        router.add_get("/health/db", self.database)
        router.add_get("/health/binance", self.exchange)
        router.add_get("/metrics", self.metrics)

    async def health(self, request: web.Request) -> web.Response:
        """200 while everything that this program has works."""
        del request
        troubles = [await self._database_trouble()]
        if self._program.has_feed:
            troubles.append(await self._program.feed_trouble())
        return _health(" ".join(filter(None, troubles)))

    async def database(self, request: web.Request) -> web.Response:
        """200 while the database answers."""
        del request
        return _health(await self._database_trouble())

    async def exchange(self, request: web.Request) -> web.Response:
        """200 while the exchange's stream is live."""
        del request
        return _health(await self._program.feed_trouble() if self._program.has_feed else _NO_FEED)

    async def metrics(self, request: web.Request) -> web.Response:
        """The metrics of the program and of this server."""
        if _wants_json(request.headers.get("Accept", "")):
            figures = await self._program.figures()
            is_connected = not await self._database_trouble()
            return json_answer(_document(figures, self._clock.now_us(), database_connected=is_connected))
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


def _health(trouble: str) -> web.Response:
    if trouble:
        return json_answer({"status": "unhealthy", "error": trouble}, status=503)
    return json_answer({"status": "ok"})


def _wants_json(accept: str) -> bool:
    """Whether a header Accept asks for JSON before it would take text; Prometheus names text/plain."""
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return "application/json" in kinds and "text/plain" not in kinds[: kinds.index("application/json")]


def _document(figures: ProgramFigures, now_us: int, *, database_connected: bool) -> dict[str, object]:
    return {
        "timestamp": datetime.fromtimestamp(now_us / 1e6, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z"),
        "performance": {
            "tradesPerSecond": figures.trades_per_s,
            "averageLatency": figures.latency_ms,
            "errorCount": figures.errors,
            "reconnectionCount": figures.reconnects,
            "memoryUsage": figures.memory_bytes,
            "batchProcessingTime": figures.batch_ms,
        },
        "status": {
            "isRunning": True,
            "binanceConnected": figures.is_feed_live,
            "databaseConnected": database_connected,
            "bufferSize": figures.buffered,
            "totalTrades": figures.trades,
            "totalBatches": figures.batches,
            "uptime": figures.uptime_s,
        },
    }
