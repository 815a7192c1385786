"""
Serves what an engine records, while it runs; the server and its packages are loaded only if a port is set.

Few installations set one, and no start of the window should wait for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from app.concurrency.background import in_background
from app.config.settings import Settings
from app.live.engine import Engine
from app.market.errors import SettingsError
from app.observability.metrics import Metrics

if TYPE_CHECKING:
    from app.serving.service import ServingService

logger = logging.getLogger(__name__)

_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class Served:
    """
    Where an engine's data is served: ``url``, empty if it is not; of its metrics alone, ``metrics_url``.

    ``problem`` is one sentence if serving failed. ``clients`` and ``requests`` return how many there are, and were.
    """

    url: str = ""
    metrics_url: str = ""
    problem: str = ""
    clients: Callable[[], int] = int
    requests: Callable[[], int] = int


@contextlib.asynccontextmanager
async def serving_engine(settings: Settings, engine: Engine, metrics: Metrics) -> AsyncIterator[Served]:
    """
    Serve the engine's data at the ports that the settings name, while the block runs; nothing if they name none.

    What keeps it from serving does not raise: `Served.problem` says why, and the caller decides whether it matters.
    """
    if not settings.serve_port and not settings.metrics_port:
        yield Served()
        return
    from app.serving.access import Access
    from app.serving.recorder import RecordingProgram
    from app.serving.service import Ports, ServingService, access_of

    ports = Ports(settings.serve_port or None, settings.metrics_port or None)
    program = RecordingProgram(engine, metrics)
    try:
        # Metrics alone need no token, so the keyring need not be asked.
        access = await in_background(partial(access_of, settings), "read-token") if ports.data else Access()
        service = ServingService(
            access, ports, program, engine.clock, spread_percent=settings.spread_percent, live=program.attach
        )
        await in_background(service.start, "start-server")
    except SettingsError as error:
        logger.warning("%s", error)
        yield Served(problem=str(error))
        return
    following = asyncio.get_running_loop().create_task(_use_its_database(engine, service))
    engine.recorder.on_event = program.take
    try:
        yield Served(
            service.url, service.metrics_url, clients=lambda: service.clients, requests=lambda: service.requests
        )
    finally:
        engine.recorder.on_event = None
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await in_background(service.stop, "stop-server", to_its_end=True)


async def _use_its_database(engine: Engine, service: ServingService) -> None:
    """Let the server read the database that the engine has in use; never returns."""
    while True:
        service.use(engine.database)
        await engine.clock.sleep(_LOOK_S)
