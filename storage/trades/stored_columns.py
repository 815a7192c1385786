"""Reads stored trades as columns, by way of a binary COPY: half a million a second, without an object for each."""

from __future__ import annotations

import numpy as np
from psycopg import sql

from storage.postgres.batch_columns import COPY_HEADER, COPY_TRAILER, TradeColumns
from storage.postgres.binary_rows import PG_EPOCH_US
from storage.postgres.connection import Connection

# The amounts as integers, so that every row of the answer has the same size; COPY takes no parameters.
_READ = """
    COPY (
        SELECT trade_id, time, trunc(price * 100000000)::bigint, trunc(quantity * 100000000)::bigint, is_buyer_maker
        FROM trades
        WHERE symbol_id = {symbol_id} AND trade_id BETWEEN {first_id} AND {last_id}
            AND time >= timestamptz 'epoch' + {from_us} * interval '1 microsecond'
            AND time < timestamptz 'epoch' + {until_us} * interval '1 microsecond'
        {order}
    ) TO STDOUT (FORMAT BINARY)
"""
_BY_TIME = sql.SQL("ORDER BY time, trade_id")
STORED_ROW = np.dtype(
    [
        ("fields", ">i2"),
        *[
            (name, kind)
            for field in ("id", "time", "price", "quantity")
            for name, kind in ((f"{field}_size", ">i4"), (field, ">i8"))
        ],
        ("maker_size", ">i4"),
        ("maker", "?"),
    ]
)
"""A row of the answer to `copy_statement`; ``time`` in microseconds since 2000."""


def copy_statement(
    symbol_id: int, first_id: int, last_id: int, from_us: int, until_us: int, *, by_time: bool = False
) -> sql.Composed:
    """Return the COPY of the stored trades of one symbol with these ids, inclusive, and times in ``[from, until)``."""
    return sql.SQL(_READ).format(
        symbol_id=symbol_id,
        first_id=first_id,
        last_id=last_id,
        from_us=from_us,
        until_us=until_us,
        order=_BY_TIME if by_time else sql.SQL(""),
    )


def read_columns(
    connection: Connection, symbol_id: int, first_id: int, last_id: int, from_us: int, until_us: int
) -> TradeColumns:
    """
    Return the stored trades of one symbol with these ids, inclusive, and times, as rising columns.

    ``from_us``, ``until_us``: UTC microseconds; see `storage.rollups.trade_times`. All of them are in memory at once.
    Raises psycopg.Error.
    """
    query = copy_statement(symbol_id, first_id, last_id, from_us, until_us)
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        answer = b"".join(bytes(part) for part in copy)
    rows = np.frombuffer(answer[len(COPY_HEADER) : -len(COPY_TRAILER)], dtype=STORED_ROW)
    rows = rows[np.argsort(rows["id"], kind="stable")]
    return TradeColumns(
        np.full(len(rows), symbol_id, dtype=np.int64),
        rows["id"].astype(np.int64),
        rows["time"].astype(np.int64) + PG_EPOCH_US,
        rows["price"].astype(np.int64),
        rows["quantity"].astype(np.int64),
        rows["maker"],
    )
