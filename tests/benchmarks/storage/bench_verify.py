"""
How fast the database is compared with itself: trades/s, and the ratio to copying the same trades out with ``\\copy``.

    python -m tests.benchmarks.storage.bench_verify [rows] [--database URL]

Then the same after every candle was lost: verifying, mending, and verifying again.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable

from storage.integrity.rebuild import rebuild
from storage.integrity.status import read_status
from storage.integrity.verify import verify
from storage.postgres.connection import connect
from storage.rollups.levels import LEVELS
from storage.server.installations import find_postgres
from storage.trades.trade_ledger import TradeLedger
from tests.benchmarks._database import benchmark_database, benchmark_options
from tests.benchmarks.storage.bench_storage import IN_BULK, market
from tests.storage.helpers import compress


def timed(work: Callable[[], object]) -> float:
    """Return the seconds it takes, the better of two runs."""
    best = float("inf")
    for _ in range(2):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def main() -> None:
    options = benchmark_options(__doc__, rows=600_000)
    rows = int(options.rows)
    with (
        benchmark_database(options.database) as database,
        connect(database.url, statement_timeout_s=600) as connection,
    ):
        ledger, trades = TradeLedger(connection), market(rows)
        for start in range(0, rows, IN_BULK):
            ledger.store(trades[start : start + IN_BULK])
        compressed = ", compressed" if compress(connection) else ""
        connection.execute("VACUUM ANALYZE")
        psql = find_postgres()[0].program("psql")
        copy = [psql, "-q", database.url, "-c", rf"\copy (SELECT * FROM trades) TO '{os.devnull}'"]
        yardstick = timed(lambda: subprocess.run(copy, check=True))
        print(f"{database.facts.label}, {rows} trades{compressed}; \\copy out {rows / yardstick:,.0f} rows/s")
        seconds = timed(lambda: verify(connection))
        print(f"verify:  {rows / seconds:>9,.0f} trades/s, ratio {yardstick / seconds:.2f}")
        connection.execute(f"TRUNCATE {', '.join(level.table for level in LEVELS)}")
        began = time.perf_counter()
        left = rebuild(connection).remaining
        seconds = time.perf_counter() - began
        print(f"rebuild: {rows / seconds:>9,.0f} trades/s, ratio {yardstick / seconds:.2f}, left {left.listed}")
        print(f"status:  {timed(lambda: read_status(connection)) * 1000:>9.1f} ms")


if __name__ == "__main__":
    main()
