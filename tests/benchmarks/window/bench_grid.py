"""
Several charts in one window: four of four symbols and sixteen under 5,000 trades/s, what a chart costs, and one more.

The window is the program's, on the simulated market; each part has a process of its own, so that none reuses another's
memory. The market makes 8,500 trades/s, of which about 5,000 are of the symbols that the window records. ``load``:
frames per second of the active chart and of each other one, how late a 10 ms heartbeat came on the window's loop, and
the share of a core, of one chart (the yardstick), of four, of sixteen, of one of sixteen that has all the room, and
with the window minimised; an idle loop stands beside them. A frame brought all trades so far into the chart and was
painted before it ended, at most one in 16 ms; windows off screen have no vertical sync. ``open``: the time from the
command to the painted candles of one more chart, and the processor time until then, of a symbol that a chart shows and
of one that none does; beside it an empty pyqtgraph plot that is opened, laid out and painted in the same window.
``memory``: what each of twelve more charts adds, beside twelve such plots.
Usage: ``python tests/benchmarks/window/bench_grid.py [load open memory] [--seconds 20] [--rate 8500]``
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pyqtgraph as pg
from PySide6.QtWidgets import QSplitter

sys.path.insert(0, str(Path(__file__).parents[3]))

from app.config.settings import Settings
from app.window.charts.open_charts import OpenChart
from tests.benchmarks._database import benchmark_folder
from tests.benchmarks.window.bench_flood import at, delays
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, simulated_settings, until

OPENED = 9  # times
PLOTS = 12


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=list(PARTS))
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=8_500.0)
    options = parser.parse_args()
    sandbox = "--rate", str(options.rate), "--history", "1d"
    if len(options.parts) > 1:
        for part in options.parts:
            again = [sys.executable, __file__, part, "--seconds", str(options.seconds), "--rate", str(options.rate)]
            subprocess.run(again, check=True)
        return
    for part in options.parts:
        with benchmark_folder() as folder, simulated_settings(folder / "data", *sandbox) as settings:
            run_on_qt_loop(lambda part=part, settings=settings: measured(settings, PARTS[part], options.seconds))


async def measured(settings: Settings, part: Callable[[Running, float], Awaitable[None]], seconds: float) -> None:
    if part is load:
        idle = await delays(3.0)
        print(f"an idle loop    delay p50 {at(idle, 0.5):.1f} ms, p99 {at(idle, 0.99):.1f} ms", flush=True)
    async with open_window(settings) as running:
        running.window.resize(1920, 1080)
        await until(lambda: running.session.joined and running.engine.database is not None, seconds=120)
        await part(running, seconds)


# Under load


async def load(running: Running, seconds: float) -> None:
    workspace, charts = running.controller.workspace, running.controller.charts
    await under_load(running, "one chart", seconds)
    workspace.arrange(4, 2)
    await all_live(running)
    await under_load(running, "four charts", seconds)
    workspace.arrange(16, 4)
    await all_live(running)
    await under_load(running, "sixteen charts", seconds)
    workspace.run("maximise_chart")
    await until(lambda: sum(one.controller.is_asleep for one in charts.all) == len(charts.all) - 1)
    await under_load(running, "one of sixteen", seconds)
    running.window.showMinimized()
    await until(lambda: all(one.controller.is_asleep for one in charts.all))
    await under_load(running, "minimised", seconds)


async def all_live(running: Running) -> None:
    await until(lambda: all(map(is_painted, running.controller.charts.all)), seconds=120)


def is_painted(one: OpenChart) -> bool:
    session = one.controller.session
    return session is not None and session.joined and one.chart.paint_count > 0 and one.chart.last_price is not None


async def under_load(running: Running, name: str, seconds: float) -> None:
    charts, engine = running.controller.charts, running.engine
    shown = [one for one in charts.active_first if one.chart.isVisible()]
    process = psutil.Process()
    await asyncio.sleep(2)
    frames, arrived = [one.chart.frame_count for one in shown], engine.recorder.trades_received
    worked, began = process.cpu_times(), time.monotonic()
    late = await delays(seconds)
    took, now = time.monotonic() - began, process.cpu_times()
    fps = [(one.chart.frame_count - before) / took for one, before in zip(shown, frames, strict=True)]
    cores = (now.user + now.system - worked.user - worked.system) / took
    others = f", the others {' '.join(f'{each:.0f}' for each in sorted(fps[1:]))}" if len(fps) > 1 else ""
    print(
        f"{name:16}{(engine.recorder.trades_received - arrived) / took:,.0f} trades/s; frames/s: the active chart"
        f" {fps[0]:.0f}{others}; loop delay p50 {at(late, 0.5):.1f}, p99 {at(late, 0.99):.1f}, most {late[-1]:.1f} ms;"
        f" {cores * 100:.0f} % of a core",
        flush=True,
    )


# One more


async def open_one(running: Running, _: float) -> None:
    workspace, charts = running.controller.workspace, running.controller.charts
    workspace.arrange(4, 2)
    await all_live(running)

    def split() -> tuple[Callable[[], bool], Callable[[], object]]:
        one = workspace.split(charts.active, in_columns=True)
        assert one is not None
        paints = one.chart.paint_count
        return (
            lambda: one.chart.last_price is not None and one.chart.paint_count > paints,
            lambda: workspace.close(one),
        )

    def split_other() -> tuple[Callable[[], bool], Callable[[], object]]:
        made = split()
        running.window.requests.symbol_requested.emit("BNBUSDT")
        return made

    def plot() -> tuple[Callable[[], bool], Callable[[], object]]:
        made = empty_plot(running)
        return lambda: made.paint_count > 0, lambda: put_away(made)

    await opened("an empty plot", plot)
    await opened("one more chart, of a symbol shown", split)
    await opened("one more chart, of another symbol", split_other)


async def opened(name: str, begin: Callable[[], tuple[Callable[[], bool], Callable[[], object]]]) -> None:
    """Print the median of how long until what ``begin`` opened is painted; it returns the test, and what closes it."""
    await asyncio.sleep(3)
    took, worked = [], []
    for _ in range(OPENED):
        clock, processor = time.perf_counter(), time.process_time()
        is_painted, end = begin()
        while not is_painted():
            await asyncio.sleep(0)
        took.append((time.perf_counter() - clock) * 1000)
        worked.append((time.process_time() - processor) * 1000)
        end()
        await asyncio.sleep(1)
    took.sort()
    worked.sort()
    print(
        f"{name:36}{took[OPENED // 2]:.0f} ms (most {took[-1]:.0f});"
        f" {worked[OPENED // 2]:.0f} ms of processor time (most {worked[-1]:.0f})",
        flush=True,
    )


class EmptyPlot(pg.PlotWidget):
    """A plot without data that counts its paintings."""

    def __init__(self) -> None:
        super().__init__()
        self.paint_count = 0

    def paintEvent(self, event: object) -> None:
        super().paintEvent(event)
        self.paint_count += 1


def empty_plot(running: Running) -> EmptyPlot:
    """Put an empty plot beside the charts, and lay it out."""
    plot = EmptyPlot()
    splitter = running.window.centralWidget().findChild(QSplitter)
    splitter.addWidget(plot)
    splitter.setSizes([100_000] * splitter.count())
    return plot


def put_away(plot: EmptyPlot) -> None:
    plot.setParent(None)
    plot.deleteLater()


# Memory


async def memory(running: Running, _: float) -> None:
    workspace = running.controller.workspace
    workspace.arrange(4, 2)
    await all_live(running)
    await asyncio.sleep(5)

    async def grown_mb(work: Callable[[], Awaitable[object]]) -> float:
        """Return what ``work`` adds, without what trades add meanwhile."""
        gc.collect()
        before_mb, clock = resident_mb(), time.monotonic()
        await asyncio.sleep(10)
        drift_mb_s = (resident_mb() - before_mb) / (time.monotonic() - clock)
        before_mb, clock = resident_mb(), time.monotonic()
        await work()
        await asyncio.sleep(5)
        gc.collect()
        return resident_mb() - before_mb - drift_mb_s * (time.monotonic() - clock)

    async def more_charts() -> None:
        workspace.arrange(4 + PLOTS, 4)
        await all_live(running)

    plots = []

    async def more_plots() -> None:
        plots.extend(empty_plot(running) for _ in range(PLOTS))

    # The charts first: what the plots free would be theirs.
    print(f"one more chart      {await grown_mb(more_charts) / PLOTS:.1f} MB", flush=True)
    print(f"an empty plot       {await grown_mb(more_plots) / PLOTS:.1f} MB", flush=True)


def resident_mb() -> float:
    return psutil.Process().memory_info().rss / 2**20


PARTS = {"load": load, "open": open_one, "memory": memory}


if __name__ == "__main__":
    main()
