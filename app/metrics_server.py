"""
The metrics at http://127.0.0.1:<metrics_port>/metrics, for Prometheus; and the heartbeat that measures the loop.

Served on this machine only, by the loop that the engine runs on: what is read is never half changed, and a scrape costs
a few milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.live.engine import Engine
from app.live.measures import Distribution
from app.market.errors import SettingsError
from app.market.ports import Clock
from app.metrics import Metrics

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
_HEARTBEAT_S = 0.25


class MetricsServer:
    """Serves the registry of ``metrics`` from `start` until `stop`; port 0 picks a free one."""

    def __init__(self, metrics: Metrics, port: int) -> None:
        self.port = port
        self._metrics = metrics
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://{HOST}:{self.port}/metrics"

    async def start(self) -> None:
        """
        Begin to serve.

        Raises:
            SettingsError: If the port cannot be used.
        """
        application = web.Application()
        application.router.add_get("/metrics", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, self.port).start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            raise SettingsError(
                f"The metrics cannot be served at port {self.port} ({_reason(error)}): set metrics_port to another, "
                "or to 0 for none."
            ) from error
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Serve no more."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        del request
        body = generate_latest(self._metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _reason(error: OSError | OverflowError) -> str:
    if isinstance(error, OverflowError):
        return "ports end at 65535"
    return "it is in use" if error.errno == errno.EADDRINUSE else str(error.strerror)


@dataclass(frozen=True, slots=True)
class Observed:
    """An engine's metrics, where they are served ("" where they are not), and one sentence where that failed."""

    metrics: Metrics
    url: str = ""
    problem: str = ""


@contextlib.asynccontextmanager
async def observing(engine: Engine, port: int) -> AsyncIterator[Observed]:
    """
    Yield the engine's metrics, with the loop watched, and served where ``port`` is not 0.

    A port that cannot be used is told in the result: whether that matters is for the caller to say.
    """
    metrics = Metrics(engine)
    server = MetricsServer(metrics, port)
    watching = asyncio.create_task(watch_loop(engine.clock, metrics.measures.loop_s))
    try:
        try:
            if port:
                await server.start()
            observed = Observed(metrics, server.url if port else "")
        except SettingsError as error:
            logger.warning("%s", error)
            observed = Observed(metrics, problem=str(error))
        yield observed
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await server.stop()


async def watch_loop(clock: Clock, late: Distribution) -> None:
    """Count, for ever, how many seconds late a heartbeat comes."""
    while True:
        due_s = clock.monotonic_s() + _HEARTBEAT_S
        await clock.sleep(_HEARTBEAT_S)
        late.add(max(clock.monotonic_s() - due_s, 0.0))
