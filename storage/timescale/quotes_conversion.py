"""
Conversion of `quotes` from plain partitions to a hypertable, once TimescaleDB has been installed on the server.

In one transaction, while nobody writes: a database that has no TimescaleDB at first rarely has many ticks by then. One
that has stays as it is; plain partitions work on TimescaleDB, too, and are only not compressed.
"""

from __future__ import annotations

import logging

import psycopg
from psycopg import sql

from storage.postgres.advisory_locks import try_database_lock
from storage.postgres.connection import Connection
from storage.schema.editions import is_hypertable, owns_trades, timescale_schema
from storage.timescale.table_swap import swap_locked_tables

logger = logging.getLogger(__name__)

MOST_TICKS = 5_000_000
"""Up to this many ticks, some ten seconds of work, are converted when the database is opened."""

_HYPERTABLE = "quotes_hypertable"
_LOCK_WAIT_MS = 2_000  # while we wait for the lock, every new reader and writer waits behind us
_COUNT = "SELECT coalesce(sum(ticks), 0)::bigint FROM quote_rollup_1d"
_MAKE = """
    CREATE TABLE {hypertable} (LIKE quotes INCLUDING ALL);
    SELECT {functions}.create_hypertable({name}, {functions}.by_range('time', interval '7 days'),
        create_default_indexes => false);
    INSERT INTO {hypertable} SELECT * FROM quotes;
"""


def convert_quotes(connection: Connection) -> bool:
    """
    Convert the quotes if that takes only seconds; return whether that was done. The next opening tries again.

    Raises psycopg.Error if the database does not answer; nothing was changed then.
    """
    schema = timescale_schema(connection)
    if schema is None or is_hypertable(connection, "quotes") or not owns_trades(connection):
        return False
    if (connection.execute(_COUNT).fetchone() or (0,))[0] > MOST_TICKS:
        logger.info("TimescaleDB is available, but the ticks are too many to convert: they stay in plain partitions")
        return False
    with try_database_lock(connection) as is_locked:
        if not is_locked or is_hypertable(connection, "quotes"):
            return False
        try:
            with connection.transaction():
                connection.execute("SELECT set_config('lock_timeout', %s, true)", (str(_LOCK_WAIT_MS),))
                connection.execute("LOCK TABLE quotes IN ACCESS EXCLUSIVE MODE")
                make = sql.SQL(_MAKE).format(
                    hypertable=sql.Identifier(_HYPERTABLE), name=sql.Literal(_HYPERTABLE), functions=schema
                )
                connection.execute(make)
                swap_locked_tables(connection, "quotes", _HYPERTABLE)
        except (
            psycopg.errors.LockNotAvailable,
            psycopg.errors.DeadlockDetected,
            psycopg.errors.DependentObjectsStillExist,
        ) as error:
            logger.info("The ticks stay in plain partitions for now: %s", error.diag.message_primary)
            return False
    logger.info("The ticks were converted to a hypertable")
    return True
