"""
Scrolling a window back through ten years of EUR/USD ticks: as minutes, hours and days, and by jumps to a date.

    python -m tests.benchmarks.window.bench_quote_scroll [--ticks 20000000] [--years 10] [--data-dir DIR]

The ticks are those of `bench_quotes`, in the embedded database, without weekends; nothing is received meanwhile. The
chart is panned once a frame from the newest candle to the first, as `bench_scroll` does, as fast as it takes to be
through in that many seconds if the database keeps up; it never goes where nothing is loaded. Printed is the time from
paint to paint, and how much of it the window's thread was at work, beside panning an empty pyqtgraph plot in the same
run. A jump is timed from the request to the paint that shows the date.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

import psutil
from PySide6.QtWidgets import QApplication

from app.market.interval import Interval
from storage.database import Database
from tests.benchmarks.chart.bench_chart import empty_plot
from tests.benchmarks.storage.bench_quotes import SYMBOL, bulk, market_until_now
from tests.benchmarks.window.bench_scroll import Scroller, figures, report
from tests.benchmarks.window.bench_switch import AWAY, switch
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, settings_in, until
from tests.storage.conftest import forget

RUNS = (("1m", 2000, 190.0), ("1h", 1000, 20.0), ("1d", 500, 10.0))  # interval, candles in view, seconds
MOST_S = 1.1  # times as long, where candles come slower
JUMPS = 30


def fill(data_dir: Path, ticks: int, years: float) -> None:
    """Make the database."""
    database = Database.open(None, data_dir)
    try:
        stored, speed = bulk(database.url, market_until_now(ticks, years), ticks * 2)
        print(f"{stored:,} ticks of {years:g} years stored, {speed:,.0f} rows/s")
    finally:
        database.close()


def first_tick_us(data_dir: Path) -> int:
    """Return when the first stored tick was, UTC microseconds."""
    database = Database.open(None, data_dir)
    try:
        day = next(iter(database.ticks.iter_tick_candles(SYMBOL, Interval.parse("1d"), batch=1)))
        return day[0].first[0]
    finally:
        database.close()


async def show_newest(running: Running, interval: Interval, in_view: int) -> None:
    """Show the newest candles of the interval, so many of them."""
    chart = running.chart
    if running.session.interval != interval:
        await switch(running, interval)
    chart.navigator.follow_latest()
    await until(lambda: chart.is_following and len(running.session.series) > 1)
    chart.navigator.zoom(chart.slots_in_view / in_view)
    await asyncio.sleep(2)


async def scroll(running: Running, interval: Interval, begin_us: int, seconds: float) -> None:
    """Scroll from the newest candle to the first one, and print the frames."""
    chart = running.chart
    slots = interval.slot(chart.visible_range_us()[1]) - interval.slot(begin_us)
    bars = slots * 5 / 7  # weekends take no room
    cpu, began = time.thread_time(), time.perf_counter()
    scroller = Scroller(running, bars / seconds)
    chart.navigator.pan(chart.width() / 2)
    scroller.move()
    while (chart.visible_range_us()[0] > begin_us) and time.perf_counter() - began < MOST_S * seconds:
        await asyncio.sleep(0.1)
        if time.perf_counter() - scroller._moved_at > 0.2:
            scroller.move()  # nothing was painted, because nothing could move
    took = time.perf_counter() - began
    scroller.stop()
    report(f"{interval.name:>3}", scroller)
    loaded, reached = len(running.session.series), chart.visible_range_us()[0]
    first = time.strftime("%Y-%m-%d", time.gmtime(max(reached, begin_us) / 1e6))
    work = (time.thread_time() - cpu) / took
    print(
        f"{interval.name:>3}: {loaded:,} candles back to {first} in {took:.0f} s, {loaded / took:,.0f}/s;"
        f" {scroller.held_up} frames waited for them; the window's thread {work:.0%} at work"
    )


async def jump(running: Running, begin_us: int) -> None:
    """Jump to dates between the first candle and now, and print how long each takes to be on the chart."""
    chart, dice = running.chart, random.Random(1)
    took: list[float] = []
    frames = Scroller(running, 0.0)
    for _ in range(JUMPS):
        time_us = dice.randrange(begin_us, time.time_ns() // 1000)
        painted = asyncio.get_running_loop().create_future()

        def look(time_us: int = time_us, painted: asyncio.Future[float] = painted) -> None:
            visible = chart.visible_range_us()
            if not painted.done() and visible is not None and visible[0] <= time_us < visible[1]:
                painted.set_result(time.perf_counter())

        connection = chart.painted.connect(look)
        began = time.perf_counter()
        chart._times.choose_time(time_us)
        took.append((await asyncio.wait_for(painted, 20) - began) * 1000)
        chart.painted.disconnect(connection)
        await asyncio.sleep(0.3)  # as a user would look
    frames.stop()
    print(f"jumps to a date of {running.session.interval.name}: {figures(took)} to the painted candles")
    print(f"jumps: the window's thread at work between two paints {figures(frames.work)}")


async def measure(data_dir: Path, begin_us: int, runs: list[str]) -> None:
    settings = settings_in(data_dir, f"ws://{AWAY}", f"http://{AWAY}", symbols=SYMBOL)
    async with open_window(settings) as running:
        running.window.resize(1440, 900)
        chart = running.chart
        await until(lambda: running.engine.database is not None and chart.visible_range_us() is not None)
        await until(lambda: len(running.session.series))
        memory = psutil.Process().memory_info().rss
        for name, in_view, seconds in RUNS:
            if name in runs:
                interval = Interval.parse(name)
                await show_newest(running, interval, in_view)
                await scroll(running, interval, begin_us, seconds)
        if "jump" in runs:
            await show_newest(running, Interval.parse("1m"), 1000)
            await jump(running, begin_us)
        now = psutil.Process().memory_info().rss
        print(f"memory {now / 1e6:.0f} MB ({(now - memory) / 1e6:+.0f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=float, default=20e6)
    parser.add_argument("--years", type=float, default=10.0)
    parser.add_argument("--data-dir", type=Path, help="keep the database there, and take it if it is there already")
    parser.add_argument("--runs", default="1m,1h,1d,jump", help="which of these")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        data_dir = options.data_dir or Path(folder) / "data"
        try:
            if not data_dir.exists():
                fill(data_dir, int(options.ticks), options.years)
            begin_us = first_tick_us(data_dir)
            application = QApplication.instance() or QApplication(["cryptopipe"])
            print(f"an empty plot, panned: {figures(empty_plot().tolist())}")
            run_on_qt_loop(lambda: measure(data_dir, begin_us, options.runs.split(",")))
            del application
        finally:
            if options.data_dir is None:
                forget(data_dir)


if __name__ == "__main__":
    main()
