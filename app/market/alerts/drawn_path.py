"""A path of many points as an alert judges by it, such as a part of a drawing by hand; in whole numbers."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

from app.market.alerts.drawn_line import amount_of, amount_text, went
from app.market.units import E8

_POINT = re.compile(r"(-?[\d.]+)@(-?\d+)")

Point = tuple[int, int]
"""A time in UTC microseconds, and a price in 1e-8 of the quote asset."""


class DrawnPath(NamedTuple):
    """
    Straight from point to point. Times do not fall, and the last is later than the first; it has no ends beyond these.

    Where several points share a time, all prices between them belong to the path at that time.
    """

    points: tuple[Point, ...]

    @property
    def text(self) -> str:
        """What `read_path` reads: ``65000@1783504800000000>65210.5@1783508400000000>65100@1783509000000000``."""
        return ">".join(f"{amount_text(price_e8)}@{time_us}" for time_us, price_e8 in self.points)

    def covers(self, time_us: int) -> bool:
        """Whether a time belongs to it."""
        return self.points[0][0] <= time_us <= self.points[-1][0]

    def price(self, time_us: int) -> float | None:
        """Return its price at a time, in the quote asset, for display; None where that does not belong to it."""
        if not self.covers(time_us):
            return None
        low, high, divisor = self._prices(time_us)
        return (low + high) / 2 / divisor / E8

    def went(self, before: Point, now: Point) -> int:
        """Return 1 if the price went through it upwards from one trade to the next, -1 downwards, 0 if it did not."""
        if not (self.covers(before[0]) and self.covers(now[0])):
            return 0
        return went(self._side(*before), self._side(*now))

    def bounds_e8(self, from_us: int, until_us: int) -> tuple[int, int] | None:
        """Return its lowest price in a time, rounded up, and its highest, rounded down; None where it has none."""
        first_us, last_us = max(from_us, self.points[0][0]), min(until_us, self.points[-1][0])
        if first_us > last_us:
            return None
        ends = [self._prices(time_us) for time_us in (first_us, last_us)]
        first, end = bisect_left(self.points, (first_us + 1,)), bisect_left(self.points, (last_us,))
        lows = [-(-low // divisor) for low, _, divisor in ends]
        highs = [high // divisor for _, high, divisor in ends]
        between = [price_e8 for _, price_e8 in self.points[first:end]]
        return min(lows + between), max(highs + between)

    def _side(self, time_us: int, price_e8: int) -> int:
        low, high, divisor = self._prices(time_us)
        scaled = price_e8 * divisor
        return -1 if scaled < low else 1 if scaled > high else 0

    def _prices(self, time_us: int) -> tuple[int, int, int]:
        """Return its lowest and highest price at a time that it covers, and the number both are to be divided by."""
        points = self.points
        first = bisect_left(points, (time_us,))
        if points[first][0] == time_us:
            prices = [price_e8 for _, price_e8 in points[first : bisect_left(points, (time_us + 1,))]]
            return min(prices), max(prices), 1
        (time0_us, price0_e8), (time1_us, price1_e8) = points[first - 1], points[first]
        length_us = time1_us - time0_us
        value = price0_e8 * length_us + (price1_e8 - price0_e8) * (time_us - time0_us)
        return value, value, length_us


def paths_of(points: Iterable[Point]) -> tuple[DrawnPath, ...]:
    """
    Return a line from point to point as paths, one for each stretch that goes one way in time.

    A line that turns back has several prices at a time, and each of its paths is crossed for itself. A stretch of one
    time alone is left out.
    """
    runs = list[list[Point]]()
    run = list[Point]()
    way = 0
    for point in points:
        step = (point[0] > run[-1][0]) - (point[0] < run[-1][0]) if run else 0
        if step and way and step != way:
            runs.append(run[::way])
            run = run[-1:]
        way = step or way
        run.append(point)
    if way:
        runs.append(run[::way])
    return tuple(DrawnPath(tuple(one)) for one in runs)


def read_path(text: str) -> DrawnPath:
    """Return the path of `DrawnPath.text`. Raises ValueError."""
    points = list[Point]()
    for part in text.split(">"):
        match = _POINT.fullmatch(part)
        if match is None:
            raise ValueError(part)
        points.append((int(match[2]), amount_of(match[1])))
    times = [time_us for time_us, _ in points]
    if times != sorted(times) or times[0] == times[-1]:
        raise ValueError(text)
    return DrawnPath(tuple(points))
