"""
Opens the settings' database while a start loads other things.

Importing psycopg and starting a server takes long. Both happen in the thread that opens the database, never in the main
one; with `EarlyOpen`, at the same time as Qt is imported. So this module imports neither psycopg nor numpy.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from app.config.settings import Settings

if TYPE_CHECKING:
    from app.market.ports.database import OpenDatabase, OpenedDatabase

_CLOSE_S = 10.0

logger = logging.getLogger(__name__)


def open_database(settings: Settings) -> OpenedDatabase:
    """
    Open the database the settings name. Blocks.

    Raises:
        StoreError: If it cannot be used; the sentence says why.
    """
    from app.runtime.open_database import open_database

    return open_database(settings)


class EarlyOpen:
    """Begins to open a database at once, in a thread; the first `open` gets it. Call `discard` at the end."""

    def __init__(self, open_database: OpenDatabase) -> None:
        self._open_database = open_database
        self._lock = threading.Lock()
        self._first: Future[OpenedDatabase] | None = Future()
        threading.Thread(target=self._run, args=(self._first,), name="early-open", daemon=True).start()

    def open(self) -> OpenedDatabase:
        """
        Return the database that the thread opens; on later calls, open another. Blocks.

        Raises:
            StoreError: If it cannot be used; the sentence says why.
        """
        first = self._take()
        return self._open_database() if first is None else first.result()

    def discard(self) -> None:
        """Close the database if `open` was never called. Returns in time even if it is still opening."""
        first = self._take()
        if first is None:
            return
        try:
            first.result(_CLOSE_S).close(_CLOSE_S)
        except TimeoutError:
            logger.info("the database opened early was not used, and takes too long to open")
            first.add_done_callback(_close_late)
        except Exception as error:  # noqa: BLE001  # because a database that failed to open need not be closed
            logger.info("the database opened early was not used, and failed: %s", error)

    def _take(self) -> Future[OpenedDatabase] | None:
        with self._lock:
            first, self._first = self._first, None
            return first

    def _run(self, first: Future[OpenedDatabase]) -> None:
        try:
            first.set_result(self._open_database())
        except BaseException as error:  # noqa: BLE001  # because the caller of `open` gets it
            first.set_exception(error)


def _close_late(opened: Future[OpenedDatabase]) -> None:
    """Close a late database in the thread that opened it, if the program still runs then."""
    if opened.exception() is None:
        opened.result().close(_CLOSE_S)
