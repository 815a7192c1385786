"""
The days whose ticks are all stored although retention has dropped others: a lake brought them back.

A day has all its ticks if as many are stored as its candle counts. Days without a stored tick cost nothing, however
many they are.
"""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from storage.postgres.connection import Connection
from storage.quotes.tick_levels import LEVELS
from storage.rollups.time_sql import microseconds

_DAY_US = 86_400_000_000
_RANGE = """
    symbol_id = %(symbol_id)s
        AND {time} >= timestamptz 'epoch' + %(start_us)s * interval '1 microsecond'
        AND {time} < timestamptz 'epoch' + %(end_us)s * interval '1 microsecond'
"""
_NEAREST = """
    SELECT {time_us} FROM quotes WHERE {in_range} ORDER BY time {order} LIMIT 1
"""
_IS_WHOLE = sql.SQL(
    """
    SELECT (SELECT count(*) FROM quotes WHERE {ticks}) >= coalesce((SELECT sum(ticks) FROM {days} WHERE {rollups}), 0)
    """
).format(
    ticks=sql.SQL(_RANGE).format(time=sql.Identifier("time")),
    days=sql.Identifier(LEVELS[-1].table),
    rollups=sql.SQL(_RANGE).format(time=sql.Identifier("open_time")),
)


def whole_days(
    connection: Connection, symbol_id: int, start_us: int, end_us: int, *, newest: bool
) -> Iterator[tuple[int, int]]:
    """
    Yield the days that have all their ticks, as far as they lie in ``[start_us, end_us)``; the newest or oldest first.

    A day without a stored tick is not among them. Raises psycopg.Error.
    """
    query = sql.SQL(_NEAREST).format(
        time_us=microseconds("time"),
        in_range=sql.SQL(_RANGE).format(time=sql.Identifier("time")),
        order=sql.SQL("DESC" if newest else "ASC"),
    )
    begin_us, until_us = start_us, end_us
    while begin_us < until_us:
        values = {"symbol_id": symbol_id, "start_us": begin_us, "end_us": until_us}
        row = connection.execute(query, values, prepare=False).fetchone()
        if row is None:
            return
        day_us = int(row[0]) // _DAY_US * _DAY_US
        if is_whole_day(connection, symbol_id, day_us):
            yield max(day_us, start_us), min(day_us + _DAY_US, end_us)
        begin_us, until_us = (begin_us, day_us) if newest else (day_us + _DAY_US, until_us)


def is_whole_day(connection: Connection, symbol_id: int, day_us: int) -> bool:
    """Whether all ticks that a day's candle counts are stored. Raises psycopg.Error."""
    span = {"symbol_id": symbol_id, "start_us": day_us, "end_us": day_us + _DAY_US}
    return connection.execute(_IS_WHOLE, span, prepare=False).fetchone() == (True,)
