"""A thread for work beside the program's own: it has a connection of its own, and ends when the database is closed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import psycopg

from storage.postgres.connection import Connection

_CLOSE_S = 2.0  # closing the program must not wait for a large statement


class ConnectionThread:
    """
    A daemon thread that executes ``run``. Call `start` once, then `close`.

    ``run`` assigns its connection to ``connection`` while it has one, and returns soon after ``closing`` is set.
    """

    def __init__(self, run: Callable[[], None], name: str) -> None:
        self.closing = threading.Event()
        self.connection: Connection | None = None
        self._thread = threading.Thread(target=run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the thread and cancel its statement. Blocks for about three seconds at most."""
        self.closing.set()
        connection = self.connection
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.cancel_safe(timeout=1.0)
        self._thread.join(_CLOSE_S)
