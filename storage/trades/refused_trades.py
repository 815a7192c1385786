"""
Trades that are not stored, and the table `refused_trades` that keeps them beside the reason.

A trade is refused because no database of ours can hold it (`refusal_reason`), because this database refuses it, or
because it contradicts the stored trade of its id. It is recorded rather than dropped, so that nothing received is lost
without a trace. The table ignores a repeat: a trade that comes again after a reconnect is recorded once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from psycopg.types.json import Jsonb

from app.market.trade import Trade
from storage.postgres.connection import Connection, translated
from storage.postgres.names import as_text, is_name

EARLIEST_US, LATEST_US = 1_230_768_000_000_000, 4_102_444_800_000_000  # 2009, before any exchange, to 2100
_CONTRADICTION = "it contradicts the stored trade of the same id"

_SAVE = "INSERT INTO refused_trades (reason, trade, symbol, trade_id) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"
_SAVE_CONTRADICTION = """
    INSERT INTO refused_trades (reason, trade, symbol, trade_id, stored) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""


def refusal_reason(trade: Trade) -> str:
    """Return why no database can store the trade, as a clause (``"its id is out of range"``); empty if it can."""
    if not isinstance(trade.symbol, str) or not is_name(trade.symbol):
        return "its symbol is no name"
    # The id after the last must fit 64 bits too: ranges of ids are compared with it.
    if not 0 <= trade.trade_id < 2**63 - 1:
        return "its id is out of range"
    if not EARLIEST_US <= trade.time_us < LATEST_US:
        return "its time is out of range"
    # The exchange itself counts amounts in 64 bits of 1e-8 units.
    if not 0 < trade.price_e8 < 2**63 or not 0 < trade.quantity_e8 < 2**63:
        return "its price or quantity is out of range"
    return ""


def save_refused(connection: Connection, refused: Sequence[tuple[Trade, str]]) -> None:
    """
    Record trades with the reason each was refused for. Their fields may hold anything.

    Raises:
        StoreError: If they could not be recorded.
    """
    rows = [
        (
            reason,
            json.dumps(trade._asdict() | {"symbol": as_text(trade.symbol)}, default=str),
            as_text(trade.symbol),
            trade.trade_id if 0 <= trade.trade_id < 2**63 else None,
        )
        for trade, reason in refused
    ]
    with translated("set refused trades aside"), connection.cursor() as cursor:
        cursor.executemany(_SAVE, rows)


def save_contradictions(connection: Connection, contradictions: Sequence[tuple[Trade, Trade]]) -> None:
    """Record trades that contradict the stored ones, as (refused, stored) pairs. Raises psycopg.Error."""
    rows = [
        (_CONTRADICTION, Jsonb(refused._asdict()), refused.symbol, refused.trade_id, Jsonb(stored._asdict()))
        for refused, stored in contradictions
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_SAVE_CONTRADICTION, rows)
