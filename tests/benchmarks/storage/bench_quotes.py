"""
How fast ticks are stored and their candles read: rows/s beside psql's ``\\copy`` into the same table, and milliseconds.

    python -m tests.benchmarks.storage.bench_quotes [ticks, 2000000] [years, 0] [--database URL]

The ticks are simulated: EUR/USD from Sunday to Friday evening, until now; some 1.6 a second, as the recorded days have,
or as many as spread over the years given. Every figure includes all rollups, the times fetched and synchronous commit.
``\\copy`` writes the ticks alone. `bench_quote_scroll` scrolls through such years in the window.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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
HOUR_US = 3_600_000_000
WEEK_US, OPEN_US = 168 * HOUR_US, 119 * HOUR_US
FIRST_WEEK_US = 1_388_959_200_000_000  # Sunday 2014-01-05, 22:00: open in summer and winter, until Friday, 21:00
USUAL_SPACING_MS = 620.0
IN_BULK = 50_000
MOST_COPIED = 2_000_000  # for the yardstick
READINGS = 7
TYPED = ("90s", "13m", "181m", "7s", "61s")


class Market(NamedTuple):
    """Simulated ticks: when they begin and end, UTC microseconds, and the mean milliseconds between them."""

    start_us: int
    end_us: int
    spacing_ms: float

    def parts(self, symbol_id: int, ticks: int) -> Iterator[TickColumns]:
        """Yield ticks of one symbol, at most so many, `IN_BULK` at a time, as columns; a few share their time."""
        dice = np.random.default_rng(1)
        open_us, price = 0, 110_000
        for start in range(0, ticks, IN_BULK):
            count = min(IN_BULK, ticks - start)
            since = open_us + np.cumsum((dice.exponential(self.spacing_ms, count).astype(np.int64)) * 1000)
            open_us = int(since[-1]) + 1000
            time_us = self.start_us + since // OPEN_US * WEEK_US + since % OPEN_US
            repeats = np.concatenate(([False], np.diff(time_us) == 0))
            numbers = np.arange(count)
            place = numbers - np.maximum.accumulate(np.where(repeats, 0, numbers))
            bid = 50_000 + np.abs(price - 50_000 + np.cumsum(dice.integers(-3, 4, count)))
            price = int(bid[-1])
            ask = bid + dice.integers(0, 12, count)
            sizes = dice.integers(75, 900, (2, count)) * 1_000_000
            part = TickColumns(np.full(count, symbol_id), time_us, place, bid * 1000, ask * 1000, sizes[0], sizes[1])
            if time_us[-1] >= self.end_us:
                yield part.take(time_us < self.end_us)
                return
            yield part


def market_until_now(ticks: int, years: float) -> Market:
    """Return the market of so many ticks until now: spread over the years, or with 0 years at the usual spacing."""
    now_us = time.time_ns() // 1000
    in_week_us = (now_us - FIRST_WEEK_US) % WEEK_US
    weeks = round(years * 365.25 / 7) if years else int(ticks * USUAL_SPACING_MS * 1000 // OPEN_US)
    open_us = weeks * OPEN_US + min(in_week_us, OPEN_US)
    return Market(now_us - in_week_us - weeks * WEEK_US, now_us, open_us / 1000 / ticks if years else USUAL_SPACING_MS)


def empty(url: str) -> None:
    with connect(url) as connection:
        connection.execute(f"TRUNCATE quotes, fetched_quotes, {', '.join(level.table for level in LEVELS)}".encode())
        connection.execute("CHECKPOINT")


def psql_copy(url: str, market: Market, ticks: int, symbol_id: int, folder: Path) -> float:
    """Return rows/s of ``\\copy`` from a ready file."""
    path = folder / "ticks.csv"
    with path.open("w") as lines:
        for part in market.parts(symbol_id, ticks):
            moments = part.time_us.astype("datetime64[us]").astype(str).tolist()
            amounts = [(column / 1e8).tolist() for column in part.columns()[3:]]
            for moment, place, *values in zip(moments, part.place.tolist(), *amounts, strict=True):
                lines.write(f"{symbol_id},{moment}Z,{place},{','.join(f'{value:.8f}' for value in values)}\n")
    empty(url)
    psql = find_postgres()[0].program("psql")
    began = time.perf_counter()
    subprocess.run([psql, "-q", url, "-c", rf"\copy quotes FROM '{path}' (FORMAT csv)"], check=True)
    return ticks / (time.perf_counter() - began)


def bulk(url: str, market: Market, ticks: int) -> tuple[int, float]:
    """Return how many ticks, given as columns `IN_BULK` at a time, were stored with the times fetched; and rows/s."""
    stored, seconds, fetched_us = 0, 0.0, market.start_us
    with connect(url) as connection:
        ledger = TickLedger(connection)
        symbol_id = ledger.symbol_ids([SYMBOL])[SYMBOL]
        for part in market.parts(symbol_id, ticks):
            span = (SYMBOL, fetched_us, int(part.time_us[-1]) + 1)
            began = time.perf_counter()
            assert ledger.store_columns(part, fetched=span).fresh == len(part)
            seconds += time.perf_counter() - began
            stored, fetched_us = stored + len(part), span[2]
    return stored, stored / seconds


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


def scattered(url: str, market: Market) -> tuple[float, float]:
    """Return the median and the longest milliseconds of a transaction of late ticks, one of each stored week."""
    weeks = np.arange((market.end_us - market.start_us) // WEEK_US)
    same = np.full(len(weeks), 110_000_000)
    times = []
    with connect(url) as connection:
        ledger = TickLedger(connection)
        symbol_id = ledger.symbol_ids([SYMBOL])[SYMBOL]
        for turn in range(READINGS):
            time_us = market.start_us + weeks * WEEK_US + turn * HOUR_US + 1
            batch = TickColumns(np.full(len(weeks), symbol_id), time_us, weeks * 0, same, same + 1_000, same, same)
            began = time.perf_counter()
            ledger.store_columns(batch)
            times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times), max(times)


def latest(database: Database) -> None:
    """
    Print how long the latest 1000 candles of every interval take, of the mid, as a chart asks for them: the median of
    some readings, and the slowest.
    """
    with connect(database.url) as connection:
        connection.execute("SET statement_timeout = 0")
        connection.execute("VACUUM ANALYZE")
    slowest = 0.0
    for interval in [*MENU_INTERVALS, *map(Interval.parse, TYPED)]:
        times = []
        for _ in range(READINGS):
            began = time.perf_counter()
            found = database.store.candles(SYMBOL, interval, limit=1_000)
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
    options = benchmark_options(__doc__, rows=2_000_000, years=0)
    ticks = int(options.rows)
    market = market_until_now(ticks, options.years)
    copied = min(ticks, MOST_COPIED)
    with benchmark_database(options.database) as database, tempfile.TemporaryDirectory() as folder:
        url = database.url
        with connect(url) as connection:
            ledger = TickLedger(connection)
            symbol_id = ledger.symbol_ids([SYMBOL])[SYMBOL]
            for part in market.parts(symbol_id, copied):
                ledger.store_columns(part)  # makes the partitions
        yardstick = psql_copy(url, market, copied, symbol_id, Path(folder))
        print(f"{database.facts.label}, {copied} ticks; \\copy {yardstick:,.0f} rows/s")
        some = [one_tick(SYMBOL, part, row) for part in market.parts(symbol_id, 40_000) for row in range(len(part))]
        for size, sample in ((10, 4_000), (100, 40_000), (1_000, 40_000), (10_000, 40_000)):
            speed, p99 = batches(url, some[:sample], size)
            print(f"batches of {size:>6}: {speed:>9,.0f} rows/s, ratio {speed / yardstick:.2f}, p99 {p99:.1f} ms")
        empty(url)
        stored, speed = bulk(url, market, ticks)
        print(f"in bulk, {stored} ticks: {speed:>9,.0f} rows/s, ratio {speed / yardstick:.2f}")
        latest(database)
        scroll(database)
        middle, longest = scattered(url, market)
        print(f"late ticks, one of each week: {middle:.0f} ms a transaction, at most {longest:.0f} ms")


if __name__ == "__main__":
    main()
