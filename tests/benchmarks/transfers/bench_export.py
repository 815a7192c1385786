"""
How fast candles are exported: candles/s, and the ratio to the server's own ``COPY … TO`` a CSV file in the same run.

    python -m tests.benchmarks.transfers.bench_export [rows] [--database URL]

The candles are minutes of one symbol, with all their trades known, and klines of another. The export is the command's,
in a process of its own, of which the peak of memory is shown. Rolling candles of an hour and of a day follow, without
and with an indicator.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from storage.postgres.connection import Connection, connect
from tests.benchmarks._database import benchmark_database, benchmark_options

FORMATS = ("parquet", "csv", "feather", "csv.gz", "jsonl")
FIGURES = """
    61837.63 + i %% 1000, 61937.63 + i %% 1000, 61737.63 + i %% 1000, 61830.63 + i %% 1000,
    (i %% 977 + 1) * 1.00012345::numeric(20, 8), (i %% 977 + 1) * 61837.1234567812345678::numeric(38, 16), 500,
    (i %% 477) * 1.00012345::numeric(20, 8), (i %% 477) * 61837.1234567812345678::numeric(38, 16)
"""
COLUMNS = """
    open_time, open, high, low, close, volume, quote_volume, trades, taker_buy_volume, taker_buy_quote_volume
"""
VALUES = ("--indicators", "rsi:14")
# Runs the export as the command does, and tells the peak of its memory.
RUN = """
import resource, sys
from app.main import main
code = main(sys.argv[1:])
with open("/proc/self/status") as status:
    peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
print(peak, file=sys.stderr)
sys.exit(code)
"""


def fill(connection: Connection, rows: int) -> None:
    """Store minutes of two symbols: candles of trades, and klines."""
    connection.execute("INSERT INTO symbols (name, status) VALUES ('TRADEDUSDT', 'TRADING'), ('KLINESUSDT', 'TRADING')")
    times = "timestamptz '2005-01-01' + i * interval '1 minute'"
    connection.execute(
        f"INSERT INTO rollup_1m SELECT 1, {times}, {FIGURES}, i::bigint * 500 + 1, i::bigint * 500 + 500 "
        "FROM generate_series(0, %s) i",
        (rows + 1,),
    )
    connection.execute("INSERT INTO coverage VALUES (1, 1, %s)", (rows * 500 + 1_000,))
    connection.execute(
        f"INSERT INTO klines SELECT 2, 60, 0, {times}, {FIGURES} FROM generate_series(0, %s) i", (rows + 1,)
    )
    connection.execute("VACUUM ANALYZE rollup_1m, klines, coverage")


def copied(connection: Connection, table: str, columns: str, where: str, path: Path) -> float:
    """Return the seconds that the server takes to write the rows into a file, the better of two runs."""
    best = float("inf")
    for _ in range(2):
        began = time.perf_counter()
        connection.execute(
            f"COPY (SELECT {columns} FROM {table} WHERE {where} ORDER BY open_time) TO '{path}' (FORMAT csv)"
        )
        best = min(best, time.perf_counter() - began)
    return best


def exported(url: str, symbol: str, rows: int, path: Path, *what: str) -> tuple[float, int, int]:
    """Return the seconds that an export takes, the peak of its memory in bytes and its exit code."""
    arguments = ["export", symbol, *(what or ["1m"]), "--from", "2005-01-01T00:01", "--stored", "--out", str(path)]
    end = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(1_104_537_600 + (rows + 1) * 60))
    arguments += ["--to", end, "--database-url", url]
    began = time.perf_counter()
    ended = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    *said, peak = ended.stderr.splitlines()
    if said:
        print("\n".join(said))
    return seconds, int(peak) * 1_000, ended.returncode


def main() -> None:
    options = benchmark_options(__doc__, rows=1_000_000)
    rows = int(options.rows)
    ids = ", first_trade_id, last_trade_id"
    with (
        benchmark_database(options.database) as database,
        connect(database.url, statement_timeout_s=3_600) as connection,
        tempfile.TemporaryDirectory() as folder,
    ):
        fill(connection, rows)
        os.chmod(folder, 0o777)  # the server's user writes there, too
        for symbol, table, columns, where in (
            ("TRADEDUSDT", "rollup_1m", COLUMNS + ids, "symbol_id = 1"),
            ("KLINESUSDT", "klines", COLUMNS, "symbol_id = 2 AND seconds = 60 AND months = 0"),
        ):
            yardstick = copied(connection, table, columns, where, Path(folder) / "copy.csv")
            print(f"{symbol}, {rows:,} candles; COPY {rows / yardstick:,.0f}/s")
            for name in FORMATS:
                path = Path(folder) / f"export.{name}"
                seconds, peak, code = exported(database.url, symbol, rows, path)
                print(
                    f"{name:>8}: {rows / seconds:>9,.0f}/s, ratio {yardstick / seconds:.2f}, peak {peak / 1e6:.0f} MB,"
                    f" {path.stat().st_size / rows:.0f} bytes each, exit {code}"
                )
                path.unlink()
            for length, *more in (("60m",), ("1440m",), ("60m", *VALUES), ("1440m", *VALUES)):
                path = Path(folder) / "rolling.parquet"
                seconds, peak, code = exported(database.url, symbol, rows, path, length, "--rolling", *more)
                name = f"{length} rolling{' with values' if more else ''}"
                print(
                    f"{name:>8}: {rows / seconds:>9,.0f}/s, ratio {yardstick / seconds:.2f}, "
                    f"peak {peak / 1e6:.0f} MB, exit {code}"
                )
                path.unlink()


if __name__ == "__main__":
    main()
