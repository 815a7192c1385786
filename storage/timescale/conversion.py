"""
Conversion of plain partitions to a hypertable, once TimescaleDB has been installed on the server.

The trades are copied to a hypertable beside `trades`, in slices of time; each slice is a transaction that records its
progress. A trigger copies trades that are stored in the meantime. So readers and writers do not wait, and after any
interruption, even kill -9 or a full disk, the conversion continues after the last slice. When both tables hold the same
trades, they are swapped in one transaction (`storage.timescale.table_swap`); until then nothing changes for others.

A small database is converted when it is opened. A large one needs minutes and temporarily the space of a second copy,
so opening it only logs a hint to run ``cryptopipe db convert``.
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
from storage.schema.editions import is_being_converted, is_hypertable, owns_trades, timescale_schema
from storage.timescale.table_swap import HYPERTABLE, STATE, swap_tables

logger = logging.getLogger(__name__)

SMALL_TRADES = 1_000_000
"""Up to this many trades, a few seconds of work, are converted when the database is opened."""

Progress = Callable[[int, int], None]
"""Called with the trades copied and the total; raising an exception ends the conversion, which can be resumed later."""

_SLICE_TRADES = 200_000
_SPACE_FACTOR = 1.2  # of the copied bytes, with a margin; the write-ahead log needs more, but has its own limit
_LOG_EVERY_S = 10.0

_TRADES_SIZE = """
    SELECT coalesce((SELECT sum(trades) FROM rollup_1d), 0)::bigint,
        coalesce((SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits
                  WHERE inhparent = 'trades'::regclass), 0)::bigint
"""
_BEGIN = """
    CREATE TABLE {hypertable} (LIKE trades INCLUDING ALL);
    SELECT {functions}.create_hypertable({name}, {functions}.by_range('time', interval '1 day'),
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
    CREATE TRIGGER {state} AFTER INSERT ON trades REFERENCING NEW TABLE AS fresh
        FOR EACH STATEMENT EXECUTE FUNCTION {state}();
"""
_PARTITION_BOUNDS = """
    SELECT min(substring(bound FROM $$FROM \\('([^']+)$$)::timestamptz),
        max(substring(bound FROM $$TO \\('([^']+)$$)::timestamptz)
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, LATERAL pg_get_expr(c.relpartbound, c.oid) AS bound
    WHERE i.inhparent = 'trades'::regclass
"""
_DAYS = "SELECT open_time, sum(trades)::bigint FROM rollup_1d GROUP BY 1"
# Symbol by symbol, because the primary key starts with the symbol and so its index serves each of them.
_COPY = """
    INSERT INTO {hypertable} (symbol_id, time, trade_id, price, quantity, is_buyer_maker)
    SELECT t.symbol_id, t.time, t.trade_id, t.price, t.quantity, t.is_buyer_maker
    FROM symbols s CROSS JOIN LATERAL (
        SELECT * FROM trades WHERE symbol_id = s.id AND time >= %(start)s AND time < %(end)s
    ) AS t
    ON CONFLICT DO NOTHING
"""
_ROW_COUNTS = "SELECT (SELECT count(*) FROM trades), (SELECT count(*) FROM {hypertable})"


@dataclass(frozen=True, slots=True)
class Conversion:
    """A due conversion: the number of trades, their bytes, and whether it was begun before."""

    trades: int
    bytes: int
    begun: bool


def conversion_due(connection: Connection) -> Conversion | None:
    """Return the due conversion; None if there is none or the role does not own the tables. Raises StoreError."""
    with translated("see how trades are stored"):
        if timescale_schema(connection) is None or is_hypertable(connection) or not owns_trades(connection):
            return None
        row = connection.execute(_TRADES_SIZE).fetchone()
        assert row is not None
        return Conversion(row[0], row[1], begun=is_being_converted(connection))


def convert_if_small(connection: Connection) -> None:
    """
    Convert if that takes only seconds, else log how to convert. Does nothing if another program is doing such work.

    Raises:
        StoreError: If it fails. The trades are unchanged, and the next opening tries again.
    """
    due = conversion_due(connection)
    if due is None:
        return
    if due.trades > SMALL_TRADES:
        logger.warning(due_sentence(due))
        return
    convert(connection, _log_progress())


def due_sentence(due: Conversion) -> str:
    """Return the sentence that explains the due conversion and how to run it."""
    return (
        f"TimescaleDB is available, but {due.trades} trades are still in plain partitions"
        f"{', partly converted' if due.begun else ''}: `cryptopipe db convert` converts them while the program goes on "
        f"recording; it needs {due.bytes * _SPACE_FACTOR / 1e9:.1f} GB for a while."
    )


def convert(connection: Connection, progress: Progress | None = None) -> bool:
    """
    Convert, or resume a conversion; False if none is due or another program is doing such work.

    Others can read and write; they wait only for a moment at the end.

    Raises:
        StoreUnavailable: If disk space is lacking or the database does not answer. It can be resumed.
        StoreError: If an object of the user's depends on the old table; the message names it.
    """
    with translated("convert the trades to a hypertable"), try_database_lock(connection) as is_locked:
        due = conversion_due(connection)
        if due is None or not is_locked:
            return False
        _check_free_space(connection, due)
        if not due.begun:
            _begin(connection)
        _copy(connection, due, progress or (lambda done, total: None))
        _check_row_counts(connection)
        swap_tables(connection)
    logger.info("%d trades were converted to a hypertable", due.trades)
    return True


def _begin(connection: Connection) -> None:
    schema = connection.execute("SELECT current_schema()").fetchone()
    assert schema is not None
    with connection.transaction():
        # Waits for writers in progress: every later insert fires the trigger, so no trade is missed.
        connection.execute("LOCK TABLE trades IN SHARE ROW EXCLUSIVE MODE")
        connection.execute(
            sql.SQL(_BEGIN).format(
                functions=timescale_schema(connection),
                hypertable=sql.Identifier(HYPERTABLE),
                name=sql.Literal(HYPERTABLE),
                state=sql.Identifier(STATE),
                schema=sql.Identifier(schema[0]),
            )
        )


def _copy(connection: Connection, due: Conversion, progress: Progress) -> None:
    row = connection.execute(_PARTITION_BOUNDS).fetchone()
    copied = connection.execute(
        sql.SQL("SELECT nullif(copied_to, '-infinity') FROM {}").format(_state_table())
    ).fetchone()
    assert row is not None
    assert copied is not None
    if row[0] is None:
        return
    days: dict[datetime, int] = dict(connection.execute(_DAYS).fetchall())
    statement = sql.SQL(_COPY).format(hypertable=sql.Identifier(HYPERTABLE))
    start: datetime = row[0] if copied[0] is None else max(row[0], copied[0])
    done = sum(trades for day, trades in days.items() if day < start)
    progress(min(done, due.trades), due.trades)
    for first, after, trades in _slices(start, row[1], days):
        with connection.transaction():
            connection.execute(statement, {"start": first, "end": after})
            connection.execute(sql.SQL("UPDATE {} SET copied_to = %s").format(_state_table()), (after,))
        done += trades
        progress(min(done, due.trades), due.trades)


def _slices(start: datetime, end: datetime, days: dict[datetime, int]) -> Iterator[tuple[datetime, datetime, int]]:
    """Yield adjoining slices from start to end of about `_SLICE_TRADES` each: several days, or hours of one day."""
    first, trades = start, 0
    day = start
    while day < end:
        after = min(day.replace(hour=0) + timedelta(days=1), end)
        there = days.get(day.replace(hour=0), 0)
        if there > 2 * _SLICE_TRADES:
            if first < day:
                yield first, day, trades
            yield from _hour_slices(day, after, there)
            first, trades = after, 0
        else:
            trades += there
            if trades >= _SLICE_TRADES:
                yield first, after, trades
                first, trades = after, 0
        day = after
    if first < end:
        yield first, end, trades


def _hour_slices(start: datetime, end: datetime, trades: int) -> Iterator[tuple[datetime, datetime, int]]:
    hours = max(1, round((end - start) / timedelta(hours=1)))
    for hour in range(hours):
        first = start + timedelta(hours=hour)
        yield first, min(first + timedelta(hours=1), end), trades * (hour + 1) // hours - trades * hour // hours


def _check_row_counts(connection: Connection) -> None:
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = connection.execute(sql.SQL(_ROW_COUNTS).format(hypertable=sql.Identifier(HYPERTABLE))).fetchone()
    assert row is not None
    if row[0] != row[1]:
        raise StoreError(
            f"The copy holds {row[1]} trades of {row[0]}, so it was not put in place: please report this. The old "
            f"tables are unchanged; drop the tables {HYPERTABLE} and {STATE} with CASCADE to start again."
        )


def _check_free_space(connection: Connection, due: Conversion) -> None:
    free = _free_bytes(connection)
    left = due.bytes * _SPACE_FACTOR
    if due.begun:
        row = connection.execute(
            sql.SQL("SELECT {}.hypertable_size(%s)").format(timescale_schema(connection)), (HYPERTABLE,)
        ).fetchone()
        left -= (row and row[0]) or 0
    if free is not None and free < left:
        raise StoreUnavailable(
            f"Converting the trades needs {left / 1e9:.1f} GB of free space for a while, and there are "
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


def _state_table() -> sql.Identifier:
    return sql.Identifier(STATE)


def _log_progress() -> Progress:
    said_s = time.monotonic()

    def log(done: int, total: int) -> None:
        nonlocal said_s
        if time.monotonic() - said_s >= _LOG_EVERY_S:
            said_s = time.monotonic()
            logger.info("Converting to a hypertable: %d of %d trades", done, total)

    return log
