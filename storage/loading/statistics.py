"""
The server's statistics of the tables that an import filled.

Autovacuum would refresh them a minute or more later; until then the planner takes a month that was filled in one go for
an empty one, and reads all of it for every page of a chart.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from psycopg import sql

from storage.postgres.batch_columns import Ints
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
_FEWEST_ANALYZED = 10_000  # autovacuum notices more than that late


class StoredSpan:
    """How many rows were stored since the last refresh, and from when to when (UTC microseconds, both inclusive)."""

    def __init__(self) -> None:
        self._count = 0
        self.first_us = self.last_us = 0

    @property
    def is_large(self) -> bool:
        """Whether the statistics are worth a refresh."""
        return self._count >= _FEWEST_ANALYZED

    def note(self, count: int, times_us: Ints) -> None:
        """Add a batch, of which ``count`` rows, at least one, were new; ``times_us``: of all its rows."""
        first_us, last_us = int(times_us.min()), int(times_us.max())
        if self._count:
            first_us, last_us = min(first_us, self.first_us), max(last_us, self.last_us)
        self.first_us, self.last_us = first_us, last_us
        self._count += count


def refresh_statistics(
    connection: Connection,
    stored: StoredSpan,
    *,
    table: StoredTable = TRADES,
    levels: Sequence[RollupLevel] = LEVELS,
) -> None:
    """
    Analyze the rows of the times stored, their rollups ``levels`` and the coverage.

    What this user does not own is left to autovacuum. Raises psycopg.Error.
    """
    first, last = (datetime.fromtimestamp(at_us / 1e6, UTC) for at_us in (stored.first_us, stored.last_us))
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
