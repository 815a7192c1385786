"""The writer of ticks: see `storage.writing.batch_writer`."""

from __future__ import annotations

from collections.abc import Callable

from app.market.quotes.tick import Tick
from storage.postgres.connection import Connection
from storage.quotes.refused_ticks import refusal_reason
from storage.quotes.tick_ledger import TickLedger
from storage.writing.batch_writer import BatchWriter, RowKind

_TICKS = RowKind(
    name="tick",
    plural="ticks",
    refused_table="refused_quotes",
    identity="times and places",
    unknown_rows="ticks that its candles do not count",
    refusal_reason=refusal_reason,
    open_ledger=TickLedger,
)

TickBatchWriter = BatchWriter[Tick]


def tick_writer(
    connect: Callable[[], Connection],
    *,
    batch_ticks: int = 100,
    batch_seconds: float = 1.0,
    queue_limit: int = 200_000,
) -> TickBatchWriter:
    """Return a running writer of ticks; the parameters are those of `storage.writing.batch_writer.BatchWriter`."""
    return BatchWriter(connect, _TICKS, batch_rows=batch_ticks, batch_seconds=batch_seconds, queue_limit=queue_limit)
