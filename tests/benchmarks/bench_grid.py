"""
Several charts in one window: four of four symbols under 5,000 trades/s, sixteen, what a chart costs, and one more.

The window is the program's, on the simulated market in a process of its own. Prints of each grid how often its charts
were painted, how late a 10 ms heartbeat on the window's loop came beside that on an idle loop, and the processor time;
then what four more charts add to the memory, and the time from the key to painted candles for one more chart: of a
symbol that another chart shows, and of one that none does. Last, what charts without sight cost: one of sixteen has all
the room.
Usage: ``python tests/benchmarks/bench_grid.py [--seconds 20] [--rate 5000]``
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from app.config.settings import Settings
from app.window.open_charts import OpenChart
from tests.benchmarks._database import benchmark_folder
from tests.benchmarks.bench_flood import at, delays
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, simulated_settings, until


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=5_000.0)
    options = parser.parse_args()
    sandbox = "--rate", str(options.rate), "--history", "1d"
    with benchmark_folder() as folder, simulated_settings(folder / "data", *sandbox) as settings:
        run_on_qt_loop(lambda: measure(settings, options.seconds))


async def measure(settings: Settings, seconds: float) -> None:
    idle = await delays(3.0)
    print(f"an idle loop        delay p50 {at(idle, 0.5):.1f} ms, p99 {at(idle, 0.99):.1f} ms")
    async with open_window(settings) as running:
        running.window.resize(1920, 1080)
        await until(lambda: running.session.joined and running.engine.database is not None, seconds=120)
        workspace = running.controller.workspace
        await under_load(running, "one chart", seconds)
        workspace.arrange(4, 2)
        await all_live(running)
        await under_load(running, "four charts", seconds)
        for symbol, words in (("", "shown already"), ("BNBUSDT", "not shown yet")):
            await one_more(running, symbol, words)
        before_mb = resident_mb()
        workspace.arrange(16, 4)
        await all_live(running)
        number = len(running.controller.charts.all) - 5
        print(f"memory              {(resident_mb() - before_mb) / number:.1f} MB for each of {number} more charts")
        await under_load(running, "sixteen charts", seconds)
        workspace.run("maximise_chart")
        await until(lambda: sum(one.controller.is_asleep for one in running.controller.charts.all) == 15, seconds=60)
        await under_load(running, "one of sixteen", seconds)


async def all_live(running: Running) -> None:
    await until(lambda: all(map(is_painted, running.controller.charts.all)), seconds=120)


def is_painted(one: OpenChart) -> bool:
    session = one.controller.session
    return session is not None and session.joined and one.chart.paint_count > 0 and one.chart.last_price is not None


async def under_load(running: Running, name: str, seconds: float) -> None:
    charts = [one.chart for one in running.controller.charts.all if one.chart.isVisible()]
    process, engine = psutil.Process(), running.engine
    await asyncio.sleep(2)
    paints, arrived = [chart.paint_count for chart in charts], engine.recorder.trades_received
    worked, began = process.cpu_times(), time.monotonic()
    late = await delays(seconds)
    took, now = time.monotonic() - began, process.cpu_times()
    each = sorted((chart.paint_count - before) / took for chart, before in zip(charts, paints, strict=True))
    cores = (now.user + now.system - worked.user - worked.system) / took
    print(
        f"{name:20}{(engine.recorder.trades_received - arrived) / took:,.0f} trades/s; painted {each[0]:.0f} to"
        f" {each[-1]:.0f} times/s; loop delay p50 {at(late, 0.5):.1f}, p99 {at(late, 0.99):.1f}, most"
        f" {late[-1]:.1f} ms; {cores * 100:.0f} % of a core"
    )


async def one_more(running: Running, symbol: str, words: str) -> None:
    """Open one more chart, of another symbol if one is given, and close it again."""
    workspace, charts = running.controller.workspace, running.controller.charts
    took = []
    for _ in range(5):
        like, began = charts.active, time.perf_counter()
        one = workspace.split(like, in_columns=True)
        if symbol:
            running.window.symbol_requested.emit(symbol)
        paints = one.chart.paint_count
        while one.chart.last_price is None or one.chart.paint_count == paints:
            await asyncio.sleep(0)
        took.append((time.perf_counter() - began) * 1000)
        workspace.close(one)
        await asyncio.sleep(1)
    print(
        f"one more chart      {sorted(took)[2]:.0f} ms to candles of a symbol {words} (5 times, most {max(took):.0f})"
    )


def resident_mb() -> float:
    return psutil.Process().memory_info().rss / 2**20


if __name__ == "__main__":
    main()
