"""
Where trades lie in time, asked of the rollups first.

A query of trades that names both ends of its time, as values, is planned over the partitions or chunks between them;
one that leaves an end open, or computes it in a subquery, over all of them: 65 ms for the 800 chunks of two years. So
is one that was prepared, once the server takes a plan for all values: queries of trades say ``prepare=False``.
"""

from __future__ import annotations

from psycopg import sql

from storage.postgres.connection import Connection
from storage.rollups import candle_sql
from storage.rollups.candle_sql import FINEST, RowSource

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
).format(first_us=candle_sql.microseconds("first"), after_us=candle_sql.microseconds("after"))

_FOREVER_US = 4_102_444_800_000_000  # the year 2100


def hours_of(connection: Connection, symbol_id: int | None, first_id: int, last_id: int) -> tuple[int, int] | None:
    """Return from when to when (UTC microseconds) the trades of these ids lie; None where none was ever stored."""
    row = connection.execute(_HOURS, {"symbol": symbol_id, "first": first_id, "last": last_id}).fetchone()
    return None if row is None else (row[0], row[1])


def nearest_time(
    connection: Connection, source: RowSource, symbol_id: int, at_us: int, *, before: bool, floor_us: int
) -> int | None:
    """
    Return the last time before, or the first at or after, ``at_us`` that ``source`` has a row of the symbol at; None:
    there is none from ``floor_us`` on.
    """
    if not source.is_trades:
        return _nearest(connection, source, symbol_id, at_us, before, floor_us, _FOREVER_US)
    edge_us = at_us if before else at_us - at_us % FINEST.length_us
    lowest_us = floor_us - floor_us % FINEST.length_us
    # The first candle found may have its trades on the wrong side of the time; the second has not.
    for _ in range(2):
        open_us = _nearest(connection, FINEST, symbol_id, edge_us, before, lowest_us, _FOREVER_US)
        if open_us is None:
            return None
        after_us = open_us + FINEST.length_us
        found = _nearest(connection, source, symbol_id, at_us, before, max(open_us, floor_us), after_us)
        if found is not None:
            return found
        edge_us = open_us if before else after_us
    # Candles without their trades, which have just been dropped or are lost: the long way round.
    return _nearest(connection, source, symbol_id, at_us, before, floor_us, _FOREVER_US)


def _nearest(
    connection: Connection, source: RowSource, symbol_id: int, at_us: int, before: bool, floor_us: int, ceiling_us: int
) -> int | None:
    # For before, what is not before the time needs no looking at either; and the other way round.
    first_us, after_us = (floor_us, min(at_us, ceiling_us)) if before else (max(at_us, floor_us), ceiling_us)
    values = {"symbol_id": symbol_id, "first_us": first_us, "after_us": after_us}
    prepare = False if source.is_trades else None
    row = connection.execute(candle_sql.outermost(source, last=before), values, prepare=prepare).fetchone()
    return None if row is None else row[0]
