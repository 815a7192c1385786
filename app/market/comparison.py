"""
Compares a candle made of trades with the exchange's own, field by field. Pure.

Every field must be equal, but for quote volumes that have more than the exchange's eight places. The exchange rounds
each trade's product to eight places before it adds them up, so its sum may be off by 1e-8 a trade. A candle that a file
brought may know prices and volume alone; the rest is then not compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from app.market.candle import Candle, has_prices_alone
from app.market.units import E8, format_e8, format_e16

Figure = str | int
"""A decimal as text, to the digit; a number of trades as it is."""

_Note = Callable[[str, Figure, Figure], None]


class FieldDifference(NamedTuple):
    """
    A field of the candle that opens at ``open_time_us`` (UTC microseconds) and its two values.

    ``field`` is a column of the read contract: ``"taker_buy_volume"``. ``stored`` is made of trades.
    """

    open_time_us: int
    field: str
    stored: Figure
    exchange: Figure


def differences(stored: Candle, exchange: Candle) -> list[FieldDifference]:
    """Return the fields in which two candles of one slot differ, in the order of the read contract."""
    found = list[FieldDifference]()

    def note(field: str, mine: Figure, theirs: Figure) -> None:
        found.append(FieldDifference(stored.open_time_us, field, mine, theirs))

    for field in ("open", "high", "low", "close", "volume"):
        mine, theirs = getattr(stored, f"{field}_e8"), getattr(exchange, f"{field}_e8")
        if mine != theirs:
            note(field, format_e8(mine), format_e8(theirs))
    if has_prices_alone(exchange):
        return found
    _compare_quote("quote_volume", stored, exchange, note)
    if stored.trades != exchange.trades:
        note("trades", stored.trades, exchange.trades)
    if stored.taker_buy_volume_e8 != exchange.taker_buy_volume_e8:
        note("taker_buy_volume", format_e8(stored.taker_buy_volume_e8), format_e8(exchange.taker_buy_volume_e8))
    _compare_quote("taker_buy_quote_volume", stored, exchange, note)
    return found


def _compare_quote(field: str, stored: Candle, exchange: Candle, note: _Note) -> None:
    mine: int = getattr(stored, f"{field}_e16")
    theirs: int = getattr(exchange, f"{field}_e16")
    rounding = stored.trades * E8 if mine % E8 else 0
    if abs(mine - theirs) > rounding:
        note(field, format_e16(mine), format_e16(theirs))
