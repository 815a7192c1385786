"""What the writer has to know of ticks: see `storage.writing.batch_writer`."""

from __future__ import annotations

from app.market.quotes.tick import Tick
from storage.quotes.refused_ticks import refusal_reason
from storage.quotes.tick_ledger import TickLedger
from storage.writing.batch_writer import BatchWriter, RowKind

TICK_ROWS = RowKind(
    name="tick",
    plural="ticks",
    refused_table="refused_quotes",
    identity="times and places",
    unknown_rows="ticks that its candles do not count",
    refusal_reason=refusal_reason,
    open_ledger=TickLedger,
)

TickBatchWriter = BatchWriter[Tick]
