"""
From a click on another interval to its painted candles, out of the database.

    python -m tests.benchmarks.window.bench_switch [--trades 20] [--rounds 8]

A thousand candles are in view, of a symbol with three years of 1 min candles and its share of that many million trades
stored, on the embedded server; the exchange is not there, so nothing but the database can answer. Every interval of the
menu is switched to in random order: at the latest candles, in the middle of the stored trades, and a month back, before
all trades, where there are no candles of seconds to be had. Printed are median and 99th percentile in ms, of all and of
each interval, how much of it the window's thread was at work (on a machine that others use, the rest is theirs, and the
database's), and reading the same thousand candles alone in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.config.settings import load
from app.market.interval import MENU_INTERVALS, Interval
from storage.database import Database
from storage.postgres.connection import connect
from storage.trades.trade_ledger import TradeLedger
from tests.benchmarks.storage import bench_candles
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, until
from tests.storage.conftest import forget
from widgets.window.bars.interval_bar import IntervalBar

IN_VIEW = 1000
MINUTE_US = 60_000_000
AHEAD_US = 1800 * 1_000_000  # stored trades reach so far beyond now, so that there is a latest candle to the end
MONTH_US = 30 * 86_400 * 1_000_000
MINUTES = tuple(interval for interval in MENU_INTERVALS if interval.length_us >= MINUTE_US)
AWAY = "127.0.0.1:9"

Timings = dict[str, dict[Interval, list[tuple[float, float]]]]


def fill(data_dir: Path, trades: int) -> None:
    """Make the database."""
    now_us = time.time_ns() // 1000
    bench_candles.BEGIN_US = (now_us + AHEAD_US - trades * bench_candles.SPACING_US) // MINUTE_US * MINUTE_US
    database = Database.open(None, data_dir)
    try:
        with connect(database.url) as connection:
            ledger = TradeLedger(connection)
            bench_candles.make_history(connection, ledger)
            bench_candles.make_trades(ledger, 0, trades)
            connection.execute("ANALYZE")
        begin_us = bench_candles.BEGIN_US - bench_candles.HISTORY_DAYS * 1440 * MINUTE_US
        database.store.save_listing("BTCUSDT", begin_us)
    finally:
        database.close()


def read_alone(data_dir: Path) -> dict[Interval, float]:
    """Return how long reading a thousand candles of each interval takes, in ms."""
    now_us = time.time_ns() // 1000
    database = Database.open(None, data_dir)
    try:
        return {
            interval: bench_candles.median_ms(
                lambda one=interval: database.store.candles("BTCUSDT", one, limit=IN_VIEW, end_us=now_us)
            )
            for interval in MENU_INTERVALS
        }
    finally:
        database.close()


def trades_begin_us(data_dir: Path) -> int:
    """Return when the first stored trade was, UTC microseconds."""
    database = Database.open(None, data_dir)
    try:
        with connect(database.url) as connection:
            query = "SELECT extract(epoch FROM min(time)) * 1000000 FROM trades JOIN symbols s ON s.id = symbol_id"
            row = connection.execute(f"{query} WHERE s.name = 'BTCUSDT'").fetchone()
            return int(row[0])
    finally:
        database.close()


async def switch(running: Running, interval: Interval) -> tuple[float, float]:
    """Click on an interval; return the ms until its candles are on the chart, and what this thread worked of them."""
    chart, window = running.chart, running.window
    painted = asyncio.get_running_loop().create_future()

    def look() -> None:
        session = running.session
        visible = chart.visible_range_us()
        if painted.done() or session is None or visible is None or chart.series is not session.series:
            return
        opens = session.series.column("open_time_us")
        if session.interval == interval and np.any((opens >= visible[0]) & (opens < visible[1])):
            painted.set_result((time.perf_counter(), time.thread_time()))

    chart.painted.connect(look)
    began, worked = time.perf_counter(), time.thread_time()
    window.top_bar.findChild(IntervalBar).interval_requested.emit(interval)
    ended, worked_until = await asyncio.wait_for(painted, 20)
    chart.painted.disconnect(look)
    return (ended - began) * 1000, (worked_until - worked) * 1000


async def measure(data_dir: Path, begin_us: int, rounds: int, timings: Timings) -> None:
    settings = load(
        {
            "data_dir": str(data_dir),
            "symbols": "BTCUSDT",
            "binance_ws_url": f"ws://{AWAY}",
            "binance_rest_url": f"http://{AWAY}",
        },
        environment={},
        file=data_dir / "none.toml",
    )
    async with open_window(settings) as running:
        chart, dice = running.chart, random.Random(1)
        await until(lambda: running.engine.database is not None and chart.visible_range_us() is not None)
        await until(lambda: len(running.session.series))
        chart.navigator.zoom(chart.slots_in_view / IN_VIEW)
        now_us = time.time_ns() // 1000
        for place, time_us, intervals in (
            ("at the latest candle", None, MENU_INTERVALS),
            ("amid the trades", (begin_us + now_us) // 2, MENU_INTERVALS),
            ("a month back", now_us - MONTH_US, MINUTES),
        ):
            if time_us is not None:
                await go_to(running, time_us, intervals[0])
            for turn in range(rounds + 1):
                for interval in dice.sample(intervals, len(intervals)):
                    if interval == running.session.interval:
                        continue
                    took = await switch(running, interval)
                    if turn:  # the first warms up
                        timings[place][interval].append(took)
                    await asyncio.sleep(0.3)  # as a user would look


async def go_to(running: Running, time_us: int, interval: Interval) -> None:
    """Go to a time at a short interval: of a long one the latest candle would still be in view, and followed."""
    if running.session.interval != interval:
        await switch(running, interval)
    running.chart.show_time(time_us)
    assert not running.chart.is_following


def print_timings(timings: Timings, reads: dict[Interval, float]) -> None:
    for place, found in timings.items():
        took, work = zip(*(one for each in found.values() for one in each), strict=True)
        print(f"{place}: {figures(took)} of {len(took)} switches; of that, at work {figures(work)}")
    print("interval   " + "".join(f"{place:>24}" for place in timings) + "      the read alone")
    for interval in MENU_INTERVALS:
        texts = "".join(cell([took for took, _ in found[interval]]) for found in timings.values())
        print(f"{interval.name:>8}   {texts}{reads[interval]:>20.1f}")


def cell(values: Sequence[float]) -> str:
    return f"{statistics.median(values):>14.1f} / {np.percentile(values, 99):>7.1f}" if values else " " * 24


def figures(values: Sequence[float]) -> str:
    return f"median {statistics.median(values):.1f} ms, p99 {np.percentile(values, 99):.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trades", type=float, default=20.0, help="millions")
    parser.add_argument("--data-dir", type=Path, help="keep the database there, and take it if it is there already")
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    timings: Timings = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        data_dir = options.data_dir or Path(folder) / "data"
        if not data_dir.exists():
            fill(data_dir, int(options.trades * 1e6))
        reads, begin_us = read_alone(data_dir), trades_begin_us(data_dir)
        try:
            run_on_qt_loop(lambda: measure(data_dir, begin_us, options.rounds, timings))
        finally:
            if options.data_dir is None:
                forget(data_dir)
    print_timings(timings, reads)


if __name__ == "__main__":
    main()
