"""
Reads ticks of a span of time as columns; see `storage.postgres.text_columns`.

A page goes on after the last tick of the one before, by time and place, so that any number of ticks takes the memory of
a page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import sql

from app.market.columns.arrow import arrow
from app.market.columns.quote_columns import quote_schema
from storage.postgres.connection import Connection
from storage.postgres.text_columns import text_columns

_PAGE = 65_536
# The bounds of time are values of their own: by them the planner leaves out the partitions of other times.
_QUERY = sql.SQL(
    """
    SELECT time, bid, ask, bid_size, ask_size, place FROM quotes
    WHERE symbol_id = %(symbol_id)s
        AND time >= timestamptz 'epoch' + %(start_us)s * interval '1 microsecond'
        AND time < timestamptz 'epoch' + %(end_us)s * interval '1 microsecond'
        AND (time, place) > (timestamptz 'epoch' + %(start_us)s * interval '1 microsecond', %(after)s::smallint)
    ORDER BY time, place LIMIT %(limit)s
    """
)
_COUNT = """
    SELECT count(*) FROM quotes
    WHERE symbol_id = %(symbol_id)s
        AND time >= timestamptz 'epoch' + %(start_us)s * interval '1 microsecond'
        AND time < timestamptz 'epoch' + %(end_us)s * interval '1 microsecond'
"""


def tick_pages(connection: Connection, symbol_id: int, start_us: int, end_us: int) -> Iterator[Any]:
    """
    Yield the ticks of ``[start_us, end_us)``, by time and place, as batches of `quote_schema`.

    Call it inside one snapshot, and read it to its end there. Raises psycopg.Error.
    """
    pa = arrow()
    fields = [*quote_schema(), pa.field("place", pa.int16())]
    after = -1
    while True:
        values = {"symbol_id": symbol_id, "start_us": start_us, "end_us": end_us, "after": after, "limit": _PAGE}
        page = text_columns(connection, _QUERY, values, fields)
        if page.num_rows:
            yield pa.RecordBatch.from_arrays(page.columns[:-1], schema=quote_schema())
        if page.num_rows < _PAGE:
            return
        start_us, after = page.column("time").view(pa.int64())[-1].as_py(), page.column("place")[-1].as_py()


def count_ticks(connection: Connection, symbol_id: int | None, start_us: int, end_us: int) -> int:
    """Return how many ticks of ``[start_us, end_us)`` are stored, one by one. Raises psycopg.Error."""
    values = {"symbol_id": symbol_id, "start_us": start_us, "end_us": end_us}
    row = connection.execute(_COUNT, values, prepare=False).fetchone()
    return row[0] if row else 0
