"""
``cryptopipe serve``: lets other programs read the database, while others record into it or this program does.

Like every command it has two steps, see `app.commands.collect`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from app.commands.cancellable_database import opened_database
from app.commands.collect import run_collect
from app.commands.options import Options
from app.concurrency.background import in_background
from app.concurrency.latency import low_latency
from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings
from app.market.errors import SettingsError, UsageError
from app.market.ports.database import OpenedDatabase
from app.runtime.exchange_addresses import check_addresses
from app.runtime.open_database import has_database
from app.runtime.shutdown import StopEvent, bounded_shutdown, on_signals
from app.serving.access import Access
from app.serving.program import Follower
from app.serving.service import Ports, ServingService, access_of
from app.serving.serving_engine import DEFAULT_PORT


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that serves until Ctrl-C or SIGTERM; with ``record`` it records as well.

    Raises:
        UsageError: If there is no database to serve, or the port is not from 0 to 65535.
        SettingsError: If the server could be read from elsewhere without a token and TLS. No file was made.
    """
    port = settings.serve_port or DEFAULT_PORT if options.port is None else options.port
    if not 0 <= port <= 65_535:
        raise UsageError("--port must be a number from 0 to 65535; 0 picks a free one.")
    access = access_of(settings)
    if options.record:
        if not port:
            raise UsageError("--record needs a fixed port: leave --port out for 8080.")
        check_addresses(settings)
        return _recording(settings, port)
    if not has_database(settings):
        raise UsageError(
            f"Nothing is recorded in {settings.data_dir} yet: record with --record or cryptopipe collect, or name "
            "another --data-dir."
        )
    return partial(_run, settings, access, port)


def _recording(settings: Settings, port: int) -> Callable[[], int]:
    """Return the function that records and serves, with the exit codes of collect."""
    return partial(run_collect, replace(settings, serve_port=port), announce=partial(_announce, "what is recorded"))


def _announce(what: str, url: str) -> None:
    print(f"Serving {what} at {url} (Ctrl-C ends it).", flush=True)


def _run(settings: Settings, access: Access, port: int) -> int:
    stop = StopEvent()
    with on_signals(stop.set), bounded_shutdown() as begin_shutdown:
        return asyncio.run(_follow(settings, access, port, stop, begin_shutdown))


async def _follow(
    settings: Settings, access: Access, port: int, stop: StopEvent, begin_shutdown: Callable[[], None]
) -> int:
    async with opened_database(settings, stop, begin_shutdown) as database:
        if database is None:
            return 0
        service, problem = await _started(settings, access, port, database)
        try:
            _announce(f"the data of {database.label}", service.url)
            if problem:
                print(f"{problem} They are at {service.url}/metrics as well.", flush=True)
            with low_latency():
                await stop.wait()
        finally:
            begin_shutdown()
            await in_background(service.stop, "stop-server", to_its_end=True)
    return 0


async def _started(
    settings: Settings, access: Access, port: int, database: OpenedDatabase
) -> tuple[ServingService, str]:
    """
    Return the server, and one sentence if the metrics have no port of their own though one is set.

    That is no reason to serve nothing: the port is the recorder's where one runs beside, with the same settings.

    Raises:
        SettingsError: If the data cannot be served.
    """
    clock, problem = SystemClock(), ""
    for metrics_port in (settings.metrics_port or None, None):
        ports = Ports(port, metrics_port)
        service = ServingService(access, ports, Follower(clock), clock, spread_percent=settings.spread_percent)
        service.use(database)
        try:
            await in_background(service.start, "start-server")
        except SettingsError as error:
            if metrics_port is None:
                raise
            problem = str(error)
        else:
            break
    return service, problem
