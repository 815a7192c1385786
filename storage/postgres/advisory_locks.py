"""
The advisory locks by which programs on one database keep out of each other's way.

A transaction that changes a symbol's trades, coverage or rollups holds the symbol's lock until it ends. Work on the
database as a whole (migrations, the edition set-up, conversion, retention) holds the database lock, so that programs
which start together do it once, and never two kinds of it at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg

from storage.postgres.connection import Connection

SYMBOL_LOCKS = 0x63_72_79_70
"""The first half of a symbol lock's number; the second is the symbol's id, or 0 for the lock of the partitions."""

LOCK_SYMBOLS = (
    "SELECT pg_advisory_xact_lock(%s, id) FROM (SELECT id FROM unnest(%s::int[]) AS id ORDER BY id) AS symbol"
)
"""
Takes the locks of some symbols until the transaction ends. Parameters: SYMBOL_LOCKS and the symbol ids.

They are taken by rising id, so that two writers never wait for each other in a circle.
"""

# Any number will do, as long as all programs agree. The second half is the schema's, because one database may hold
# several sets of our tables.
_DATABASE_LOCK = "1668446577, hashtext(coalesce(current_schema(), ''))"
_CLIENT_CHECK_INTERVAL = "2s"


@contextlib.contextmanager
def database_lock(connection: Connection) -> Iterator[None]:
    """
    Hold the database lock inside the block, after waiting for its holder; without a time limit on statements.

    The lock is the session's, not a transaction's: the block may commit several transactions.
    """
    with without_time_limit(connection):
        connection.execute(f"SELECT pg_advisory_lock({_DATABASE_LOCK})")
        try:
            yield
        finally:
            _unlock(connection)


@contextlib.contextmanager
def try_database_lock(connection: Connection) -> Iterator[bool]:
    """Like `database_lock`, but yield False at once if another session holds the lock; True if the block has it."""
    with without_time_limit(connection):
        taken = connection.execute(f"SELECT pg_try_advisory_lock({_DATABASE_LOCK})").fetchone() == (True,)
        try:
            yield taken
        finally:
            if taken:
                _unlock(connection)


@contextlib.contextmanager
def without_time_limit(connection: Connection) -> Iterator[None]:
    """
    Suspend the session's limit on a statement's time inside the block.

    The server meanwhile checks every two seconds that the client still exists: what a killed program began is rolled
    back at once, rather than going on for hours and holding its locks.
    """
    row = connection.execute(
        "SELECT current_setting('statement_timeout'), current_setting('client_connection_check_interval')"
    ).fetchone()
    assert row is not None
    limit, check_interval = row
    _set(connection, "statement_timeout", "0")
    # A server on a system without the necessary poll events refuses any value but 0.
    with contextlib.suppress(psycopg.errors.InvalidParameterValue):
        _set(connection, "client_connection_check_interval", _CLIENT_CHECK_INTERVAL)
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
        connection.execute(f"SELECT pg_advisory_unlock({_DATABASE_LOCK})")
