"""The ledger of a loader: over a connection of its own, and to be cut off by another thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import psycopg

from storage.postgres.connection import Connection, hang_up, translated
from storage.writing.batch_writer import Ledger

AnyLedger = TypeVar("AnyLedger", bound=Ledger[Any])


class LedgerSession(Generic[AnyLedger]):
    """
    One thread at a time may use it; any may `abort`.

    ``connect`` makes a connection and may raise StoreError; after a failure the next `use` makes a new one.
    """

    def __init__(self, connect: Callable[[], Connection], open_ledger: Callable[[Connection], AnyLedger]) -> None:
        self._connect = connect
        self._open_ledger = open_ledger
        self._ledger: AnyLedger | None = None
        self._lock = threading.Lock()  # held where the ledger is replaced, or its connection hung up on
        self._is_aborted = False

    @contextlib.contextmanager
    def use(self, doing: str) -> Iterator[AnyLedger]:
        """
        Lend the ledger; ``doing`` completes "could not …".

        Raises:
            StoreError: If the database does not answer, or the loading was aborted.
        """
        with translated(doing):
            if self._ledger is None:
                ledger = self._open_ledger(self._connect())
                with self._lock:
                    self._ledger = ledger
                if self._is_aborted:
                    hang_up(ledger.connection)
            try:
                yield self._ledger
            except psycopg.Error:
                self.close()
                raise

    def abort(self) -> None:
        """End what another thread is doing here with a StoreError, whatever the server does."""
        self._is_aborted = True
        with self._lock:
            if self._ledger is not None:
                hang_up(self._ledger.connection)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.connection.close()
