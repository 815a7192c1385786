"""
What changes a database as a whole does it alone and takes the time it needs.

Migrations, the switch to another edition, conversion and retention each hold one lock, so that programs which start
together do such work once, and never two kinds of it at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg

from storage.postgres.connection import Connection

SYMBOL_LOCKS = 0x63_72_79_70
"""The first half of our lock numbers. The second is a symbol's id, or 0: the lock of the partitions."""

LOCK_SYMBOLS = (
    "SELECT pg_advisory_xact_lock(%s, id) FROM (SELECT id FROM unnest(%s::int[]) AS id ORDER BY id) AS symbol"
)
"""
Parameters: SYMBOL_LOCKS and symbol ids. Whoever changes a symbol's trades, coverage or rollups holds its lock.

Taken by rising id, so that nobody waits for another in a circle.
"""


# Any number will do, as long as all agree; the second is for the schema, because a database may hold several of ours.
_LOCK = "1668446577, hashtext(coalesce(current_schema(), ''))"
_NOTICE_CLIENT_GONE = "2s"


@contextlib.contextmanager
def database_lock(connection: Connection) -> Iterator[None]:
    """Hold the lock inside the block, after waiting for whoever holds it. Session-wide: a block has transactions."""
    with without_time_limit(connection):
        connection.execute(f"SELECT pg_advisory_lock({_LOCK})")
        try:
            yield
        finally:
            _unlock(connection)


@contextlib.contextmanager
def try_database_lock(connection: Connection) -> Iterator[bool]:
    """Hold the lock inside the block and yield True, or yield False where another holds it."""
    with without_time_limit(connection):
        taken = connection.execute(f"SELECT pg_try_advisory_lock({_LOCK})").fetchone() == (True,)
        try:
            yield taken
        finally:
            if taken:
                _unlock(connection)


@contextlib.contextmanager
def without_time_limit(connection: Connection) -> Iterator[None]:
    """
    Let statements inside the block take as long as they take; the session's limit holds again afterwards.

    The server looks meanwhile whether the client is still there: what a killed one began is undone at once.
    """
    row = connection.execute(
        "SELECT current_setting('statement_timeout'), current_setting('client_connection_check_interval')"
    ).fetchone()
    assert row is not None
    limit, check_interval = row
    _set(connection, "statement_timeout", "0")
    # Not every system lets the server look.
    with contextlib.suppress(psycopg.errors.InvalidParameterValue):
        _set(connection, "client_connection_check_interval", _NOTICE_CLIENT_GONE)
    try:
        yield
    finally:
        if not connection.closed:
            _set(connection, "statement_timeout", limit)
            _set(connection, "client_connection_check_interval", check_interval)


def _set(connection: Connection, setting: str, value: str) -> None:
    connection.execute("SELECT set_config(%s, %s, false)", (setting, value))


def _unlock(connection: Connection) -> None:
    if not connection.closed:
        connection.execute(f"SELECT pg_advisory_unlock({_LOCK})")
