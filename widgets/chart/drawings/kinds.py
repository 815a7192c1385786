"""What the window says and offers about each kind of drawing: title, icon, command, usual colour, what can be set."""

from __future__ import annotations

from typing import NamedTuple

from app.market.drawings.drawing import Drawing, DrawingKind

Kind = DrawingKind


class KindInfo(NamedTuple):
    """
    ``command``: of `widgets.keys`. ``colour``: the number of the palette's line colour, from 1. ``steps``: what to do.

    ``can_fill``, ``can_extend``, ``has_levels``: what of its style means something. ``line``: it has lines.
    """

    title: str
    command: str
    colour: int
    steps: str
    can_fill: bool = False
    can_extend: bool = False
    has_levels: bool = False
    has_lines: bool = True


_FROM_TO = "Click where it begins, then where it ends."

KINDS: dict[DrawingKind, KindInfo] = {
    Kind.TREND_LINE: KindInfo("Trend line", "draw_trend_line", 2, _FROM_TO, can_extend=True),
    Kind.RAY: KindInfo("Ray", "draw_ray", 2, "Click where it begins, then a point that it passes."),
    Kind.ARROW: KindInfo("Arrow", "draw_arrow", 2, "Click where it begins, then what it points at."),
    Kind.PARALLEL_CHANNEL: KindInfo(
        "Parallel channel",
        "draw_parallel_channel",
        3,
        "Click both ends of one edge, then a point of the other.",
        can_fill=True,
        can_extend=True,
    ),
    Kind.REGRESSION_CHANNEL: KindInfo(
        "Regression channel",
        "draw_regression_channel",
        6,
        "Click the first candle, then the last.",
        can_fill=True,
        can_extend=True,
    ),
    Kind.HORIZONTAL_LINE: KindInfo("Horizontal line", "draw_horizontal_line", 8, "Click its price."),
    Kind.VERTICAL_LINE: KindInfo("Vertical line", "draw_vertical_line", 8, "Click its time."),
    Kind.FIBONACCI_RETRACEMENT: KindInfo(
        "Fibonacci retracement",
        "draw_fibonacci_retracement",
        4,
        "Click where the move began, then where it ended.",
        can_fill=True,
        can_extend=True,
        has_levels=True,
    ),
    Kind.FIBONACCI_EXTENSION: KindInfo(
        "Fibonacci extension",
        "draw_fibonacci_extension",
        4,
        "Click where the move began, where it ended, then where the next one begins.",
        can_extend=True,
        has_levels=True,
    ),
    Kind.RECTANGLE: KindInfo(
        "Rectangle", "draw_rectangle", 1, "Click two opposite corners.", can_fill=True, can_extend=True
    ),
    Kind.PRICE_RANGE: KindInfo(
        "Price range", "draw_price_range", 2, "Click one price, then the other.", can_fill=True, can_extend=True
    ),
    Kind.TEXT: KindInfo("Text", "draw_text", 1, "Click where it stands, then type.", has_lines=False),
    Kind.NOTE: KindInfo("Note", "draw_note", 1, "Click what it is about, then type.", has_lines=False),
    Kind.FREEHAND: KindInfo("Freehand", "draw_freehand", 5, "Draw with the button held down."),
}

GROUPS: tuple[tuple[str, tuple[DrawingKind, ...]], ...] = (
    ("Lines", (Kind.TREND_LINE, Kind.RAY, Kind.ARROW)),
    ("Channels", (Kind.PARALLEL_CHANNEL, Kind.REGRESSION_CHANNEL)),
    ("Levels", (Kind.HORIZONTAL_LINE, Kind.VERTICAL_LINE)),
    ("Fibonacci", (Kind.FIBONACCI_RETRACEMENT, Kind.FIBONACCI_EXTENSION)),
    ("Shapes", (Kind.RECTANGLE, Kind.PRICE_RANGE)),
    ("Text", (Kind.TEXT, Kind.NOTE)),
    ("Freehand", (Kind.FREEHAND,)),
)
"""The tools as the strip shows them: the first of a group stands for it until another one was used."""


def icon_of(kind: DrawingKind) -> str:
    """Return the name of a kind's icon."""
    return f"draw-{kind.value.replace('_', '-')}"


def words_of(drawing: Drawing) -> str:
    """Return a drawing in words: its kind, its text, its prices, and whether it is locked or hidden."""
    prices = dict.fromkeys(f"{anchor.price:,.10g}" for anchor in drawing.anchors[:3])
    states = (word for word, on in (("locked", drawing.locked), ("hidden", drawing.hidden)) if on)
    text = drawing.text.replace("\n", " ")
    return ", ".join(filter(None, (KINDS[drawing.kind].title, text, " to ".join(prices), *states)))
