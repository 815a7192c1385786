"""The writer of trades: see `storage.writing.batch_writer`."""

from __future__ import annotations

from collections.abc import Callable

from app.market.trade import Trade
from storage.postgres.connection import Connection
from storage.trades.refused_trades import refusal_reason
from storage.trades.trade_ledger import TradeLedger
from storage.writing.batch_writer import BatchWriter, RowKind

_TRADES = RowKind(
    name="trade",
    plural="trades",
    refused_table="refused_trades",
    identity="ids",
    unknown_rows="trades that its ranges of ids do not know",
    refusal_reason=refusal_reason,
    open_ledger=TradeLedger,
)

TradeBatchWriter = BatchWriter[Trade]


def trade_writer(
    connect: Callable[[], Connection],
    *,
    batch_trades: int = 100,
    batch_seconds: float = 1.0,
    queue_limit: int = 200_000,
) -> TradeBatchWriter:
    """Return a running writer of trades; the parameters are those of `storage.writing.batch_writer.BatchWriter`."""
    return BatchWriter(connect, _TRADES, batch_rows=batch_trades, batch_seconds=batch_seconds, queue_limit=queue_limit)
