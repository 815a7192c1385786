"""Parquet: exact decimals, UTC microseconds, zstd, statistics; the facts in the footer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

import pyarrow as pa

from storage.files.writers.row_groups import RowGroups
from storage.files.writers.row_writer import FACTS_KEY


class ParquetWriter:
    """Writes rows into a Parquet file, in row groups of one size."""

    def __init__(self, stream: BinaryIO, schema: Any) -> None:
        # Times and ids rise by little, and a dictionary of numbers that hardly repeat only costs.
        rising = [
            field.name for field in schema if pa.types.is_timestamp(field.type) or pa.types.is_integer(field.type)
        ]
        words = [field.name for field in schema if pa.types.is_string(field.type)]
        self._groups = RowGroups(stream, schema, rising=rising, dictionary=words)

    def write(self, rows: Any) -> None:
        """See `storage.files.writers.row_writer.RowWriter`."""
        self._groups.write(rows)

    def finish(self, facts: Mapping[str, object]) -> None:
        """Write the rows left and the footer, with each fact under its name and all of them as one document."""
        plain = {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
        self._groups.finish({**plain, FACTS_KEY: json.dumps(facts)})

    def discard(self) -> None:
        """See `storage.files.writers.row_groups.RowGroups`."""
        self._groups.discard()
