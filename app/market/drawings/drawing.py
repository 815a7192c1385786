"""A drawing on a chart: its kind, its anchors in time and price, and its look."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from app.market.errors import UsageError

MOST_ANCHORS = 10_000
"""How many points a freehand drawing may have."""
MOST_TEXT = 10_000
"""How many characters the text of a drawing may have."""
MOST_LEVELS = 50
WIDTHS = range(1, 5)
"""The widths of a line, in points of the screen at 100 %."""
EARLIEST_US, LATEST_US = -62_104_060_800_000_000, 253_370_764_799_999_999
"""The years 2 to 9998: a candle of up to twelve months there begins and ends in a year that a date can have."""
MOST_PRICE, MOST_LEVEL, MOST_ORDER = 1e15, 1e6, 1e15
"""How far prices, Fibonacci levels and orders go in both directions, so that what is computed of them is finite."""
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_COLOUR = re.compile(r"|line:[1-9][0-9]?|#[0-9a-f]{6}")
_MOST_SYMBOL = 100
_MOST_DIGITS = 30  # of a number in a sentence


class DrawingKind(StrEnum):
    """What is drawn. The value is its name in JSON."""

    HORIZONTAL_LINE = "horizontal_line"
    VERTICAL_LINE = "vertical_line"
    TREND_LINE = "trend_line"
    RAY = "ray"
    ARROW = "arrow"
    RECTANGLE = "rectangle"
    PARALLEL_CHANNEL = "parallel_channel"
    FIBONACCI_RETRACEMENT = "fibonacci_retracement"
    FIBONACCI_EXTENSION = "fibonacci_extension"
    REGRESSION_CHANNEL = "regression_channel"
    PRICE_RANGE = "price_range"
    TEXT = "text"
    NOTE = "note"
    FREEHAND = "freehand"

    @property
    def anchors(self) -> int:
        """How many anchors it has; a freehand drawing at least that many."""
        return _ANCHORS.get(self, 2)


_ANCHORS = {
    DrawingKind.HORIZONTAL_LINE: 1,
    DrawingKind.VERTICAL_LINE: 1,
    DrawingKind.TEXT: 1,
    DrawingKind.NOTE: 1,
    DrawingKind.PARALLEL_CHANNEL: 3,
    DrawingKind.FIBONACCI_EXTENSION: 3,
}


class Dash(StrEnum):
    """How a line is dashed."""

    SOLID = "solid"
    DASHED = "dashed"
    DOTTED = "dotted"


class Extend(StrEnum):
    """How far a line or a channel goes on beyond its anchors."""

    NONE = "none"
    RIGHT = "right"
    BOTH = "both"


class Anchor(NamedTuple):
    """A point of a drawing: UTC microseconds, and a price in the quote asset. It lies on no candle."""

    time_us: int
    price: float


@dataclass(frozen=True, slots=True)
class DrawingStyle:
    """
    How a drawing looks.

    ``colour``: ``""`` is the kind's own, ``"line:3"`` the third line colour of the palette, else ``"#rrggbb"`` in lower
    case. ``levels``: of a Fibonacci drawing, () for the usual ones. ``extra``: fields of its JSON that a newer program
    wrote.
    """

    colour: str = ""
    width: int = 1
    dash: Dash = Dash.SOLID
    filled: bool = False
    levels: tuple[float, ...] = ()
    extend: Extend = Extend.NONE
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Drawing:
    """
    One drawing on the charts of ``symbol``.

    ``id`` is a UUID in lower case. What has a higher ``order`` is painted later. ``revision`` is the
    database's, 0 for one that was never stored; two drawings are equal without regard to it. ``extra``: fields of its
    JSON that a newer program wrote. See `check`.
    """

    id: str
    symbol: str
    kind: DrawingKind
    anchors: tuple[Anchor, ...]
    style: DrawingStyle = DrawingStyle()
    text: str = ""
    locked: bool = False
    hidden: bool = False
    order: float = 0.0
    revision: int = field(default=0, compare=False)
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def place(self) -> tuple[float, str]:
        """What drawings are sorted by, to be painted one after the other."""
        return self.order, self.id


def check(drawing: Drawing) -> None:
    """
    Do nothing if a drawing can be painted and stored.

    Raises:
        UsageError: If not; its sentence begins with what is wrong.
    """
    if not _ID.fullmatch(drawing.id):
        raise UsageError(f"“{drawing.id[:60]}” is not the id of a drawing: give it a UUID in lower case.")
    if not drawing.symbol or len(drawing.symbol) > _MOST_SYMBOL or not drawing.symbol.isprintable():
        raise UsageError("The symbol of a drawing is missing: name one, as BTCUSDT.")
    _check_anchors(drawing.kind, drawing.anchors)
    _check_style(drawing.style)
    if len(drawing.text) > MOST_TEXT:
        raise UsageError(f"The text of a drawing is too long: it may have {MOST_TEXT} characters.")
    if any("\ud800" <= one <= "\udfff" for one in drawing.text):
        raise UsageError("The text of a drawing has half a character: write the text again.")
    if not abs(drawing.order) <= MOST_ORDER:
        raise UsageError(f"The order of a drawing is not a number up to {MOST_ORDER:g}: give it one, as 0.")


def _check_anchors(kind: DrawingKind, anchors: tuple[Anchor, ...]) -> None:
    count = len(anchors)
    if kind is DrawingKind.FREEHAND:
        if not kind.anchors <= count <= MOST_ANCHORS:
            raise UsageError(f"A {kind} has {kind.anchors} to {MOST_ANCHORS} anchors, not {count}.")
    elif count != kind.anchors:
        raise UsageError(f"A {kind} has {kind.anchors} anchors, not {count}: give each as [time, price].")
    for time_us, price in anchors:
        if not EARLIEST_US <= time_us <= LATEST_US:
            shown = _short(time_us)
            raise UsageError(f"The time {shown} of an anchor is out of range: give it in microseconds since 1970.")
        if not abs(price) <= MOST_PRICE:
            raise UsageError(
                f"The price of an anchor is not a number up to {MOST_PRICE:g}: give it in the quote asset."
            )


def _check_style(style: DrawingStyle) -> None:
    if not _COLOUR.fullmatch(style.colour):
        raise UsageError(f"“{style.colour[:60]}” is not a colour: write #rrggbb, line:3, or nothing.")
    if style.width not in WIDTHS:
        raise UsageError(f"The width of a line is {WIDTHS[0]} to {WIDTHS[-1]}, not {_short(style.width)}.")
    if len(style.levels) > MOST_LEVELS or not all(abs(one) <= MOST_LEVEL for one in style.levels):
        raise UsageError(f"The levels of a drawing are up to {MOST_LEVELS} numbers up to {MOST_LEVEL:g}, as 0.382.")


def _short(number: int) -> str:
    digits = str(number)
    return digits if len(digits) <= _MOST_DIGITS else f"{digits[:_MOST_DIGITS]}…"
