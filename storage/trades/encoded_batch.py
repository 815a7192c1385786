"""
A batch in the form in which the server takes it.

Pure. So one thread can make it while another sends the batch before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from storage.postgres.batch_columns import TradeColumns
from storage.postgres.binary_rows import ColumnType, RowLayout
from storage.rollups.upsert import rollup_arrays

COPY = "COPY trades (symbol_id, time, trade_id, price, quantity, is_buyer_maker) FROM STDIN (FORMAT BINARY)"

_LAYOUT = RowLayout(
    [
        ColumnType.INTEGER,
        ColumnType.TIMESTAMP,
        ColumnType.BIGINT,
        ColumnType.AMOUNT,
        ColumnType.AMOUNT,
        ColumnType.BOOLEAN,
    ]
)
_ROWS_PER_PIECE = 2_000  # packing more at a time would hold the interpreter lock for milliseconds


class EncodedBatch(NamedTuple):
    """``rows``: pieces of a binary COPY. ``rollups``: see `storage.rollups.upsert.rollup_arrays`."""

    rows: Sequence[bytes]
    rollups: Sequence[str]


def encoded(batch: TradeColumns) -> EncodedBatch:
    """Encode a batch of at least one trade."""
    return EncodedBatch(list(copy_pieces(batch)), rollup_arrays(batch))


def copy_pieces(batch: TradeColumns) -> Iterator[bytes]:
    """Yield the batch as rows of `COPY`, without header and trailer, some thousand at a time."""
    columns = (batch.symbol_id, batch.time_us, batch.trade_id, batch.price, batch.quantity, batch.maker)
    for start in range(0, len(batch), _ROWS_PER_PIECE):
        yield _LAYOUT.pack([column[start : start + _ROWS_PER_PIECE] for column in columns])
