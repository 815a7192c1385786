"""
Stored trades of one symbol in the order of their ids, streamed.

The table is ordered by time, and ids and times cross within milliseconds; so some thousands of rows are kept back and
sorted. Memory is bounded by them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import starmap

import numpy as np

from app.market.trade import Trade
from storage.postgres.batch_columns import COPY_HEADER
from storage.postgres.binary_rows import PG_EPOCH_US
from storage.postgres.connection import Connection
from storage.rollups.trade_times import hours_of
from storage.trades.stored_columns import STORED_ROW, copy_statement

_KEPT_BACK = 8_192


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
    query = copy_statement(symbol_id, first_id, last_id, max(from_us, hours[0]), hours[1], by_time=True)
    kept = np.empty(0, dtype=STORED_ROW)
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        messages = iter(copy)
        head = bytes(next(messages, b""))[len(COPY_HEADER) :]
        while True:
            parts = [head, *(bytes(part) for _, part in zip(range(_KEPT_BACK), messages, strict=False))]
            head = b""
            rows = b"".join(parts)
            ends = len(parts) <= _KEPT_BACK
            # Without the trailer, which is the last message and shorter than a row.
            kept = np.concatenate([kept, np.frombuffer(rows, dtype=STORED_ROW, count=len(rows) // STORED_ROW.itemsize)])
            kept = kept[np.argsort(kept["id"], kind="stable")]
            ready, kept = (kept, kept[:0]) if ends else (kept[:-_KEPT_BACK], kept[-_KEPT_BACK:])
            yield from _trades(symbol, ready)
            if ends:
                return


def _trades(symbol: str, rows: np.ndarray) -> Iterator[Trade]:
    times_us = rows["time"].astype(np.int64) + PG_EPOCH_US
    columns = [
        rows["id"].tolist(),
        times_us.tolist(),
        *(rows[name].tolist() for name in ("price", "quantity", "maker")),
    ]
    return starmap(Trade, ((symbol, *values) for values in zip(*columns, strict=True)))
