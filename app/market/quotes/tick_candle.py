"""A candle of ticks: bid, ask and mid side by side, and how it adds up from ticks and from finer candles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from app.market.quotes.tick import PriceSide, Tick


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


def candle_of_tick(open_time_us: int, tick: Tick) -> TickCandle:
    """Return the candle that one tick makes."""
    at = (tick.time_us, tick.place)
    bid, ask, mid = (PriceBar(price, price, price, price) for price in (tick.bid_e8, tick.ask_e8, tick.mid_e8))
    return TickCandle(open_time_us, bid, ask, mid, 1, tick.bid_size_e8, tick.ask_size_e8, at, at)


def combine_ticks(open_time_us: int, parts: Iterable[TickCandle]) -> TickCandle:
    """
    Return the candle that ``parts`` of disjoint ticks add up to, in any order.

    Raises:
        ValueError: If there are no parts.
    """
    parts = sorted(parts, key=lambda part: part.first)
    if not parts:
        raise ValueError("a candle is made of at least one part")
    latest = max(parts, key=lambda part: part.last)

    def bar(side: PriceSide) -> PriceBar:
        return PriceBar(
            parts[0].bar(side).open_e8,
            max(part.bar(side).high_e8 for part in parts),
            min(part.bar(side).low_e8 for part in parts),
            latest.bar(side).close_e8,
        )

    return TickCandle(
        open_time_us,
        bid=bar(PriceSide.BID),
        ask=bar(PriceSide.ASK),
        mid=bar(PriceSide.MID),
        ticks=sum(part.ticks for part in parts),
        bid_volume_e8=sum(part.bid_volume_e8 for part in parts),
        ask_volume_e8=sum(part.ask_volume_e8 for part in parts),
        first=parts[0].first,
        last=latest.last,
    )
