"""
Starts and stops the monitoring of a running engine: its metrics, their server, and the heartbeat of its loop.

The server and its packages are loaded only if a port is set: few installations do, and no start should wait for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from app.live.engine import Engine
from app.live.recording.measures import Distribution
from app.market.errors import SettingsError
from app.market.ports.clock import Clock
from app.observability.metrics import Metrics

logger = logging.getLogger(__name__)

_HEARTBEAT_S = 0.25


@dataclass(frozen=True, slots=True)
class Monitor:
    """
    An engine's metrics.

    ``url`` is where they are served, empty if they are not; ``problem`` is one sentence if serving them failed.
    """

    metrics: Metrics
    url: str = ""
    problem: str = ""


@contextlib.asynccontextmanager
async def monitoring(engine: Engine, port: int) -> AsyncIterator[Monitor]:
    """
    Yield the engine's metrics and measure its loop's delay meanwhile; serve the metrics unless ``port`` is 0.

    A port that cannot be used does not raise: `Monitor.problem` says why, and the caller decides whether it matters.
    """
    metrics = Metrics(engine)
    watching = asyncio.create_task(watch_loop(engine.clock, metrics.measures.loop_s))
    try:
        async with _serving(metrics, port) as monitor:
            yield monitor
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


@contextlib.asynccontextmanager
async def _serving(metrics: Metrics, port: int) -> AsyncIterator[Monitor]:
    if not port:
        yield Monitor(metrics)
        return
    from app.observability.metrics_server import MetricsServer

    server = MetricsServer(metrics, port)
    try:
        await server.start()
        monitor = Monitor(metrics, server.url)
    except SettingsError as error:
        logger.warning("%s", error)
        monitor = Monitor(metrics, problem=str(error))
    try:
        yield monitor
    finally:
        await server.stop()


async def watch_loop(clock: Clock, late: Distribution) -> None:
    """Record how many seconds late each heartbeat comes; never returns."""
    while True:
        due_s = clock.monotonic_s() + _HEARTBEAT_S
        await clock.sleep(_HEARTBEAT_S)
        late.add(max(clock.monotonic_s() - due_s, 0.0))
