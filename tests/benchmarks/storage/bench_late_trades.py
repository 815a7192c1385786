"""
How fast trades come into a day long past: rows/s, and the ratio to storing the day in the first place.

    python -m tests.benchmarks.storage.bench_late_trades [million trades, 1] [--database URL]

A day of three symbols is stored without a quarter of its trades, which is spread over the day, and on TimescaleDB
Community compressed. Then come a quarter that is held, the missing trades, and those once more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from app.market.trade import Trade
from storage.postgres.connection import connect
from storage.trades.trade_ledger import TradeLedger
from tests.benchmarks._database import benchmark_database, benchmark_options
from tests.storage.helpers import compress

START_US = 1_723_161_600_000_000  # 2024-08-09T00:00Z
DAY_US = 86_400_000_000
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
BATCH = 10_000
HOLE = 50  # ids in every 200 of a symbol


def day(trades: int) -> list[Trade]:
    """Return that many trades of the symbols, evenly over the day."""
    spacing_us = DAY_US // trades
    return [
        Trade(
            SYMBOLS[n % 3],
            10**9 + n // 3,
            START_US + n * spacing_us,
            6 * 10**12 + n * 7919 % 10**9,
            10**6 + n,
            n % 2 > 0,
        )
        for n in range(trades)
    ]


def rows_per_second(ledger: TradeLedger, trades: Sequence[Trade]) -> float:
    """Store the trades in batches of the size that repairs make."""
    began = time.perf_counter()
    for start in range(0, len(trades), BATCH):
        ledger.store(trades[start : start + BATCH])
    return len(trades) / (time.perf_counter() - began)


def main() -> None:
    options = benchmark_options(__doc__, million_trades=1)
    trades = day(int(options.million_trades * 1e6))
    late = [trade for trade in trades if trade.trade_id % (4 * HOLE) < HOLE]
    first = [trade for trade in trades if trade.trade_id % (4 * HOLE) >= HOLE]
    with benchmark_database(options.database) as database, connect(database.url) as connection:
        ledger = TradeLedger(connection)
        yardstick = rows_per_second(ledger, first)
        compressed = "compressed" if compress(connection) else "not compressed"
        print(f"{database.facts.label}, {len(trades)} trades, {compressed}; at first {yardstick:,.0f} rows/s")
        for name, some in (("repeated", first[: len(late)]), ("late", late), ("repeated late", late)):
            speed = rows_per_second(TradeLedger(connection), some)
            print(f"{name:>13}: {len(some):>9,} trades, {speed:>9,.0f} rows/s, ratio {speed / yardstick:.2f}")


if __name__ == "__main__":
    main()
