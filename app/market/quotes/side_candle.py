"""A candle as a broker publishes it: of one side of the market."""

from __future__ import annotations

from typing import NamedTuple

from app.market.quotes.tick_candle import PriceBar


class SideCandle(NamedTuple):
    """
    A published candle of bid or of ask, from ``open_time_us`` (UTC microseconds).

    ``volume_e8``: the sum of that side's sizes, in 1e-8 of a million of the base asset. Time without ticks has none.
    """

    open_time_us: int
    bar: PriceBar
    volume_e8: int
