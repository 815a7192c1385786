"""
The server's statistics of the tables that an import filled.

Autovacuum would refresh them a minute or more later; until then the planner takes a month that was filled in one go for
an empty one, and reads all of it for every page of a chart.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from psycopg import sql

from storage.postgres.connection import Connection
from storage.rollups.levels import LEVELS, RollupLevel
from storage.schema.editions import is_hypertable, timescale_schema
from storage.writing.stored_table import TRADES, StoredTable

_PARTITIONS = """
    SELECT n.nspname, c.relname
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE i.inhparent = %s::regclass AND c.relname BETWEEN %s AND %s
"""
_MOST_CHUNKS = 400


def refresh_statistics(
    connection: Connection,
    from_us: int,
    until_us: int,
    *,
    table: StoredTable = TRADES,
    levels: Sequence[RollupLevel] = LEVELS,
) -> None:
    """
    Analyze the rows of these times (UTC microseconds, both inclusive), their rollups ``levels`` and the coverage.

    What this user does not own is left to autovacuum. Raises psycopg.Error.
    """
    first, last = (datetime.fromtimestamp(at_us / 1e6, UTC) for at_us in (from_us, until_us))
    if is_hypertable(connection, table.name):
        schema = timescale_schema(connection)
        chunks = sql.SQL("SELECT {}.show_chunks({}, newer_than => %s, older_than => %s)::text").format(
            schema, sql.Literal(table.name)
        )
        names: list[sql.Composable] = [
            sql.SQL(row[0]) for row in connection.execute(chunks, (first, last)).fetchmany(_MOST_CHUNKS)
        ]
    else:
        bounds = tuple(f"{table.name}_{at:%Y_%m}" for at in (first, last))
        names = [sql.Identifier(*row) for row in connection.execute(_PARTITIONS, (table.name, *bounds))]
    tables: list[sql.Composable] = [sql.Identifier(name) for name in ("coverage", *(level.table for level in levels))]
    connection.execute(sql.SQL("ANALYZE {}").format(sql.SQL(", ").join([*names, *tables])))
