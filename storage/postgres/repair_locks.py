"""
Who fetches what is missing: told to the other programs on the same database by advisory locks.

They are a connection's, and end with it however it ends. Whoever sets out to fetch all that is missing of a symbol, the
command or a window that downloads, holds the symbol's lock alone. A program that records shares another with its like,
and a third whose number is the size of the largest gap that it fetches unasked.
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

_WHOLE = 0x67_61_70_73
_SMALL = 0x67_61_70_74
_LARGEST = 0x67_61_70_75
_MOST = 2**31 - 1  # a lock's number; no gap fetched unasked is that large

_SYMBOLS = "SELECT name, id FROM symbols WHERE name = ANY(%s)"
_LOCKS = """
    SELECT classid::bigint, objid::bigint, pid FROM pg_locks
    WHERE locktype = 'advisory' AND classid = ANY(%s::oid[]) AND objsubid = 2 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_WHOLE_OF_OTHERS = """
    SELECT s.name FROM pg_locks l JOIN symbols s ON s.id = l.objid::bigint
    WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2 AND granted AND pid <> pg_backend_pid()
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

Lock = tuple[int, int]
"""The two halves of its number."""


class AnnouncedRepairs(NamedTuple):
    """The numbers of the symbols of which all is being fetched, and of others up to what size of gap."""

    whole: set[int]
    up_to: dict[int, int]

    def fetches(self, symbol_id: int, missing: int) -> bool:
        """Whether some program fetches a gap of so many trades."""
        return symbol_id in self.whole or missing <= self.up_to.get(symbol_id, 0)


def announced_repairs(connection: Connection) -> AnnouncedRepairs:
    """Return what programs fetch just now."""
    rows = connection.execute(_LOCKS, ([_WHOLE, _SMALL, _LARGEST],)).fetchall()
    largest = {pid: number for kind, number, pid in rows if kind == _LARGEST}
    up_to: dict[int, int] = {}
    for kind, symbol_id, pid in rows:
        if kind == _SMALL:
            up_to[symbol_id] = max(up_to.get(symbol_id, 0), largest.get(pid, 0))
    return AnnouncedRepairs({symbol_id for kind, symbol_id, _ in rows if kind == _WHOLE}, up_to)


@contextlib.contextmanager
def exclusive_repair(connection: Connection, names: Sequence[str]) -> Iterator[None]:
    """
    Tell other programs that all that is missing of these symbols is being fetched, while the connection lives.

    Raises:
        StoreError: If another program is at it.
    """
    with translated("begin fetching what is missing"):
        known: dict[str, int] = dict(connection.execute(_SYMBOLS, (list(names),)).fetchall())
        for name in names:
            if not _lock(connection, (_WHOLE, known.get(name, 0))):
                raise StoreError(f"Another program is fetching what is missing of {name}: wait until it is done.")
    try:
        yield
    finally:
        with contextlib.suppress(psycopg.Error):  # a connection that is gone holds nothing
            connection.execute("SELECT pg_advisory_unlock_all()")


class RepairNotice:
    """What this program fetches, told by a connection that is kept while there is anything. ``borrow`` lends one."""

    def __init__(self, borrow: Callable[[str], AbstractContextManager[Connection]]) -> None:
        self._borrow = borrow
        self._lent = contextlib.ExitStack()
        self._connection: Connection | None = None
        self._held: set[Lock] = set()
        self._lock = threading.Lock()
        self._closed = False

    def announce(self, small: Collection[str], whole: Collection[str], largest: int) -> set[str]:
        """See `app.market.ports.storage.CandleStore.announce_repairs`."""
        try:
            with self._lock:
                return set() if self._closed else self._tell(small, whole, largest)
        finally:
            self._let_go()

    def close(self) -> None:
        """
        Tell nothing more, and give the connection back without a word to the server, which may have stopped answering:
        whoever lent it closes it, also where it is being waited for just now.
        """
        self._closed = True
        self._let_go()

    def _tell(self, small: Collection[str], whole: Collection[str], largest: int) -> set[str]:
        if self._connection is None:
            self._connection = self._lent.enter_context(self._borrow("tell what is being fetched"))
        try:
            others = self._told(self._connection, small, whole, largest)
        except BaseException as error:
            self._give_back(error)
            raise
        if not self._held:
            self._give_back()
        return others

    def _let_go(self) -> None:
        """Give the connection back where nothing more is told; whoever leaves last does, so that none stays lent."""
        if self._closed and self._lock.acquire(blocking=False):
            self._give_back()
            self._lock.release()

    def _told(self, connection: Connection, small: Collection[str], whole: Collection[str], largest: int) -> set[str]:
        known: dict[str, int] = dict(connection.execute(_SYMBOLS, (sorted({*small, *whole}),)).fetchall())
        wanted: set[Lock] = {(_WHOLE, known[name]) for name in whole if name in known}
        if small and largest:
            wanted |= {(_SMALL, known[name]) for name in small if name in known}
            wanted.add((_LARGEST, min(largest, _MOST)))
        for lock in self._held - wanted:
            shared = "" if lock[0] == _WHOLE else "_shared"
            connection.execute(f"SELECT pg_advisory_unlock{shared}(%s, %s)", lock)
            self._held.discard(lock)
        for lock in wanted - self._held:
            if _lock(connection, lock):
                self._held.add(lock)
        return {name for (name,) in connection.execute(_WHOLE_OF_OTHERS, (_WHOLE,))}

    def _give_back(self, error: BaseException | None = None) -> None:
        lent, self._lent = self._lent, contextlib.ExitStack()
        self._connection, self._held = None, set()
        lent.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)


def _lock(connection: Connection, lock: Lock) -> bool:
    """Take a lock where it is free; only that on all of a symbol's gaps keeps others away."""
    shared = "" if lock[0] == _WHOLE else "_shared"
    return connection.execute(f"SELECT pg_try_advisory_lock{shared}(%s, %s)", lock).fetchone() == (True,)
