"""
The window's frames while others read from it, beside the same window's while nobody does.

    python -m tests.benchmarks.serving.bench_served_frames [--seconds 30] [--rate 2000] [--clients 50] [--data-dir DIR]

A real window off screen records symbols of a sandbox in a process of its own and serves; its chart is moved a little
with every frame, so that each is painted. First that is all. Then another process reads without a pause: clients of
live trades, ten months of 1 min candles one after the other, and a million trades as Arrow likewise. The database is
that of `bench_switch` with its three symbols; with ``--data-dir`` it is kept there, and taken if it is there already.
Printed is the time from paint to paint, p50, p99 and the longest, with and without, and the ratio of the p99.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from urllib.request import urlopen

import numpy as np

from app.config.settings import Settings
from tests.benchmarks._database import benchmark_folder
from tests.benchmarks.serving.bench_live import Reader, Readers, subscribed
from tests.benchmarks.serving.bench_served_depth import MONTHS_S
from tests.benchmarks.window.bench_scroll import SEED
from tests.benchmarks.window.bench_switch import fill, trades_begin_us
from tests.benchmarks.window.bench_transfer_frames import SETTLE_S, frames
from tests.end_to_end.helpers import open_window, run_on_qt_loop, simulated_settings, until
from tests.program import free_port

RECORDED = ("XRPUSDT", "BNBUSDT", "ADAUSDT")  # not those of the database, whose ids are others
TRADES = 4_000_000
Read = tuple[int, int, dict[str, int]]  # trades heard, clients cut, and requests by kind


def read_all(port: int, clients: int, begin_us: int, ends: Event, done: Queue[Read]) -> None:
    """Read from that port until ``ends`` is set, then send what was read; run in a process of its own."""
    readers = [Reader(subscribed(port, symbols=RECORDED), is_timed=False) for _ in range(clients)]
    reading = Readers(readers)
    reading.start()
    counts = Counter[str]()
    months = f"from={begin_us // 10**6 - MONTHS_S}&to={begin_us // 10**6}"

    def loop(what: str, path: str) -> None:
        while not ends.is_set():
            with urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                answer.read()
            counts[what] += 1

    threads = [
        threading.Thread(target=loop, args=one)
        for one in (
            ("10 months", f"/api/candles?symbol=BTC&timeframe=1m&{months}"),
            ("Arrow", f"/trades.arrow?symbol=BTC&from={begin_us // 1_000}"),
        )
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    reading.stop()
    done.put((sum(one.trades for one in readers), sum(one.is_cut for one in readers), dict(counts)))


@contextmanager
def readers_of(port: int, clients: int, begin_us: int) -> Iterator[None]:
    """Let another process read meanwhile; print what it read."""
    context = multiprocessing.get_context("spawn")
    ends, done = context.Event(), context.Queue()
    process = context.Process(target=read_all, args=(port, clients, begin_us, ends, done))
    process.start()
    try:
        yield
    finally:
        ends.set()
        trades, cut, counts = done.get(timeout=30)
        process.join(30)
        print(f"{clients} clients heard {trades:,} trades, {cut} cut; requests: {counts}")


async def compare(settings: Settings, begin_us: int, options: argparse.Namespace) -> None:
    async with open_window(settings) as running:
        running.window.resize(1440, 900)
        await until(lambda: running.session is not None and running.session.joined, seconds=60)
        running.chart.navigator.pan(running.chart.width() / 2)  # away from the latest candle, which would hold it
        await asyncio.sleep(SETTLE_S)
        without = await frames(running, "without readers", options.seconds)
        with readers_of(settings.serve_port, options.clients, begin_us):
            await asyncio.sleep(SETTLE_S)
            beside = await frames(running, "with readers", options.seconds)
        ratio = np.percentile(beside, 99) / np.percentile(without, 99)
        print(f"p99 with readers is {ratio:.2f} times the one without")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=2_000.0, help="trades/s of all the sandbox's symbols")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    with benchmark_folder() as folder:
        data_dir = options.data_dir or folder / "data"
        if not data_dir.exists():
            fill(data_dir, TRADES)
        begin_us = trades_begin_us(data_dir)
        with simulated_settings(data_dir, "--rate", str(options.rate), "--seed", str(SEED)) as settings:
            settings = replace(settings, symbols=RECORDED, serve_port=free_port(), serve_requests_per_minute=0)
            began = time.perf_counter()
            run_on_qt_loop(lambda: compare(settings, begin_us, options))
            print(f"all in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
