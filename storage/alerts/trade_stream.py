"""
Stored trades of one symbol in the order of their ids, streamed.

The table is ordered by time, and ids and times cross within milliseconds; so some thousands of rows are kept back and
sorted. Memory is bounded by them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import starmap

import numpy as np
from psycopg import sql

from app.market.trade import Trade
from storage.postgres.connection import Connection
from storage.rollups.time_sql import microseconds
from storage.rollups.trade_times import hours_of

_KEPT_BACK = 8_192
_HEADER_BYTES = 19  # of a binary COPY, before its first row
_ROW = np.dtype(
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
_QUERY = sql.SQL(
    """
    COPY (
        SELECT trade_id, {time_us}, trunc(price * 100000000)::bigint, trunc(quantity * 100000000)::bigint,
            is_buyer_maker
        FROM trades
        WHERE symbol_id = {symbol_id} AND trade_id BETWEEN {first} AND {last}
            AND time >= timestamptz 'epoch' + {start_us} * interval '1 microsecond'
            AND time < timestamptz 'epoch' + {end_us} * interval '1 microsecond'
        ORDER BY time, trade_id
    ) TO STDOUT (FORMAT BINARY)
    """
)


def stored_trades(
    connection: Connection, symbol: str, symbol_id: int, first_id: int, last_id: int, *, from_us: int = 0
) -> Iterator[Trade]:
    """
    Yield the stored trades of these inclusive ids by rising id, those before the time ``from_us`` left out.

    Read it to its end: until then the connection can do nothing else. Raises psycopg.Error.
    """
    hours = hours_of(connection, symbol_id, first_id, last_id) if first_id <= last_id else None
    if hours is None or hours[1] <= from_us:
        return
    query = _QUERY.format(
        time_us=microseconds("time"),
        symbol_id=symbol_id,
        first=first_id,
        last=last_id,
        start_us=max(from_us, hours[0]),
        end_us=hours[1],
    )
    kept = np.empty(0, dtype=_ROW)
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        messages = iter(copy)
        head = bytes(next(messages, b""))[_HEADER_BYTES:]
        while True:
            parts = [head, *(bytes(part) for _, part in zip(range(_KEPT_BACK), messages, strict=False))]
            head = b""
            rows = b"".join(parts)
            ends = len(parts) <= _KEPT_BACK
            # Without the trailer, which is the last message and shorter than a row.
            kept = np.concatenate([kept, np.frombuffer(rows, dtype=_ROW, count=len(rows) // _ROW.itemsize)])
            kept = kept[np.argsort(kept["id"], kind="stable")]
            ready, kept = (kept, kept[:0]) if ends else (kept[:-_KEPT_BACK], kept[-_KEPT_BACK:])
            yield from _trades(symbol, ready)
            if ends:
                return


def _trades(symbol: str, rows: np.ndarray) -> Iterator[Trade]:
    columns = [rows[name].tolist() for name in ("id", "time", "price", "quantity", "maker")]
    return starmap(Trade, ((symbol, *values) for values in zip(*columns, strict=True)))
