"""
Decides which of two candles of one slot counts.

One rule for the store, which has trades and klines of the same time, and for the chart, where pages and live candles
meet. Where a candle came from and when, its fields say; the rule needs nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.market.candle import Candle, CandleSource, has_prices_alone
from app.market.series.series import Bar

# Looking a member up in its enum costs as much as a whole comparison, and these are looked up per stored candle.
_TRADES, _KLINE, _AGGTRADES = CandleSource.TRADES, CandleSource.KLINE, CandleSource.AGGTRADES

Rank = tuple[int, int, bool, int, bool]
"""
Whole (2: complete, 1: open, 0: neither), authority, whether it knows more than prices and volume, number of trades,
closed: of two candles of one slot the one with the greater rank counts.

Authority orders the complete ones: proven by trades (2), as published (1), added up from aggregated trades (0), which
the exchange may have joined or left out otherwise than in its own candle. It says nothing of two incomplete ones: of
those the one that knows of more trades counts.
"""


def rank(candle: Candle | Bar, *, empty_is_proven: bool = False) -> Rank:
    """
    Return the candle's rank.

    A complete and closed candle built from trades is proven: its ids show that none is missing. An empty candle has no
    ids and proves nothing by itself; give ``empty_is_proven`` if it was made between trades whose ids adjoin.
    """
    whole = (2 if candle.complete else 0) if candle.closed else 1
    authority = 0 if whole != 2 or candle.source is _AGGTRADES else 1 + _is_proven(candle, empty_is_proven)
    return whole, authority, not _is_bare(candle), candle.trades, candle.closed


def better(candle: Candle, other: Candle, *, empty_is_proven: bool = False) -> Candle:
    """
    Return the candle a reader should get of two for the same open time; ``other`` if they rank equally.

    First comes the proven candle (see `rank`), then a complete kline, then a complete candle of aggregated trades, then
    an incomplete one. Of two alike one that knows more than prices and volume counts, then the one with more trades, so
    a candle that still grows never goes back.
    """
    # The usual case of a stored page, and three times faster than comparing ranks.
    if other.source is _KLINE and _is_proven(candle, empty_is_proven):
        return candle
    return candle if rank(candle, empty_is_proven=empty_is_proven) > rank(other) else other


def add_better(known: dict[int, Candle], candles: Iterable[Candle], *, empty_is_proven: bool = False) -> None:
    """
    Add candles to ``known``, by open time; of two for one open time the better stays.

    ``empty_is_proven``: of those known, as in `better`.
    """
    for candle in candles:
        before = known.get(candle.open_time_us)
        known[candle.open_time_us] = (
            candle if before is None else better(before, candle, empty_is_proven=empty_is_proven)
        )


def _is_bare(candle: Candle | Bar) -> bool:
    return has_prices_alone(candle) if isinstance(candle, Candle) else bool(candle.volume) and not candle.quote_volume


def _is_proven(candle: Candle | Bar, empty_is_proven: bool) -> bool:
    is_whole = candle.complete and candle.closed and candle.source is _TRADES
    return is_whole and (empty_is_proven or candle.trades > 0)
