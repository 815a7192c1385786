"""
Where the lines of a drawing run: the price of each at a time, for the chart, its hit tests, and alerts.

Lines are straight over time, not over candles: interval, scale and closed time change nothing about them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.market.drawings.drawing import Anchor, Drawing, DrawingKind, Extend

RETRACEMENT_LEVELS = (0.0, 0.236, 0.382, 0.5, 0.618, 0.786, 1.0)
"""The usual levels of a Fibonacci retracement: 0 is at its second anchor, 1 at its first."""
EXTENSION_LEVELS = (0.0, 0.618, 1.0, 1.618, 2.618)
"""The usual levels of a Fibonacci extension: 0 is at its third anchor; 1 adds the way from the first to the second."""


class PriceLine(NamedTuple):
    """
    A straight line through two points, of different times.

    ``start_us`` and ``end_us`` are the first and the last time that belong to it, None without an end.
    """

    first: Anchor
    second: Anchor
    start_us: int | None = None
    end_us: int | None = None

    def price(self, time_us: int) -> float | None:
        """Return its price at a time; None outside its ends."""
        if self.start_us is not None and time_us < self.start_us:
            return None
        if self.end_us is not None and time_us > self.end_us:
            return None
        return self.unbounded_price(time_us)

    def unbounded_price(self, time_us: int) -> float:
        """Return its price at a time as if it had no ends."""
        (time0, price0), (time1, price1) = self.first, self.second
        return price0 + (price1 - price0) * ((time_us - time0) / (time1 - time0))


def lines_of(drawing: Drawing) -> tuple[PriceLine, ...]:
    """
    Return the lines of a drawing that have one price at a time; () for a kind without, or one that stands upright.

    Edges of a channel, of a rectangle and of a price range are lines, and so are Fibonacci levels. A vertical line, a
    text, a note and what is drawn by hand have none; the lines of a regression channel depend on candles.
    """
    anchors, extend = drawing.anchors, drawing.style.extend
    match drawing.kind:
        case DrawingKind.HORIZONTAL_LINE:
            return (_level(anchors[0].price, None, None),)
        case DrawingKind.TREND_LINE | DrawingKind.ARROW:
            return _straight(anchors[0], anchors[1], extend)
        case DrawingKind.RAY:
            return _ray(anchors[0], anchors[1])
        case DrawingKind.PARALLEL_CHANNEL:
            return _channel(anchors, extend)
        case DrawingKind.RECTANGLE | DrawingKind.PRICE_RANGE:
            return _levels((anchors[0].price, anchors[1].price), anchors[:2], extend)
        case DrawingKind.FIBONACCI_RETRACEMENT:
            one, zero = anchors[0].price, anchors[1].price
            levels = drawing.style.levels or RETRACEMENT_LEVELS
            return _levels([zero + (one - zero) * level for level in levels], anchors, extend)
        case DrawingKind.FIBONACCI_EXTENSION:
            from_price, to_price, zero = (one.price for one in anchors)
            levels = drawing.style.levels or EXTENSION_LEVELS
            return _levels([zero + (to_price - from_price) * level for level in levels], anchors[1:], extend)
        case _:
            return ()


def line_ends(start_us: int, end_us: int, extend: Extend) -> tuple[int | None, int | None]:
    """Return the first and the last time of a line between two times that is extended so; None without an end."""
    if extend is Extend.BOTH:
        return None, None
    return start_us, None if extend is Extend.RIGHT else end_us


def _level(price: float, start_us: int | None, end_us: int | None) -> PriceLine:
    return PriceLine(Anchor(0, price), Anchor(1, price), start_us, end_us)


def _levels(prices: Sequence[float], anchors: Sequence[Anchor], extend: Extend) -> tuple[PriceLine, ...]:
    times = [one.time_us for one in anchors]
    start_us, end_us = line_ends(min(times), max(times), extend)
    return tuple(_level(price, start_us, end_us) for price in dict.fromkeys(prices))


def _straight(first: Anchor, second: Anchor, extend: Extend) -> tuple[PriceLine, ...]:
    if first.time_us == second.time_us:
        return ()
    earlier, later = sorted((first, second))
    return (PriceLine(earlier, later, *line_ends(earlier.time_us, later.time_us, extend)),)


def _ray(first: Anchor, second: Anchor) -> tuple[PriceLine, ...]:
    if first.time_us == second.time_us:
        return ()
    if first.time_us < second.time_us:
        return (PriceLine(first, second, first.time_us, None),)
    return (PriceLine(second, first, None, first.time_us),)


def _channel(anchors: Sequence[Anchor], extend: Extend) -> tuple[PriceLine, ...]:
    edges = _straight(anchors[0], anchors[1], extend)
    if not edges:
        return ()
    edge = edges[0]
    distance = anchors[2].price - edge.unbounded_price(anchors[2].time_us)
    if not distance:
        return edges
    moved = [one._replace(price=one.price + distance) for one in (edge.first, edge.second)]
    return edge, PriceLine(moved[0], moved[1], edge.start_us, edge.end_us)
