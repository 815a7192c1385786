"""
Ticks that are not stored, and the table `refused_quotes` that keeps them beside the reason.

As with trades (`storage.trades.refused_trades`): recorded rather than dropped, once, however often they come.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from app.market.quotes.tick import Tick
from storage.postgres.connection import Connection, translated
from storage.postgres.names import as_text, is_name

EARLIEST_US, LATEST_US = 631_152_000_000_000, 4_102_444_800_000_000  # 1990, before the oldest history, to 2100
MOST_SIZE_E8 = 10**14
"""A million times a million of the base asset: sums of any batch stay within 64 bits."""
MOST_PRICE_E8 = 2**62
"""Exclusive: the sum of bid and ask has 64 bits, then."""
MOST_PLACE = 2**15 - 1
_CONTRADICTION = "it contradicts the stored tick of the same time and place"

_SAVE = "INSERT INTO refused_quotes (reason, symbol, quote, stored) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"


def refusal_reason(tick: Tick) -> str:
    """Return why no database can store the tick, as a clause (``"its time is out of range"``); empty if it can."""
    symbol, time_us, place, bid, ask, bid_size, ask_size = tick
    if not isinstance(symbol, str) or not is_name(symbol):
        return "its symbol is no name"
    if not EARLIEST_US <= time_us < LATEST_US:
        return "its time is out of range"
    if not 0 <= place <= MOST_PLACE:
        return "its place is out of range"
    if not 0 < bid < MOST_PRICE_E8 or not 0 < ask < MOST_PRICE_E8:
        return "its bid or ask is out of range"
    if not 0 <= bid_size <= MOST_SIZE_E8 or not 0 <= ask_size <= MOST_SIZE_E8:
        return "its size is out of range"
    return ""


def save_refused(connection: Connection, refused: Sequence[tuple[Tick, str]]) -> None:
    """
    Record ticks with the reason each was refused for. Their fields may hold anything.

    Raises:
        StoreError: If they could not be recorded.
    """
    with translated("set refused ticks aside"):
        _save(connection, [(reason, tick, None) for tick, reason in refused])


def save_contradictions(connection: Connection, contradictions: Sequence[tuple[Tick, Tick]]) -> None:
    """Record ticks that contradict the stored ones, as (refused, stored) pairs. Raises psycopg.Error."""
    _save(connection, [(_CONTRADICTION, refused, stored) for refused, stored in contradictions])


def _save(connection: Connection, rows: Sequence[tuple[str, Tick, Tick | None]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            _SAVE,
            [
                (reason, as_text(tick.symbol), _json(tick), None if stored is None else _json(stored))
                for reason, tick, stored in rows
            ],
        )


def _json(tick: Tick) -> str:
    return json.dumps(tick._asdict() | {"symbol": as_text(tick.symbol)}, default=str)
