"""One published bid and ask with its time, and how ticks with equal times are distinguished."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

_PLACE_BITS = 15  # a database keeps places as smallint
_POSITION = re.compile(r"([0-9]{1,16})-([0-9]{1,5})")


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

    @property
    def number(self) -> int:
        """Its time and place as one number, which rises with both; see `position_of`."""
        return tick_number(self.time_us, self.place)

    def price_e8(self, side: PriceSide) -> int:
        """Return the price of one side."""
        if side is PriceSide.MID:
            return self.mid_e8
        return self.bid_e8 if side is PriceSide.BID else self.ask_e8


def tick_number(time_us: int, place: int) -> int:
    """Return a tick's time and place as one number, which rises with both."""
    return time_us << _PLACE_BITS | place


def time_and_place(number: int) -> tuple[int, int]:
    """Return the time and place of a tick's number."""
    return number >> _PLACE_BITS, number & ((1 << _PLACE_BITS) - 1)


def position_of(number: int) -> str:
    """Return a tick's number as other programs keep it: ``"1783504800123456-0"``, UTC microseconds and place."""
    time_us, place = time_and_place(number)
    return f"{time_us}-{place}"


def number_at(position: str) -> int | None:
    """Return the number that `position_of` wrote; None for any other text."""
    match = _POSITION.fullmatch(position)
    if match is None or int(match[2]) >= 1 << _PLACE_BITS:
        return None
    return tick_number(int(match[1]), int(match[2]))
