"""Parquet, Feather and Arrow IPC: typed columns, read in blocks of rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather
import pyarrow.parquet

from app.market.errors import FileError
from app.market.ports.row_files import ReadingOptions, RowBatch
from storage.files.readers.arrow_columns import arrow_batches
from storage.files.readers.batches import NumberedRow, RowConverter
from storage.files.readers.cells import Cell
from storage.files.readers.head import Head, Understanding, understand
from storage.files.readers.names import NameFacts, with_export_facts
from storage.files.readers.sources.byte_source import readable
from storage.files.writers.row_writer import FACTS_KEY

PARQUET, ARROW_FILE, FEATHER_V1, ARROW_STREAM = b"PAR1", b"ARROW1", b"FEA1", b"\xff\xff\xff\xff"
_BLOCK_ROWS = 32_768
_HEAD_ROWS = 200
_UNITS_US = {"s": 1_000_000, "ms": 1_000, "us": 1}
_FIRST_US, _LAST_US = -62_135_000_000_000_000, 253_402_000_000_000_000  # almost the years 1 to 9999, in any zone


class ArrowFile:
    """A table of typed columns whose meaning is known; see `app.market.ports.row_files.RowFile`."""

    def __init__(self, path: Path, understanding: Understanding) -> None:
        self.path = path
        self.table = ""
        self.kind = understanding.layout.kind
        self.symbol = understanding.symbol
        self.understanding = understanding
        self._layout = understanding.layout.narrowed()
        self._identity = understanding.identity
        self._converter = RowConverter(self._layout, self._identity)
        self._progress = 0.0

    def batches(self) -> Iterator[RowBatch]:
        """See `app.market.ports.row_files.RowFile`."""
        return self.understanding.some_of(self.path, self._batches())

    def progress(self) -> float:
        """See `app.market.ports.row_files.RowFile`."""
        return self._progress

    def shortfall(self) -> str | None:
        """See `app.market.ports.row_files.RowFile`."""
        return None

    def _batches(self) -> Iterator[RowBatch]:
        number = 1
        for block, share in _blocks(self.path, self._layout.names):
            columns = {name: block.column(place) for name, place in self._layout.columns.items()}
            found = arrow_batches(self._layout, self._identity, columns, number)
            yield from found if found is not None else self._converter.batches(_numbered(block, number))
            number += block.num_rows
            self._progress = share
        self._progress = 1.0


def arrow_head(path: Path) -> Head:
    """
    Return the names of the columns and the first rows.

    Raises:
        FileError: If the file is damaged, or has no rows.
    """
    for block, _ in _blocks(path, None):
        if block.num_rows:
            return Head(tuple(block.schema.names), list(_rows(block.slice(0, _HEAD_ROWS))))
    raise FileError(f"{path} is empty: it has no rows.")


def open_arrow(path: Path, facts: NameFacts, options: ReadingOptions) -> ArrowFile:
    """
    Open a table of typed columns.

    Raises:
        FileError: If it cannot be read, or is neither trades nor candles.
    """
    head, facts = arrow_head(path), with_export_facts(facts, _export_facts(path))
    return ArrowFile(path, understand(head, facts, options))


def _export_facts(path: Path) -> object:
    """Return what our own export wrote into the file; None if another program wrote it."""
    with path.open("rb") as file:
        head = file.read(6)
    if head.startswith(PARQUET):
        metadata = pyarrow.parquet.read_metadata(path).metadata
    elif head.startswith(ARROW_FILE):
        with pa.memory_map(str(path)) as raw, pa.ipc.open_file(raw) as opened:
            metadata = opened.schema.metadata
    else:
        return None
    try:
        return json.loads((metadata or {})[FACTS_KEY.encode()])
    except (LookupError, ValueError):
        return None


def _blocks(path: Path, names: Sequence[str] | None) -> Iterator[tuple[Any, float]]:
    """Yield blocks of the columns, all of them for None, and how much of the file has been read with each."""
    with readable(path):
        try:
            with path.open("rb") as file:
                head = file.read(6)
            if head.startswith(PARQUET):
                yield from _parquet_blocks(path, names)
            elif head.startswith(ARROW_STREAM):
                yield from _stream_blocks(path, names)
            elif head.startswith(ARROW_FILE):
                yield from _ipc_blocks(path, names)
            else:  # Feather as it was before Arrow had a format of files
                table = pyarrow.feather.read_table(path, columns=None if names is None else list(names))
                yield from _sliced(table.select(list(names)) if names else table, 0.0, 1.0)
        except (pa.ArrowException, UnicodeError, OverflowError) as error:
            raise FileError(f"{path} is damaged or was cut off, and cannot be read. Get it again.") from error


def _parquet_blocks(path: Path, names: Sequence[str] | None) -> Iterator[tuple[Any, float]]:
    with pyarrow.parquet.ParquetFile(path, memory_map=True) as file:
        total, seen = max(file.metadata.num_rows, 1), 0
        for block in map(_validated, file.iter_batches(_BLOCK_ROWS, columns=names, use_threads=False)):
            seen += block.num_rows
            yield block if names is None else block.select(list(names)), seen / total


def _ipc_blocks(path: Path, names: Sequence[str] | None) -> Iterator[tuple[Any, float]]:
    with pa.memory_map(str(path)) as raw, pa.ipc.open_file(raw) as file:
        count = file.num_record_batches
        for place in range(count):
            block = _validated(file.get_batch(place))
            chosen = block if names is None else block.select(list(names))
            yield from _sliced(chosen, place / count, (place + 1) / count)


def _stream_blocks(path: Path, names: Sequence[str] | None) -> Iterator[tuple[Any, float]]:
    with pa.memory_map(str(path)) as raw, pa.ipc.open_stream(raw) as stream:
        for block in map(_validated, stream):
            chosen = block if names is None else block.select(list(names))
            share = raw.tell() / max(raw.size(), 1)
            yield from _sliced(chosen, share, share)


def _validated(block: Any) -> Any:
    """Return the block. Arrow trusts what it reads, and a damaged file would end the program."""
    block.validate(full=True)
    assert block.schema.names is not None  # reading the names decodes them, which validating does not
    return block


def _sliced(block: Any, begin: float, end: float) -> Iterator[tuple[Any, float]]:
    for first in range(0, block.num_rows, _BLOCK_ROWS):
        piece = block.slice(first, _BLOCK_ROWS)
        yield piece, begin + (end - begin) * (first + piece.num_rows) / block.num_rows


def _numbered(block: Any, number: int) -> Iterator[NumberedRow]:
    for offset, row in enumerate(_rows(block)):
        yield NumberedRow(number + offset, row)


def _rows(block: Any) -> Iterator[tuple[Cell, ...]]:
    return zip(*(_readable_times(column).to_pylist() for column in block.columns), strict=True)


def _readable_times(column: Any) -> Any:
    """
    Return a column whose times Python can hold: in microseconds, and null beyond the years it counts.

    Such times come from damage, and from the wrong unit.
    """
    if not pa.types.is_timestamp(column.type):
        return column
    if column.type.unit == "ns":
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    each_us = _UNITS_US[column.type.unit]
    counts = column.cast(pa.int64())
    fits = pc.and_(pc.greater_equal(counts, _FIRST_US // each_us), pc.less(counts, _LAST_US // each_us))
    return column if pc.all(fits).as_py() is not False else pc.if_else(fits, column, pa.scalar(None, column.type))
