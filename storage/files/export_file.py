"""
A file of exported rows: where it is written, how its rows stand, and its format, put together.

Where rows come from, and in which thread they are written, is the caller's. No rows are kept: a file of any length
takes the memory of what is given at once, and of the last piece that the format packs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.market.errors import UsageError
from app.market.file_columns import Form, Rows, RowsOf
from app.market.file_format import FileFormat, FileLayout, Preset
from storage.files.arrangement import Arrangement, arrangement_of
from storage.files.target import Target
from storage.files.writers.delimited import CompressedWriter, DelimitedWriter
from storage.files.writers.feather import FeatherWriter
from storage.files.writers.json_rows import JsonWriter
from storage.files.writers.parquet import ParquetWriter
from storage.files.writers.row_writer import RowWriter
from storage.files.writers.workbook import WorkbookWriter


class RowsFile:
    """A file of rows that ``arrangement`` puts in order; see `app.market.ports.files.ExportFile`."""

    def __init__(
        self, target: Target, file_format: FileFormat, layout: FileLayout, arrangement: Arrangement, title: str
    ) -> None:
        self._target = target
        self._arrangement = arrangement
        self._zone = layout.zone
        with target.refusing():
            self._writer = _writer(target, file_format, layout, arrangement, title)

    def write(self, rows: Any) -> None:
        """See `app.market.ports.files.ExportFile`."""
        with self._target.refusing():
            self._writer.write(self._arrangement.arranged(rows))

    def finish(self, name: str, facts: Mapping[str, object]) -> Path | None:
        """See `app.market.ports.files.ExportFile`."""
        facts = {**facts, "zone": self._zone} if "zone" in facts else facts
        with self._target.refusing():
            self._writer.finish(facts)
        return self._target.finish(name, facts)

    def discard(self) -> None:
        """See `app.market.ports.files.ExportFile`."""
        self._writer.discard()
        self._target.discard()


def rows_file(target: Target, file_format: FileFormat, layout: FileLayout, rows: Rows) -> RowsFile:
    """
    Return a file of those rows, open for writing.

    Raises:
        UsageError: If a column is chosen that is none, or the format cannot be written to a stream.
        FileError: If the file cannot be written.
    """
    arrangement = arrangement_of(rows, layout, file_format)
    if file_format is FileFormat.XLSX and not target.is_seekable:
        raise UsageError("An Excel workbook cannot go to standard output: name a file with --out.")
    title = rows if isinstance(rows, RowsOf) else "candles"
    return RowsFile(target, file_format, layout, arrangement, title)


def _writer(
    target: Target, file_format: FileFormat, layout: FileLayout, arrangement: Arrangement, title: str
) -> RowWriter:
    stream, schema, zone = target.stream, arrangement.schema, layout.zone
    columns = arrangement.layout.columns
    trimmed = frozenset(column.name for column in columns if column.form is Form.NUMBER)
    match file_format:
        case FileFormat.CSV | FileFormat.TSV:
            return DelimitedWriter(
                stream.write, schema.names, "\t" if file_format is FileFormat.TSV else ",", zone, trimmed
            )
        case FileFormat.CSV_GZ:
            return CompressedWriter(stream, schema.names, ",", zone, trimmed)
        case FileFormat.JSON | FileFormat.JSONL:
            is_array = file_format is FileFormat.JSON
            return JsonWriter(stream, arrangement.layout, zone, is_array=is_array, trimmed=trimmed)
        case FileFormat.PARQUET:
            return ParquetWriter(stream, schema)
        case FileFormat.FEATHER:
            # freqtrade writes lz4, which every build of Arrow reads.
            compression = "lz4" if layout.preset is Preset.FREQTRADE else "zstd"
            return FeatherWriter(stream, schema, is_seekable=target.is_seekable, compression=compression)
        case FileFormat.XLSX:
            return WorkbookWriter(stream, schema, zone, title, is_exact=title == RowsOf.QUOTES)
