"""Anchors to pixels and back: the handles of the chosen drawing, and where a position lies in time and price."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import QPointF, QRectF

from app.market.drawings.drawing import EARLIEST_US, LATEST_US, MOST_PRICE, Anchor, Drawing, DrawingKind
from app.market.interval import Interval
from widgets.chart.drawings.shapes import Shape
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_builder import decimals_of
from widgets.chart.scales.time_scale import position_of, time_at

HANDLE_PX = 4.5
_AT_TIMES = frozenset({DrawingKind.VERTICAL_LINE, DrawingKind.REGRESSION_CHANNEL})  # their prices do not count
_LINE_HANDLE_SHARE = 0.5  # where the handle of a line across the pane is, once its anchor is out of view


class Handle(NamedTuple):
    """A handle in the view's logical pixels; ``anchor``: the index of the anchor that it drags."""

    anchor: int
    point: QPointF


def point_of(scene: Scene, interval: Interval, anchor: Anchor) -> QPointF:
    """Return where an anchor is, in the view's logical pixels."""
    return QPointF(scene.time_scale.x_of(position_of(interval, anchor.time_us)), scene.price.y_of(anchor.price))


def place_of(scene: Scene, interval: Interval, drawing: Drawing) -> QRectF:
    """Return a rectangle around a drawing's anchors, kept in the price pane; the view's logical pixels."""
    pane, points = scene.price.rect, [point_of(scene, interval, anchor) for anchor in drawing.anchors]
    xs = [min(max(point.x(), pane.left()), pane.right()) for point in points]
    ys = [min(max(point.y(), pane.top()), pane.bottom()) for point in points]
    return QRectF(QPointF(min(xs), min(ys)), QPointF(max(xs), max(ys)))


def anchor_at(scene: Scene, interval: Interval, point: QPointF, *, on_candle: bool = True) -> Anchor:
    """
    Return the anchor of a position in the view; its price has the decimals of the symbol's.

    ``on_candle``: its time is the middle of the candle there, where the crosshair stands, too.
    """
    time_scale = scene.time_scale
    position = time_scale.slot_at(point.x()) if on_candle else time_scale.position_at(point.x())
    return Anchor(_time_at(interval, position), rounded(scene, scene.price.value_at(point.y())))


def moved_anchor(scene: Scene, interval: Interval, anchor: Anchor, by: QPointF, *, whole_slots: bool) -> Anchor:
    """
    Return an anchor moved by logical pixels, sideways along the axis of the view, where closed time may be left out.

    ``whole_slots``: it moves from the place that it has in a candle to the same place in another one.
    """
    time_scale = scene.time_scale
    slots = by.x() / time_scale.bar_px
    at = time_scale.axis.at(position_of(interval, anchor.time_us)) + (round(slots) if whole_slots else slots)
    time_us = anchor.time_us if not by.x() else _time_at(interval, time_scale.axis.slot_position(at))
    if not by.y():
        return Anchor(time_us, anchor.price)
    share = scene.price.value_scale.share_of(anchor.price) + by.y() / max(scene.price.rect.height(), 1.0)
    return Anchor(time_us, rounded(scene, scene.price.value_scale.value_at(share)))


def beyond_prices(scene: Scene, drawing: Drawing) -> str:
    """Return “above” or “below” where a drawing is beyond the prices in view, as one of another symbol may be."""
    if drawing.kind in _AT_TIMES:
        return ""
    shares = [scene.price.value_scale.share_of(anchor.price) for anchor in drawing.anchors]
    if all(share < 0 for share in shares):
        return "above"
    return "below" if all(share > 1 for share in shares) else ""


def rounded(scene: Scene, price: float) -> float:
    """Return a price with the decimals of the symbol's and one more, within what an anchor may have."""
    return min(max(round(price, decimals_of(scene) + 1), -MOST_PRICE), MOST_PRICE)


def _time_at(interval: Interval, position: float) -> int:
    """Return the time at a slot position, within what an anchor may have."""
    first, last = position_of(interval, EARLIEST_US), position_of(interval, LATEST_US)
    return min(max(time_at(interval, min(max(position, first), last)), EARLIEST_US), LATEST_US)


def handles_of(scene: Scene, interval: Interval, drawing: Drawing, shape: Shape) -> list[Handle]:
    """Return a drawing's handles. Of a freehand drawing only the ends'."""
    points = [point_of(scene, interval, anchor) for anchor in drawing.anchors]
    pane = scene.price.rect
    if drawing.kind is DrawingKind.HORIZONTAL_LINE and not 0 <= points[0].x() <= pane.width():
        points[0].setX(pane.width() * _LINE_HANDLE_SHARE)
    if drawing.kind is DrawingKind.VERTICAL_LINE and not pane.top() <= points[0].y() <= pane.bottom():
        points[0].setY(pane.center().y())
    if drawing.kind is DrawingKind.REGRESSION_CHANNEL and shape.strokes:
        # Its anchors say from when to when; the line between the edges says at which price.
        middle = shape.strokes[-1]
        ends = sorted(range(2), key=lambda at: drawing.anchors[at].time_us) if len(points) > 1 else []
        for at, price in zip(ends, (middle.start, middle.end), strict=False):
            points[at].setY(scene.price.y_of(price))
    handles = [Handle(at, point) for at, point in enumerate(points)]
    return handles if drawing.kind is not DrawingKind.FREEHAND else [handles[0], handles[-1]]
