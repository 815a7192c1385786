"""
One Parquet file of the lake, written and read in memory: a part is small enough for that, and its bytes are checked.

The same rows give the same bytes with one version of this program and of Arrow. Every column is packed with zstd and
has statistics. Times are UTC without a zone, so no reader shifts them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from app.market.columns.candle_columns import schema as candle_schema
from app.market.file_columns import QUOTE_COLUMNS
from storage.files.writers.row_groups import RowGroups
from storage.lake.partition import LakeKind

PART_ROWS = 2_000_000
"""The most rows of a part: some 12 MB, one PUT."""
_BATCH_ROWS = 65_536


@cache
def lake_schema(kind: LakeKind) -> Any:
    """Return the Arrow schema of a part's rows."""
    amount, time = pa.decimal128(20, 8), pa.timestamp("us")
    if kind is LakeKind.TRADES:
        named = {
            "trade_id": pa.int64(),
            "time": time,
            "price": amount,
            "quantity": amount,
            "is_buyer_maker": pa.bool_(),
        }
        return pa.schema([pa.field(name, one, nullable=False) for name, one in named.items()])
    if kind is LakeKind.QUOTES:
        kinds = [time, *[amount] * (len(QUOTE_COLUMNS) - 1)]
        return pa.schema([pa.field(name, one, nullable=False) for name, one in zip(QUOTE_COLUMNS, kinds, strict=True)])
    return pa.schema([field.with_type(time) if field.name == "open_time" else field for field in candle_schema()])


class PartBuffer:
    """A part that is being written."""

    def __init__(self, kind: LakeKind) -> None:
        schema = lake_schema(kind)
        self.rows = 0
        self._buffer = io.BytesIO()
        # Ids and times rise by little. Prices and many quantities repeat, so a dictionary of them is smaller.
        rising = [one.name for one in schema if pa.types.is_timestamp(one.type) or one.name.endswith("trade_id")]
        repeated = [one.name for one in schema if one.name not in rising and not pa.types.is_boolean(one.type)]
        self._groups = RowGroups(self._buffer, schema, rising=rising, dictionary=repeated)

    def write(self, rows: Any) -> None:
        """Add a RecordBatch of the schema."""
        self.rows += rows.num_rows
        self._groups.write(rows)

    def finish(self, facts: Mapping[str, str]) -> memoryview:
        """Write the rows left and the footer with ``facts`` as key-value metadata; return the file's bytes."""
        self._groups.finish(facts)
        return self._buffer.getbuffer()


def rows_of(content: bytes | memoryview, columns: Sequence[str] | None = None) -> Iterator[Any]:
    """Yield a part's rows as RecordBatches in their order. Raises pyarrow.ArrowException if it is not Parquet."""
    file = pq.ParquetFile(pa.BufferReader(content))
    yield from file.iter_batches(_BATCH_ROWS, columns=list(columns) if columns else None, use_threads=False)


def facts_of(content: bytes | memoryview) -> tuple[int, dict[str, str]]:
    """Return the row count of a part's footer, and its key-value metadata. Raises pyarrow.ArrowException."""
    metadata = pq.read_metadata(pa.BufferReader(content))
    found = metadata.metadata or {}
    return metadata.num_rows, {key.decode(): value.decode() for key, value in found.items() if key != b"ARROW:schema"}
