"""
Scrolling back through three years of 1 min candles at speed, prepending as it goes, while 5,000 trades/s arrive.

    python -m tests.benchmarks.window.bench_scroll [--seconds 60] [--rate 5000] [--days 1095] [--in-view 2000]
        [--data-dir DIR]

The trades come from a sandbox in a process of its own, which is asked for so many more that those of the six symbols
received are that many, give or take a tenth; the past is in the embedded database. The chart is panned once a frame, as
fast as it takes to be through in that time; it never goes where nothing is loaded, so it may take longer. Printed is
the time from paint to paint, p50, p99 and the longest, and how much of it the window's thread was at work: on a machine
that others use, the rest is theirs. Beside it stands the same for a chart at rest that only receives.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from app.config.settings import DEFAULT_SYMBOLS
from app.market.candle import Candle, CandleSource
from app.market.interval import Interval
from app.market.units import E8
from app.sandbox.market.simulated import SimulatedMarket
from storage.database import Database
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, simulated_settings, until
from tests.storage.conftest import forget

MINUTE = Interval.parse("1m")
SYMBOL = "BTCUSDT"
CHUNK = 50_000
REST_S = 5.0
SEED = 1


def fill(data_dir: Path, begin: int, end: int) -> None:
    """Store a random walk of klines of the minutes ``begin`` to ``end``, exclusive."""
    dice = np.random.default_rng(1)
    price = 60_000.0
    database = Database.open(None, data_dir)
    try:
        for first in range(begin, end, CHUNK):
            last = min(first + CHUNK, end)
            closes = price * np.exp(np.cumsum(dice.standard_normal(last - first)) * 5e-4)
            cents = (np.concatenate(([price], closes)) * 100).astype(np.int64) * (E8 // 100)
            klines = [kline(slot, *cents[at : at + 2].tolist()) for at, slot in enumerate(range(first, last))]
            span = (MINUTE.slot_open_us(first), MINUTE.slot_open_us(last))
            database.store.save_klines(SYMBOL, MINUTE, klines, span)
            price = float(closes[-1])
        database.store.save_listing(SYMBOL, MINUTE.slot_open_us(begin))
    finally:
        database.close()


def rate_of_all(rate: float, seconds: float) -> float:
    """Return the rate of all the sandbox's pairs at which those received have ``rate`` trades/s that long from now."""
    market, now_us = SimulatedMarket(SEED, rate=rate), time.time_ns() // 1000  # hours differ by a third
    pairs = [market._pairs[name] for name in DEFAULT_SYMBOLS]
    coming = sum(pair.first_id_from(now_us + int(seconds * 1e6)) - pair.first_id_from(now_us) for pair in pairs)
    return rate * rate * seconds / coming


def kline(slot: int, open_e8: int, close_e8: int) -> Candle:
    """A candle of the exchange with some volume."""
    high, low = max(open_e8, close_e8) + E8, min(open_e8, close_e8) - E8
    volume = (slot % 97 + 3) * E8
    return Candle(
        MINUTE.slot_open_us(slot), open_e8, high, low, close_e8, volume, volume * 60_000 * E8, 900, volume // 2,
        volume * 30_000 * E8, source=CandleSource.KLINE,
    )  # fmt: skip


class Scroller:
    """Pans a chart once a frame; keeps the times from paint to paint, and what of them this thread worked, in ms."""

    def __init__(self, running: Running, bars_a_second: float) -> None:
        self._chart, self._speed = running.chart, bars_a_second
        self._painted_at = self._moved_at = time.perf_counter()
        self._worked_at = time.thread_time()
        self.frames: list[float] = []
        self.work: list[float] = []
        self.held_up = 0
        self._chart.painted.connect(self._on_painted)

    def move(self) -> None:
        """Pan by as much as the time since the last pan asks for."""
        now = time.perf_counter()
        before = self._chart.visible_range_us()
        bars, self._moved_at = self._speed * min(now - self._moved_at, 0.1), now
        self._chart.navigator.pan(bars * self._chart._scene.time_scale.bar_px)
        self.held_up += before == self._chart.visible_range_us()

    def stop(self) -> None:
        self._chart.painted.disconnect(self._on_painted)

    def _on_painted(self) -> None:
        now = time.perf_counter()
        self.frames.append((now - self._painted_at) * 1000)
        self._painted_at = now
        worked_at = time.thread_time()
        self.work.append((worked_at - self._worked_at) * 1000)
        self._worked_at = worked_at
        if self._speed:
            # Not from within a paint; the chart's own frame timer says when the next one is.
            asyncio.get_running_loop().call_soon(self.move)


async def scroll(settings, begin_us: int, seconds: float, days: int, in_view: int) -> None:
    process = psutil.Process()
    async with open_window(settings) as running:
        chart = running.chart
        running.window.resize(1440, 900)
        await until(lambda: running.engine.database is not None and running.session.joined, seconds=60)
        chart.navigator.zoom(chart.slots_in_view / in_view)
        await asyncio.sleep(3)  # the beginning: history, the first trades
        trades = running.engine.recorder.trades_received
        at_rest = Scroller(running, 0.0)
        await asyncio.sleep(REST_S)
        at_rest.stop()
        report(f"at rest, {(running.engine.recorder.trades_received - trades) / REST_S:,.0f} trades/s", at_rest)
        trades, began, memory = running.engine.recorder.trades_received, time.perf_counter(), process.memory_info().rss
        cpu = process.cpu_times()
        scroller = Scroller(running, days * 1440 / seconds)
        chart.navigator.pan(chart.width() / 2)
        scroller.move()
        while chart.visible_range_us()[0] > begin_us and time.perf_counter() - began < 5 * seconds:
            await asyncio.sleep(0.1)
            if time.perf_counter() - scroller._moved_at > 0.2:
                scroller.move()  # nothing was painted, because nothing could move
        took = time.perf_counter() - began
        scroller.stop()
        report("scrolling", scroller)
        arrived = (running.engine.recorder.trades_received - trades) / took
        used = sum(process.cpu_times()[:2]) - sum(cpu[:2])
        loaded = len(running.session.series)
        print(f"{loaded:,} candles in {took:.0f} s, {loaded / took:,.0f}/s; {scroller.held_up} frames waited for them")
        print(f"{arrived:,.0f} trades/s meanwhile; {used / took:.0%} of a core in this process")
        print(f"memory {process.memory_info().rss / 1e6:.0f} MB ({(process.memory_info().rss - memory) / 1e6:+.0f})")


def report(what: str, scroller: Scroller) -> None:
    frames, work = scroller.frames[1:], scroller.work[1:]
    if not frames:
        print(f"{what}: nothing was painted")
        return
    over = sum(frame > 33 for frame in frames)
    print(f"{what}: paint to paint {figures(frames)}; {over} of {len(frames)} frames over 33 ms")
    print(f"{what}: of that, at work {figures(work)}")


def figures(values: list[float]) -> str:
    p50, p99 = np.percentile(values, [50, 99])
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {max(values):.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=5000.0)
    parser.add_argument("--days", type=int, default=3 * 365)
    parser.add_argument("--in-view", type=int, default=2000)
    parser.add_argument("--data-dir", type=Path, help="keep the database there, and take it if it is there already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        data_dir = options.data_dir or Path(folder) / "data"
        end = MINUTE.slot(time.time_ns() // 1000) - 60
        begin = end - options.days * 1440
        if not data_dir.exists():
            fill(data_dir, begin, end)
        begin_us = MINUTE.slot_open_us(begin)
        try:
            with multiprocessing.get_context("spawn").Pool(1) as elsewhere:  # what a market takes of memory is not ours
                asked = elsewhere.apply(rate_of_all, (options.rate, 2 * options.seconds))
            sandbox = "--rate", str(asked), "--seed", str(SEED), "--history", "1d"
            with simulated_settings(data_dir, *sandbox) as settings:
                run_on_qt_loop(lambda: scroll(settings, begin_us, options.seconds, options.days, options.in_view))
        finally:
            if options.data_dir is None:
                forget(data_dir)


if __name__ == "__main__":
    sys.exit(main())
