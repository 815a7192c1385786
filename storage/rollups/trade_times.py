"""
Finds when trades lie, by asking the rollups first.

A query of trades that gives both ends of its time range as values is planned over the partitions or chunks between
them. One that leaves an end open, or computes it in a subquery, is planned over all of them: 65 ms for the 800 chunks
of two years. So is a prepared one, once the server uses one plan for all values. Hence every query of trades has two
ends, found here, and says ``prepare=False``.
"""

from __future__ import annotations

from psycopg import sql

from storage.postgres.connection import Connection
from storage.rollups.candle_sql import FINEST
from storage.rollups.time_sql import RowSource, microseconds, outermost_time

# The rollups have no index by trade id, so the fewest rows, the days, are searched first: they bound the times of the
# hours, which are indexed.
_HOURS = sql.SQL(
    """
    WITH days AS MATERIALIZED (
        SELECT min(open_time) AS first, max(open_time) + interval '24 hours' AS after FROM rollup_1d
        WHERE symbol_id = %(symbol)s AND first_trade_id <= %(last)s AND last_trade_id >= %(first)s
    )
    SELECT {first_us}, {after_us} FROM (
        SELECT min(open_time) AS first, max(open_time) + interval '1 hour' AS after FROM rollup_1h
        WHERE symbol_id = %(symbol)s AND first_trade_id <= %(last)s AND last_trade_id >= %(first)s
            AND open_time >= (SELECT first FROM days) AND open_time < (SELECT after FROM days)
    ) AS hours WHERE first IS NOT NULL
    """
).format(first_us=microseconds("first"), after_us=microseconds("after"))

_TRADE_TIME = sql.SQL(
    """
    SELECT {time_us} FROM trades WHERE symbol_id = %s AND trade_id = %s
        AND time >= timestamptz 'epoch' + %s * interval '1 microsecond'
        AND time < timestamptz 'epoch' + %s * interval '1 microsecond'
    """
).format(time_us=microseconds("time"))

_FOREVER_US = 4_102_444_800_000_000  # the year 2100


def hours_of(connection: Connection, symbol_id: int | None, first_id: int, last_id: int) -> tuple[int, int] | None:
    """
    Return the time range (UTC microseconds, whole hours; from, until) that holds all stored trades of these inclusive
    ids, also of dropped ones; None if none was ever stored. Raises psycopg.Error.
    """
    row = connection.execute(_HOURS, {"symbol": symbol_id, "first": first_id, "last": last_id}).fetchone()
    return None if row is None else (row[0], row[1])


def time_of(connection: Connection, symbol_id: int, trade_id: int | None) -> int | None:
    """Return the time of a stored trade (UTC microseconds); None if it is not stored. Raises psycopg.Error."""
    hours = None if trade_id is None else hours_of(connection, symbol_id, trade_id, trade_id)
    if hours is None:
        return None
    row = connection.execute(_TRADE_TIME, (symbol_id, trade_id, *hours), prepare=False).fetchone()
    return None if row is None else row[0]


def nearest_time(
    connection: Connection, source: RowSource, symbol_id: int, at_us: int, *, before: bool, floor_us: int
) -> int | None:
    """
    Return the time of the symbol's last row in ``source`` before ``at_us``, or of its first row from then on.

    Rows before ``floor_us`` do not count; None if there is no other. All times are UTC microseconds. Raises
    psycopg.Error.
    """
    if not source.is_moments:
        return _nearest(connection, source, symbol_id, at_us, before, floor_us, _FOREVER_US)
    edge_us = at_us if before else at_us - at_us % FINEST.length_us
    lowest_us = floor_us - floor_us % FINEST.length_us
    # The first candle found may span the time and have its trades on the wrong side of it; the second cannot.
    for _ in range(2):
        open_us = _nearest(connection, FINEST, symbol_id, edge_us, before, lowest_us, _FOREVER_US)
        if open_us is None:
            return None
        after_us = open_us + FINEST.length_us
        found = _nearest(connection, source, symbol_id, at_us, before, max(open_us, floor_us), after_us)
        if found is not None:
            return found
        edge_us = open_us if before else after_us
    # Both candles are without their trades, which were just dropped or are lost: search the trades themselves.
    return _nearest(connection, source, symbol_id, at_us, before, floor_us, _FOREVER_US)


def _nearest(
    connection: Connection, source: RowSource, symbol_id: int, at_us: int, before: bool, floor_us: int, ceiling_us: int
) -> int | None:
    # Searching backwards, skip rows after the time; forwards, rows before it.
    first_us, after_us = (floor_us, min(at_us, ceiling_us)) if before else (max(at_us, floor_us), ceiling_us)
    values = {"symbol_id": symbol_id, "first_us": first_us, "after_us": after_us}
    prepare = False if source.is_moments else None
    row = connection.execute(outermost_time(source, last=before), values, prepare=prepare).fetchone()
    return None if row is None else row[0]
