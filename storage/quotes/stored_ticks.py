"""How many ticks of each symbol are stored, and of which times: from the candles, without reading ticks."""

from __future__ import annotations

from psycopg import sql

from app.market.stored_symbol import StoredTicks
from storage.postgres.connection import Connection
from storage.quotes.tick_levels import LEVELS
from storage.rollups.time_sql import microseconds
from storage.schema.editions import is_hypertable, timescale_schema
from storage.schema.retention_record import quotes_kept_from

_COUNTS = sql.SQL(
    """
    SELECT symbol_id, coalesce(sum(ticks) FILTER (WHERE {is_kept}), 0)::bigint,
        coalesce(sum(ticks) FILTER (WHERE NOT {is_kept}), 0)::bigint, {first_us}, {last_us}
    FROM {days} WHERE %(id)s::integer IS NULL OR symbol_id = %(id)s GROUP BY 1
    """
).format(
    is_kept=sql.SQL("open_time >= timestamptz 'epoch' + %(from_us)s * interval '1 microsecond'"),
    first_us=microseconds(sql.SQL("min(first_time)")),
    last_us=microseconds(sql.SQL("max(last_time)")),
    days=sql.Identifier(LEVELS[-1].table),
)
_PARTITIONS = (
    "SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits WHERE inhparent = 'quotes'::regclass"
)
_ROLLUPS = "SELECT sum(pg_total_relation_size(name::regclass))::bigint FROM unnest(%s::text[]) AS name"


def read(connection: Connection, symbol_id: int | None = None) -> dict[int, StoredTicks]:
    """
    Return what is stored of every symbol with ticks, or of one, by number. Raises psycopg.Error.

    A symbol's size is its share of all ticks, with their candles; with ``symbol_id`` it is 0.
    """
    found = read_counts(connection, symbol_id)
    size = _bytes(connection) if symbol_id is None and found else 0
    everything = sum(one.ticks for one in found.values()) or 1
    return {number: one._replace(size_bytes=size * one.ticks // everything) for number, one in found.items()}


def read_counts(connection: Connection, symbol_id: int | None = None) -> dict[int, StoredTicks]:
    """Return the same, all of size 0."""
    values = {"id": symbol_id, "from_us": quotes_kept_from(connection) or 0}
    rows = connection.execute(_COUNTS, values).fetchall()
    return {
        number: StoredTicks(kept, dropped, first_us, last_us, 0) for number, kept, dropped, first_us, last_us in rows
    }


def _bytes(connection: Connection) -> int:
    query: sql.Composable = sql.SQL(_PARTITIONS)
    if is_hypertable(connection, "quotes"):
        query = sql.SQL("SELECT {}.hypertable_size('quotes')").format(timescale_schema(connection))
    ticks = connection.execute(sql.Composed([query])).fetchone()
    candles = connection.execute(_ROLLUPS, ([level.table for level in LEVELS],)).fetchone()
    return sum(int(one[0] or 0) for one in (ticks, candles) if one is not None)
