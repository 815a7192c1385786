"""Which of two candles of one slot counts: one rule for the store and for the chart."""

from __future__ import annotations

from app.market.candle import Candle, CandleSource
from app.market.series.series import Bar


def better(candle: Candle, other: Candle) -> Candle:
    """
    Return the candle a reader should get of two for the same open time; the second where they are equally good.

    That built from trades where it is complete and closed, else the exchange's kline, else the incomplete one. Of two
    that are still growing the one that has come further: a candle never goes back.
    """
    return candle if rank(candle) > rank(other) else other


def rank(candle: Candle | Bar) -> tuple[bool, bool, int, bool]:
    """Return what `better` goes by; an empty candle that was made between trades proves little by itself."""
    proven = candle.complete and candle.closed and candle.source is CandleSource.TRADES and candle.trades > 0
    return candle.complete, proven, candle.trades, candle.closed
