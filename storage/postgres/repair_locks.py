"""
Announces to other programs on the same database who repairs which gaps, by advisory locks.

A lock belongs to a connection and ends with it, however it ends, so no announcement outlives its program. There are
three kinds. A command or a window that fetches everything that a symbol misses holds the symbol's whole-repair lock
alone. A program that records shares each symbol's small-repair lock with others of its kind, and a third lock whose
number is the size of the largest gap that it repairs unasked.

`app.live.repair.shared_repairs` decides what to announce, and what to leave to others.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import psycopg

from app.market.errors import StoreError
from storage.postgres.connection import Connection, translated
from storage.postgres.symbol_ids import symbol_ids_of

# The first halves of the locks' numbers. The second half is the symbol's id, or the size of a gap.
_WHOLE = 0x67_61_70_73
_SMALL = 0x67_61_70_74
_LARGEST = 0x67_61_70_75
_MOST = 2**31 - 1  # the highest number that fits; no gap repaired unasked is that large

# objsubid 2 marks locks of two 32-bit numbers. pg_locks shows those of all databases of the server.
_ANNOUNCED = """
    SELECT classid::bigint, objid::bigint, pid FROM pg_locks
    WHERE locktype = 'advisory' AND classid = ANY(%s::oid[]) AND objsubid = 2 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_WHOLE_OF_OTHERS = """
    SELECT s.symbol FROM pg_locks l JOIN symbols s ON s.id = l.objid::bigint
    WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2 AND granted AND pid <> pg_backend_pid()
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

Lock = tuple[int, int]
"""The two halves of an advisory lock's number."""


class AnnouncedRepairs(NamedTuple):
    """
    What programs are repairing now, by symbol id: everything missing (``whole``), or gaps of up to that many trades
    (``up_to``).
    """

    whole: set[int]
    up_to: dict[int, int]

    def fetches(self, symbol_id: int, missing: int) -> bool:
        """Whether some program repairs a gap of that symbol that misses this many trades."""
        return symbol_id in self.whole or missing <= self.up_to.get(symbol_id, 0)


def announced_repairs(connection: Connection) -> AnnouncedRepairs:
    """Return what the programs on this database are repairing now. Raises psycopg.Error."""
    rows = connection.execute(_ANNOUNCED, ([_WHOLE, _SMALL, _LARGEST],)).fetchall()
    largest = {pid: number for kind, number, pid in rows if kind == _LARGEST}
    up_to: dict[int, int] = {}
    for kind, symbol_id, pid in rows:
        if kind == _SMALL:
            up_to[symbol_id] = max(up_to.get(symbol_id, 0), largest.get(pid, 0))
    return AnnouncedRepairs({symbol_id for kind, symbol_id, _ in rows if kind == _WHOLE}, up_to)


@contextlib.contextmanager
def exclusive_repair(connection: Connection, names: Sequence[str]) -> Iterator[None]:
    """
    Announce, inside the block, that this connection's program repairs everything these symbols miss, and it alone.

    Raises:
        StoreError: If another program is doing that for one of them.
    """
    with translated("begin the repair"):
        known = symbol_ids_of(connection, names)
        for name in names:
            # Symbols that the database does not know yet share the number 0, which no symbol has.
            if not _lock(connection, (_WHOLE, known.get(name, 0))):
                raise StoreError(f"Another program is fetching what is missing of {name}: wait until it is done.")
    try:
        yield
    finally:
        with contextlib.suppress(psycopg.Error):  # a connection that broke holds no locks
            connection.execute("SELECT pg_advisory_unlock_all()")


class RepairNotice:
    """
    What this program repairs, announced to the others. From any thread.

    The locks need a connection: it is borrowed while there is anything to announce. ``borrow`` lends one for a purpose,
    which completes "could not …".
    """

    def __init__(self, borrow: Callable[[str], AbstractContextManager[Connection]]) -> None:
        self._borrow = borrow
        self._lent = contextlib.ExitStack()
        self._connection: Connection | None = None
        self._held: set[Lock] = set()
        self._lock = threading.Lock()
        self._closed = False

    def announce(self, small: Collection[str], whole: Collection[str], largest: int) -> set[str]:
        """See `app.market.ports.storage.RepairAnnouncements.announce_repairs`."""
        try:
            with self._lock:
                return set() if self._closed else self._announce(small, whole, largest)
        finally:
            self._give_back_if_closed()

    def close(self) -> None:
        """
        Announce nothing more and give the connection back. Does not block.

        Nothing is said to the server, which may have stopped answering: the lender closes the connection, and the locks
        end with it. If `announce` is waiting for the server just now, it gives the connection back when it returns.
        """
        self._closed = True
        self._give_back_if_closed()

    def _announce(self, small: Collection[str], whole: Collection[str], largest: int) -> set[str]:
        if self._connection is None:
            self._connection = self._lent.enter_context(self._borrow("announce repairs"))
        try:
            others = self._update_locks(self._connection, small, whole, largest)
        except BaseException as error:
            self._give_back(error)
            raise
        if not self._held:
            self._give_back()
        return others

    def _give_back_if_closed(self) -> None:
        """
        Give the connection back after `close`. Called by `close` and at the end of `announce`: whichever comes last
        finds the lock free, so that no connection stays lent.
        """
        if self._closed and self._lock.acquire(blocking=False):
            self._give_back()
            self._lock.release()

    def _update_locks(
        self, connection: Connection, small: Collection[str], whole: Collection[str], largest: int
    ) -> set[str]:
        """Hold the locks of these repairs and no others; return the symbols that other programs repair as a whole."""
        known = symbol_ids_of(connection, {*small, *whole})
        announced: set[Lock] = {(_WHOLE, known[name]) for name in whole if name in known}
        if small and largest:
            announced |= {(_SMALL, known[name]) for name in small if name in known}
            announced.add((_LARGEST, min(largest, _MOST)))
        for lock in self._held - announced:
            shared = "" if lock[0] == _WHOLE else "_shared"
            connection.execute(f"SELECT pg_advisory_unlock{shared}(%s, %s)", lock)
            self._held.discard(lock)
        for lock in announced - self._held:
            if _lock(connection, lock):
                self._held.add(lock)
        return {name for (name,) in connection.execute(_WHOLE_OF_OTHERS, (_WHOLE,))}

    def _give_back(self, error: BaseException | None = None) -> None:
        lent, self._lent = self._lent, contextlib.ExitStack()
        self._connection, self._held = None, set()
        lent.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)


def _lock(connection: Connection, lock: Lock) -> bool:
    """Take the lock if no other session's lock forbids it; only a whole-repair lock keeps others out."""
    shared = "" if lock[0] == _WHOLE else "_shared"
    return connection.execute(f"SELECT pg_try_advisory_lock{shared}(%s, %s)", lock).fetchone() == (True,)
