"""
How fast ticks are stored and their candles read: rows/s beside psql's ``\\copy`` into the same table, and milliseconds.

    python -m tests.benchmarks.bench_quotes [ticks] [--database URL]

The ticks are simulated: EUR/USD from Sunday to Friday evening, some 1.6 a second, as the recorded days have. Every
figure includes all rollups, the times fetched and synchronous commit. ``\\copy`` writes the ticks alone.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from app.market.interval import MENU_INTERVALS, Interval
from app.market.quotes.tick import Tick
from storage.database import Database
from storage.postgres.connection import connect
from storage.quotes.tick_columns import TickColumns, one_tick
from storage.quotes.tick_ledger import TickLedger
from storage.quotes.tick_levels import LEVELS
from storage.server.installations import find_postgres
from tests.benchmarks._database import benchmark_database, benchmark_options

SYMBOL = "dukascopy:EURUSD"
START_US = 1_388_962_800_000_000  # Sunday 2014-01-05, 23:00
WEEK_US, OPEN_US = 7 * 86_400_000_000, 5 * 86_400_000_000
IN_BULK = 50_000
MOST_COPIED = 2_000_000  # for the yardstick
READINGS = 7
TYPED = ("90s", "13m", "181m", "7s", "61s")


def market(ticks: int, symbol_id: int) -> Iterator[TickColumns]:
    """Yield ticks of one symbol, `IN_BULK` at a time, as columns; a few of them share their time."""
    dice = np.random.default_rng(1)
    open_us, price = 0, 110_000
    for start in range(0, ticks, IN_BULK):
        count = min(IN_BULK, ticks - start)
        since = open_us + np.cumsum((dice.exponential(620, count).astype(np.int64)) * 1000)
        open_us = int(since[-1]) + 1000
        time_us = START_US + since // OPEN_US * WEEK_US + since % OPEN_US
        repeats = np.concatenate(([False], np.diff(time_us) == 0))
        numbers = np.arange(count)
        place = numbers - np.maximum.accumulate(np.where(repeats, 0, numbers))
        bid = 50_000 + np.abs(price - 50_000 + np.cumsum(dice.integers(-3, 4, count)))
        price = int(bid[-1])
        ask = bid + dice.integers(0, 12, count)
        sizes = dice.integers(75, 900, (2, count)) * 1_000_000
        yield TickColumns(np.full(count, symbol_id), time_us, place, bid * 1000, ask * 1000, sizes[0], sizes[1])


def empty(url: str) -> None:
    with connect(url) as connection:
        connection.execute(f"TRUNCATE quotes, fetched_quotes, {', '.join(level.table for level in LEVELS)}".encode())
        connection.execute("CHECKPOINT")


def psql_copy(url: str, ticks: int, symbol_id: int, folder: Path) -> float:
    """Return rows/s of ``\\copy`` from a ready file."""
    path = folder / "ticks.csv"
    with path.open("w") as lines:
        for part in market(ticks, symbol_id):
            moments = part.time_us.astype("datetime64[us]").astype(str).tolist()
            amounts = [(column / 1e8).tolist() for column in part.columns()[3:]]
            for moment, place, *values in zip(moments, part.place.tolist(), *amounts, strict=True):
                lines.write(f"{symbol_id},{moment}Z,{place},{','.join(f'{value:.8f}' for value in values)}\n")
    empty(url)
    psql = find_postgres()[0].program("psql")
    began = time.perf_counter()
    subprocess.run([psql, "-q", url, "-c", rf"\copy quotes FROM '{path}' (FORMAT csv)"], check=True)
    return ticks / (time.perf_counter() - began)


def bulk(url: str, ticks: int, symbol_id: int) -> float:
    """Return rows/s of ticks given as columns, `IN_BULK` at a time, each with its time fetched."""
    empty(url)
    seconds = 0.0
    with connect(url) as connection:
        ledger = TickLedger(connection)
        ledger.symbol_ids([SYMBOL])
        for part in market(ticks, symbol_id):
            span = (SYMBOL, int(part.time_us[0]), int(part.time_us[-1]) + 1)
            began = time.perf_counter()
            assert ledger.store_columns(part, fetched=span).fresh == len(part)
            seconds += time.perf_counter() - began
    return ticks / seconds


def batches(url: str, ticks: list[Tick], size: int) -> tuple[float, float]:
    """Return rows/s of the writer's transactions of that size, and the 99th percentile of their milliseconds."""
    empty(url)
    times = []
    with connect(url) as connection:
        ledger = TickLedger(connection)
        for start in range(0, len(ticks), size):
            before = time.perf_counter()
            ledger.store(ticks[start : start + size])
            times.append(time.perf_counter() - before)
    p99 = statistics.quantiles(times, n=100)[98] if len(times) > 1 else times[0]
    return len(ticks) / sum(times), p99 * 1000


def latest(database: Database) -> None:
    """Print how long the latest 1000 candles of every interval take: the median of some readings, and the slowest."""
    with connect(database.url) as connection:
        connection.execute("VACUUM ANALYZE")
    slowest = 0.0
    for interval in [*MENU_INTERVALS, *map(Interval.parse, TYPED)]:
        times = []
        for _ in range(READINGS):
            began = time.perf_counter()
            found = database.ticks.tick_candles(SYMBOL, interval, limit=1_000)
            times.append((time.perf_counter() - began) * 1000)
        middle = statistics.median(times)
        slowest = max(slowest, middle)
        print(f"latest {len(found):>5} of {interval.name:>5}: {middle:6.1f} ms, at most {max(times):6.1f} ms")
    print(f"the slowest interval takes {slowest:.1f} ms")


def scroll(database: Database) -> None:
    """Print how long it takes to read all minutes in pages, as an export does."""
    began = time.perf_counter()
    pages = 0
    candles = 0
    for page in database.ticks.iter_tick_candles(SYMBOL, Interval.parse("1m")):
        pages, candles = pages + 1, candles + len(page)
    seconds = time.perf_counter() - began
    print(f"all {candles:,} minutes in {pages} pages: {candles / seconds:,.0f} candles/s")


def main() -> None:
    options = benchmark_options(__doc__, rows=2_000_000)
    ticks = int(options.rows)
    copied = min(ticks, MOST_COPIED)
    with benchmark_database(options.database) as database, tempfile.TemporaryDirectory() as folder:
        url = database.url
        with connect(url) as connection:
            ledger = TickLedger(connection)
            symbol_id = ledger.symbol_ids([SYMBOL])[SYMBOL]
            for part in market(copied, symbol_id):
                ledger.store_columns(part)  # makes the partitions
        yardstick = psql_copy(url, copied, symbol_id, Path(folder))
        print(f"{database.facts.label}, {copied} ticks; \\copy {yardstick:,.0f} rows/s")
        some = [one_tick(SYMBOL, part, row) for part in market(40_000, symbol_id) for row in range(len(part))]
        for size, sample in ((10, 4_000), (100, 40_000), (1_000, 40_000), (10_000, 40_000)):
            speed, p99 = batches(url, some[:sample], size)
            print(f"batches of {size:>6}: {speed:>9,.0f} rows/s, ratio {speed / yardstick:.2f}, p99 {p99:.1f} ms")
        speed = bulk(url, ticks, symbol_id)
        print(f"in bulk, {ticks} ticks: {speed:>9,.0f} rows/s, ratio {speed / yardstick:.2f}")
        latest(database)
        scroll(database)


if __name__ == "__main__":
    main()
