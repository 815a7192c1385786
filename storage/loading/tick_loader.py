"""
Stores ticks of files and of a source's history by way of the ledger, in large batches.

As with trades (`storage.loading.bulk_loader`): each is stored exactly once, in one transaction with its candles and the
times fetched, so an import may be killed at any moment and begun again, and recording goes on meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import psycopg

from app.market.ports.loading import LoadResult, RefusedPlace
from app.market.ports.ticks import TickCount
from app.market.quotes.tick import Tick
from app.market.quotes.tick_columns import TickColumns as MarketColumns
from storage.loading.statistics import refresh_statistics
from storage.loading.tick_batches import numbered, storable
from storage.postgres.connection import Connection, hang_up, translated
from storage.quotes.refused_ticks import refusal_reason, save_contradictions
from storage.quotes.tick_columns import distinct_ticks
from storage.quotes.tick_ledger import Fetched, TickLedger
from storage.quotes.tick_levels import LEVELS
from storage.writing.stored_table import QUOTES

_CONTRADICTION = "it contradicts the stored quote of the same time and place"
_FEWEST_ANALYZED = 10_000  # autovacuum notices more than that late


class TickLoader:
    """
    A `app.market.ports.ticks.TickSink`; one thread at a time. Close it before the database.

    ``connect`` makes a connection and may raise StoreError; after a failure the next call makes a new one.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._ledger: TickLedger | None = None
        self._contradictions: list[Tick] | None = None  # of the batch of a file under way, which keeps them itself
        self._lock = threading.Lock()  # held where the ledger is replaced, or its connection hung up on
        self._is_aborted = False
        self._stored = 0
        self._times_us: list[int] = []  # of the ticks stored: their earliest and latest

    def store_ticks(self, ticks: Sequence[Tick], fetched: Fetched | None = None) -> TickCount:
        """See `app.market.ports.ticks.TickSink`. Raises StoreError; nothing is stored then."""
        unfit = [(tick, reason) for tick in ticks if (reason := refusal_reason(tick))]
        fit = [tick for tick in ticks if not refusal_reason(tick)] if unfit else ticks
        with self._session() as ledger:
            if unfit:
                ledger.set_aside(unfit)
            result = ledger.store(fit, fetched)
        if result.fresh:
            times_us = [tick.time_us for tick in fit]
            self._note_stored(result.fresh, min(times_us), max(times_us))
        refused = len(unfit) + result.refused
        return TickCount(result.fresh, len(ticks) - result.fresh - refused, refused)

    def load(self, ticks: MarketColumns, fetched: tuple[int, int] | None = None) -> LoadResult:
        """Do as `app.market.ports.loading.BulkLoader.load_ticks` says: what is refused stays in its file."""
        fit, refused = storable(ticks)
        if not fit.any() and fetched is None:
            return LoadResult(0, len(ticks) - len(refused), tuple(refused))
        self._contradictions = []
        try:
            with self._session() as ledger:
                symbol_id = ledger.symbol_ids([ticks.symbol])[ticks.symbol]
                span = (ticks.symbol, *fetched) if fetched else None
                result = ledger.store_columns(*distinct_ticks(numbered(ticks, symbol_id, fit)), fetched=span)
            refused += [RefusedPlace(_place_of(ticks, tick), _CONTRADICTION) for tick in self._contradictions]
        finally:
            self._contradictions = None
        if result.fresh:
            times_us = ticks.time_us[fit]
            self._note_stored(result.fresh, int(times_us.min()), int(times_us.max()))
        return LoadResult(result.fresh, len(ticks) - result.fresh - len(refused), tuple(sorted(refused)))

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

    def _note_stored(self, count: int, first_us: int, last_us: int) -> None:
        self._stored += count
        self._times_us = [min([*self._times_us, first_us]), max([*self._times_us, last_us])]

    def _note_contradictions(self, connection: Connection, pairs: Sequence[tuple[Tick, Tick]]) -> None:
        if self._contradictions is None:
            save_contradictions(connection, pairs)
        else:
            self._contradictions += [refused for refused, _ in pairs]

    @contextlib.contextmanager
    def _session(self) -> Iterator[TickLedger]:
        with translated("store ticks"):
            if self._ledger is None:
                ledger = TickLedger(self._connect(), self._note_contradictions)
                with self._lock:
                    self._ledger = ledger
                if self._is_aborted:
                    hang_up(ledger.connection)
            try:
                yield self._ledger
            except psycopg.Error:
                self.close()
                raise


def _place_of(ticks: MarketColumns, tick: Tick) -> int:
    """Return where in the batch a tick of it stands; of several with its time and place, the last."""
    return int(np.flatnonzero((ticks.time_us == tick.time_us) & (ticks.place == tick.place))[-1])
