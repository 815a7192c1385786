"""Starts and stops the monitoring of a running engine: its metrics, and the heartbeat of its loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from app.live.engine import Engine
from app.live.recording.measures import Distribution
from app.market.ports.clock import Clock
from app.observability.metrics import Metrics

_HEARTBEAT_S = 0.25


@contextlib.asynccontextmanager
async def monitoring(engine: Engine) -> AsyncIterator[Metrics]:
    """Yield the engine's metrics, and measure its loop's delay meanwhile."""
    metrics = Metrics(engine)
    watching = asyncio.create_task(watch_loop(engine.clock, metrics.measures.loop_s))
    try:
        yield metrics
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def watch_loop(clock: Clock, late: Distribution) -> None:
    """Record how many seconds late each heartbeat comes; never returns."""
    while True:
        due_s = clock.monotonic_s() + _HEARTBEAT_S
        await clock.sleep(_HEARTBEAT_S)
        late.add(max(clock.monotonic_s() - due_s, 0.0))
