"""
What a drawing consists of, in time and price: strokes, fills, labels. Pure.

A stroke is straight in time and price, whatever the scale of the chart: see docs/decisions/104. Times are UTC
microseconds as floats, so that a line may begin or end at infinity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from math import inf, isfinite
from typing import NamedTuple

import numpy as np

from app.market.drawings.drawing import Anchor, Drawing, DrawingKind, Extend
from app.market.drawings.geometry import EXTENSION_LEVELS, RETRACEMENT_LEVELS
from app.market.series.series import CandleSeries
from widgets.chart.scales.value_marks import format_price

_GOLDEN_BAND = 0.5, 0.618  # the part of a retracement that its fill marks
_DEVIATIONS = 2.0  # standard deviations from a regression to the edges of its channel


class Stroke(NamedTuple):
    """
    A line from one point to another. ``before``, ``after``: it goes on beyond its start, its end.

    ``is_soft``: dashed and thin, whatever the drawing's style, as the middle of a channel is.
    """

    start_us: float
    start: float
    end_us: float
    end: float
    before: bool = False
    after: bool = False
    is_soft: bool = False


class Fill(NamedTuple):
    """The area between two lines over the same time, given by their prices at its start and end."""

    start_us: float
    end_us: float
    start: float
    end: float
    other_start: float
    other_end: float
    before: bool = False
    after: bool = False


class Where(Enum):
    """
    Where a label stands: in the right margin at its price, right of the end of its line, at its point, in a box above
    it, inside a rectangle.
    """

    MARGIN = "margin"
    BESIDE = "beside"
    POINT = "point"
    NOTE = "note"
    INSIDE = "inside"
    RANGE = "range"


class Label(NamedTuple):
    """A text at a time and a price. Of one in the margin, ``time_us`` to ``until_us`` is what must be in view."""

    where: Where
    text: str
    time_us: float
    price: float
    until_us: float = 0.0
    is_rising: bool = True


@dataclass(slots=True)
class Shape:
    """A drawing's parts; ``has_head``: its first stroke ends in an arrow's head."""

    strokes: list[Stroke] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    has_head: bool = False


def shape_of(drawing: Drawing, decimals: int, series: CandleSeries | None) -> Shape:
    """
    Return the parts of a drawing. Of one whose anchors are not complete yet, those that can be shown.

    ``decimals``: of prices in its labels. ``series``: the candles that a regression is computed over.
    """
    shape = Shape()
    if drawing.anchors:
        _MAKERS[drawing.kind](shape, drawing, decimals, series)
    return shape


def levels_of(drawing: Drawing) -> tuple[float, ...]:
    """Return the levels of a Fibonacci drawing, the usual ones if it has none of its own."""
    is_extension = drawing.kind is DrawingKind.FIBONACCI_EXTENSION
    return drawing.style.levels or (EXTENSION_LEVELS if is_extension else RETRACEMENT_LEVELS)


def regression(series: CandleSeries | None, start_us: float, end_us: float) -> tuple[float, float, float] | None:
    """
    Return the regression line of closes at both times, and the standard deviation from it; None for under 2 candles.

    It covers the candles that open at or after the first time's candle and up to the second's.
    """
    if series is None or not len(series):
        return None
    interval = series.interval
    first, last = sorted((interval.open_time_us(int(start_us)), interval.open_time_us(int(end_us))))
    opens = series.column("open_time_us")
    rows = slice(int(np.searchsorted(opens, first)), int(np.searchsorted(opens, last, side="right")))
    times, closes = opens[rows].astype(np.float64) + interval.length_us / 2, series.column("close")[rows]
    if len(times) < 2:
        return None
    middle, mean = times.mean(), closes.mean()
    away = times - middle
    slope = float((away * (closes - mean)).sum() / (away * away).sum())
    deviation = float(np.sqrt(np.mean((closes - mean - slope * away) ** 2)))
    return float(mean + slope * (start_us - middle)), float(mean + slope * (end_us - middle)), deviation


def _line(shape: Shape, drawing: Drawing, decimals: int, series: CandleSeries | None) -> None:
    extend = drawing.style.extend
    after = extend is not Extend.NONE or drawing.kind is DrawingKind.RAY
    if len(drawing.anchors) > 1:
        (start_us, start), (end_us, end) = drawing.anchors[:2]
        # “Right” is later, whichever end was placed first; a ray goes on where its second anchor points.
        # Nothing is right of one that stands upright; a dot leads nowhere.
        forward = end_us > start_us or drawing.kind is DrawingKind.RAY
        before = extend is Extend.BOTH or (after and end_us < start_us and not forward)
        after = extend is Extend.BOTH or (after and forward)
        if (start_us, start) == (end_us, end):
            before = after = False
        shape.strokes.append(Stroke(start_us, start, end_us, end, before, after))
        shape.has_head = drawing.kind is DrawingKind.ARROW
    _name(shape, drawing, drawing.anchors[0])


def _horizontal(shape: Shape, drawing: Drawing, decimals: int, series: CandleSeries | None) -> None:
    price = drawing.anchors[0].price
    shape.strokes.append(Stroke(-inf, price, inf, price))
    text = format_price(price, decimals)
    text = f"{drawing.text} · {text}" if drawing.text else text
    shape.labels.append(Label(Where.MARGIN, text, -inf, price, inf))


def _vertical(shape: Shape, drawing: Drawing, decimals: int, series: CandleSeries | None) -> None:
    time_us = drawing.anchors[0].time_us
    shape.strokes.append(Stroke(time_us, -inf, time_us, inf))
    _name(shape, drawing, drawing.anchors[0])


def _rectangle(shape: Shape, drawing: Drawing, decimals: int, series: CandleSeries | None) -> None:
    if len(drawing.anchors) < 2:
        return
    (start_us, start), (end_us, end) = drawing.anchors[:2]
    left, right = _span(drawing, min(start_us, end_us), max(start_us, end_us))
    for price in (start, end):
        shape.strokes.append(Stroke(left, price, right, price))
    for time_us in (left, right):
        if isfinite(time_us):
            shape.strokes.append(Stroke(time_us, start, time_us, end))
    _fill(shape, drawing, Fill(left, right, start, start, end, end))
    if drawing.text:
        at = max(start_us, end_us)
        shape.labels.append(Label(Where.INSIDE, drawing.text, left, (start + end) / 2, at))


def _channel(shape: Shape, drawing: Drawing, decimals: int, series: CandleSeries | None) -> None:
    if len(drawing.anchors) < 2:
        return
    (start_us, start), (end_us, end) = drawing.anchors[:2]
    if end_us < start_us:
        start_us, start, end_us, end = end_us, end, start_us, start
    width = 0.0
    if len(drawing.anchors) > 2:
        third = drawing.anchors[2]
        slope = (end - start) / (end_us - start_us) if end_us != start_us else 0.0
        width = third.price - (start + slope * (third.time_us - start_us))
    _edges(shape, drawing, (start_us, start, end_us, end), (0.0, width), width / 2)


def _regression_channel(shape: Shape, drawing: Drawing, decimals: int, series: CandleSeries | None) -> None:
    if len(drawing.anchors) < 2:
        return
    start_us, end_us = sorted(anchor.time_us for anchor in drawing.anchors[:2])
    found = regression(series, start_us, end_us)
    if found is None:  # no candles there yet: the line between its anchors shows where it is
        (start_us, start), (end_us, end) = sorted(drawing.anchors[:2])
        shape.strokes.append(Stroke(start_us, start, end_us, end, is_soft=True))
        return
    start, end, deviation = found
    reach = _DEVIATIONS * deviation
    _edges(shape, drawing, (start_us, start, end_us, end), (-reach, reach), 0.0)


def _edges(
    shape: Shape,
    drawing: Drawing,
    line: tuple[float, float, float, float],
    edges: tuple[float, float],
    middle: float,
) -> None:
    """Add a channel: a line moved up by both ``edges``, and by ``middle`` as its middle."""
    start_us, start, end_us, end = line
    before = drawing.style.extend is Extend.BOTH
    after = before or (drawing.style.extend is Extend.RIGHT and start_us != end_us)
    low, high = edges
    for by in (low, high) if low != high else (low,):
        shape.strokes.append(Stroke(start_us, start + by, end_us, end + by, before, after))
    if low != high:
        shape.strokes.append(Stroke(start_us, start + middle, end_us, end + middle, before, after, is_soft=True))
        _fill(shape, drawing, Fill(start_us, end_us, start + low, end + low, start + high, end + high, before, after))
    _name(shape, drawing, Anchor(int(start_us), start + max(edges)))


def _retracement(shape: Shape, drawing: Drawing, decimals: int, series: CandleSeries | None) -> None:
    if len(drawing.anchors) < 2:
        return
    (start_us, start), (end_us, end) = drawing.anchors[:2]
    shape.strokes.append(Stroke(start_us, start, end_us, end, is_soft=True))
    span = _span(drawing, min(start_us, end_us), max(start_us, end_us))
    _levels(shape, drawing, span, end, start - end, decimals)
    low, high = (end + (start - end) * level for level in _GOLDEN_BAND)
    _fill(shape, drawing, Fill(*span, low, low, high, high))


def _extension(shape: Shape, drawing: Drawing, decimals: int, series: CandleSeries | None) -> None:
    for one, other in zip(drawing.anchors, drawing.anchors[1:], strict=False):
        shape.strokes.append(Stroke(one.time_us, one.price, other.time_us, other.price, is_soft=True))
    if len(drawing.anchors) < 3:
        return
    (_, start), (end_us, end), (from_us, base) = drawing.anchors[:3]
    span = _span(drawing, min(end_us, from_us), max(end_us, from_us))
    _levels(shape, drawing, span, base, end - start, decimals)


def _span(drawing: Drawing, start_us: float, end_us: float) -> tuple[float, float]:
    extend = drawing.style.extend
    return (-inf if extend is Extend.BOTH else start_us), (end_us if extend is Extend.NONE else inf)


def _levels(shape: Shape, drawing: Drawing, span: tuple[float, float], base: float, by: float, decimals: int) -> None:
    """Add a line at ``base`` plus each level times ``by``, and its label."""
    for level in levels_of(drawing):
        price = base + by * level
        shape.strokes.append(Stroke(span[0], price, span[1], price))
        text = f"{level:.3f}".rstrip("0").rstrip(".")
        text = f"{text} · {format_price(price, decimals)}"
        if isfinite(span[1]):
            shape.labels.append(Label(Where.BESIDE, text, span[1], price, span[1]))
        else:
            shape.labels.append(Label(Where.MARGIN, text, span[0], price, span[1]))


def _price_range(shape: Shape, drawing: Drawing, decimals: int, series: CandleSeries | None) -> None:
    if len(drawing.anchors) < 2:
        return
    (start_us, start), (end_us, end) = drawing.anchors[:2]
    middle = (start_us + end_us) / 2
    shape.strokes.append(Stroke(middle, start, middle, end))
    left, right = _span(drawing, min(start_us, end_us), max(start_us, end_us))
    for price in (start, end):
        shape.strokes.append(Stroke(left, price, right, price))
    shape.has_head = start != end
    _fill(shape, drawing, Fill(left, right, start, start, end, end))
    by = end - start
    sign = "+" if by >= 0 else "−"
    percent = f" ({sign}{abs(by / start) * 100:,.2f} %)" if start else ""
    text = f"{sign}{format_price(abs(by), decimals)}{percent}"
    shape.labels.append(
        Label(Where.RANGE, f"{drawing.text}\n{text}" if drawing.text else text, middle, end, is_rising=by >= 0)
    )


def _text(shape: Shape, drawing: Drawing, decimals: int, series: CandleSeries | None) -> None:
    where = Where.NOTE if drawing.kind is DrawingKind.NOTE else Where.POINT
    shape.labels.append(Label(where, drawing.text or "Text", *drawing.anchors[0]))


def _freehand(shape: Shape, drawing: Drawing, decimals: int, series: CandleSeries | None) -> None:
    for one, other in zip(drawing.anchors, drawing.anchors[1:], strict=False):
        shape.strokes.append(Stroke(one.time_us, one.price, other.time_us, other.price))


def _name(shape: Shape, drawing: Drawing, at: Anchor) -> None:
    if drawing.text:
        shape.labels.append(Label(Where.POINT, drawing.text, at.time_us, at.price))


def _fill(shape: Shape, drawing: Drawing, fill: Fill) -> None:
    if drawing.style.filled and all(isfinite(price) for price in fill[2:6]):
        shape.fills.append(fill)


_MAKERS: dict[DrawingKind, Callable[[Shape, Drawing, int, CandleSeries | None], None]] = {
    DrawingKind.HORIZONTAL_LINE: _horizontal,
    DrawingKind.VERTICAL_LINE: _vertical,
    DrawingKind.TREND_LINE: _line,
    DrawingKind.RAY: _line,
    DrawingKind.ARROW: _line,
    DrawingKind.RECTANGLE: _rectangle,
    DrawingKind.PARALLEL_CHANNEL: _channel,
    DrawingKind.FIBONACCI_RETRACEMENT: _retracement,
    DrawingKind.FIBONACCI_EXTENSION: _extension,
    DrawingKind.REGRESSION_CHANNEL: _regression_channel,
    DrawingKind.PRICE_RANGE: _price_range,
    DrawingKind.TEXT: _text,
    DrawingKind.NOTE: _text,
    DrawingKind.FREEHAND: _freehand,
}
