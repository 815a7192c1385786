"""
Prices, times and candles as text for the clipboard: plain numbers, ISO 8601 times with an offset, tables. Pure.
"""

from __future__ import annotations

from datetime import tzinfo

from app.market.interval import SECOND_US
from app.market.series.series import Bar
from app.market.symbol import Symbol
from widgets.chart.scales.local_time import moment

_UNKNOWN_DECIMALS = 8


def price_as_text(price: float, symbol: Symbol | None) -> str:
    """Return a price with the symbol's decimals, without separators: ``"61802.57"``."""
    return f"{price:.{symbol.price_decimals if symbol else _UNKNOWN_DECIMALS}f}"


def time_as_text(time_us: int, rules: tzinfo) -> str:
    """Return a time, UTC microseconds, as local ISO 8601 text: ``"2024-08-08T23:30:00+02:00"``."""
    return moment(time_us // SECOND_US, rules).isoformat()


def plain_number(text: str) -> str:
    """Return a number as the chart writes it without separators, and with a plain minus."""
    return text.replace(",", "").replace("−", "-")


def candle_as_text(bar: Bar, symbol: Symbol, rules: tzinfo, known: str) -> str:
    """
    Return a candle as a row of names and a row of values, tab-separated, for pasting into a spreadsheet.

    ``known``: how much of it is known, in the legend's words.
    """
    decimals = symbol.quantity_decimals
    fields = {
        "symbol": symbol.name,
        "open_time": time_as_text(bar.open_time_us, rules),
        "open": price_as_text(bar.open, symbol),
        "high": price_as_text(bar.high, symbol),
        "low": price_as_text(bar.low, symbol),
        "close": price_as_text(bar.close, symbol),
        "volume": f"{bar.volume:.{decimals}f}",
        "trades": str(bar.trades),
        "taker_buy_volume": f"{bar.taker_buy_volume:.{decimals}f}",
        "complete": str(bar.complete and bar.closed).lower(),
        "known": known,
    }
    return "\t".join(fields) + "\n" + "\t".join(fields.values())
