"""Parquet: exact decimals, UTC microseconds, zstd, statistics; the facts in the footer."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from storage.files.writers.row_writer import FACTS_KEY

_GROUP_ROWS = 131_072  # some ten megabytes in memory; DuckDB and Spark work on one at a time
_LEVEL = 3


class ParquetWriter:
    """Writes rows into a Parquet file, in row groups of one size."""

    def __init__(self, stream: BinaryIO, schema: Any) -> None:
        self._schema = schema
        words = [field.name for field in schema if pa.types.is_string(field.type)]
        # Times and ids rise by little, and a dictionary of numbers that hardly repeat only costs.
        rising = [
            field.name for field in schema if pa.types.is_timestamp(field.type) or pa.types.is_integer(field.type)
        ]
        self._writer = pq.ParquetWriter(
            stream,
            schema,
            compression="zstd",
            compression_level=_LEVEL,
            use_dictionary=words or False,
            column_encoding=dict.fromkeys(rising, "DELTA_BINARY_PACKED") or None,
            write_statistics=True,
            coerce_timestamps="us",
        )
        self._waiting = list[Any]()
        self._waiting_rows = 0

    def write(self, rows: Any) -> None:
        """See `storage.files.writers.row_writer.RowWriter`."""
        self._waiting.append(rows)
        self._waiting_rows += rows.num_rows
        if self._waiting_rows >= _GROUP_ROWS:
            table = pa.Table.from_batches(self._waiting, self._schema)
            whole = self._waiting_rows - self._waiting_rows % _GROUP_ROWS
            self._writer.write_table(table.slice(0, whole), row_group_size=_GROUP_ROWS)
            self._waiting = table.slice(whole).to_batches()
            self._waiting_rows -= whole

    def finish(self, facts: Mapping[str, object]) -> None:
        """Write the rows left and the footer, with each fact under its name and all of them as one document."""
        if self._waiting_rows:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self._schema), row_group_size=_GROUP_ROWS)
        plain = {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
        self._writer.add_key_value_metadata({**plain, FACTS_KEY: json.dumps(facts)})
        self._writer.close()

    def discard(self) -> None:
        """Forget the rows that wait; the footer that closing writes goes the way of the file."""
        self._waiting.clear()
        with contextlib.suppress(OSError, ValueError):  # a full disk, a closed file
            if self._writer.is_open:
                self._writer.close()
        self._writer.is_open = False  # or collecting it tries again
