"""
How fast candles are read: the latest 1000 of every interval, as the chart asks for them.

    python -m tests.benchmarks.storage.bench_candles [million trades, 20] [--database URL]

Three symbols of 30 trades/s each behind three years of 1 min candles; measured with a tenth of the trades and with all
of them, and on TimescaleDB Community once more with all of them compressed. The yardstick is a plain SELECT of the
latest 1000 rows of a rollup, as tuples.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from app.market.interval import MENU_INTERVALS, Interval
from storage.database import Database
from storage.postgres.batch_columns import TradeColumns
from storage.postgres.connection import Connection, connect
from storage.rollups.levels import LEVELS
from storage.trades.trade_ledger import TradeLedger
from tests.benchmarks._database import benchmark_database, benchmark_options
from tests.storage.helpers import compress

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
BEGIN_US = 1_723_161_600_000_000  # 2024-08-09T00:00Z
HISTORY_DAYS = 3 * 365
SPACING_US = 11_111  # of three symbols together: 30 trades/s each
FIRST_ID = 5_000_000_000
BATCH = 60_000
CUSTOM = "7s 13s 17s 61s 90s 1801s 13m 97m 181m 25h".split()
RUNS = 9

# A minute of history is a candle of 1,800 trades, whose ids end where the trades below begin.
HISTORY = """
    INSERT INTO rollup_1m
    SELECT s.id, timestamptz 'epoch' + {begin} * interval '1 us' - back * interval '1 min', open, open + 20, open - 20,
        open + 7, 12.3456789, 12.3456789 * open, 1800, 6.1, 6.1 * open, {first_id} - back::bigint * 1800,
        {first_id} - back::bigint * 1800 + 1799
    FROM symbols s, generate_series(1, {minutes}) AS back,
        LATERAL (SELECT (60000 + back % 977)::numeric(20, 8) AS open) AS price
    ORDER BY back DESC, 1
"""
COARSER = """
    INSERT INTO {coarse}
    SELECT symbol_id, date_bin('{length} us', open_time, 'epoch'), (array_agg(open ORDER BY first_trade_id))[1],
        max(high), min(low), (array_agg(close ORDER BY first_trade_id DESC))[1], sum(volume), sum(quote_volume),
        sum(trades), sum(taker_buy_volume), sum(taker_buy_quote_volume), min(first_trade_id), max(last_trade_id)
    FROM {fine} GROUP BY 1, 2 ORDER BY 2, 1
"""


def make_history(connection: Connection, ledger: TradeLedger) -> None:
    """Fill the rollups from 1 min up with three years, and the coverage with their ids."""
    numbers = ledger.symbol_ids(SYMBOLS)
    connection.execute("SET statement_timeout = 0")
    minutes = HISTORY_DAYS * 1440
    connection.execute(HISTORY.format(begin=BEGIN_US, first_id=FIRST_ID, minutes=minutes))
    for fine, coarse in pairwise(LEVELS[1:]):
        connection.execute(COARSER.format(fine=fine.table, coarse=coarse.table, length=coarse.length_us))
    for number in numbers.values():
        ids = (number, FIRST_ID - minutes * 1800, FIRST_ID - 1)
        connection.execute("INSERT INTO coverage VALUES (%s, %s, %s)", ids)


def make_trades(ledger: TradeLedger, begin: int, end: int) -> None:
    """Store the trades numbered ``begin`` to ``end`` over all symbols, oldest first."""
    numbers = np.array([ledger.symbol_ids(SYMBOLS)[name] for name in SYMBOLS])
    dice = np.random.default_rng(1)
    for start in range(begin, end, BATCH):
        at = np.arange(start, min(start + BATCH, end), dtype=np.int64)
        order = np.argsort(at % 3, kind="stable")
        at = at[order]
        ledger.store_columns(
            TradeColumns(
                numbers[at % 3],
                FIRST_ID + at // 3,
                BEGIN_US + at * SPACING_US,
                6_000_000_000_000 + dice.integers(0, 10**10, len(at)),
                dice.integers(1, 10**9, len(at)),
                dice.random(len(at)) < 0.5,
            )
        )


def median_ms(work: Callable[[], object]) -> float:
    """Return the median time of a few runs, after one that warms up."""
    work()
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def measure(database: Database) -> tuple[float, dict[str, float]]:
    """Return the yardstick and each interval's milliseconds for its latest 1000 candles."""
    plain = "SELECT * FROM rollup_1m WHERE symbol_id = 1 ORDER BY open_time DESC LIMIT 1000"
    with connect(database.url) as connection:
        yardstick = median_ms(lambda: connection.execute(plain).fetchall())
    found = {}
    for interval in [*MENU_INTERVALS, *map(Interval.parse, CUSTOM)]:
        assert database.store.candles("ETHUSDT", interval, limit=1000)[-1].trades
        found[interval.name] = median_ms(lambda i=interval: database.store.candles("ETHUSDT", i, limit=1000))
    return yardstick, found


def main() -> None:
    options = benchmark_options(__doc__, million_trades=20)
    trades = int(options.million_trades * 1e6)
    with benchmark_database(options.database) as database, connect(database.url) as connection:
        ledger = TradeLedger(connection)
        make_history(connection, ledger)
        make_trades(ledger, 0, trades // 10)
        connection.execute("ANALYZE")
        measured = {f"{trades / 1e7:g}M": measure(database)}
        began = time.perf_counter()
        make_trades(ledger, trades // 10, trades)
        seconds = time.perf_counter() - began
        connection.execute("ANALYZE")
        measured[f"{trades / 1e6:g}M"] = measure(database)
        if compress(connection):
            measured["compressed"] = measure(database)
        print(f"{database.facts.label}; {0.9 * trades / seconds:,.0f} rows/s while the table grew")
        plain = ", ".join(f"{yardstick:.1f}" for yardstick, _ in measured.values())
        print(f"a plain SELECT of 1000 rows: {plain} ms")
        print(f"latest 1000 candles, ms at {', '.join(measured)} trades, and the ratios to that")
        for name in next(iter(measured.values()))[1]:
            times = "".join(f"{found[name]:>9.1f}" for _, found in measured.values())
            ratios = "".join(f"{found[name] / yardstick:>7.1f}" for yardstick, found in measured.values())
            print(f"{name:>6}{times} {ratios}")


if __name__ == "__main__":
    main()
