"""Watches a running engine: its metrics, served to Prometheus where that is wanted, and how late its loop is."""

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
    """An engine's metrics, where they are served ("" where they are not), and one sentence where that failed."""

    metrics: Metrics
    url: str = ""
    problem: str = ""


@contextlib.asynccontextmanager
async def observing(engine: Engine, port: int) -> AsyncIterator[Monitor]:
    """
    Yield the engine's metrics, with the loop watched, and served where ``port`` is not 0.

    A port that cannot be used is told in the result: whether that matters is for the caller to say.
    """
    metrics = Metrics(engine)
    watching = asyncio.create_task(watch_loop(engine.clock, metrics.measures.loop_s))
    try:
        async with _serving(metrics, port) as observed:
            yield observed
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


@contextlib.asynccontextmanager
async def _serving(metrics: Metrics, port: int) -> AsyncIterator[Monitor]:
    if not port:
        yield Monitor(metrics)
        return
    from app.observability.metrics_server import MetricsServer  # what few ask for keeps no start waiting

    server = MetricsServer(metrics, port)
    try:
        await server.start()
        observed = Monitor(metrics, server.url)
    except SettingsError as error:
        logger.warning("%s", error)
        observed = Monitor(metrics, problem=str(error))
    try:
        yield observed
    finally:
        await server.stop()


async def watch_loop(clock: Clock, late: Distribution) -> None:
    """Count, for ever, how many seconds late a heartbeat comes."""
    while True:
        due_s = clock.monotonic_s() + _HEARTBEAT_S
        await clock.sleep(_HEARTBEAT_S)
        late.add(max(clock.monotonic_s() - due_s, 0.0))
