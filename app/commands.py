"""The commands without a window: collect, export, sandbox. Each returns its exit code."""

from __future__ import annotations

import argparse
import asyncio
import math
import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from app.live.engine import Engine, check_symbols
from app.live.export import ExportCancelled, check_target, parse_time, write_csv
from app.live.instance import InstanceLock
from app.market.errors import FeedRejected, StoreUnavailable, UsageError
from app.market.interval import Interval
from app.sandbox.recording import RecordingSource
from app.sandbox.server import SandboxServer
from app.sandbox.simulated import SimulatedMarket
from app.sandbox.source import MarketSource
from app.settings import Settings
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
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        _on_signal(number, stop)
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


def _on_signal(number: signal.Signals, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(number, stop.set)
    except NotImplementedError:  # Windows
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))


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


def sandbox(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C, SIGTERM or, when asked to, the end of standard input."""
    source = _sandbox_source(options)
    return asyncio.run(_serve(source, options.port, until_stdin_closes=options.until_stdin_closes))


def _sandbox_source(options: argparse.Namespace) -> MarketSource:
    if not options.replay:
        history = timedelta(seconds=parse_duration(options.history))
        if options.rate is not None and not 0 < options.rate <= 1_000_000:
            raise UsageError("--rate must be a number of trades per second above 0, such as 60.")
        rate = {} if options.rate is None else {"rate": options.rate}
        return SimulatedMarket(seed=options.seed, history=history, **rate)
    try:
        speed = math.inf if options.speed == "max" else float(options.speed)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise UsageError(f"--speed cannot be “{options.speed}”: give a number above 0, or max.")
    return RecordingSource([Path(file) for file in options.replay], speed=speed)


async def _serve(source: MarketSource, port: int, *, until_stdin_closes: bool) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        _on_signal(number, stop)
    server = SandboxServer(source, port=port)
    await server.start()
    try:
        print(f"The sandbox exchange serves {server.ws_url} and {server.rest_url}.", flush=True)
        if until_stdin_closes:
            _stop_with_stdin(stop)
        await stop.wait()
    finally:
        await server.stop()
    return 0


def _stop_with_stdin(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def wait() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, name="stdin", daemon=True).start()


def parse_duration(text: str) -> float:
    """
    Return ``60s``, ``10m``, ``8h``, ``90d`` or ``3650d`` as seconds.

    Raises:
        UsageError: If it is none of these.
    """
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
    number, unit = text.strip()[:-1], text.strip()[-1:].lower()
    if unit not in units or not number.isascii() or not number.isdigit() or int(number) == 0:
        raise UsageError(f"“{text}” is not a length of time: write it like 60s, 10m, 8h or 90d.")
    return float(int(number) * units[unit])
