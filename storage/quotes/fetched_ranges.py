"""The times of which a source was asked for its ticks; see `fetched_quotes` in the migrations."""

from __future__ import annotations

from psycopg import sql

from app.market.coverage import IdRanges
from storage.postgres.connection import Connection
from storage.rollups.time_sql import microseconds

_READ = sql.SQL("SELECT {first_us}, {end_us} - 1 FROM fetched_quotes WHERE symbol_id = %s ORDER BY 1").format(
    first_us=microseconds("first_time"), end_us=microseconds("end_time")
)
# The ranges that overlap or touch the new one become part of it.
_TAKE_TOUCHING = sql.SQL(
    """
    DELETE FROM fetched_quotes WHERE symbol_id = %(symbol_id)s
        AND first_time <= timestamptz 'epoch' + %(end_us)s * interval '1 microsecond'
        AND end_time >= timestamptz 'epoch' + %(start_us)s * interval '1 microsecond'
    RETURNING {first_us}, {end_us}
    """
).format(first_us=microseconds("first_time"), end_us=microseconds("end_time"))
_SAVE = """
    INSERT INTO fetched_quotes (symbol_id, first_time, end_time)
    VALUES (%s, timestamptz 'epoch' + %s * interval '1 microsecond',
        timestamptz 'epoch' + %s * interval '1 microsecond')
"""


def read(connection: Connection, symbol_id: int | None) -> IdRanges:
    """Return the times, as ranges of UTC microseconds. Raises psycopg.Error."""
    return IdRanges(connection.execute(_READ, (symbol_id,)).fetchall())


def add(connection: Connection, symbol_id: int, start_us: int, end_us: int) -> None:
    """Add ``[start_us, end_us)``, inside a transaction that holds the symbol's lock. Raises psycopg.Error."""
    values = {"symbol_id": symbol_id, "start_us": start_us, "end_us": end_us}
    touching = connection.execute(_TAKE_TOUCHING, values).fetchall()
    first_us = min([start_us, *(first for first, _ in touching)])
    after_us = max([end_us, *(after for _, after in touching)])
    connection.execute(_SAVE, (symbol_id, first_us, after_us))


def remove(connection: Connection, symbol_id: int, start_us: int, end_us: int) -> None:
    """Take ``[start_us, end_us)`` out, inside a transaction that holds the symbol's lock. Raises psycopg.Error."""
    values = {"symbol_id": symbol_id, "start_us": start_us, "end_us": end_us}
    for first_us, after_us in connection.execute(_TAKE_TOUCHING, values).fetchall():
        for from_us, until_us in ((first_us, min(after_us, start_us)), (max(first_us, end_us), after_us)):
            if from_us < until_us:
                connection.execute(_SAVE, (symbol_id, from_us, until_us))
