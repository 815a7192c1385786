"""
The connections that readers share.

A borrower gets an idle connection that still answers, else connects itself in its own thread, and learns at once why
that failed: nobody waits for a server that is away. At most `MOST_CONNECTIONS` are open, because other programs use the
server too; when all are lent, the next borrower waits for one to come back. A connection inside whose loan anything
failed is closed rather than lent again.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import psycopg

from app.market.errors import StoreUnavailable
from storage.postgres.connection import Connection, hang_up, translated

MOST_CONNECTIONS = 8
_MOST_IDLE = 4
_WAIT_S = 30.0


class ConnectionPool:
    """
    Lends connections to any number of threads.

    ``connect`` makes one and may raise StoreError; the borrower's thread calls it. ``most``: connections open at a
    time. ``wait_s``: how long a borrower waits when all are lent.
    """

    def __init__(self, connect: Callable[[], Connection], *, most: int = MOST_CONNECTIONS, wait_s: float = _WAIT_S):
        self._connect = connect
        self._most = most
        self._wait_s = wait_s
        self._changed = threading.Condition()
        self._idle: list[Connection] = []
        self._lent: set[Connection] = set()
        self._taken = 0  # lent, or being made for a borrower
        self._closed = False

    @contextlib.contextmanager
    def borrowed(self, doing: str) -> Iterator[Connection]:
        """
        Lend a connection for the block, and translate the driver's errors; ``doing`` completes "could not …".

        Raises:
            StoreUnavailable: If no connection can be had, or the pool is closed.
            StoreError: As `storage.postgres.connection.translated`, if the driver raises inside.
        """
        connection = self._take(doing)
        try:
            with translated(doing):
                yield connection
        except BaseException:
            # Its state is unknown: a transaction may be open, an answer half read.
            self._give_back(connection, is_sound=False)
            raise
        self._give_back(connection, is_sound=True)

    def close(self, timeout_s: float = 0.0) -> None:
        """
        Lend no more, close the idle connections, wait for the lent ones, and then hang up on those still lent.

        Blocks for ``timeout_s`` at most. A thread that waits for a server which has stopped answering gets an error at
        once when its connection is hung up on.
        """
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
            for connection in idle:
                connection.close()
            self._changed.wait_for(lambda: not self._lent, timeout_s)
            # Under the lock: otherwise a borrower could close its connection meanwhile, and we would shut down whatever
            # socket got its file descriptor next.
            for connection in self._lent:
                hang_up(connection)

    def _take(self, doing: str) -> Connection:
        self._find_room(doing)
        # The server may have dropped a connection while it was idle: that must not cost the borrower a failed query.
        while (idle := self._pop_idle()) is not None:
            if _is_alive(idle):
                return idle
            self._drop(idle)
        try:
            connection = self._connect()
        except BaseException:
            with self._changed:
                self._taken -= 1
                self._changed.notify()
            raise
        with self._changed:
            self._lent.add(connection)
            closed = self._closed
        if closed:  # while we connected
            self._give_back(connection, is_sound=False)
            raise _closed(doing)
        return connection

    def _find_room(self, doing: str) -> None:
        end_s = time.monotonic() + self._wait_s
        with self._changed:
            while not self._closed and self._taken >= self._most:
                if not self._changed.wait(end_s - time.monotonic()):
                    raise StoreUnavailable(f"Could not {doing}: all connections to the database are busy; retry.")
            if self._closed:
                raise _closed(doing)
            self._taken += 1

    def _pop_idle(self) -> Connection | None:
        with self._changed:
            connection = self._idle.pop() if self._idle else None
            if connection is not None:
                self._lent.add(connection)
            return connection

    def _drop(self, connection: Connection) -> None:
        with self._changed:
            self._lent.discard(connection)
        connection.close()

    def _give_back(self, connection: Connection, *, is_sound: bool) -> None:
        with self._changed:
            self._lent.discard(connection)
            self._taken -= 1
            keep = is_sound and not self._closed and len(self._idle) < _MOST_IDLE
            if keep:
                self._idle.append(connection)
            self._changed.notify_all()
        if not keep:
            connection.close()


def _closed(doing: str) -> StoreUnavailable:
    return StoreUnavailable(f"Could not {doing}: the database has been closed.")


def _is_alive(connection: Connection) -> bool:
    try:
        connection.execute("")
    except psycopg.Error:
        return False
    return True
