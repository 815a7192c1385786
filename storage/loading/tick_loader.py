"""
Stores ticks of files and of a source's history by way of the ledger, in large batches.

As with trades (`storage.loading.bulk_loader`): each is stored exactly once, in one transaction with its candles and the
times fetched, so an import may be killed at any moment and begun again, and recording goes on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from app.market.ports.loading import LoadResult, RefusedPlace
from app.market.ports.ticks import TickCount
from app.market.quotes.tick import Tick
from app.market.quotes.tick_columns import TickColumns as MarketColumns
from storage.loading.ledger_session import LedgerSession
from storage.loading.statistics import StoredSpan, refresh_statistics
from storage.loading.tick_batches import numbered, storable
from storage.postgres.connection import Connection
from storage.quotes.refused_ticks import refusal_reason, save_contradictions
from storage.quotes.tick_columns import distinct_ticks
from storage.quotes.tick_ledger import Fetched, TickLedger
from storage.quotes.tick_levels import LEVELS
from storage.writing.stored_table import QUOTES

_CONTRADICTION = "it contradicts the stored quote of the same time and place"


class TickLoader:
    """
    A `app.market.ports.ticks.TickSink`; one thread at a time. Close it before the database.

    ``connect`` makes a connection and may raise StoreError; after a failure the next call makes a new one.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._session = LedgerSession(connect, lambda made: TickLedger(made, self._note_contradictions))
        self._contradictions: list[Tick] | None = None  # of the batch of a file under way, which keeps them itself
        self._stored = StoredSpan()

    def store_ticks(self, ticks: Sequence[Tick], fetched: Fetched | None = None) -> TickCount:
        """See `app.market.ports.ticks.TickSink`. Raises StoreError; nothing is stored then."""
        unfit = [(tick, reason) for tick in ticks if (reason := refusal_reason(tick))]
        fit = [tick for tick in ticks if not refusal_reason(tick)] if unfit else ticks
        with self._session.use("store ticks") as ledger:
            if unfit:
                ledger.set_aside(unfit)
            result = ledger.store(fit, fetched)
        if result.fresh:
            self._stored.note(result.fresh, np.array([tick.time_us for tick in fit]))
        refused = len(unfit) + result.refused
        return TickCount(result.fresh, len(ticks) - result.fresh - refused, refused)

    def load(
        self, ticks: MarketColumns, fetched: tuple[int, int] | None = None, *, restores: bool = False
    ) -> LoadResult:
        """
        Do as `app.market.ports.loading.BulkLoader.load_ticks` says: what is refused stays in its file.

        ``restores``: see `app.market.ports.loading.RestoringLoader.restore_ticks`.
        """
        fit, refused = storable(ticks)
        if not fit.any() and fetched is None:
            return LoadResult(0, len(ticks) - len(refused), tuple(refused))
        self._contradictions = []
        try:
            with self._session.use("store ticks") as ledger:
                symbol_id = ledger.symbol_ids([ticks.symbol])[ticks.symbol]
                span = (ticks.symbol, *fetched) if fetched else None
                columns = distinct_ticks(numbered(ticks, symbol_id, fit))
                result = ledger.store_columns(*columns, fetched=span, restores=restores)
            refused += [RefusedPlace(_place_of(ticks, tick), _CONTRADICTION) for tick in self._contradictions]
        finally:
            self._contradictions = None
        if result.fresh:
            self._stored.note(result.fresh, ticks.time_us[fit])
        return LoadResult(result.fresh, len(ticks) - result.fresh - len(refused), tuple(sorted(refused)))

    def finish(self) -> None:
        """Refresh the server's statistics of what was stored, for quick reading at once. Raises StoreError."""
        if self._stored.is_large:
            with self._session.use("refresh the statistics") as ledger:
                refresh_statistics(ledger.connection, self._stored, table=QUOTES, levels=LEVELS)
            self._stored = StoredSpan()

    def abort(self) -> None:
        """End what another thread is doing here with a StoreError, whatever the server does."""
        self._session.abort()

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _note_contradictions(self, connection: Connection, pairs: Sequence[tuple[Tick, Tick]]) -> None:
        if self._contradictions is None:
            save_contradictions(connection, pairs)
        else:
            self._contradictions += [refused for refused, _ in pairs]


def _place_of(ticks: MarketColumns, tick: Tick) -> int:
    """Return where in the batch a tick of it stands; of several with its time and values, the last."""
    # Not by its place, which the ledger may have moved.
    same = (ticks.time_us == tick.time_us) & (ticks.bid_e8 == tick.bid_e8) & (ticks.ask_e8 == tick.ask_e8)
    same &= (ticks.bid_size_e8 == tick.bid_size_e8) & (ticks.ask_size_e8 == tick.ask_size_e8)
    return int(np.flatnonzero(same)[-1])
