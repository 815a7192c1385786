"""A candle of ticks: bid, ask and mid side by side."""

from __future__ import annotations

from typing import NamedTuple

from app.market.quotes.tick import PriceSide

SideBar = tuple[int, int, int, int, int, int]
"""
The ticks of one interval by one price alone: open time (UTC microseconds), open, high, low and close (1e-8 units of the
quote asset), number of ticks.
"""


class PriceBar(NamedTuple):
    """The first, highest, lowest and last value of one price, in 1e-8 units of the quote asset."""

    open_e8: int
    high_e8: int
    low_e8: int
    close_e8: int


class TickCandle(NamedTuple):
    """
    What the ticks of one interval add up to, from ``open_time_us`` (UTC microseconds) until the next one opens.

    ``ticks`` counts them, at least one: time without a tick has no candle. The volumes are sums of the published sizes,
    in 1e-8 of a million of the base asset. ``first`` and ``last`` are (time_us, place) of the first and last tick; they
    decide which of two parts opens or closes the sum.
    """

    open_time_us: int
    bid: PriceBar
    ask: PriceBar
    mid: PriceBar
    ticks: int
    bid_volume_e8: int
    ask_volume_e8: int
    first: tuple[int, int]
    last: tuple[int, int]

    def bar(self, side: PriceSide) -> PriceBar:
        """Return the prices of one side."""
        if side is PriceSide.MID:
            return self.mid
        return self.bid if side is PriceSide.BID else self.ask
