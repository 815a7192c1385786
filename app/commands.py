"""
The commands that use the database without a window: collect and export.

Each is prepared first, which refuses what cannot be before anything is made, and then run for its exit code.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import math
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from app.addresses import check_addresses
from app.databases import has_database, open_database
from app.live.engine import Engine, check_symbols
from app.live.export import ExportCancelled, check_target, parse_time, write_csv
from app.live.instance import InstanceLock
from app.market.errors import FeedRejected, SettingsError, StoreError, StoreUnavailable, UsageError
from app.market.interval import Interval
from app.observing import observing
from app.settings import Settings
from app.stopping import StopEvent, bounded_ending, on_signals, parse_duration, unless_stopped
from app.wiring import engine_for
from storage.database import Database

logger = logging.getLogger(__name__)

_PROGRESS_EVERY_S = 1.0
_LOOK_EVERY_S = 0.1
_OPENING_S = 5.0
_CLOSE_S = 10.0
_MOST_NAMED = 12


def prepare_collect(settings: Settings, duration: str | None) -> Callable[[], int]:
    """
    Return what records until Ctrl-C, SIGTERM or the end of ``duration``, everything received written.

    Raises:
        UsageError, SettingsError: If the length of time or an address cannot be one. Nothing was made.
    """
    seconds = parse_duration(duration) if duration else None
    check_addresses(settings)
    return partial(_run_collect, settings, seconds)


def _run_collect(settings: Settings, seconds: float | None) -> int:
    lock = InstanceLock(settings.data_dir)
    lock.acquire()
    stop = StopEvent()
    try:
        with on_signals(stop.set), bounded_ending() as begin_ending:
            return asyncio.run(_collect(settings, seconds, stop, begin_ending))
    finally:
        lock.release()


async def _collect(settings: Settings, seconds: float | None, stop: StopEvent, begin_ending: Callable[[], None]) -> int:
    async with engine_for(settings) as engine, observing(engine, settings.metrics_port) as observed:
        if observed.problem:
            raise SettingsError(observed.problem)  # who asked for metrics of a recorder on a server relies on them
        unstored = contradictions = spooled = 0
        reason = ""
        if seconds is None:  # whoever wants so many seconds of recording gets the reason instead
            await _wait_out_ban(engine, stop)
        if await unless_stopped(check_symbols(engine.exchange, settings.symbols), stop):
            engine.start(settings.symbols)
            try:
                await _record(engine, stop, seconds)
            finally:
                begin_ending()
                database = engine.database
                unstored = await engine.close()
                contradictions = database.writer.status.contradictions if database is not None else 0
                spooled, reason = engine.recorder.outbox.spool.trades, engine.database_reason
                reason = database.writer.status.reason if database is not None else reason
                _show_progress("", end=True)
        begin_ending()
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
    named = ", ".join(settings.symbols) if len(settings.symbols) <= _MOST_NAMED else f"{len(settings.symbols)} symbols"
    print(f"{received} trades of {named} received and stored.")
    if contradictions:
        are = "1 trade contradicts" if contradictions == 1 else f"{contradictions} trades contradict"
        print(f"{are} what is stored under the same id: that stands, and the table refused_trades keeps the other.")
    return 0


async def _wait_out_ban(engine: Engine, stop: StopEvent) -> None:
    """Return when the exchange lets this address in again, which an earlier run was told to wait for."""
    if reason := engine.shutout.sentence(engine.clock.monotonic_s()):
        logger.warning("not started yet: %s", reason)
    while not stop.is_set and (left_s := engine.shutout.left_s(engine.clock.monotonic_s())) > 0:
        _show_progress(engine.shutout.sentence(engine.clock.monotonic_s()))
        await _pause(stop, min(left_s, _PROGRESS_EVERY_S))


async def _record(engine: Engine, stop: StopEvent, seconds: float | None) -> None:
    end_s = math.inf if seconds is None else time.monotonic() + seconds
    while not stop.is_set and (left_s := end_s - time.monotonic()) > 0:
        _raise_failure(engine)
        _show_progress(_progress_line(engine))
        await _pause(stop, min(left_s, _PROGRESS_EVERY_S))
    _raise_failure(engine)


async def _pause(stop: StopEvent, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


def _raise_failure(engine: Engine) -> None:
    if engine.database is None and engine.database_failed:
        raise StoreUnavailable(engine.database_reason)
    if engine.database is not None and engine.database.reading_only:
        raise StoreError(f"{engine.database.reading_only} Name a user who may record: docs/database.md says how.")
    if engine.feed_reason:
        raise FeedRejected(engine.feed_reason)


def _progress_line(engine: Engine) -> str:
    stored = engine.database.writer.status.stored if engine.database is not None else 0
    spooled = engine.recorder.outbox.spool.trades
    on_disk = f" · {spooled} on disk" if spooled else ""
    feed = engine.feed.status.sentence(engine.clock.monotonic_s()) or engine.feed.status.state
    return (
        f"{feed} · {engine.recorder.trades_received} trades received"
        f" · {stored} stored{on_disk} · {engine.recorder.missing()} missing"
    )


def _show_progress(line: str, *, end: bool = False) -> None:
    """Progress is for people: nothing where standard error is no terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{line[:160]}" if not end else "\r\x1b[2K")
        sys.stderr.flush()


class _Wish(NamedTuple):
    """What `export` is asked for, checked as far as it can be without the database."""

    symbol: str
    interval: Interval
    start_us: int | None
    end_us: int | None


def prepare_export(settings: Settings, options: argparse.Namespace) -> Callable[[], int]:
    """
    Return what writes stored candles to a file; Ctrl-C leaves none.

    Raises:
        UsageError: If something cannot be as it is asked for, or nothing is recorded yet. Nothing was made.
    """
    interval = Interval.parse(options.interval)
    start_us = parse_time(options.start) if options.start else None
    end_us = parse_time(options.end) if options.end else None
    if start_us is not None and end_us is not None and end_us <= start_us:
        raise UsageError("--to must be later than --from: nothing was written.")
    check_target(options.path)
    if not has_database(settings):
        raise UsageError(
            f"Nothing is recorded in {settings.data_dir} yet: record with the window or cryptopipe collect first, or "
            "name another --data-dir."
        )
    wish = _Wish(options.symbol.upper().replace("/", ""), interval, start_us, end_us)
    return partial(_run_export, settings, options, wish)


def _run_export(settings: Settings, options: argparse.Namespace, wish: _Wish) -> int:
    cancelled = threading.Event()
    with on_signals(cancelled.set):
        try:
            count = _export(settings, options, wish, cancelled)
        except ExportCancelled:
            print("cryptopipe: the export was cancelled and left no file.", file=sys.stderr)
            return 1
        finally:
            _show_progress("", end=True)
    print(f"{count} candles of {wish.symbol} {wish.interval} written to {options.path}.")
    return 0


def _export(settings: Settings, options: argparse.Namespace, wish: _Wish, cancelled: threading.Event) -> int:
    database = _opened(settings, cancelled)
    try:
        store = database.store
        if not store.coverage(wish.symbol) and wish.symbol not in {one.name for one in store.symbols()}:
            raise UsageError(f"“{options.symbol}” is not in the database: name a symbol that was recorded there.")
        batches = store.iter_candles(wish.symbol, wish.interval, start_us=wish.start_us, end_us=wish.end_us)
        return write_csv(
            batches,
            options.path,
            cancelled=cancelled,
            progress=lambda written, _: _show_progress(f"{written} candles written"),
        )
    finally:
        database.close(_CLOSE_S)


class _Opening(threading.Thread):
    """Opens the database beside the main thread, which must hear signals; the process does not wait for it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="open-database", daemon=True)
        self._settings = settings
        self.database: Database | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.database = open_database(self._settings)
        except BaseException as error:  # noqa: BLE001  # because the main thread raises it
            self.error = error


def _opened(settings: Settings, cancelled: threading.Event) -> Database:
    """Open the database; raises ExportCancelled where ``cancelled`` is set meanwhile."""
    opening = _Opening(settings)
    opening.start()
    while opening.is_alive() and not cancelled.is_set():
        opening.join(_LOOK_EVERY_S)
    # A server that is being started for us must be stopped again; one that hangs is not waited for.
    opening.join(_OPENING_S)
    if cancelled.is_set():
        if opening.database is not None:
            opening.database.close(_CLOSE_S)
        raise ExportCancelled
    if opening.error is not None:
        raise opening.error
    assert opening.database is not None
    return opening.database
