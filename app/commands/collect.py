"""
``cryptopipe collect``: records without a window until it is stopped.

Like every command it has two steps: `prepare` refuses bad input before any file exists, and returns the function that
runs the command and returns its exit code.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable
from functools import partial

from app.commands.database_session import show_progress
from app.config.settings import Settings
from app.live.engine import Engine
from app.live.recording.symbol_directory import check_symbols
from app.market.errors import FeedRejected, SettingsError, StoreError, StoreUnavailable
from app.observability.monitoring import monitoring
from app.runtime.exchange_addresses import check_addresses
from app.runtime.instance_lock import InstanceLock
from app.runtime.shutdown import StopEvent, bounded_shutdown, on_signals, parse_duration, unless_stopped
from app.runtime.wiring import engine_for

logger = logging.getLogger(__name__)

_PROGRESS_EVERY_S = 1.0
_MAX_NAMED = 12  # symbols in the last sentence; beyond that only their number


def prepare(settings: Settings, duration: str | None) -> Callable[[], int]:
    """
    Return the function that records until Ctrl-C, SIGTERM or the end of ``duration``, then writes all it received.

    Raises:
        UsageError: If ``duration`` is not a length of time. No file was made.
        SettingsError: If an address of the exchange has a wrong form. No file was made.
    """
    seconds = parse_duration(duration) if duration else None
    check_addresses(settings)
    return partial(_run_collect, settings, seconds)


def _run_collect(settings: Settings, seconds: float | None) -> int:
    lock = InstanceLock(settings.data_dir)
    lock.acquire()
    stop = StopEvent()
    try:
        with on_signals(stop.set), bounded_shutdown() as begin_shutdown:
            return asyncio.run(_collect(settings, seconds, stop, begin_shutdown))
    finally:
        lock.release()


async def _collect(
    settings: Settings, seconds: float | None, stop: StopEvent, begin_shutdown: Callable[[], None]
) -> int:
    async with engine_for(settings) as engine, monitoring(engine, settings.metrics_port) as monitor:
        if monitor.problem:
            raise SettingsError(monitor.problem)  # a recorder on a server is watched by these metrics
        unstored = contradictions = spooled = 0
        reason = ""
        if seconds is None:  # a recording of fixed length fails with the ban's reason instead of waiting
            await _wait_out_ban(engine, stop)
        if await unless_stopped(check_symbols(engine.exchange, settings.symbols), stop):
            engine.start(settings.symbols)
            try:
                await _record(engine, stop, seconds)
            finally:
                begin_shutdown()
                database = engine.database
                unstored = await engine.close()
                contradictions = database.writer.status.contradictions if database is not None else 0
                spooled, reason = engine.spool_status.trades, engine.database_reason
                reason = database.writer.status.reason if database is not None else reason
                show_progress("")
        begin_shutdown()
        received = engine.recorder.trades_received
    if unstored:
        raise StoreUnavailable(
            f"{unstored} of the trades received could not be stored ({received} were received): see what cryptopipe "
            "doctor says of the database; the next start fetches what is missing."
        )
    if spooled:
        raise StoreUnavailable(
            f"{spooled} trades wait on disk ({received} were received), because the database did not take them in "
            f"time: {reason or 'it was too slow.'} The next start stores them; cryptopipe doctor tells how it is."
        )
    named = ", ".join(settings.symbols) if len(settings.symbols) <= _MAX_NAMED else f"{len(settings.symbols)} symbols"
    print(f"{received} trades of {named} received and stored.")
    if contradictions:
        are = "1 trade contradicts" if contradictions == 1 else f"{contradictions} trades contradict"
        print(f"{are} what is stored under the same id: that stands, and the table refused_trades keeps the other.")
    return 0


async def _wait_out_ban(engine: Engine, stop: StopEvent) -> None:
    """Return when a ban that an earlier run met is over, or ``stop`` is set."""
    if reason := engine.ban.sentence(engine.clock.monotonic_s()):
        logger.warning("not started yet: %s", reason)
    while not stop.is_set and (left_s := engine.ban.left_s(engine.clock.monotonic_s())) > 0:
        show_progress(engine.ban.sentence(engine.clock.monotonic_s()))
        await _pause(stop, min(left_s, _PROGRESS_EVERY_S))


async def _record(engine: Engine, stop: StopEvent, seconds: float | None) -> None:
    end_s = math.inf if seconds is None else time.monotonic() + seconds
    while not stop.is_set and (left_s := end_s - time.monotonic()) > 0:
        _raise_failure(engine)
        show_progress(_progress_line(engine))
        await _pause(stop, min(left_s, _PROGRESS_EVERY_S))
    _raise_failure(engine)


async def _pause(stop: StopEvent, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


def _raise_failure(engine: Engine) -> None:
    if engine.database is None and engine.database_failed:
        raise StoreUnavailable(engine.database_reason)
    if engine.database is not None and engine.database.read_only_reason:
        raise StoreError(f"{engine.database.read_only_reason} Name a user who may record: docs/database.md says how.")
    if engine.feed_reason:
        raise FeedRejected(engine.feed_reason)


def _progress_line(engine: Engine) -> str:
    stored = engine.database.writer.status.stored if engine.database is not None else 0
    spooled = engine.spool_status.trades
    on_disk = f" · {spooled} on disk" if spooled else ""
    feed = engine.feed.status.sentence(engine.clock.monotonic_s()) or engine.feed.status.state
    return (
        f"{feed} · {engine.recorder.trades_received} trades received"
        f" · {stored} stored{on_disk} · {engine.recorder.missing()} missing"
    )
