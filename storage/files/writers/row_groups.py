"""Rows into a Parquet stream in groups of one size, which DuckDB and Spark read in parallel; packed with zstd."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_GROUP_ROWS = 131_072  # some ten megabytes in memory
_LEVEL = 3


class RowGroups:
    """
    Writes RecordBatches of ``schema``; call `finish` after the last, or `discard`.

    ``rising``: the columns whose numbers rise by little. ``dictionary``: the columns whose values repeat; where they do
    not, the writer drops the dictionary by itself.
    """

    def __init__(self, stream: Any, schema: Any, *, rising: Sequence[str], dictionary: Sequence[str]) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(
            stream,
            schema,
            compression="zstd",
            compression_level=_LEVEL,
            use_dictionary=list(dictionary) or False,
            column_encoding=dict.fromkeys(rising, "DELTA_BINARY_PACKED") or None,
            write_statistics=True,
            coerce_timestamps="us",
        )
        self._waiting = list[Any]()
        self._waiting_rows = 0

    def write(self, rows: Any) -> None:
        """Add a RecordBatch; writes each group that is full."""
        self._waiting.append(rows)
        self._waiting_rows += rows.num_rows
        if self._waiting_rows >= _GROUP_ROWS:
            table = pa.Table.from_batches(self._waiting, self._schema)
            whole = self._waiting_rows - self._waiting_rows % _GROUP_ROWS
            self._writer.write_table(table.slice(0, whole), row_group_size=_GROUP_ROWS)
            self._waiting = table.slice(whole).to_batches()
            self._waiting_rows -= whole

    def finish(self, facts: Mapping[str, str]) -> None:
        """Write the rows left, and the footer with ``facts`` as key-value metadata."""
        if self._waiting_rows:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self._schema), row_group_size=_GROUP_ROWS)
        self._waiting.clear()
        self._writer.add_key_value_metadata(dict(facts))
        self._writer.close()

    def discard(self) -> None:
        """Forget the rows that wait; the footer that closing writes goes the way of the file."""
        self._waiting.clear()
        with contextlib.suppress(OSError, ValueError):  # a full disk, a closed file
            if self._writer.is_open:
                self._writer.close()
        self._writer.is_open = False  # or collecting it tries again
