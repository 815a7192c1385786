"""The commands that use the database without a window: collect and export. Each returns its exit code."""

from __future__ import annotations

import argparse
import asyncio
import math
import signal
import sys
import threading
import time

from app.live.engine import Engine, check_symbols
from app.live.export import ExportCancelled, check_target, parse_time, write_csv
from app.live.instance import InstanceLock
from app.market.errors import FeedRejected, StoreUnavailable, UsageError
from app.market.interval import Interval
from app.settings import Settings
from app.stopping import parse_duration, stop_on_signals
from app.wiring import engine_for, open_database

_PROGRESS_EVERY_S = 1.0


def collect(settings: Settings, duration: str | None) -> int:
    """Record until Ctrl-C, SIGTERM or the end of ``duration``, everything received written."""
    seconds = parse_duration(duration) if duration else None
    lock = InstanceLock(settings.data_dir)
    lock.acquire()
    try:
        return asyncio.run(_collect(settings, seconds))
    finally:
        lock.release()


async def _collect(settings: Settings, seconds: float | None) -> int:
    stop = stop_on_signals()
    async with engine_for(settings) as engine:
        await check_symbols(engine.exchange, settings.symbols)
        engine.start(settings.symbols)
        try:
            await _record(engine, stop, seconds)
        finally:
            stored = await engine.close()
            _show_progress("", end=True)
        if not stored:
            raise StoreUnavailable(
                "Not every trade received could be stored in time; the next start fetches what is missing."
            )
    print(f"{engine.recorder.trades_received} trades of {', '.join(settings.symbols)} received and stored.")
    return 0


async def _record(engine: Engine, stop: asyncio.Event, seconds: float | None) -> None:
    end_s = math.inf if seconds is None else time.monotonic() + seconds
    while not stop.is_set() and (left_s := end_s - time.monotonic()) > 0:
        if engine.database is None and engine.database_failed:
            raise StoreUnavailable(engine.database_reason)
        if engine.feed_reason:
            raise FeedRejected(engine.feed_reason)
        _show_progress(_progress_line(engine))
        try:
            async with asyncio.timeout(min(left_s, _PROGRESS_EVERY_S)):
                await stop.wait()
        except TimeoutError:
            continue


def _progress_line(engine: Engine) -> str:
    stored = engine.database.writer.status.stored if engine.database is not None else 0
    return (
        f"{engine.feed.status.reason or engine.feed.status.state} · {engine.recorder.trades_received} trades received"
        f" · {stored} stored · {engine.recorder.missing()} missing"
    )


def _show_progress(line: str, *, end: bool = False) -> None:
    """Progress is for people: nothing where standard error is no terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{line[:160]}" if not end else "\r\x1b[2K")
        sys.stderr.flush()


def export(settings: Settings, options: argparse.Namespace) -> int:
    """Write stored candles to a file; Ctrl-C leaves none."""
    interval = Interval.parse(options.interval)
    start_us = parse_time(options.start) if options.start else None
    end_us = parse_time(options.end) if options.end else None
    if start_us is not None and end_us is not None and end_us <= start_us:
        raise UsageError("--to must be later than --from: nothing was written.")
    check_target(options.path)
    cancelled = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: cancelled.set())
    signal.signal(signal.SIGTERM, lambda *_: cancelled.set())
    database = open_database(settings)
    try:
        symbol = options.symbol.upper().replace("/", "")
        if not database.store.coverage(symbol) and symbol not in {one.name for one in database.store.symbols()}:
            raise UsageError(f"“{options.symbol}” is not in the database: name a symbol recorded there, as BTCUSDT.")
        batches = database.store.iter_candles(symbol, interval, start_us=start_us, end_us=end_us)
        count = write_csv(
            batches,
            options.path,
            cancelled=cancelled,
            progress=lambda written, _: _show_progress(f"{written} candles written"),
        )
    except ExportCancelled:
        print("cryptopipe: the export was cancelled and left no file.", file=sys.stderr)
        return 1
    finally:
        _show_progress("", end=True)
        database.close(10.0)
    print(f"{count} candles of {symbol} {interval} written to {options.path}.")
    return 0
