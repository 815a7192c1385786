"""The description of ticks for the writer of live rows: see `storage.writing.batch_writer`."""

from __future__ import annotations

from collections.abc import Sequence

from app.market.quotes.tick import Tick
from storage.quotes.held_ticks import TouchedCandles, are_within, stored_ticks
from storage.quotes.live_places import settled, with_own_places
from storage.quotes.refused_ticks import refusal_reason
from storage.quotes.tick_columns import TickColumns, tick_columns
from storage.quotes.tick_ledger import Fetched, TickLedger
from storage.writing.batch_writer import BatchResult, BatchWriter, RowKind


class LiveTickLedger(TickLedger):
    """A ledger to which two ticks of one time are the same by their values alone: see `storage.quotes.live_places`."""

    def store(self, rows: Sequence[Tick], fetched: Fetched | None = None) -> BatchResult:
        """See `TickLedger.store`; here no tick contradicts another."""
        if not rows:
            return super().store(rows, fetched)
        symbol_ids = self.symbol_ids({row.symbol for row in rows} | ({fetched[0]} if fetched else set()))
        batch, contradictions = tick_columns(rows, symbol_ids)
        if len(contradictions):
            batch, contradictions = tick_columns(with_own_places(rows), symbol_ids)
        return self.store_columns(batch, contradictions, fetched=fetched)

    def _settled(self, part: TickColumns, touched: TouchedCandles) -> TickColumns:
        within = are_within(part, touched)
        return settled(part, stored_ticks(self.connection, part.take(within))) if within.any() else part


TICK_ROWS = RowKind(
    name="tick",
    plural="ticks",
    refused_table="refused_quotes",
    identity="times and places",
    unknown_rows="ticks that its candles do not count",
    refusal_reason=refusal_reason,
    open_ledger=LiveTickLedger,
)

TickBatchWriter = BatchWriter[Tick]
