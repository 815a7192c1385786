"""
The parts of trades and quotes that can be dropped whole: monthly partitions on plain PostgreSQL, chunks on TimescaleDB.

Each part is dropped in its own transaction, which waits only briefly for its locks, because other readers and writers
queue behind it. Writers record the old days that they are about to backfill (`storage.writing.partitions`). That record
is checked after the part has been locked, so trades stored since the plan was made are never dropped.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import psycopg
from psycopg import sql

from storage.postgres.connection import Connection
from storage.schema.editions import is_hypertable, timescale_schema
from storage.schema.retention_period import RetentionPeriod
from storage.writing.partitions import PARTITION_LOCK
from storage.writing.stored_table import TRADES, StoredTable

logger = logging.getLogger(__name__)

SPARED_FOR = "7 days 1 hour"
"""How long a part is spared after a backfill: a week, plus the hour between two records of the same day."""

_LOCK_WAIT_MS = 1_000  # while we wait for the lock, every new reader and writer waits behind us
_ATTEMPTS = 5
_BETWEEN_ATTEMPTS_S = 1.0

_PARTITIONS = """
    SELECT c.oid::regclass::text AS name, substring(bound FROM $$FROM \\('([^']+)$$)::timestamptz AS start_time,
        substring(bound FROM $$TO \\('([^']+)$$)::timestamptz AS end_time, pg_total_relation_size(c.oid) AS bytes
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, LATERAL pg_get_expr(c.relpartbound, c.oid) AS bound
    WHERE i.inhparent = {name}::regclass
"""
_CHUNKS = """
    SELECT format('%%I.%%I', c.chunk_schema, c.chunk_name) AS name, c.range_start AS start_time,
        c.range_end AS end_time, s.total_bytes AS bytes
    FROM timescaledb_information.chunks c
    JOIN {schema}.chunks_detailed_size({name}) s USING (chunk_schema, chunk_name)
    WHERE c.hypertable_schema = current_schema() AND c.hypertable_name = {name}
"""
_OLD_PARTS = """
    SELECT name, (extract(epoch FROM start_time) * 1000000)::bigint, (extract(epoch FROM end_time) * 1000000)::bigint,
        bytes, coalesce(end_time <= kept_from, false),
        (extract(epoch FROM (
            SELECT max(stored_at) + %(spared)s::interval FROM {late_days}
            WHERE day >= start_time AND day < end_time AND stored_at > now() - %(spared)s::interval
        )) * 1000000)::bigint
    FROM ({parts}) AS part, {retention}
    WHERE end_time <= now() - %(keep)s::interval
    ORDER BY start_time
"""
# A daily candle lies within one part and counts its rows, so the part itself need not be read.
_ROWS_IN_CANDLES = """
    SELECT s.symbol, sum({count})::bigint FROM {days} r JOIN symbols s ON s.id = r.symbol_id
    WHERE open_time >= timestamptz 'epoch' + %s * interval '1 microsecond'
        AND open_time < timestamptz 'epoch' + %s * interval '1 microsecond'
    GROUP BY 1
"""
# Where rows were dropped before, the candles count more than are stored.
_ROWS_IN_PART = "SELECT s.symbol, count(*) FROM {part} t JOIN symbols s ON s.id = t.symbol_id GROUP BY 1"

_IS_SPARED = """
    SELECT EXISTS (SELECT FROM {late_days}
        WHERE day >= timestamptz 'epoch' + %s * interval '1 microsecond'
            AND day < timestamptz 'epoch' + %s * interval '1 microsecond' AND stored_at > now() - %s::interval)
"""
_KEPT_FROM = """
    UPDATE {retention} SET kept_from = greatest(kept_from, timestamptz 'epoch' + %s * interval '1 microsecond')
"""


@dataclass(frozen=True, slots=True)
class DroppablePart:
    """
    One part: the trades, or ticks, of ``[start_us, end_us)``, UTC microseconds.

    ``name`` is its table, quoted for SQL. ``rows`` counts them, ``symbols`` are the symbols that have some;
    ``bytes`` includes indexes.
    ``spared_until_us`` is the time when it may be dropped if it was backfilled recently, else None.
    """

    name: str
    start_us: int
    end_us: int
    bytes: int
    rows: int
    symbols: tuple[str, ...]
    spared_until_us: int | None
    of: StoredTable = TRADES


def parts_older_than(connection: Connection, keep: RetentionPeriod, of: StoredTable = TRADES) -> list[DroppablePart]:
    """Return the parts of a table that hold only rows older than ``keep``, oldest first. Raises psycopg.Error."""
    names = _names(of)
    schema = timescale_schema(connection) if is_hypertable(connection, of.name) else None
    parts = sql.SQL(_PARTITIONS if schema is None else _CHUNKS).format(schema=schema or sql.SQL(""), **names)
    query = sql.SQL(_OLD_PARTS).format(parts=parts, **names)
    rows = connection.execute(query, {"keep": keep.interval, "spared": SPARED_FOR}).fetchall()
    found = []
    for name, start_us, end_us, size, dropped_before, spared_until_us in rows:
        if dropped_before:
            held = connection.execute(sql.SQL(_ROWS_IN_PART).format(part=sql.SQL(name))).fetchall()
        else:
            held = connection.execute(sql.SQL(_ROWS_IN_CANDLES).format(**names), (start_us, end_us)).fetchall()
        symbols = tuple(sorted(symbol for symbol, _ in held))
        counted = sum(count for _, count in held)
        found.append(DroppablePart(name, start_us, end_us, size, counted, symbols, spared_until_us, of))
    return found


def drop(connection: Connection, part: DroppablePart) -> bool:
    """Drop a part; False if it stays in use, is gone or was backfilled since the plan. Raises psycopg.Error."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_BETWEEN_ATTEMPTS_S)
        try:
            return _drop(connection, part)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            continue
        except psycopg.errors.UndefinedTable:
            return False  # another program has dropped it
    logger.info("Old %s in %s are in use: the next run drops them", part.of.plural, part.name)
    return False


def _drop(connection: Connection, part: DroppablePart) -> bool:
    with connection.transaction():
        connection.execute("SELECT set_config('lock_timeout', %s, true)", (str(_LOCK_WAIT_MS),))
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", PARTITION_LOCK)
        names = _names(part.of)
        hypertable = is_hypertable(connection, part.of.name)
        if not hypertable:
            # Dropping a partition locks its parent too; taking that lock first, as inserts do, avoids deadlocks.
            connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(part.of.name)))
        connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.SQL(part.name)))
        spared = sql.SQL(_IS_SPARED).format(**names)
        if connection.execute(spared, (part.start_us, part.end_us, SPARED_FOR)).fetchone() == (True,):
            return False
        connection.execute(sql.SQL(_KEPT_FROM).format(**names), (part.end_us,))
        if hypertable:
            connection.execute(
                sql.SQL(
                    "SELECT {}.drop_chunks({},"
                    " older_than => timestamptz 'epoch' + {} * interval '1 microsecond',"
                    " newer_than => timestamptz 'epoch' + {} * interval '1 microsecond')"
                ).format(
                    timescale_schema(connection), names["name"], sql.Literal(part.end_us), sql.Literal(part.start_us)
                )
            )
        else:
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.SQL(part.name)))
    return True


def _names(of: StoredTable) -> dict[str, sql.Composable]:
    """Return what the queries call the table by, and its candles and records."""
    return {
        "name": sql.Literal(of.name),
        "days": sql.Identifier(of.days),
        "count": sql.Identifier(of.count),
        "retention": sql.Identifier(of.retention),
        "late_days": sql.Identifier(of.late_days),
    }
