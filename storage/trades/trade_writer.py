"""What the writer has to know of trades: see `storage.writing.batch_writer`."""

from __future__ import annotations

from app.market.trade import Trade
from storage.trades.refused_trades import refusal_reason
from storage.trades.trade_ledger import TradeLedger
from storage.writing.batch_writer import BatchWriter, RowKind

TRADE_ROWS = RowKind(
    name="trade",
    plural="trades",
    refused_table="refused_trades",
    identity="ids",
    unknown_rows="trades that its ranges of ids do not know",
    refusal_reason=refusal_reason,
    open_ledger=TradeLedger,
)

TradeBatchWriter = BatchWriter[Trade]
