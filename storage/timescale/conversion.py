"""
Conversion of plain partitions to a hypertable, once TimescaleDB has been installed on the server.

The rows are copied to a hypertable beside the table, `trades` or `quotes`, in slices of time; each slice is a
transaction that records its progress. A trigger copies rows that are stored in the meantime. So readers and writers do
not wait, and after any interruption, even kill -9 or a full disk, the conversion continues after the last slice. When
both tables hold the same rows, they are swapped in one transaction (`storage.timescale.table_swap`); until then nothing
changes for others.

A small table is converted when the database is opened. A large one needs minutes and temporarily the space of a second
copy, so opening it only logs a hint to run ``cryptopipe db convert``.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from psycopg import sql

from app.market.errors import StoreError, StoreUnavailable
from storage.postgres.advisory_locks import try_database_lock
from storage.postgres.connection import Connection, translated
from storage.schema.editions import (
    conversion_state,
    is_being_converted,
    is_hypertable,
    owns_trades,
    timescale_schema,
)
from storage.timescale.table_swap import identifiers, swap_tables
from storage.writing.stored_table import QUOTES, TRADES, StoredTable

logger = logging.getLogger(__name__)

CONVERTED = (TRADES, QUOTES)
"""The tables that are converted, in this order."""

SMALL_ROWS = 1_000_000
"""Up to this many rows of a table, a few seconds of work, are converted when the database is opened."""

Progress = Callable[[int, int], None]
"""Called with the rows copied and the total; raising an exception ends the conversion, which can be resumed later."""

_SLICE_ROWS = 200_000
_SPACE_FACTOR = 1.2  # of the copied bytes, with a margin; the write-ahead log needs more, but has its own limit
_LOG_EVERY_S = 10.0

_SIZE = """
    SELECT coalesce((SELECT sum({count}) FROM {days}), 0)::bigint,
        coalesce((SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits
                  WHERE inhparent = {name}::regclass), 0)::bigint
"""
_BEGIN = """
    CREATE TABLE {hypertable} (LIKE {table} INCLUDING ALL);
    SELECT {functions}.create_hypertable({hypertable_name}, {functions}.by_range('time', {chunk}::interval),
        create_default_indexes => false);
    CREATE TABLE {state} (copied_to timestamptz NOT NULL);
    INSERT INTO {state} VALUES ('-infinity');
    CREATE FUNCTION {state}() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp
    AS $body$
    BEGIN
        INSERT INTO {schema}.{hypertable} SELECT * FROM fresh ON CONFLICT DO NOTHING;
        RETURN NULL;
    END
    $body$;
    CREATE TRIGGER {state} AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh
        FOR EACH STATEMENT EXECUTE FUNCTION {state}();
"""
_PARTITION_BOUNDS = """
    SELECT min(substring(bound FROM $$FROM \\('([^']+)$$)::timestamptz),
        max(substring(bound FROM $$TO \\('([^']+)$$)::timestamptz)
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, LATERAL pg_get_expr(c.relpartbound, c.oid) AS bound
    WHERE i.inhparent = {name}::regclass
"""
_DAYS = "SELECT open_time, sum({count})::bigint FROM {days} GROUP BY 1"
# Symbol by symbol, because the primary key starts with the symbol and so its index serves each of them.
_COPY = """
    INSERT INTO {hypertable}
    SELECT t.*
    FROM symbols s CROSS JOIN LATERAL (
        SELECT * FROM {table} WHERE symbol_id = s.id AND time >= %(start)s AND time < %(end)s
    ) AS t
    ON CONFLICT DO NOTHING
"""
_ROW_COUNTS = "SELECT (SELECT count(*) FROM {table}), (SELECT count(*) FROM {hypertable})"


@dataclass(frozen=True, slots=True)
class Conversion:
    """A due conversion: the number of rows of the table ``of``, their bytes, and whether it was begun before."""

    rows: int
    bytes: int
    begun: bool
    of: StoredTable = TRADES


def conversion_due(connection: Connection, table: StoredTable = TRADES) -> Conversion | None:
    """Return the due conversion; None if there is none or the role does not own the tables. Raises StoreError."""
    with translated(f"see how {table.plural} are stored"):
        if timescale_schema(connection) is None or is_hypertable(connection, table.name) or not owns_trades(connection):
            return None
        row = connection.execute(_statement(_SIZE, table)).fetchone()
        assert row is not None
        return Conversion(row[0], row[1], is_being_converted(connection, table.name), table)


def convert_if_small(connection: Connection, table: StoredTable = TRADES) -> None:
    """
    Convert if that takes only seconds, else log how to convert. Does nothing if another program is doing such work.

    Raises:
        StoreError: If it fails. The rows are unchanged, and the next opening tries again.
    """
    due = conversion_due(connection, table)
    if due is None:
        return
    if due.rows > SMALL_ROWS:
        logger.warning(due_sentence(due))
        return
    convert(connection, _log_progress(table), table)


def due_sentence(due: Conversion) -> str:
    """Return the sentence that explains the due conversion and how to run it."""
    return (
        f"TimescaleDB is available, but {due.rows} {due.of.plural} are still in plain partitions"
        f"{', partly converted' if due.begun else ''}: `cryptopipe db convert` converts them while the program goes on "
        f"recording; it needs {due.bytes * _SPACE_FACTOR / 1e9:.1f} GB for a while."
    )


def convert(connection: Connection, progress: Progress | None = None, table: StoredTable = TRADES) -> bool:
    """
    Convert, or resume a conversion; False if none is due or another program is doing such work.

    Others can read and write; they wait only for a moment at the end.

    Raises:
        StoreUnavailable: If disk space is lacking or the database does not answer. It can be resumed.
        StoreError: If an object of the user's depends on the old table; the message names it.
    """
    with translated(f"convert the {table.plural} to a hypertable"), try_database_lock(connection) as is_locked:
        due = conversion_due(connection, table)
        if due is None or not is_locked:
            return False
        _check_free_space(connection, due)
        if not due.begun:
            _begin(connection, table)
        _copy(connection, due, progress or (lambda done, total: None))
        _check_row_counts(connection, table)
        swap_tables(connection, table)
    logger.info("%d %s were converted to a hypertable", due.rows, table.plural)
    return True


def _begin(connection: Connection, table: StoredTable) -> None:
    schema = connection.execute("SELECT current_schema()").fetchone()
    assert schema is not None
    with connection.transaction():
        # Waits for writers in progress: every later insert fires the trigger, so no row is missed.
        connection.execute(_statement("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE", table))
        connection.execute(
            _statement(
                _BEGIN,
                table,
                functions=timescale_schema(connection) or sql.SQL(""),
                chunk=sql.Literal(f"{table.chunk_days} days"),
                schema=sql.Identifier(schema[0]),
            )
        )


def _copy(connection: Connection, due: Conversion, progress: Progress) -> None:
    bounds = connection.execute(_statement(_PARTITION_BOUNDS, due.of)).fetchone()
    copied = connection.execute(_statement("SELECT nullif(copied_to, '-infinity') FROM {state}", due.of)).fetchone()
    assert bounds is not None
    assert copied is not None
    if bounds[0] is None:
        return
    days: dict[datetime, int] = dict(connection.execute(_statement(_DAYS, due.of)).fetchall())
    copy, note = _statement(_COPY, due.of), _statement("UPDATE {state} SET copied_to = %s", due.of)
    start: datetime = bounds[0] if copied[0] is None else max(bounds[0], copied[0])
    done = sum(rows for day, rows in days.items() if day < start)
    progress(min(done, due.rows), due.rows)
    for first, after, rows in _slices(start, bounds[1], days):
        with connection.transaction():
            connection.execute(copy, {"start": first, "end": after})
            connection.execute(note, (after,))
        done += rows
        progress(min(done, due.rows), due.rows)


def _slices(start: datetime, end: datetime, days: dict[datetime, int]) -> Iterator[tuple[datetime, datetime, int]]:
    """Yield adjoining slices from start to end of about `_SLICE_ROWS` each: several days, or hours of one day."""
    first, rows = start, 0
    day = start
    while day < end:
        after = min(day.replace(hour=0) + timedelta(days=1), end)
        there = days.get(day.replace(hour=0), 0)
        if there > 2 * _SLICE_ROWS:
            if first < day:
                yield first, day, rows
            yield from _hour_slices(day, after, there)
            first, rows = after, 0
        else:
            rows += there
            if rows >= _SLICE_ROWS:
                yield first, after, rows
                first, rows = after, 0
        day = after
    if first < end:
        yield first, end, rows


def _hour_slices(start: datetime, end: datetime, rows: int) -> Iterator[tuple[datetime, datetime, int]]:
    hours = max(1, round((end - start) / timedelta(hours=1)))
    for hour in range(hours):
        first = start + timedelta(hours=hour)
        yield first, min(first + timedelta(hours=1), end), rows * (hour + 1) // hours - rows * hour // hours


def _check_row_counts(connection: Connection, table: StoredTable) -> None:
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = connection.execute(_statement(_ROW_COUNTS, table)).fetchone()
    assert row is not None
    if row[0] != row[1]:
        raise StoreError(
            f"The copy holds {row[1]} {table.plural} of {row[0]}, so it was not put in place: please report this. The "
            f"old tables are unchanged; drop the tables {table.name}_hypertable and {conversion_state(table.name)} "
            "with CASCADE to start again."
        )


def _check_free_space(connection: Connection, due: Conversion) -> None:
    free = _free_bytes(connection)
    left = due.bytes * _SPACE_FACTOR
    if due.begun:
        row = connection.execute(
            _statement(
                "SELECT {functions}.hypertable_size({hypertable_name})",
                due.of,
                functions=timescale_schema(connection) or sql.SQL(""),
            )
        ).fetchone()
        left -= (row and row[0]) or 0
    if free is not None and free < left:
        raise StoreUnavailable(
            f"Converting the {due.of.plural} needs {left / 1e9:.1f} GB of free space for a while, and there are "
            f"{free / 1e9:.1f} GB: free some, then run `cryptopipe db convert`."
        )


def _free_bytes(connection: Connection) -> int | None:
    """Return the free bytes of the server's disk; None if it is on another machine or cannot be inspected."""
    host = connection.info.host
    if not host.startswith("/"):
        return None  # even on this machine it may be a container with its own file system
    row = connection.execute("SELECT current_setting('data_directory', true)").fetchone()
    folder = Path(row[0]) if row and row[0] else None
    try:
        if folder is None or not (folder / "PG_VERSION").exists():
            return None
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _statement(text: str, table: StoredTable, **more: sql.Composable) -> sql.Composed:
    """Return a statement with the names of the table, and ``more``, filled in."""
    return sql.SQL(text).format(
        **identifiers(table),
        name=sql.Literal(table.name),
        hypertable_name=sql.Literal(f"{table.name}_hypertable"),
        days=sql.Identifier(table.days),
        count=sql.Identifier(table.count),
        **more,
    )


def _log_progress(table: StoredTable) -> Progress:
    said_s = time.monotonic()

    def log(done: int, total: int) -> None:
        nonlocal said_s
        if time.monotonic() - said_s >= _LOG_EVERY_S:
            said_s = time.monotonic()
            logger.info("Converting to a hypertable: %d of %d %s", done, total, table.plural)

    return log
