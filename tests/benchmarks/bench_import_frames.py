"""
The window's frames while it imports, beside the same window's without an import.

    python -m tests.benchmarks.bench_import_frames [--seconds 30] [--rate 500] [--trades 6000000]

A real window off screen receives that many trades a second from a sandbox in a process of its own, and its chart is
moved a little with every frame, so that each is painted. First that is all; then its import dialog imports zips of the
exchange's archive until the time is over. Printed is the time from paint to paint, p50, p99 and the longest, how much
of it the window's thread was at work, and the ratio of the two p99.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import sys
import time
from pathlib import Path

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from app.config.settings import Settings
from tests.benchmarks._database import benchmark_folder
from tests.benchmarks.bench_import import write_zip
from tests.benchmarks.bench_scroll import SEED, Scroller, rate_of_all, report
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, simulated_settings, until
from widgets.dialogs.import_dialog import ImportState

DAYS = 6
SETTLE_S = 5.0
SWING_PX = 40.0


class Swing(Scroller):
    """Moves the chart to and fro, once a frame."""

    def __init__(self, running: Running) -> None:
        super().__init__(running, 1.0)
        self._step_px = SWING_PX

    def move(self) -> None:
        self._step_px = -self._step_px
        self._chart.navigator.pan(self._step_px)


async def frames(running: Running, what: str, seconds: float) -> list[float]:
    """Move the chart for that long, or until the import has ended; print what the frames took, and return them."""
    chart, received = Swing(running), running.engine.recorder.trades_received
    began = time.perf_counter()
    chart.move()
    is_importing = running.controller.imports.process is not None
    while time.perf_counter() - began < seconds:
        await asyncio.sleep(0.1)
        if is_importing and running.controller.imports.process is None:
            break
    chart.stop()
    took = time.perf_counter() - began
    rate = (running.engine.recorder.trades_received - received) / took
    report(f"{what}, {took:.0f} s, {rate:,.0f} trades/s received", chart)
    return chart.frames[1:]


async def compare(settings: Settings, folder: Path, seconds: float) -> None:
    async with open_window(settings) as running:
        running.window.resize(1440, 900)
        await until(lambda: running.engine.database is not None and running.session.joined, seconds=60)
        running.chart.navigator.pan(running.chart.width() / 2)  # away from the latest candle, which would hold it
        dialog = running.controller.imports.open([folder])
        await asyncio.sleep(SETTLE_S)
        without = await frames(running, "without an import", seconds)
        dialog.start_button.click()
        await until(lambda: running.controller.imports.process is not None)
        beside = await frames(running, "with an import", seconds)
        if dialog.state is ImportState.RUNNING:
            dialog.cancel_button.click()
        await until(lambda: dialog.state in (ImportState.DONE, ImportState.EDITING), seconds=60)
        print(f"imported: {dialog.outcome.text()}")
        ratio = np.percentile(beside, 99) / np.percentile(without, 99)
        print(f"p99 with an import is {ratio:.2f} times the one without")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--trades", type=int, default=6_000_000)
    options = parser.parse_args()
    with benchmark_folder() as folder:
        for day in range(DAYS):
            for _ in write_zip(folder / "zips", day, options.trades // DAYS):
                pass
        with multiprocessing.get_context("spawn").Pool(1) as elsewhere:
            asked = elsewhere.apply(rate_of_all, (options.rate, 3 * options.seconds))
        sandbox = "--rate", str(asked), "--seed", str(SEED), "--history", "1d"
        with simulated_settings(folder / "data", *sandbox) as settings:
            run_on_qt_loop(lambda: compare(settings, folder / "zips", options.seconds))


if __name__ == "__main__":
    sys.exit(main())
