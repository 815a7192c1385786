"""
How fast tables of rolling windows are built and their indicators updated, beside psql's ``\\copy`` and a plain UPDATE.

    python -m tests.benchmarks.storage.bench_research [minutes] [--database URL]

A symbol-year of minutes at five lengths. ``\\copy`` brings the same rows into a table of the same form. The plain
UPDATE sets the same values of the same rows from a table of them without an index, at a fillfactor of 100. Windows
alone and all 60 phases of RSI are over five years of minutes, without a database; beside windows stands how many numpy
makes of sums of floats.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from app.market.candle import Candle, CandleSource
from app.market.columns.arrow import arrow
from app.market.columns.candle_columns import columns_of
from app.market.columns.rolling import MINUTE_US, stream_windows
from app.market.file_columns import MINUTE_INDEX
from app.market.indicators.phase_values import Figures, PhaseValues
from app.market.indicators.research_names import named_indicators
from app.market.interval import ORIGIN_US, Interval
from storage.database import Database
from storage.postgres.connection import connect
from storage.server.installations import find_postgres
from tests.benchmarks._database import benchmark_database, benchmark_options

LENGTHS = [1, 5, 13, 60, 181]
INDICATORS = "rsi_14,atr_14,cvd"
START_US = 1_672_531_200_000_000  # 2023-01-01
FIVE_YEARS = 2_600_000
_BATCH = 50_000
_PART = 300_000  # windows that are computed at a time, as by the program


def minutes(first: int, count: int, dice: np.random.Generator) -> list[Candle]:
    closes = (10**10 + np.cumsum(dice.integers(-(10**6), 10**6, count))).tolist()
    return [
        Candle(
            START_US + (first + at) * MINUTE_US,
            close - 500,
            close + 700,
            close - 900,
            close,
            10**8 + at,
            (10**8 + at) * close,
            5,
            10**7,
            10**7 * close,
            source=CandleSource.KLINE,
        )
        for at, close in enumerate(closes)
    ]


def sums_of_floats(length: int) -> float:
    """Return the windows of which numpy sums five columns of floats, neither exact nor anything else, per second."""
    columns = [np.ones(FIVE_YEARS) for _ in range(5)]
    began = time.perf_counter()
    for column in columns:
        running = np.concatenate(([0.0], np.cumsum(column)))
        np.subtract(running[length:], running[:-length])
    return (FIVE_YEARS + 1 - length) / (time.perf_counter() - began)


def pure() -> None:
    """Print the rates of what needs no database."""
    dice = np.random.default_rng(1)
    batch = columns_of(minutes(0, _BATCH, dice))
    shifted = []
    for number in range(FIVE_YEARS // _BATCH):
        times = batch.column("open_time").cast("int64").to_numpy() + number * _BATCH * MINUTE_US
        kind = batch.schema.field("open_time").type
        shifted.append(batch.set_column(0, "open_time", arrow().array(times).view(kind)))
    sum(windows.num_rows for windows in stream_windows(shifted[:2], 13))  # what only the first call costs
    for length in (13, 60, 181, 1440):
        began = time.perf_counter()
        rows = sum(windows.num_rows for windows in stream_windows(shifted, length))
        rate = rows / (time.perf_counter() - began)
        yardstick = sums_of_floats(length)
        print(
            f"windows of {length:>4} minutes: {rate / 1e6:.1f}M rows/s; numpy's sums of five columns of floats alone: "
            f"{yardstick / 1e6:.1f}M rows/s, ratio {rate / yardstick:.2f}"
        )
    close = 100 + np.cumsum(dice.normal(size=FIVE_YEARS)) * 0.01
    opens_us = ORIGIN_US + np.arange(FIVE_YEARS) * MINUTE_US
    names = ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume", "taker_buy_quote_volume")
    figures: Figures = dict.fromkeys(names, close)
    figures |= {"open_time_us": opens_us, "trades": np.ones(FIVE_YEARS), MINUTE_INDEX: np.arange(FIVE_YEARS) % 60}
    for text in ("rsi_14", INDICATORS):
        PhaseValues(named_indicators(text), 60).add({name: column[:9_000] for name, column in figures.items()})
        began = time.perf_counter()
        values = PhaseValues(named_indicators(text), 60)
        for first in range(0, FIVE_YEARS, _PART):
            values.add({name: column[first : first + _PART] for name, column in figures.items()})
        print(f"60 phases of five years, {text}: {time.perf_counter() - began:.2f} s")


def copied(database: Database, rows: int, folder: Path) -> float:
    """Return rows/s of ``\\copy`` of a table's rows into one of the same form."""
    psql = find_postgres()[0].program("psql")
    path = folder / "rows.csv"
    subprocess.run(
        [psql, "-q", database.url, "-c", rf"\copy (SELECT * FROM ohlcv_60m) TO '{path}' (FORMAT csv)"], check=True
    )
    with connect(database.url) as connection:
        connection.execute("CREATE TABLE copied (LIKE ohlcv_60m INCLUDING ALL) WITH (fillfactor = 40)")
        connection.execute("CHECKPOINT")
    began = time.perf_counter()
    subprocess.run([psql, "-q", database.url, "-c", rf"\copy copied FROM '{path}' (FORMAT csv)"], check=True)
    return rows / (time.perf_counter() - began)


def plain_update(database: Database) -> tuple[float, float]:
    """Return the seconds of a plain UPDATE of all rows with the same values, and how much of it was HOT."""
    columns = "rsi_14, atr_14, cvd"
    with connect(database.url, statement_timeout_s=600) as connection:
        connection.execute("DROP TABLE copied; CREATE TABLE plain (LIKE ohlcv_60m INCLUDING ALL)")
        connection.execute("INSERT INTO plain SELECT * FROM ohlcv_60m")
        connection.execute(f"CREATE TABLE given AS SELECT timestamp, {columns} FROM plain")
        connection.execute("UPDATE plain SET rsi_14 = NULL, atr_14 = NULL, cvd = NULL")
        connection.execute("VACUUM FULL plain")
        connection.execute("ANALYZE")
        connection.execute("SELECT pg_stat_reset()")
        began = time.perf_counter()
        connection.execute(
            "UPDATE plain p SET rsi_14 = g.rsi_14, atr_14 = g.atr_14, cvd = g.cvd FROM given g"
            " WHERE p.timestamp = g.timestamp"
        )
        seconds = time.perf_counter() - began
    with connect(database.url) as connection:
        row = connection.execute(
            "SELECT n_tup_hot_upd::float / n_tup_upd FROM pg_stat_user_tables WHERE relname = 'plain'"
        ).fetchone()
        connection.execute("DROP TABLE plain, given")
    assert row is not None
    return seconds, float(row[0])


def main() -> None:
    options = benchmark_options(__doc__, minutes=525_600)
    count = int(options.minutes)
    pure()
    with benchmark_database(options.database) as database, tempfile.TemporaryDirectory() as name:
        dice = np.random.default_rng(2)
        for first in range(0, count, _BATCH):
            part = minutes(first, min(_BATCH, count - first), dice)
            database.store.save_klines("BTCUSDT", Interval.parse("1m"), part)
        research = database.research()
        began = time.perf_counter()
        built = research.build(["BTCUSDT"], LENGTHS)
        speed = sum(one.rows for one in built) / (time.perf_counter() - began)
        yardstick = copied(database, built[3].rows, Path(name))
        print(f"{database.facts.label}, {count} minutes at five lengths; \\copy {yardstick:,.0f} rows/s")
        print(f"build: {speed:,.0f} rows/s, ratio {speed / yardstick:.2f}")
        began = time.perf_counter()
        again = research.build(["BTCUSDT"], LENGTHS)
        print(f"again: {time.perf_counter() - began:.1f} s, {sum(one.written for one in again)} rows written")
        for minutes_of in (1, 5, 13, 181):
            research.drop(["BTCUSDT"], [minutes_of])
        began = time.perf_counter()
        research.build(["BTCUSDT"], [60], START_US, START_US + MINUTE_US, indicators=INDICATORS)
        seconds = time.perf_counter() - began
        (status,) = research.status()
        print(f"update of {status.updates:,} rows, {INDICATORS}: {seconds:.1f} s, HOT {status.hot_share:.3f}")
        seconds, hot = plain_update(database)
        print(f"plain UPDATE of the same rows, values at hand: {seconds:.1f} s, HOT {hot:.3f}")


if __name__ == "__main__":
    main()
