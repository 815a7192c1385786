"""
What of a drawing an alert waits for: lines, paths, and moments that time reaches.

Each is whole numbers and text, so that every program judges the same, and the rule in the database keeps them.
"""

from __future__ import annotations

from typing import NamedTuple

from app.market.alerts.drawn_line import DrawnLine, drawn_line, read_line
from app.market.alerts.drawn_path import DrawnPath, Point, paths_of, read_path
from app.market.drawings.drawing import Drawing, DrawingKind
from app.market.drawings.geometry import lines_of
from app.market.errors import UsageError
from app.market.units import E8


class DrawnMoment(NamedTuple):
    """A time, UTC microseconds: crossed by a trade at or after it that follows on one before it."""

    time_us: int

    @property
    def text(self) -> str:
        """What `read_part` reads: ``@1783504800000000``."""
        return f"@{self.time_us}"

    def price(self, time_us: int) -> float | None:
        """Return None: it has no price."""

    def went(self, before: Point, now: Point) -> int:
        """Return 0 if it lies not between both trades; else 1 or -1, the way the price went meanwhile, 1 if nowhere."""
        if not before[0] < self.time_us <= now[0]:
            return 0
        return 1 if now[1] >= before[1] else -1

    def bounds_e8(self, from_us: int, until_us: int) -> tuple[int, int] | None:
        """Return None: it has no price."""


DrawnPart = DrawnLine | DrawnPath | DrawnMoment


def drawn_parts(drawing: Drawing) -> tuple[DrawnPart, ...]:
    """
    Return what of a drawing can be crossed; of a regression channel see `drawn_regression`.

    Raises:
        UsageError: If nothing can, or it has prices beyond what can be counted in 1e-8.
    """
    found: tuple[DrawnPart, ...]
    try:
        if drawing.kind is DrawingKind.VERTICAL_LINE:
            found = (DrawnMoment(drawing.anchors[0].time_us),)
        elif drawing.kind is DrawingKind.FREEHAND:
            found = paths_of((time_us, round(price * E8)) for time_us, price in drawing.anchors)
        else:
            found = tuple(map(drawn_line, lines_of(drawing)))
    except OverflowError as error:
        raise UsageError("The prices of the drawing are out of range: move it.") from error
    if not found:
        kind = drawing.kind.replace("_", " ")
        raise UsageError(f"No price crosses this {kind}: choose a line, a channel, an area or Fibonacci levels.")
    return found


def read_part(text: str) -> DrawnPart:
    """Return the part whose ``text`` it is. Raises ValueError."""
    if text.startswith("@"):
        return DrawnMoment(int(text[1:]))
    return read_path(text) if ">" in text else read_line(text)
