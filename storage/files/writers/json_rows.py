"""
JSON: one array of all rows, or a line for each.

A row is an object, or an array of its values. Exact decimals are strings, as the exchange sends them, because most
readers round a number; for programs that expect numbers they are numbers, with all digits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from app.market.file_columns import RowLayout
from storage.files.column_text import text_of
from storage.files.writers.delimited import PIECE_ROWS, text_bytes


class JsonWriter:
    """Writes rows as JSON; ``is_array``: all in one array, otherwise a line each. ``zone``: the zone of times."""

    def __init__(self, stream: BinaryIO, layout: RowLayout, zone: str, *, is_array: bool, trimmed: frozenset[str]):
        self._stream = stream
        self._layout = layout
        self._zone = zone
        self._trimmed = trimmed
        self._is_array = is_array
        self._has_rows = False
        if is_array:
            stream.write(b"[")

    def write(self, rows: Any) -> None:
        """See `storage.files.writers.row_writer.RowWriter`."""
        for at in range(0, rows.num_rows, PIECE_ROWS):
            self._write_piece(rows.slice(at, PIECE_ROWS))

    def finish(self, facts: Mapping[str, object]) -> None:
        """Close the array; the format has no place for facts."""
        del facts
        if self._is_array:
            self._stream.write(b"\n]\n" if self._has_rows else b"]\n")

    def discard(self) -> None:
        """Do nothing."""

    def _write_piece(self, rows: Any) -> None:
        pieces = list[Any]()
        for at, (name, column) in enumerate(zip(rows.schema.names, rows.columns, strict=True)):
            before = "," if at else "[" if self._layout.rows_are_arrays else "{"
            pieces.append(before if self._layout.rows_are_arrays else f"{before}{json.dumps(name)}:")
            pieces.append(self._values(name, column))
        pieces.append("]" if self._layout.rows_are_arrays else "}")
        separator = ",\n" if self._is_array else "\n"
        pieces = [separator, *pieces] if self._is_array else [*pieces, separator]
        data = text_bytes(pc.binary_join_element_wise(*pieces, ""))
        if self._is_array and not self._has_rows:
            data = data[1:]  # the first row needs no comma before it
        self._has_rows = True
        self._stream.write(data)

    def _values(self, name: str, column: Any) -> Any:
        text = text_of(column, self._zone, trims=name in self._trimmed)
        kind = column.type
        is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
        if not is_number and not (pa.types.is_decimal(kind) and not self._layout.kept_digits):
            text = pc.binary_join_element_wise('"', _escaped(text) if pa.types.is_string(kind) else text, '"', "")
        return text.fill_null("null")


def _escaped(texts: Any) -> Any:
    """Return texts with what JSON escapes in them escaped."""
    distinct = texts.unique()
    if not pc.any(pc.match_substring_regex(distinct, r'[\x00-\x1f"\\]')).as_py():
        return texts
    return pa.array([None if text is None else json.dumps(text)[1:-1] for text in texts.to_pylist()], pa.string())
