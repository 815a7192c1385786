"""The lines of a drawing as an alert judges by them: in whole numbers, so that every program judges the same."""

from __future__ import annotations

import re
from typing import NamedTuple

from app.market.drawings.geometry import PriceLine
from app.market.units import E8, format_e8, parse_e8

_TEXT = re.compile(r"(-?[\d.]+)@(-?\d+),(-?[\d.]+)@(-?\d+),(-?\d*),(-?\d*)")


class DrawnLine(NamedTuple):
    """
    A straight line through two points: UTC microseconds, the first one earlier, and 1e-8 of the quote asset.

    ``start_us`` and ``end_us`` are the first and the last time that belong to it; None: it has no such end.
    """

    time0_us: int
    price0_e8: int
    time1_us: int
    price1_e8: int
    start_us: int | None
    end_us: int | None

    @property
    def text(self) -> str:
        """What `read_line` reads: ``65000@1783504800000000,65210.5@1783508400000000,,``."""
        first, second = (
            f"{amount_text(price)}@{time}"
            for price, time in ((self.price0_e8, self.time0_us), (self.price1_e8, self.time1_us))
        )
        return f"{first},{second},{_end_text(self.start_us)},{_end_text(self.end_us)}"

    def covers(self, time_us: int) -> bool:
        """Whether a time belongs to it."""
        return (self.start_us is None or time_us >= self.start_us) and (self.end_us is None or time_us <= self.end_us)

    def price(self, time_us: int) -> float | None:
        """Return its price at a time, in the quote asset, for display; None where that does not belong to it."""
        if not self.covers(time_us):
            return None
        share = (time_us - self.time0_us) / (self.time1_us - self.time0_us)
        return (self.price0_e8 + share * (self.price1_e8 - self.price0_e8)) / E8

    def side(self, time_us: int, price_e8: int) -> int:
        """Return a number below 0 if a price is below the line at a time, above 0 if above, 0 if on it."""
        length_us = self.time1_us - self.time0_us
        rise_e8 = self.price1_e8 - self.price0_e8
        return (price_e8 - self.price0_e8) * length_us - rise_e8 * (time_us - self.time0_us)

    def went(self, before: tuple[int, int], now: tuple[int, int]) -> int:
        """
        Return 1 if the price went through it upwards from one trade to the next, -1 downwards, 0 if it did not.

        A trade is its time and price. Where one of both times does not belong to the line, nothing is crossed.
        """
        if not (self.covers(before[0]) and self.covers(now[0])):
            return 0
        return went(self.side(*before), self.side(*now))

    def bounds_e8(self, from_us: int, until_us: int) -> tuple[int, int] | None:
        """
        Return its lowest price in a time, rounded up, and its highest, rounded down; None where it has none then.

        Where only a part of the time belongs to it, it is taken as if all did.
        """
        if (self.start_us is not None and self.start_us > until_us) or (
            self.end_us is not None and self.end_us < from_us
        ):
            return None
        length_us = self.time1_us - self.time0_us
        rise_e8 = self.price1_e8 - self.price0_e8
        ends = [self.price0_e8 * length_us + rise_e8 * (one - self.time0_us) for one in (from_us, until_us)]
        return -(-min(ends) // length_us), max(ends) // length_us


def drawn_line(line: PriceLine) -> DrawnLine:
    """Return a line of a drawing in whole numbers. Raises OverflowError."""
    (time0_us, price0), (time1_us, price1) = line.first, line.second
    return DrawnLine(time0_us, round(price0 * E8), time1_us, round(price1 * E8), line.start_us, line.end_us)


def went(was: int, is_now: int) -> int:
    """Return 1 if a price came from below a line (``was`` below 0) to it or above, -1 from above, 0 if neither."""
    return 1 if was < 0 <= is_now else -1 if was > 0 >= is_now else 0


def read_line(text: str) -> DrawnLine:
    """Return the line of `DrawnLine.text`. Raises ValueError."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    price0, time0, price1, time1, start, end = match.groups()
    line = DrawnLine(int(time0), amount_of(price0), int(time1), amount_of(price1), _end(start), _end(end))
    if line.time0_us >= line.time1_us:
        raise ValueError(text)
    return line


def amount_text(price_e8: int) -> str:
    """Return a price as `amount_of` reads it: ``-65210.5``."""
    return format_e8(price_e8).rstrip("0").rstrip(".")


def amount_of(text: str) -> int:
    """Return the price of a text, in 1e-8. Raises ValueError."""
    return -parse_e8(text[1:]) if text.startswith("-") else parse_e8(text)


def _end_text(time_us: int | None) -> str:
    return "" if time_us is None else str(time_us)


def _end(text: str) -> int | None:
    return int(text) if text else None
