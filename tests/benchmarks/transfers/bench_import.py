"""
How fast archive zips come into the database, and the ratio to psql's \\copy of the same rows, unpacked beforehand.

    python -m tests.benchmarks.transfers.bench_import [--trades 2000000] [--days 10] [--database URL]

Makes the exchange's daily zips of genuine-looking trades and, as the yardstick, their rows as text in the layout of the
table. psql copies those into an empty table like `trades`, partitions and key included; then the import reads the zips
into an empty database, with ledger, coverage and rollups. Both on the same server, one after the other, and
what is stored is then held against what was made. `tests.soak.files.import_crash` kills the import.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from storage.database import Database
from storage.postgres.batch_columns import TradeColumns
from storage.postgres.connection import connect
from storage.server.installations import wheel_postgres
from tests.benchmarks._database import benchmark_database

SYMBOL = "BTCUSDT"
FIRST_DAY_US = 1_723_161_600_000_000  # 2024-08-09T00:00Z
DAY_US = 86_400_000_000
FIRST_ID = 3_735_683_259
PART = 50_000  # rows made at a time


def made_day(day: int, rows: int) -> TradeColumns:
    """Return that day's trades: bursts, a price that walks, quantities of all sizes; times in milliseconds."""
    dice = np.random.default_rng(day)
    gaps = dice.exponential(1.0, rows) * np.where(dice.random(rows) < 0.6, 0.0, 1.0)
    times_us = (FIRST_DAY_US + day * DAY_US + np.cumsum(gaps) * (DAY_US - 1_000_000) / max(1.0, gaps.sum())).astype(
        np.int64
    )
    prices = 6_100_000_000_000 + np.cumsum(dice.integers(-3, 4, rows)) * 1_000_000
    quantities = (10 ** dice.uniform(0, 5, rows)).astype(np.int64) * 1_000
    ids = FIRST_ID + day * rows + np.arange(rows)
    return TradeColumns(
        np.ones(rows, np.int64), ids, times_us // 1000 * 1000, prices, quantities, dice.random(rows) < 0.5
    )


def rows_of(trades: TradeColumns) -> Iterator[tuple[int, int, int, int, bool]]:
    columns = (trades.trade_id, trades.time_us, trades.price, trades.quantity, trades.maker)
    return zip(*(column.tolist() for column in columns), strict=True)


def decimal(amount: int) -> str:
    return f"{amount // 10**8}.{amount % 10**8:08d}"


def archive_lines(trades: TradeColumns) -> str:
    """Return the rows as the exchange's archive writes them, without a header."""
    return "".join(
        f"{number},{decimal(price)},{decimal(amount)},{decimal(price * amount // 10**8)},{at // 1000},{maker},True\n"
        for number, at, price, amount, maker in rows_of(trades)
    )


def copy_lines(trades: TradeColumns) -> str:
    """Return the rows as psql's \\copy reads them, in the columns of the table."""
    times = np.datetime_as_string(trades.time_us.astype("datetime64[us]")).tolist()
    return "".join(
        f"1\t{at}+00\t{number}\t{decimal(price)}\t{decimal(quantity)}\t{maker}\n"
        for at, (number, _, price, quantity, maker) in zip(times, rows_of(trades), strict=True)
    )


def make_files(folder: Path, days: int, rows: int) -> Path:
    """Write a zip for each day, and all rows as text; return the text's path."""
    text = folder / "rows.tsv"
    with text.open("w") as unpacked:
        for day in range(days):
            for part in write_zip(folder / "zips", day, rows):
                unpacked.write(copy_lines(part))
    return text


def write_zip(folder: Path, day: int, rows: int) -> Iterator[TradeColumns]:
    """Write a day's zip into the folder, and yield its trades, a part at a time."""
    trades = made_day(day, rows)
    name = f"{SYMBOL}-trades-{datetime.fromtimestamp(FIRST_DAY_US // 10**6 + day * 86_400, UTC):%Y-%m-%d}"
    folder.mkdir(exist_ok=True)
    packed = zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=4)
    with packed, packed.open(f"{name}.csv", "w") as lines:
        for start in range(0, rows, PART):
            part = trades.take(slice(start, start + PART))
            lines.write(archive_lines(part).encode())
            yield part


def copied_in_s(database: Database, text: Path) -> float:
    """Return how long psql takes to copy the rows into an empty table in the layout of trades."""
    with connect(database.url) as connection:
        connection.execute("DROP TABLE IF EXISTS yardstick")
        connection.execute("CREATE TABLE yardstick (LIKE trades INCLUDING ALL) PARTITION BY RANGE (time)")
        connection.execute(
            "DO $$ BEGIN FOR n IN 0..11 LOOP EXECUTE format('CREATE TABLE yardstick_%s PARTITION OF yardstick "
            "FOR VALUES FROM (%L) TO (%L)', n, timestamptz '2024-08-01' + n * interval '1 month', "
            "timestamptz '2024-08-01' + (n + 1) * interval '1 month'); END LOOP; END $$"
        )
    psql = next(iter(wheel_postgres())).bin_dir / "psql"
    began = time.perf_counter()
    subprocess.run([psql, database.url, "-qc", f"\\copy yardstick FROM '{text}'"], check=True)
    took = time.perf_counter() - began
    with connect(database.url) as connection:
        connection.execute("DROP TABLE yardstick")
        connection.execute("CHECKPOINT")
    return took


class Memory(NamedTuple):
    """Bytes: resident in the import's processes, and of the server's, what they share counted once."""

    program: int
    server: int


def server_of(database: Database) -> psutil.Process | None:
    """Return the server's main process; None if it is not on this machine."""
    with connect(database.url) as connection:
        backend = connection.info.backend_pid
        try:
            return psutil.Process(backend).parent()
        except psutil.NoSuchProcess:
            return None


def started_import(database: Database, folder: Path) -> subprocess.Popen[str]:
    surroundings = {**os.environ, "CRYPTOPIPE_DATABASE_URL": database.url, "CRYPTOPIPE_DATA_DIR": str(folder / "data")}
    command = [sys.executable, "-m", "app.main", "import", str(folder / "zips"), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings)


def peaks_of(process: subprocess.Popen[str], server: psutil.Process | None) -> tuple[threading.Thread, list[Memory]]:
    """Return a thread that measures while the process runs, and what it finds."""
    found: list[Memory] = []

    def watch() -> None:
        program = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                ours = sum(one.memory_info().rss for one in (program, *program.children(recursive=True)))
                servers = [server, *server.children(recursive=True)] if server else []
                found.append(Memory(ours, sum(one.memory_full_info().pss for one in servers)))
            except psutil.Error:
                continue
            time.sleep(0.2)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread, found


def checked(database: Database, days: int, rows: int) -> str:
    """Return what the database holds, after comparing its number and sums with the trades that were made."""
    with connect(database.url, statement_timeout_s=600) as connection:
        stored = connection.execute(
            "SELECT count(*), count(DISTINCT trade_id), sum(price * quantity) FROM trades"
        ).fetchone()
        ranges = connection.execute("SELECT first_trade_id, last_trade_id FROM coverage").fetchall()
        rolled = [
            connection.execute(f"SELECT sum(trades), sum(quote_volume) FROM rollup_{level}").fetchone()
            for level in ("5s", "1m", "15m", "1h", "1d")
        ]
        size = connection.execute(
            "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('trades')"
        ).fetchone()
    made = sum(
        int(price) * int(quantity) for day in range(days) for _, _, price, quantity, _ in rows_of(made_day(day, rows))
    )
    assert stored == (days * rows, days * rows, stored[2]), stored
    assert int(stored[2] * 10**16) == made, (stored, made)
    assert ranges == [(FIRST_ID, FIRST_ID + days * rows - 1)], ranges
    assert set(rolled) == {(days * rows, stored[2])}, rolled
    return f"{size[0] / days / rows:.0f} bytes a trade"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trades", type=int, default=2_000_000)
    parser.add_argument("--days", type=int, default=10, help="days that the trades are of (10)")
    parser.add_argument("--database", metavar="URL", help="a server to measure instead of the embedded one")
    options = parser.parse_args()
    rows = options.trades // options.days
    count = rows * options.days
    with contextlib.ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory()))
        text = make_files(folder, options.days, rows)
        database = ending.enter_context(benchmark_database(options.database))
        print(f"{database.facts.label}, {count:,} trades in {options.days} zips")
        copy_s = copied_in_s(database, text)
        text.unlink()
        print(f"   \\copy: {copy_s:7.1f} s, {count / copy_s:>9,.0f} rows/s")
        server = server_of(database)
        began = time.perf_counter()
        process = started_import(database, folder)
        thread, peaks = peaks_of(process, server)
        printed, complaints = process.communicate()
        took = time.perf_counter() - began
        thread.join()
        assert process.returncode == 0, complaints
        report = json.loads(printed)
        print(f"  import: {took:7.1f} s, {count / took:>9,.0f} rows/s, ratio {copy_s / took:.2f}")
        print({name: report[name] for name in ("read", "stored", "held", "refused", "missing")})
        program, server = (max(found) / 1e6 for found in zip(*peaks, strict=True))
        both = max(sum(found) for found in peaks) / 1e6
        print(f"  memory: import {program:.0f} MB, server {server:.0f} MB, both at a time {both:.0f} MB")
        print(f"  stored: {checked(database, options.days, rows)}; every trade once")


if __name__ == "__main__":
    main()
