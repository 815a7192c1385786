"""
20,000 simulated trades a second into the window, for a minute: nothing lost, nothing doubled, the loop never stuck.

The sandbox publishes such a flood every 10 ms: the chart paints what has changed, so it can be painted 60 times/s.
Prints what is stored against what the sandbox says it sent (its newest ids, and of each symbol a page of trades to the
digit), what had to be repaired, the delays of the event loop (a 10 ms heartbeat on the loop the window runs on, beside
the same heartbeat on an idle loop in the same run), the longest queue and the memory.
Usage: ``python tests/benchmarks/window/bench_flood.py [--seconds 60] [--rate 20000]``
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil

sys.path.insert(0, str(Path(__file__).parents[3]))

from app.live.engine import Engine
from app.market.trade import Trade
from storage.database import Database
from storage.postgres.connection import connect
from tests.end_to_end.helpers import open_window, run_on_qt_loop, simulated_settings, until

HEARTBEAT_S = 0.01


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=20_000.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        arguments = ("--rate", str(options.rate), "--history", "1d")
        with simulated_settings(Path(folder) / "data", *arguments) as settings:
            sent: dict[str, Sent] = {}
            run_on_qt_loop(lambda: flood(settings, options.seconds, sent))
        check(settings.data_dir, sent)


class Sent(NamedTuple):
    """What the sandbox says it sent of one symbol while the window listened: ids, and a page of the trades between."""

    first_id: int
    last_id: int
    page: list[Trade]


async def flood(settings, seconds: float, sent: dict[str, Sent]) -> None:
    idle = await delays(3.0)
    process = psutil.Process()
    async with open_window(settings) as running:
        while not running.engine.recorder.trades_received:
            await asyncio.sleep(0.05)
        await asyncio.sleep(5)  # the beginning: history, the database, the join
        newest_before = await newest_ids(running.engine)
        first, started = running.engine.recorder.trades_received, time.monotonic()
        memory_before = process.memory_info().rss
        longest = [0]
        watch = asyncio.ensure_future(watch_queue(running, longest))
        paints = running.chart.paint_count
        worked = process.cpu_times()
        busy = await delays(seconds)
        watch.cancel()
        took = time.monotonic() - started
        now = process.cpu_times()
        cores = (now.user + now.system - worked.user - worked.system) / took
        arrived = running.engine.recorder.trades_received - first
        newest = await newest_ids(running.engine)
        count = sum(newest[symbol] - newest_before[symbol] for symbol in newest)
        print(f"sent               {count / took:10,.0f} trades/s of the symbols recorded, by the sandbox's own ids")
        print(f"received           {arrived / took:10,.0f} trades/s over {took:.0f} s")
        print(f"painted            {(running.chart.paint_count - paints) / took:10.1f} times/s")
        print(f"processor time     {cores * 100:10.0f} % of a core, {cores * took / arrived * 1e6:.0f} µs a trade")
        print(f"loop delay p50     {at(busy, 0.5):10.1f} ms (idle loop {at(idle, 0.5):.1f})")
        print(f"loop delay p99     {at(busy, 0.99):10.1f} ms (idle loop {at(idle, 0.99):.1f})")
        print(f"loop delay max     {busy[-1]:10.1f} ms (idle loop {idle[-1]:.1f})")
        print(f"longest queue      {longest[0]:10,d} trades of {settings.queue_trades:,d}")
        memory = process.memory_info().rss
        print(f"memory             {memory / 1e6:10.0f} MB ({(memory - memory_before) / 1e6:+.0f} in the run)")
        print(
            f"delay to the loop  {running.engine.recorder.delay.value or math.nan:10.1f} ms from the exchange, smoothed"
        )
        trackers = {symbol: running.engine.recorder.tracker(symbol).received.held for symbol in newest}
        await until(lambda: all(held.last >= newest[symbol] for symbol, held in trackers.items()))
        await until(lambda: not running.engine.repairer.repairing)
        print(f"known as missing   {running.engine.recorder.missing():10,d}")
        print(f"repaired           {running.engine.repairer.repaired:10,d}")
        for symbol, held in trackers.items():
            middle = (held.first + newest[symbol]) // 2
            page = await running.engine.exchange.trades_from(symbol, middle)
            sent[symbol] = Sent(held.first, newest[symbol], [one for one in page if one.trade_id <= newest[symbol]])


async def newest_ids(engine: Engine) -> dict[str, int]:
    """The newest id of each symbol recorded, as the exchange knows it."""
    return {
        symbol: (await engine.exchange.recent_trades(symbol, limit=1))[-1].trade_id
        for symbol in engine.recorder.symbols
    }


async def watch_queue(running, longest: list[int]) -> None:
    while True:
        database = running.engine.database
        queued = running.engine.waiting_trades + (database.writer.status.queued if database else 0)
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


def check(data_dir: Path, sent: dict[str, Sent]) -> None:
    """Compare what is stored with what was sent: every id once, and the page's trades as they are."""
    database = Database.open(None, data_dir)
    count = lost = doubled = differing = stored = 0
    try:
        for symbol, (first, last, page) in sent.items():
            with connect(database.url) as connection:
                rows, ids = connection.execute(
                    "SELECT count(*), count(DISTINCT trade_id) FROM trade_log"
                    " WHERE symbol = %s AND trade_id BETWEEN %s AND %s",
                    (symbol, first, last),
                ).fetchone()
            count += last - first + 1
            lost += last - first + 1 - ids
            stored += rows
            doubled += rows - ids
            kept = {one.trade_id: one for one in database.store.trades(symbol, page[0].trade_id, page[-1].trade_id)}
            differing += sum(kept.get(one.trade_id) != one for one in page)
    finally:
        database.close()
    pages = sum(len(one.page) for one in sent.values())
    print(f"stored             {stored:10,d} of {count:,d} trades sent: {lost} lost, {doubled} doubled")
    print(f"compared           {pages:10,d} trades to the digit: {differing} differ")


if __name__ == "__main__":
    main()
