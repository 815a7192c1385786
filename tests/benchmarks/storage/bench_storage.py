"""
How fast trades are stored: rows/s, and the ratio to psql's ``\\copy`` of the same rows into the same table.

    python -m tests.benchmarks.storage.bench_storage [rows] [--database URL]

Every figure is a run of its own, with the ledger of ids, all rollups and synchronous commit.
Batches are of trades as the feed gives them; "in bulk" means columns, as an import has them.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from app.market.trade import Trade
from app.market.units import format_e8
from storage.database import Database
from storage.postgres import batch_columns
from storage.postgres.connection import connect
from storage.rollups.levels import LEVELS
from storage.server.installations import find_postgres
from storage.trades.trade_ledger import TradeLedger
from tests.benchmarks._database import benchmark_database, benchmark_options

START_US = 1_723_161_255_342_000
LARGEST_BATCH = 10_000
IN_BULK = 50_000


def market(rows: int) -> list[Trade]:
    """Return trades of three symbols, some 30 a second each."""
    dice = random.Random(1)
    return [
        Trade(
            ("BTCUSDT", "ETHUSDT", "SOLUSDT")[number % 3],
            10**9 + number // 3,
            START_US + number * 11_000 + dice.randrange(11_000),
            6_000_000_000_000 + dice.randrange(10**10),
            dice.randrange(1, 10**9),
            dice.random() < 0.5,
        )
        for number in range(rows)
    ]


def empty(url: str) -> None:
    with connect(url) as connection:
        connection.execute(f"TRUNCATE trades, coverage, {', '.join(level.table for level in LEVELS)}")
        connection.execute("CHECKPOINT")


def psql_copy(url: str, trades: list[Trade], folder: Path) -> float:
    """Return rows/s of ``\\copy`` from a ready file."""
    path = folder / "trades.csv"
    with path.open("w") as lines, connect(url) as connection:
        ids = dict(connection.execute("SELECT name, id FROM symbols").fetchall())
        for trade in trades:
            seconds, microseconds = divmod(trade.time_us, 1_000_000)
            moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
            price, quantity = format_e8(trade.price_e8), format_e8(trade.quantity_e8)
            fields = (ids[trade.symbol], f"{moment}.{microseconds:06}+00", trade.trade_id, price, quantity)
            lines.write(",".join(map(str, (*fields, trade.is_buyer_maker))) + "\n")
    empty(url)
    psql = find_postgres()[0].program("psql")
    began = time.perf_counter()
    subprocess.run([psql, "-q", url, "-c", rf"\copy trades FROM '{path}' (FORMAT csv)"], check=True)
    return len(trades) / (time.perf_counter() - began)


def batches(url: str, trades: list[Trade], size: int) -> tuple[float, float]:
    """Return rows/s of the writer's transactions of that size, and the 99th percentile of their milliseconds."""
    empty(url)
    times = []
    with connect(url) as connection:
        ledger = TradeLedger(connection)
        ledger.store(trades[:1])
        began = time.perf_counter()
        for start in range(0, len(trades), size):
            before = time.perf_counter()
            ledger.store(trades[start : start + size])
            times.append(time.perf_counter() - before)
        seconds = time.perf_counter() - began
    p99 = statistics.quantiles(times, n=100)[98] if len(times) > 1 else times[0]
    return len(trades) / seconds, p99 * 1000


def bulk(url: str, trades: list[Trade]) -> float:
    """Return rows/s of the same rows given as columns, `IN_BULK` at a time."""
    empty(url)
    with connect(url) as connection:
        ledger = TradeLedger(connection)
        numbers = ledger.symbol_ids({trade.symbol for trade in trades})
        parts = [
            batch_columns.trade_columns(trades[start : start + IN_BULK], numbers)[0]
            for start in range(0, len(trades), IN_BULK)
        ]
        began = time.perf_counter()
        for part in parts:
            ledger.store_columns(part)
        return len(trades) / (time.perf_counter() - began)


def queued(database: Database, trades: list[Trade]) -> float:
    """Return rows/s through the writer's queue and thread, put ten at a time."""
    empty(database.url)
    began = time.perf_counter()
    for start in range(0, len(trades), 10):
        while not database.writer.put(trades[start : start + 10]):
            time.sleep(0.001)
    assert database.writer.drain(120)
    return len(trades) / (time.perf_counter() - began)


def main() -> None:
    options = benchmark_options(__doc__, rows=2_000_000)
    rows = int(options.rows)
    trades = market(rows)
    with benchmark_database(options.database) as database, tempfile.TemporaryDirectory() as folder:
        with connect(database.url) as connection:
            TradeLedger(connection).store(trades)  # makes the symbols and the partition
        yardstick = psql_copy(database.url, trades, Path(folder))
        print(f"{database.facts.label}, {rows} rows; \\copy {yardstick:,.0f} rows/s")
        for size, sample in ((100, rows // 20), (1_000, rows // 5), (LARGEST_BATCH, rows)):
            speed, p99 = batches(database.url, trades[:sample], size)
            print(f"batches of {size:>6}: {speed:>9,.0f} rows/s, ratio {speed / yardstick:.2f}, p99 {p99:.1f} ms")
        speed = bulk(database.url, trades)
        print(f"in bulk          : {speed:>9,.0f} rows/s, ratio {speed / yardstick:.2f}")
        speed = queued(database, trades)
        print(f"through the queue: {speed:>9,.0f} rows/s, ratio {speed / yardstick:.2f}")


if __name__ == "__main__":
    main()
