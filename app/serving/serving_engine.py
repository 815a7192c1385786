"""
Serves what an engine records, while it runs; the server and its packages are loaded only once it serves.

Few installations do, and no start of the window should wait for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING

from app.concurrency.background import Background, in_background
from app.config.settings import Settings
from app.live.engine import Engine
from app.market.errors import SettingsError
from app.observability.metrics import Metrics

if TYPE_CHECKING:
    from app.serving.service import ServingService

logger = logging.getLogger(__name__)

DEFAULT_PORT = 8080
_LOOK_S = 0.25


class ServedEngine:
    """
    An engine whose data is served, or not; used on the engine's loop. The metrics' own port is open either way.

    ``problem`` is one sentence if serving failed.
    """

    def __init__(self, settings: Settings, engine: Engine, metrics: Metrics) -> None:
        self.problem = ""
        self._settings = settings
        self._engine = engine
        self._metrics = metrics
        self._switching = asyncio.Lock()
        self._service: ServingService | None = None
        self._following: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where the data is served; empty if it is not."""
        return "" if self._service is None else self._service.url

    @property
    def metrics_url(self) -> str:
        """Where the metrics alone are served; empty if they are not."""
        return "" if self._service is None else self._service.metrics_url

    @property
    def clients(self) -> int:
        """How many connections there are."""
        return 0 if self._service is None else self._service.clients

    @property
    def requests(self) -> int:
        """How many requests were answered since it serves."""
        return 0 if self._service is None else self._service.requests

    async def switch(self, *, is_on: bool) -> None:
        """Serve the data from now on, or no longer. What keeps it from serving does not raise: see ``problem``."""
        async with self._switching:
            await self._close()
            self.problem = ""
            await self._open(is_on=is_on)
            if is_on and self.problem and self._settings.metrics_port:
                await self._open(is_on=False)  # so that the metrics are still there

    async def close(self) -> None:
        """Tell the clients, and serve nothing more."""
        async with self._switching:
            await self._close()

    async def _open(self, *, is_on: bool) -> None:
        settings, engine = self._settings, self._engine
        if not is_on and not settings.metrics_port:
            return
        from app.serving.access import Access
        from app.serving.recorder import RecordingProgram
        from app.serving.service import Ports, ServingService, access_of

        ports = Ports((settings.serve_port or DEFAULT_PORT) if is_on else None, settings.metrics_port or None)
        program = RecordingProgram(engine, self._metrics)
        try:
            # Metrics alone need no token, so the keyring need not be asked.
            access = await in_background(partial(access_of, settings), "read-token") if is_on else Access()
            service = ServingService(
                access, ports, program, engine.clock, spread_percent=settings.spread_percent, live=program.attach
            )
            starting = Background(service.start, lambda _: service.stop(), "start-server")
            try:
                await starting.result()
            except asyncio.CancelledError:
                starting.abandon()
                raise
        except SettingsError as error:
            logger.warning("%s", error)
            self.problem = str(error)
            return
        self._service = service
        self._following = asyncio.get_running_loop().create_task(_use_its_database(engine, service))
        engine.recorder.on_event = engine.quotes.recorder.on_event = program.take

    async def _close(self) -> None:
        service, following = self._service, self._following
        self._service = self._following = None
        if service is None or following is None:
            return
        self._engine.recorder.on_event = self._engine.quotes.recorder.on_event = None
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await in_background(service.stop, "stop-server", to_its_end=True)


@contextlib.asynccontextmanager
async def serving_engine(
    settings: Settings, engine: Engine, metrics: Metrics, *, is_on: bool | None = None
) -> AsyncIterator[ServedEngine]:
    """
    Serve the engine's data while the block runs, if ``is_on``; by default, where the settings name a port.

    What keeps it from serving does not raise: ``problem`` says why, and the caller decides whether it matters.
    """
    served = ServedEngine(settings, engine, metrics)
    try:
        await served.switch(is_on=settings.serve_port > 0 if is_on is None else is_on)
        yield served
    finally:
        await served.close()


async def _use_its_database(engine: Engine, service: ServingService) -> None:
    """Let the server read the database that the engine has in use; never returns."""
    while True:
        service.use(engine.database)
        await engine.clock.sleep(_LOOK_S)
