"""Places of ticks and candles of them, made one by one: the model for columns and SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.market.quotes.tick import PriceSide, Tick
from app.market.quotes.tick_candle import PriceBar, TickCandle


def with_places(ticks: Iterable[Tick]) -> Iterator[Tick]:
    """Yield ticks of one symbol by rising time, in the source's order, each with its place among those of its time."""
    before_us, place = None, 0
    for tick in ticks:
        place = place + 1 if tick.time_us == before_us else 0
        before_us = tick.time_us
        yield tick if tick.place == place else tick._replace(place=place)


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
