"""
20,000 simulated trades a second into the window, for a minute: nothing lost, nothing doubled, the loop never stuck.

Prints what arrived against what the sandbox sent, the event loop's delays (a 10 ms heartbeat on the loop the window
runs on, beside the same heartbeat on an idle loop in the same run), the longest queue and the memory.
Usage: ``python tests/benchmarks/bench_flood.py [--seconds 60] [--rate 20000]``
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from app.settings import load
from storage.connection import connect
from storage.database import Database
from tests.end_to_end.helpers import open_window, run_on_qt_loop, sandbox_process

HEARTBEAT_S = 0.01


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=20_000.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with sandbox_process("--rate", str(options.rate), "--history", "1d") as environment:
            settings = load(
                {
                    "data_dir": f"{folder}/data",
                    "binance_ws_url": environment["CRYPTOPIPE_BINANCE_WS_URL"],
                    "binance_rest_url": environment["CRYPTOPIPE_BINANCE_REST_URL"],
                },
                environment={},
                file=Path(folder) / "none.toml",
            )
            received: dict[str, tuple[int, int, int]] = {}
            run_on_qt_loop(lambda: flood(settings, options.seconds, received))
        check(settings.data_dir, received)


async def flood(settings, seconds: float, received: dict[str, tuple[int, int, int]]) -> None:
    idle = await delays(3.0)
    process = psutil.Process()
    async with open_window(settings) as running:
        while not running.engine.recorder.trades_received:
            await asyncio.sleep(0.05)
        await asyncio.sleep(5)  # the beginning: history, the database, the join
        first, started = running.engine.recorder.trades_received, time.monotonic()
        memory_before = process.memory_info().rss
        longest = [0]
        watch = asyncio.ensure_future(watch_queue(running, longest))
        paints = running.chart.paint_count
        busy = await delays(seconds)
        watch.cancel()
        took = time.monotonic() - started
        arrived = running.engine.recorder.trades_received - first
        print(f"received           {arrived / took:10,.0f} trades/s over {took:.0f} s")
        print(f"painted            {(running.chart.paint_count - paints) / took:10.1f} times/s")
        print(f"loop delay p50     {at(busy, 0.5):10.1f} ms (idle loop {at(idle, 0.5):.1f})")
        print(f"loop delay p99     {at(busy, 0.99):10.1f} ms (idle loop {at(idle, 0.99):.1f})")
        print(f"loop delay max     {busy[-1]:10.1f} ms (idle loop {idle[-1]:.1f})")
        print(f"longest queue      {longest[0]:10,d} trades of {settings.queue_trades:,d}")
        memory = process.memory_info().rss
        print(f"memory             {memory / 1e6:10.0f} MB ({(memory - memory_before) / 1e6:+.0f} in the run)")
        print(
            f"delay to the loop  {running.engine.recorder.delay.value or math.nan:10.1f} ms from the exchange, smoothed"
        )
        print(f"known as missing   {running.engine.recorder.missing():10,d}")
    for symbol in running.engine.recorder.symbols:
        held = running.engine.recorder.tracker(symbol).received.held
        received[symbol] = (held.first, held.last, held.count())


async def watch_queue(running, longest: list[int]) -> None:
    while True:
        database = running.engine.database
        queued = running.engine.recorder.outbox.waiting + (database.writer.status.queued if database else 0)
        longest[0] = max(longest[0], queued)
        await asyncio.sleep(0.05)


async def delays(seconds: float) -> list[float]:
    """How late a 10 ms heartbeat came, in ms, sorted."""
    late = []
    end = time.monotonic() + seconds
    while (due := time.monotonic() + HEARTBEAT_S) < end:
        await asyncio.sleep(HEARTBEAT_S)
        late.append(max(time.monotonic() - due, 0.0) * 1000)
    return sorted(late)


def at(values: list[float], share: float) -> float:
    return values[min(int(len(values) * share), len(values) - 1)]


def check(data_dir: Path, received: dict[str, tuple[int, int, int]]) -> None:
    """Compare what is stored with the ids received: consecutive, each once."""
    database = Database.open(None, data_dir)
    lost = doubled = stored = 0
    try:
        for symbol, (first, last, count) in received.items():
            lost += (last - first + 1) - count
            coverage = database.store.coverage(symbol)
            lost += sum(high - low + 1 for low, high in coverage.missing(first, last))
            with connect(database.url) as connection:
                rows, ids = connection.execute(
                    "SELECT count(*), count(DISTINCT trade_id) FROM trade_log WHERE symbol = %s", (symbol,)
                ).fetchone()
            stored += rows
            doubled += rows - ids
    finally:
        database.close()
    print(f"stored             {stored:10,d} trades: {lost} lost, {doubled} doubled")


if __name__ == "__main__":
    main()
