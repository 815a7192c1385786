"""OctoBot's data files: SQLite with candles of several intervals, in the table ``ohlcv``, packed by gzip or not."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.market.errors import FileError
from app.market.ports.row_files import ReadingOptions, RowKind
from storage.files.readers.batches import NumberedRow
from storage.files.readers.cells import Cell
from storage.files.readers.formats.table_file import TableFile
from storage.files.readers.head import Head, Understanding
from storage.files.readers.identity import Identity
from storage.files.readers.layout import Layout
from storage.files.readers.sources.byte_source import ByteSource

SQLITE = b"SQLite format 3\0"
_COLUMNS = ("symbol", "interval", "open_time", "open", "high", "low", "close", "volume")
_QUERY = "SELECT symbol, time_frame, candle FROM ohlcv ORDER BY time_frame, timestamp"
_HEAD_ROWS = 20
_LARGEST_BYTES = 8 << 30


def open_octobot(source: ByteSource, options: ReadingOptions) -> TableFile:
    """
    Open a data file of OctoBot.

    Raises:
        FileError: If it is another program's, or damaged.
    """
    with _database(source) as database, _reading(source):
        count = database.execute("SELECT count(*) FROM ohlcv").fetchone()[0]
        first = [_cells(row) for row in database.execute(f"{_QUERY} LIMIT {_HEAD_ROWS}")]
    if not count:
        raise FileError(f"{source.path} is empty: it has no rows.")
    layout = Layout(RowKind.CANDLES, {name: place for place, name in enumerate(_COLUMNS)}, _COLUMNS, "OctoBot")
    seen = 0

    def numbered() -> Iterator[NumberedRow]:
        nonlocal seen
        with _database(source) as database, _reading(source):
            for seen, row in enumerate(database.execute(_QUERY), 1):
                yield NumberedRow(seen, _cells(row), json.dumps(row))

    identity = Identity(options.symbol, None, options.symbol is not None)
    understanding = Understanding(Head(_COLUMNS, first), layout, identity)
    return TableFile(source.path, understanding, numbered, lambda: seen / count)


def _cells(row: tuple[Cell, ...]) -> list[Cell]:
    symbol, interval, text = row
    try:
        candle = json.loads(text, parse_float=str)
    except (TypeError, ValueError, RecursionError):
        return []
    return [symbol, interval, *candle] if isinstance(candle, list) else []


@contextlib.contextmanager
def _database(source: ByteSource) -> Iterator[sqlite3.Connection]:
    """Open the database, unpacked into a folder that is removed afterwards: SQLite reads files alone."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path, size = Path(folder) / "candles.sqlite", 0
        with path.open("wb") as file:
            for block in source.blocks():
                size += len(block)
                if size > _LARGEST_BYTES:
                    raise FileError(f"{source.path} unpacks to more than {_LARGEST_BYTES:,} bytes: it is not read.")
                file.write(block)
        with contextlib.closing(sqlite3.connect(path)) as database:
            yield database


@contextlib.contextmanager
def _reading(source: ByteSource) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise FileError(f"{source.path} is an SQLite file of another program than OctoBot.") from error
    except sqlite3.DatabaseError as error:
        raise FileError(f"{source.path} is damaged and cannot be read. Get it again.") from error
