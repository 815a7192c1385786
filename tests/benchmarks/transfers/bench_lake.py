"""
How fast days of trades and quotes go into a lake and come back, beside COPY and Parquet's own write of the same rows.

    python -m tests.benchmarks.transfers.bench_lake [--trades 2000000] [--quotes 1000000] [--days 10]

Fills a database with genuine-looking trades and pushes them into a folder, by the command in a process of its own;
then pulls the lake into an empty database; then the same with quotes. The yardsticks of the same run: COPY of all rows
out of the table, and into an empty one like it; and Arrow's write and read of the same rows, already in memory, as the
lake packs them. A push reads the rows out of the database and writes them, so it competes with the two yardsticks one
after the other. Memory is the most that the command's process had resident. What came back is compared with what was
made.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from app.market.columns.wide_decimals import decimal_array
from app.market.ports.row_files import TradeBatch
from app.market.quotes.tick_columns import TickColumns, tick_columns
from storage.database import Database
from storage.lake.parquet_part import lake_schema
from storage.lake.partition import LakeKind
from storage.postgres.batch_columns import TradeColumns
from storage.postgres.connection import connect
from tests.benchmarks._database import benchmark_database
from tests.benchmarks.transfers.bench_import import DAY_US, FIRST_DAY_US, made_day

QUOTED = "dukascopy:EURUSD"
_BATCH = 80_000


def fill(database: Database, days: int, rows: int) -> None:
    """Store the trades by the import's own way."""
    with contextlib.closing(database.bulk_loader()) as loader:
        for day in range(days):
            made = made_day(day, rows)
            for start in range(0, rows, _BATCH):
                part = made.take(slice(start, start + _BATCH))
                columns = (part.trade_id, part.time_us, part.price, part.quantity, part.maker)
                loader.load(loader.prepare(TradeBatch("BTCUSDT", len(part), *columns)))
        loader.finish()
    with connect(database.url) as connection:
        connection.execute("CHECKPOINT")


def made_quotes(day: int, rows: int) -> TickColumns:
    """Return that day's quotes: the times and prices of trades, around them a spread."""
    made = made_day(day, rows)
    bid = made.price // 1_000_000
    return tick_columns(QUOTED, made.time_us, bid, bid + 1 + made.quantity % 5, made.quantity, made.quantity[::-1])


def fill_quotes(database: Database, days: int, rows: int) -> None:
    """Store the quotes by the import's own way, and that all of each day were fetched."""
    with contextlib.closing(database.bulk_loader()) as loader:
        for day in range(days):
            start_us = FIRST_DAY_US + day * DAY_US
            loader.load_ticks(made_quotes(day, rows), (start_us, start_us + DAY_US))
        loader.finish()
    with connect(database.url) as connection:
        connection.execute("CHECKPOINT")


def copied_s(database: Database, table: str) -> tuple[float, float]:
    """Return how long COPY takes to read all rows of a table, and to write them into an empty one like it."""
    with connect(database.url, statement_timeout_s=600) as connection:
        began = time.perf_counter()
        pieces = list[bytes]()
        with connection.cursor().copy(f"COPY (SELECT * FROM {table}) TO STDOUT (FORMAT binary)".encode()) as copy:
            pieces += [bytes(piece) for piece in copy]
        read_s = time.perf_counter() - began
        connection.execute(f"CREATE TABLE yardstick (LIKE {table} INCLUDING ALL)".encode())
        joined = b"".join(pieces)
        pieces.clear()
        began = time.perf_counter()
        with connection.cursor().copy("COPY yardstick FROM STDIN (FORMAT binary)") as copy:
            for start in range(0, len(joined), 1 << 20):
                copy.write(joined[start : start + (1 << 20)])
        write_s = time.perf_counter() - began
        connection.execute("DROP TABLE yardstick")
        connection.execute("CHECKPOINT")
    return read_s, write_s


def table_of(made: TradeColumns) -> Any:
    """Return a day's trades as Arrow has them."""
    schema = lake_schema(LakeKind.TRADES)
    amount = schema.field("price").type
    columns = [pa.array(made.trade_id), pa.array(made.time_us).view(pa.timestamp("us"))]
    columns += [decimal_array(made.price, amount), decimal_array(made.quantity, amount), pa.array(made.maker)]
    return pa.Table.from_arrays(columns, schema=schema)


def quote_table_of(made: TickColumns) -> Any:
    """Return a day's quotes as Arrow has them."""
    schema = lake_schema(LakeKind.QUOTES)
    amounts = (made.bid_e8, made.ask_e8, made.bid_size_e8, made.ask_size_e8)
    columns = [pa.array(made.time_us).view(pa.timestamp("us"))]
    return pa.Table.from_arrays(
        [*columns, *(decimal_array(one, schema.field("bid").type) for one in amounts)], schema=schema
    )


def packed_s(tables: Iterable[Any]) -> tuple[float, float, int]:
    """Return how long Arrow takes to write and to read the tables, which it has in memory, and their bytes."""
    write_s = read_s = 0.0
    size = 0
    for table in tables:
        buffer = io.BytesIO()
        rising = {name: "DELTA_BINARY_PACKED" for name in ("trade_id", "time") if name in table.column_names}
        amounts = [name for name in table.column_names if name not in rising and name != "is_buyer_maker"]
        packed = {"use_dictionary": amounts, "column_encoding": rising}
        began = time.perf_counter()
        pq.write_table(table, buffer, compression="zstd", compression_level=3, row_group_size=131_072, **packed)
        write_s += time.perf_counter() - began
        size += buffer.tell()
        began = time.perf_counter()
        pq.read_table(pa.BufferReader(buffer.getbuffer()), use_threads=False)
        read_s += time.perf_counter() - began
    return write_s, read_s, size


def run(database: Database, folder: Path, *arguments: str) -> tuple[float, int, Any]:
    """Return the seconds and the most resident bytes of ``cryptopipe lake``, and its document."""
    surroundings = {**os.environ, "CRYPTOPIPE_DATABASE_URL": database.url, "CRYPTOPIPE_DATA_DIR": str(folder / "data")}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "app.main", "lake", *arguments, "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env=surroundings,
    )
    peaks = [0]

    def watch() -> None:
        with contextlib.suppress(psutil.Error):
            program = psutil.Process(process.pid)
            while process.poll() is None:
                peaks[0] = max(peaks[0], program.memory_info().rss)
                time.sleep(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    printed, _ = process.communicate()
    took = time.perf_counter() - began
    thread.join()
    assert process.returncode == 0, printed
    return took, peaks[0], json.loads(printed)


def checked(database: Database, days: int, rows: int) -> None:
    """Compare what is stored with what was made, without the first and the last day, of which nobody saw the ends."""
    for day in range(1, days - 1):
        made = made_day(day, rows)
        start = int(made.time_us[0]) // 86_400_000_000 * 86_400_000_000
        pages = database.store.iter_trade_columns("BTCUSDT", start, start + 86_400_000_000)
        stored = pa.Table.from_batches(pages).select(lake_schema(LakeKind.TRADES).names)
        assert stored.column("trade_id").to_numpy().tolist() == made.trade_id.tolist()
        expected = table_of(made)
        for name in ("price", "quantity", "is_buyer_maker"):
            assert stored.column(name).combine_chunks().equals(expected.column(name).combine_chunks()), (day, name)
        times = stored.column("time").combine_chunks().view(pa.int64())
        assert times.equals(expected.column("time").combine_chunks().view(pa.int64())), day


def checked_quotes(database: Database, days: int, rows: int) -> None:
    """Compare what is stored with what was made."""
    for day in range(days):
        start_us = FIRST_DAY_US + day * DAY_US
        pages = database.store.tick_store.iter_tick_columns(QUOTED, start_us, start_us + DAY_US)
        stored, expected = pa.Table.from_batches(pages), quote_table_of(made_quotes(day, rows))
        for name in ("bid", "ask", "bid_size", "ask_size"):
            assert stored.column(name).combine_chunks().equals(expected.column(name).combine_chunks()), (day, name)
        times = stored.column("time").combine_chunks().view(pa.int64())
        assert times.equals(expected.column("time").combine_chunks().view(pa.int64())), day


class Measured(NamedTuple):
    """
    What is measured of a kind, in ``days`` of ``rows`` each, of which ``pushed`` are complete.

    ``fill`` stores them, ``table_of`` returns a day as Arrow has it, ``check`` compares what came back.
    """

    noun: str
    table: str
    days: int
    rows: int
    pushed: int
    fill: Callable[[Database, int, int], None]
    table_of: Callable[[int, int], Any]
    check: Callable[[Database, int, int], None]


def measure(one: Measured) -> None:
    """Print the rates of a push, a verification and a pull, each beside its yardsticks."""
    with contextlib.ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory()))
        database = ending.enter_context(benchmark_database(None))
        one.fill(database, one.days, one.rows)
        count, inside = one.rows * one.days, one.rows * one.pushed
        read_s, write_s = copied_s(database, one.table)
        pack_s, unpack_s, size = packed_s(one.table_of(day, one.rows) for day in range(one.days))
        print(f"{database.facts.label}, {count:,} {one.noun} of {one.days} days, {size / count:.2f} bytes each")
        for name, seconds in (
            ("COPY out", read_s),
            ("COPY in", write_s),
            ("Arrow writes Parquet", pack_s),
            ("Arrow reads Parquet", unpack_s),
        ):
            print(f"{name:>24}: {count / seconds:>10,.0f} rows/s")
        push_s, push_bytes, pushed = run(database, folder, "push", str(folder / "lake"))
        assert pushed["rows"] == inside, pushed
        verify_s, verify_bytes, _ = run(database, folder, "verify", str(folder / "lake"))
        with benchmark_database(None) as other:
            pull_s, pull_bytes, pulled = run(other, folder, "pull", str(folder / "lake"))
            assert pulled["stored"] == inside, pulled
            one.check(other, one.days, one.rows)
        yardsticks = {"push": read_s + pack_s, "pull": write_s + unpack_s, "verify": unpack_s}
        for name, seconds, peak in (
            ("push", push_s, push_bytes),
            ("pull", pull_s, pull_bytes),
            ("verify", verify_s, verify_bytes),
        ):
            ratio = (inside / seconds) / (count / yardsticks[name])
            rate = f"{inside / seconds:>10,.0f} rows/s, {ratio:.2f} of its yardsticks"
            print(f"{name:>24}: {rate}, {peak / 1e6:.0f} MB at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trades", type=int, default=2_000_000)
    parser.add_argument("--quotes", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=10, help="days that the trades, and the quotes, are of (10)")
    options = parser.parse_args()
    days = options.days
    if options.trades:
        rows = options.trades // days

        def day_of_trades(day: int, rows: int) -> Any:
            return table_of(made_day(day, rows))

        measure(Measured("trades", "trades", days, rows, days - 2, fill, day_of_trades, checked))
    if options.quotes:
        rows = options.quotes // days

        def day_of_quotes(day: int, rows: int) -> Any:
            return quote_table_of(made_quotes(day, rows))

        measure(Measured("quotes", "quotes", days, rows, days, fill_quotes, day_of_quotes, checked_quotes))


if __name__ == "__main__":
    main()
