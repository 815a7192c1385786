"""
Compares trades that came again with the stored trades of their ids, inside the batch's transaction.

Few of them, or ids far apart, are looked up one by one. Many with ids close together are compared with all that is
stored between them, read once: lookups would decompress the same batch of a compressed chunk once for each trade. Of
thousands, as a file brings them that was imported before, the stored ones are read as columns and compared here.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from storage.postgres.batch_columns import TradeColumns, same_trade
from storage.postgres.connection import Connection
from storage.postgres.sql_arrays import array_literal
from storage.rollups.trade_times import hours_of
from storage.trades.stored_columns import read_columns

_NEAR_IDS = 20_000  # trades of one symbol whose ids are closer than this form a cluster: two of the largest batches
_FEWEST_READ_AT_ONCE = 100
_MOST_IDS_PER_TRADE = 8
_LONGEST_US = 3_600_000_000  # by the times that the trades came with, which may be wrong
_FEWEST_AS_COLUMNS, _MOST_AS_COLUMNS = 2_000, 50_000  # trades compared at a time: bounds the memory

_AGAIN = sql.SQL("""
    unnest(%(rows)s::int[], %(symbols)s::int[], %(ids)s::bigint[], %(times_us)s::bigint[], %(prices)s::numeric[],
        %(quantities)s::numeric[], %(makers)s::boolean[])
        AS again (row, symbol_id, trade_id, time_us, price, quantity, maker)
""")

# Each trade is looked up at its own time, where the primary key finds it; a time matches to the millisecond, see
# `storage.postgres.batch_columns.same_trade`. OFFSET 0 has the lookup planned by itself: for an anti-join TimescaleDB
# plans every chunk, which takes 75 ms for those of two years.
_ONE_BY_ONE = sql.SQL("""
    SELECT again.row
    FROM {again}
    LEFT JOIN LATERAL (
        SELECT true AS found FROM trades t
        WHERE t.symbol_id = again.symbol_id AND t.trade_id = again.trade_id
            AND t.time >= timestamptz 'epoch' + again.time_us * interval '1 microsecond'
            AND t.time < timestamptz 'epoch' + (again.time_us + 1000) * interval '1 microsecond'
            AND t.time >= timestamptz 'epoch' + %(from_us)s * interval '1 microsecond'
            AND t.time < timestamptz 'epoch' + %(to_us)s * interval '1 microsecond'
            AND t.price = again.price AND t.quantity = again.quantity AND t.is_buyer_maker = again.maker
        OFFSET 0
    ) AS stored ON true
    WHERE stored.found IS NULL
""").format(again=_AGAIN)

# MATERIALIZED: read by the bounds that are given as values, and joined afterwards.
_AT_ONCE = sql.SQL("""
    WITH stored AS MATERIALIZED (
        SELECT trade_id, floor(extract(epoch FROM time) * 1000)::bigint AS time_ms, price, quantity, is_buyer_maker
        FROM trades
        WHERE symbol_id = %(symbol)s AND trade_id >= %(first_id)s AND trade_id <= %(last_id)s
            AND time >= timestamptz 'epoch' + %(from_us)s * interval '1 microsecond'
            AND time < timestamptz 'epoch' + %(to_us)s * interval '1 microsecond'
    )
    SELECT again.row
    FROM {again}
    LEFT JOIN stored t ON t.trade_id = again.trade_id AND t.time_ms = again.time_us / 1000
        AND t.price = again.price AND t.quantity = again.quantity AND t.is_buyer_maker = again.maker
    WHERE t.trade_id IS NULL
""").format(again=_AGAIN)


def unconfirmed(connection: Connection, repeated: TradeColumns) -> TradeColumns:
    """Return the repeated trades that are not stored exactly as they are. Raises psycopg.Error."""
    different: list[int] = []
    singles: list[int] = []
    for rows in clusters(repeated):
        numbers = range(len(repeated))[rows]
        if _is_dense(repeated.take(rows), _FEWEST_AS_COLUMNS):
            for start in range(rows.start, rows.stop, _MOST_AS_COLUMNS):
                part = repeated.take(slice(start, min(start + _MOST_AS_COLUMNS, rows.stop)))
                different += (start + np.flatnonzero(~_are_stored(connection, part))).tolist()
        elif _is_read_at_once(repeated.take(rows)):
            different += _different(connection, _AT_ONCE, repeated, numbers)
        else:
            singles += numbers
    if singles:
        different += _different(connection, _ONE_BY_ONE, repeated, singles)
    return repeated.take(np.array(sorted(different), dtype=np.int64))


def clusters(trades: TradeColumns) -> list[slice]:
    """Return the rows of each cluster: trades of one symbol, with ids near each other, so that one short query does."""
    if not trades:
        return []
    is_far = (np.diff(trades.symbol_id) != 0) | (np.diff(trades.trade_id) > _NEAR_IDS)
    starts = [0, *(np.flatnonzero(is_far) + 1).tolist(), len(trades)]
    return [slice(start, end) for start, end in pairwise(starts)]


def _is_dense(cluster: TradeColumns, fewest: int) -> bool:
    ids = int(cluster.trade_id[-1]) - int(cluster.trade_id[0]) + 1
    return len(cluster) >= fewest and ids <= _MOST_IDS_PER_TRADE * len(cluster)


def _is_read_at_once(cluster: TradeColumns) -> bool:
    is_short = int(cluster.time_us.max() - cluster.time_us.min()) <= _LONGEST_US
    return is_short and _is_dense(cluster, _FEWEST_READ_AT_ONCE)


def _are_stored(connection: Connection, part: TradeColumns) -> NDArray[np.bool_]:
    """Return, row by row, whether trades of one symbol are stored exactly as they are, wherever in time."""
    symbol_id, first, last = int(part.symbol_id[0]), int(part.trade_id[0]), int(part.trade_id[-1])
    hours = hours_of(connection, symbol_id, first, last)
    if hours is None:
        return np.zeros(len(part), dtype=np.bool_)
    stored = read_columns(connection, symbol_id, first, last, *hours)
    if not len(stored):
        return np.zeros(len(part), dtype=np.bool_)
    at = np.minimum(np.searchsorted(stored.trade_id, part.trade_id), len(stored) - 1)
    found: NDArray[np.bool_] = (stored.trade_id[at] == part.trade_id) & same_trade(stored.take(at), part)
    return found


def _different(connection: Connection, query: sql.Composed, repeated: TradeColumns, rows: Iterable[int]) -> list[int]:
    """Return which of these rows are not stored exactly as they are."""
    some = repeated.take(np.array(rows, dtype=np.int64))
    times_us = some.time_us // 1000 * 1000
    values = {
        "rows": array_literal(rows),
        "symbols": array_literal(some.symbol_id.tolist()),
        "ids": array_literal(some.trade_id.tolist()),
        "times_us": array_literal(times_us.tolist()),
        "prices": array_literal(some.price.tolist(), "e-8"),
        "quantities": array_literal(some.quantity.tolist(), "e-8"),
        "makers": array_literal(some.maker.tolist()),
        # Bounds as values: by them the planner leaves out the partitions of other times.
        "from_us": int(times_us.min()),
        "to_us": int(times_us.max()) + 1000,
        "symbol": int(some.symbol_id[0]),
        "first_id": int(some.trade_id[0]),
        "last_id": int(some.trade_id[-1]),
    }
    return [row for (row,) in connection.execute(query, values, prepare=False)]
