"""The advisory lock of judging: one for each symbol, held until the transaction ends."""

from __future__ import annotations

from storage.postgres.connection import Connection

_LOCK = 0x61_6C_72_74  # the first half of the lock's number; the second is the symbol's id


def take_lock(connection: Connection, symbol_id: int) -> None:
    """
    Wait for the lock.

    A statement of its own: the next one sees what the lock's last holder has done.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK, symbol_id))


def try_lock(connection: Connection, symbol_id: int) -> bool:
    """Take the lock; return False if somebody else holds it."""
    return connection.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (_LOCK, symbol_id)).fetchone() == (True,)
