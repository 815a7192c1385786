"""
Exports trades and candles in every format, imports each file into an empty database, and compares all rows.

Both by the program's own commands, each in a process of its own, whose peak of resident memory is shown. The server
compares the rows. Every format gives back all digits but xlsx: it gets ``--sheet-rows`` rows, and an amount of a candle
may be off by 1e-14 of it.

Usage: ``python tests/soak/files/round_trip.py [--trades N] [--candles N] [--sheet-rows N] [--formats F …] [--database
URL]``; exits with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from psycopg import sql

from app.market.file_format import MOST_SHEET_ROWS, FileFormat
from app.market.ports.row_files import TradeBatch
from storage.database import Database
from storage.files.times import format_time
from storage.postgres.connection import connect
from storage.rollups.levels import LEVELS
from tests.benchmarks.transfers.bench_import import peaks_of
from tests.servers import EMBEDDED, shared_server, stop_shared_servers
from tests.tables import our_tables

TRADED, PUBLISHED = "BTCUSDT", "ETHUSDT"
FIRST_ID = 3_735_683_259
TRADES_FROM_US = 1_723_161_600_000_000  # 2024-08-09T00:00Z
CANDLES_FROM_US = 1_672_531_200_000_000  # 2023-01-01T00:00Z
MINUTE_US = 60_000_000
SPACING_US = 37_000  # of trades, each somewhere in its own
PART = 200_000  # trades made at a time
_TIMEOUT_S = 3_600.0

_TRADE_COLUMNS = "time, trade_id, price, quantity, is_buyer_maker"
_AMOUNTS = ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume", "taker_buy_quote_volume")
_ROLLUP_COLUMNS = f"open_time, {', '.join(_AMOUNTS)}, trades, first_trade_id, last_trade_id"
# Without the ids of aggregated trades: they do not leave the database, because without the trades they prove nothing.
_CANDLE_COLUMNS = f"open_time, {', '.join(_AMOUNTS)}, trades, source, complete"


def made_trades(first: int, count: int, of: int) -> TradeBatch:
    """Return trades from number ``first`` on; the first half of all ``of`` has milliseconds, the rest microseconds."""
    dice = np.random.default_rng(first)
    numbers = np.arange(first, first + count)
    times_us = TRADES_FROM_US + numbers * SPACING_US + dice.integers(0, SPACING_US // 1_000, count) * 1_000
    times_us += np.where(numbers * 2 >= of, dice.integers(0, 1_000, count), 0)
    prices = 6_100_000_000_000 + np.cumsum(dice.integers(-300_000, 300_001, count))
    quantities = (10 ** dice.uniform(0, 13, count)).astype(np.int64)
    return TradeBatch(TRADED, count, FIRST_ID + numbers, times_us, prices, quantities, dice.random(count) < 0.5)


def _hashed(salt: int, bits: int) -> str:
    return f"(hashint8extended(i, {salt}) & {(1 << bits) - 1})"


# Every seventh minute is without a trade, every eleventh incomplete, every thirteenth of aggregated trades.
_MAKE_CANDLES = f"""
    INSERT INTO klines (symbol_id, seconds, months, {_CANDLE_COLUMNS})
    SELECT symbols.id, 60, 0, timestamptz 'epoch' + ({CANDLES_FROM_US} + i * {MINUTE_US}) * interval '1 microsecond',
        open, greatest(open, close) + above, low, close, volume, quoted, trunc(volume / 3, 8), trunc(quoted / 7, 16),
        CASE WHEN volume > 0 THEN 1 + i %% 5000 ELSE 0 END, CASE WHEN i %% 13 = 0 THEN 'aggtrades' ELSE 'kline' END,
        i %% 11 <> 0
    FROM symbols, generate_series(0, %s::bigint - 1) AS i, LATERAL (
        SELECT low, low + {_hashed(1, 26)} * 1e-8 AS open, low + {_hashed(2, 26)} * 1e-8 AS close,
            {_hashed(3, 20)} * 1e-8 AS above,
            CASE WHEN i %% 7 = 0 THEN 0 ELSE (1 + {_hashed(4, 43)}) * 1e-8 END AS volume,
            CASE WHEN i %% 7 = 0 THEN 0 ELSE (1 + {_hashed(5, 43)}) * 1e-8 * (1 + {_hashed(6, 43)}) * 1e-8 END AS quoted
        FROM (SELECT (1 + ({_hashed(7, 43)} >> (i %% 40)::integer)) * 1e-8 AS low) AS lowest
    ) AS made
    WHERE name = %s
"""


class Rows(NamedTuple):
    """What a round trip is of: the rows of a symbol before ``end_us``; None: all."""

    symbol: str
    interval: str  # "trades", or that of candles
    count: int
    end_us: int | None = None

    @property
    def span(self) -> list[str]:
        """The range as an export is given it. That of trades has no ends where nobody knows what lies beyond."""
        start = ["--from", format_time(CANDLES_FROM_US)] if self.interval != "trades" else []
        return [*start, *(["--to", format_time(self.end_us)] if self.end_us else [])]


def candles_end_us(count: int) -> int:
    """Return when so many candles have ended."""
    return CANDLES_FROM_US + count * MINUTE_US


class Ended(NamedTuple):
    """A command that has ended: its exit code, what ``--json`` printed, its complaints, and what it took."""

    code: int
    report: dict[str, Any]
    complaints: str
    took_s: float
    peak_bytes: int


Command = Callable[[Sequence[str], str], Ended]
"""Runs the program with these arguments on the database of that URL."""


def run_command(arguments: Sequence[str], url: str) -> Ended:
    """Run the program in a process of its own."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as data_dir:
        variables = {**os.environ, "CRYPTOPIPE_DATABASE_URL": url, "CRYPTOPIPE_DATA_DIR": data_dir}
        process = subprocess.Popen(
            [sys.executable, "-m", "app.main", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=variables,
        )
        watching, peaks = peaks_of(process, None)
        printed, complaints = process.communicate()
        watching.join()
    peak = max((found.program for found in peaks), default=0)
    report = json.loads(printed) if printed.startswith("{") else {}
    return Ended(process.returncode, report, complaints, time.perf_counter() - began, peak)


class RoundTrip:
    """
    Fills a schema of a server, and brings its rows through files into others.

    ``differences`` has a sentence for each thing that went wrong.
    """

    def __init__(
        self,
        server_url: str,
        folder: Path,
        command: Command = run_command,
        progress: Callable[[str], object] = lambda line: None,
    ) -> None:
        self._server_url = server_url
        self._folder = folder
        self._command = command
        self._progress = progress
        self.differences: list[str] = []

    def run(self, trades: int, candles: int, sheet_rows: int, formats: Sequence[FileFormat]) -> None:
        """Make the rows, and bring them through a file of each format."""
        with our_tables(self._server_url) as url:
            self.fill(url, trades, candles)
            for file_format in formats:
                shown = min(trades, sheet_rows) if file_format is FileFormat.XLSX else trades
                end_us = TRADES_FROM_US + shown * SPACING_US if shown < trades else None
                self._bring(Rows(TRADED, "trades", shown, end_us), file_format, url)
            for file_format in formats:
                shown = min(candles, sheet_rows) if file_format is FileFormat.XLSX else candles
                self._bring(Rows(PUBLISHED, "1m", shown, candles_end_us(shown)), file_format, url)

    def fill(self, url: str, trades: int, candles: int) -> None:
        """Store so many trades of one symbol and candles of another."""
        database = Database.open(url, self._folder / "filling")
        try:
            with closing(database.bulk_loader()) as loader:
                for first in range(0, trades, PART):
                    loader.load(loader.prepare(made_trades(first, min(PART, trades - first), trades)))
                loader.finish()
        finally:
            database.close()
        with connect(url, statement_timeout_s=_TIMEOUT_S) as connection:
            connection.execute("INSERT INTO symbols (name, status) VALUES (%s, 'TRADING')", (PUBLISHED,))
            connection.execute(_MAKE_CANDLES.encode(), (candles, PUBLISHED))
            connection.execute("ANALYZE klines")

    def _bring(self, rows: Rows, file_format: FileFormat, source_url: str) -> None:
        """Export the rows, import the file into an empty schema, and note what differs."""
        before = len(self.differences)
        path = self._folder / f"{rows.symbol}-{rows.interval}.{file_format}"
        out = ["--stored", "--out", str(path), "--json"]
        exported = self._command(["export", rows.symbol, rows.interval, *rows.span, *out], source_url)
        with our_tables(self._server_url) as target_url:
            imported = self._command(["import", str(path), "--json"], target_url)
            # Some of the candles are incomplete: they are in the file, and the command says so.
            wanted_code = 0 if rows.interval == "trades" else 3
            figures = [imported.report.get(one) for one in ("read", "stored", "held", "refused", "missing")]
            if exported.code != wanted_code or exported.report.get("rows") != rows.count:
                self.differences.append(f"the export to {path.name} ended with {exported.code}: {exported.complaints}")
            elif imported.code or figures != [rows.count, rows.count, 0, 0, 0]:
                said = f"{figures} {imported.complaints}"
                self.differences.append(f"the import of {path.name} ended with {imported.code}: {said}")
            else:
                is_sheet = file_format is FileFormat.XLSX
                found = (
                    trade_differences(source_url, target_url, rows.end_us)
                    if rows.interval == "trades"
                    else candle_differences(source_url, target_url, rows.count, is_rounded=is_sheet)
                )
                self.differences += [f"{path.name}: {one}" for one in found]
        self._progress(
            f"{rows.interval:>6} {file_format:>7}: {rows.count:>9,} rows,"
            f" {path.stat().st_size / rows.count:4.0f} bytes each;"
            f" export {exported.took_s:6.1f} s, {exported.peak_bytes / 1e6:4.0f} MB;"
            f" import {imported.took_s:6.1f} s, {imported.peak_bytes / 1e6:4.0f} MB;"
            f" {'the same' if len(self.differences) == before else 'DIFFERENT'}"
        )
        for made in self._folder.glob(f"{path.name}*"):
            made.unlink()


def trade_differences(source_url: str, target_url: str, end_us: int | None) -> list[str]:
    """Return what of the trades before ``end_us`` differs, and of all also what of their ids and candles does."""
    before = "" if end_us is None else f"WHERE time < '{format_time(end_us)}'"
    queries = {
        "trades": (f"SELECT {_TRADE_COLUMNS} FROM {{}}.trades {before}", f"SELECT {_TRADE_COLUMNS} FROM {{}}.trades")
    }
    if end_us is None:
        ids = "SELECT first_trade_id, last_trade_id FROM {}.coverage"
        queries["coverage"] = (ids, ids)
        for level in LEVELS:
            candles = f"SELECT {_ROLLUP_COLUMNS} FROM {{}}.{level.table}"
            queries[level.table] = (candles, candles)
    return _unequal(source_url, target_url, queries)


def candle_differences(source_url: str, target_url: str, count: int, *, is_rounded: bool) -> list[str]:
    """Return what of the first ``count`` candles differs; ``is_rounded``: amounts may, by 1e-14 of them."""
    before = f"WHERE open_time < '{format_time(candles_end_us(count))}'"
    if not is_rounded:
        candles = f"SELECT {_CANDLE_COLUMNS} FROM {{}}.klines"
        return _unequal(source_url, target_url, {"candles": (f"{candles} {before}", candles)})
    far = " OR ".join(f"abs(s.{name} - t.{name}) > 1e-14 * s.{name}" for name in _AMOUNTS)
    rest = " OR ".join(f"s.{name} IS DISTINCT FROM t.{name}" for name in ("trades", "source", "complete"))
    joined = f"""
        SELECT open_time FROM (SELECT * FROM {{}}.klines {before}) AS s
        FULL JOIN {{}}.klines AS t USING (open_time) WHERE t.trades IS NULL OR {far} OR {rest}
    """
    with connect(source_url, statement_timeout_s=_TIMEOUT_S) as connection:
        schemas = [sql.Identifier(schema_of(url)) for url in (source_url, target_url)]
        found = connection.execute(sql.SQL(joined).format(*schemas)).fetchall()
    return [f"{len(found):,} candles differ, the first is {min(found)[0]}"] if found else []


def _unequal(source_url: str, target_url: str, queries: dict[str, tuple[str, str]]) -> list[str]:
    """
    Return which of these queries differ, as rows of the one schema and of the other.

    Rows are distinct, by the keys of the tables. So they are the same if they are as many, and the one has none that
    the other lacks.
    """
    differences: list[str] = []
    source, target = (sql.Identifier(schema_of(url)) for url in (source_url, target_url))
    with connect(source_url, statement_timeout_s=_TIMEOUT_S) as connection:
        for name, (of_source, of_target) in queries.items():
            given, got = sql.SQL(of_source).format(source), sql.SQL(of_target).format(target)
            lacking = connection.execute(
                sql.SQL("SELECT count(*) FROM ({} EXCEPT {}) AS lacking").format(given, got)
            ).fetchone()
            counts = connection.execute(
                sql.SQL("SELECT (SELECT count(*) FROM ({}) AS a), (SELECT count(*) FROM ({}) AS b)").format(given, got)
            ).fetchone()
            assert lacking is not None
            assert counts is not None
            if lacking[0] or counts[0] != counts[1]:
                differences.append(f"{lacking[0]:,} of {counts[0]:,} {name} are not among the {counts[1]:,} imported")
    return differences


def schema_of(url: str) -> str:
    """Return the schema that a URL of `tests.tables.our_tables` is for."""
    with connect(url) as connection:
        found = connection.execute("SELECT current_schema()").fetchone()
    assert found is not None
    return str(found[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trades", type=int, default=5_000_000)
    parser.add_argument("--candles", type=int, default=1_000_000)
    parser.add_argument("--sheet-rows", type=int, default=200_000, help=f"rows of a sheet, up to {MOST_SHEET_ROWS:,}")
    parser.add_argument("--formats", nargs="+", type=FileFormat, default=list(FileFormat), metavar="F")
    parser.add_argument("--database", metavar="URL", help="a server to use instead of the embedded one")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cryptopipe-round-trip-") as folder:
        url = options.database or shared_server(EMBEDDED)
        try:
            trip = RoundTrip(url, Path(folder), progress=lambda line: print(line, flush=True))
            trip.run(options.trades, options.candles, min(options.sheet_rows, MOST_SHEET_ROWS), options.formats)
        finally:
            stop_shared_servers()
    took = f"({time.monotonic() - began:.0f} s)"
    if trip.differences:
        sys.exit("\n".join([*trip.differences, f"Not the same {took}"]))
    print(f"{options.trades:,} trades and {options.candles:,} candles: the same rows from every format {took}")


if __name__ == "__main__":
    main()
