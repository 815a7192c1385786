"""One published bid and ask with its time, and how ticks with equal times are distinguished."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class PriceSide(StrEnum):
    """Which price of a tick a candle or a chart shows."""

    MID = "mid"
    BID = "bid"
    ASK = "ask"


class Tick(NamedTuple):
    """
    One published bid and ask.

    ``time_us``: the source's time in UTC microseconds; ``place``: the tick's place among those of the same symbol and
    time, from 0, in the source's order. Symbol, time and place identify a tick. Prices are in the quote asset, sizes in
    millions of the base asset, both in 1e-8 units; a size the source does not give is 0.

    Source: OANDA's pricing stream; Dukascopy's files of ticks.
    """

    symbol: str
    time_us: int
    place: int
    bid_e8: int
    ask_e8: int
    bid_size_e8: int = 0
    ask_size_e8: int = 0

    @property
    def mid_e8(self) -> int:
        """The mean of bid and ask; half a unit of 1e-8 is dropped, which prices of up to seven places never have."""
        return (self.bid_e8 + self.ask_e8) // 2

    def price_e8(self, side: PriceSide) -> int:
        """Return the price of one side."""
        if side is PriceSide.MID:
            return self.mid_e8
        return self.bid_e8 if side is PriceSide.BID else self.ask_e8
