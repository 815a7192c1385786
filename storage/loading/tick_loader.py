"""
Stores ticks of files and of a source's history by way of the ledger, in large batches.

As with trades (`storage.loading.bulk_loader`): each is stored exactly once, in one transaction with its candles and the
times fetched, so an import may be killed at any moment and begun again, and recording goes on meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

import psycopg

from app.market.ports.ticks import TickCount
from app.market.quotes.tick import Tick
from storage.loading.statistics import refresh_statistics
from storage.postgres.connection import Connection, hang_up, translated
from storage.quotes.refused_ticks import refusal_reason
from storage.quotes.tick_ledger import Fetched, TickLedger
from storage.quotes.tick_levels import LEVELS
from storage.writing.stored_table import QUOTES

_FEWEST_ANALYZED = 10_000  # autovacuum notices more than that late


class TickLoader:
    """
    A `app.market.ports.ticks.TickSink`; one thread at a time. Close it before the database.

    ``connect`` makes a connection and may raise StoreError; after a failure the next call makes a new one.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._ledger: TickLedger | None = None
        self._lock = threading.Lock()  # held where the ledger is replaced, or its connection hung up on
        self._is_aborted = False
        self._stored = 0
        self._times_us: list[int] = []  # of the ticks stored: their earliest and latest

    def store_ticks(self, ticks: Sequence[Tick], fetched: Fetched | None = None) -> TickCount:
        """See `app.market.ports.ticks.TickSink`. Raises StoreError; nothing is stored then."""
        unfit = [(tick, reason) for tick in ticks if (reason := refusal_reason(tick))]
        storable = [tick for tick in ticks if not refusal_reason(tick)] if unfit else ticks
        with self._session() as ledger:
            if unfit:
                ledger.set_aside(unfit)
            result = ledger.store(storable, fetched)
        if result.fresh:
            self._stored += result.fresh
            times_us = [tick.time_us for tick in storable]
            self._times_us = [min([*self._times_us, *times_us]), max([*self._times_us, *times_us])]
        refused = len(unfit) + result.refused
        return TickCount(result.fresh, len(ticks) - result.fresh - refused, refused)

    def finish(self) -> None:
        """Refresh the server's statistics of what was stored, for quick reading at once. Raises StoreError."""
        if self._stored < _FEWEST_ANALYZED:
            return
        with self._session() as ledger:
            refresh_statistics(ledger.connection, *self._times_us, table=QUOTES, levels=LEVELS)
        self._stored, self._times_us = 0, []

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

    @contextlib.contextmanager
    def _session(self) -> Iterator[TickLedger]:
        with translated("store ticks"):
            if self._ledger is None:
                ledger = TickLedger(self._connect())
                with self._lock:
                    self._ledger = ledger
                if self._is_aborted:
                    hang_up(ledger.connection)
            try:
                yield self._ledger
            except psycopg.Error:
                self.close()
                raise
