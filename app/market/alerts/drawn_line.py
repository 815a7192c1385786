"""The lines of a drawing as an alert judges by them: in whole numbers, so that every program judges the same."""

from __future__ import annotations

import re
from typing import NamedTuple

from app.market.drawings.drawing import Drawing
from app.market.drawings.geometry import PriceLine, lines_of
from app.market.errors import UsageError
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
            f"{format_e8(price).rstrip('0').rstrip('.')}@{time}"
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

    def bounds_e8(self, from_us: int, until_us: int) -> tuple[int, int]:
        """Return its lowest price in a time, rounded up, and its highest, rounded down, as if it had no ends."""
        length_us = self.time1_us - self.time0_us
        rise_e8 = self.price1_e8 - self.price0_e8
        ends = [self.price0_e8 * length_us + rise_e8 * (one - self.time0_us) for one in (from_us, until_us)]
        return -(-min(ends) // length_us), max(ends) // length_us


def drawn_lines(drawing: Drawing) -> tuple[DrawnLine, ...]:
    """
    Return the lines of a drawing that a price can cross.

    Raises:
        UsageError: If it has none, or prices beyond what can be counted in 1e-8.
    """
    try:
        found = tuple(map(_line, lines_of(drawing)))
    except OverflowError as error:
        raise UsageError("The prices of the drawing are out of range: move it.") from error
    if not found:
        kind = drawing.kind.replace("_", " ")
        raise UsageError(f"No price crosses a {kind}: choose a line, a channel, an area or Fibonacci levels.")
    return found


def read_line(text: str) -> DrawnLine:
    """Return the line of `DrawnLine.text`. Raises ValueError."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    price0, time0, price1, time1, start, end = match.groups()
    line = DrawnLine(int(time0), _amount(price0), int(time1), _amount(price1), _end(start), _end(end))
    if line.time0_us >= line.time1_us:
        raise ValueError(text)
    return line


def _line(line: PriceLine) -> DrawnLine:
    (time0_us, price0), (time1_us, price1) = line.first, line.second
    return DrawnLine(time0_us, round(price0 * E8), time1_us, round(price1 * E8), line.start_us, line.end_us)


def _amount(text: str) -> int:
    return -parse_e8(text[1:]) if text.startswith("-") else parse_e8(text)


def _end_text(time_us: int | None) -> str:
    return "" if time_us is None else str(time_us)


def _end(text: str) -> int | None:
    return int(text) if text else None
