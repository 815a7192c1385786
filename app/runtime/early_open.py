"""
Opens the settings' database without keeping a start waiting.

What talks to PostgreSQL takes long to load, and its server to start. Here that is done by the thread that opens, and,
with a `EarlyOpen`, while the window is being loaded.
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
    """Opens a database from now on; `open` gives it to whoever asks first. Call `discard` at the end."""

    def __init__(self, open_database: OpenDatabase) -> None:
        self._open_database = open_database
        self._lock = threading.Lock()
        self._first: Future[OpenedDatabase] | None = Future()
        threading.Thread(target=self._run, args=(self._first,), name="open-ahead", daemon=True).start()

    def open(self) -> OpenedDatabase:
        """
        Return the database that is being opened; opened anew for those who ask later. Blocks.

        Raises:
            StoreError: If it cannot be used; the sentence says why.
        """
        first = self._take()
        return self._open_database() if first is None else first.result()

    def discard(self) -> None:
        """Close what nobody asked for; bounded in time."""
        first = self._take()
        if first is None:
            return
        try:
            first.result(_CLOSE_S).close(_CLOSE_S)
        except TimeoutError:
            logger.info("a database that nobody asked for takes too long to open")
            first.add_done_callback(_close_late)
        except Exception as error:  # noqa: BLE001  # because what failed need not be closed
            logger.info("a database that nobody asked for: %s", error)

    def _take(self) -> Future[OpenedDatabase] | None:
        with self._lock:
            first, self._first = self._first, None
            return first

    def _run(self, first: Future[OpenedDatabase]) -> None:
        try:
            first.set_result(self._open_database())
        except BaseException as error:  # noqa: BLE001  # because whoever asks for it raises it
            first.set_exception(error)


def _close_late(opened: Future[OpenedDatabase]) -> None:
    """Close it, in the thread that opened it, where the program still runs then."""
    if opened.exception() is None:
        opened.result().close(_CLOSE_S)
