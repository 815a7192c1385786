"""
CSV and TSV, plain or compressed: one line for the names, then one for each row.

Only a text in which a delimiter, a quote or the end of a line stands is quoted, as RFC 4180 says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from isal import isal_zlib

from storage.files.column_text import text_of

PIECE_ROWS = 8_192
"""Rows made text at once: the text of a few megabytes stays in the processor's cache."""

_LEVEL = 2
_GZIP = 31  # the window size that asks for a header and an end as of gzip; the header has no time in it


class DelimitedWriter:
    """
    Writes rows as lines of fields between ``delimiter``, UTF-8, by calls of ``write``.

    ``zone``: the time zone of times. ``trimmed``: the names of columns whose decimals lose zeros at their end.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        names: Sequence[str],
        delimiter: str,
        zone: str,
        trimmed: frozenset[str],
    ) -> None:
        self._write = write
        self._delimiter = delimiter
        self._zone = zone
        self._trimmed = trimmed
        write((delimiter.join(names) + "\n").encode())

    def write(self, rows: Any) -> None:
        """See `storage.files.writers.row_writer.RowWriter`."""
        for at in range(0, rows.num_rows, PIECE_ROWS):
            piece = rows.slice(at, PIECE_ROWS)
            self._write(delimited(piece, self._delimiter, self._zone, self._trimmed))

    def finish(self, facts: Mapping[str, object]) -> None:
        """Write nothing: the format has no place for facts."""

    def discard(self) -> None:
        """Do nothing."""


class CompressedWriter:
    """A `DelimitedWriter` behind gzip."""

    def __init__(
        self, stream: BinaryIO, names: Sequence[str], delimiter: str, zone: str, trimmed: frozenset[str]
    ) -> None:
        self._stream = stream
        self._packer = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)
        self._lines = DelimitedWriter(self._write, names, delimiter, zone, trimmed)

    def write(self, rows: Any) -> None:
        """See `storage.files.writers.row_writer.RowWriter`."""
        self._lines.write(rows)

    def finish(self, facts: Mapping[str, object]) -> None:
        """Write the end of the compressed data."""
        del facts
        self._stream.write(self._packer.flush())

    def discard(self) -> None:
        """Do nothing: what is compressed and not written is lost with the file."""

    def _write(self, text: bytes) -> None:
        self._stream.write(self._packer.compress(text))


def delimited(rows: Any, delimiter: str, zone: str, trimmed: frozenset[str]) -> bytes:
    """Return rows as lines; null is an empty field."""
    if not rows.num_rows:
        return b""
    fields = [
        _quoted(text_of(column, zone, trims=name in trimmed), delimiter)
        if pa.types.is_string(column.type)
        else text_of(column, zone, trims=name in trimmed)
        for name, column in zip(rows.schema.names, rows.columns, strict=True)
    ]
    lines = pc.binary_join_element_wise(*fields, delimiter, null_handling="replace", null_replacement="")
    return text_bytes(pc.binary_join_element_wise(lines, "", "\n"))


def _quoted(texts: Any, delimiter: str) -> Any:
    """Return texts with quotes around those that need them."""
    special = f'["\r\n{delimiter}]'
    if not pc.any(pc.match_substring_regex(texts.unique(), special)).as_py():
        return texts
    whole = pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")
    return pc.if_else(pc.match_substring_regex(texts, special), whole, texts)


def text_bytes(texts: Any) -> bytes:
    """Return the texts of an array, one after another, without nulls."""
    ends = memoryview(texts.buffers()[1]).cast("i")
    data: bytes = memoryview(texts.buffers()[2])[ends[texts.offset] : ends[texts.offset + len(texts)]].tobytes()
    return data
