"""Changes of a drawing as values: made, moved, an anchor dragged, straightened, duplicated, brought to the front."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import atan2, cos, hypot, pi, sin
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF

from app.market.drawings.drawing import MOST_ORDER, Anchor, Drawing, DrawingKind, DrawingStyle, Extend
from app.market.interval import Interval
from widgets.chart.drawings.handles import moved_anchor
from widgets.chart.painting.scene import Scene

_FILLED = frozenset(
    {
        DrawingKind.RECTANGLE,
        DrawingKind.PARALLEL_CHANNEL,
        DrawingKind.REGRESSION_CHANNEL,
        DrawingKind.FIBONACCI_RETRACEMENT,
        DrawingKind.PRICE_RANGE,
    }
)
_EXTENDED = frozenset({DrawingKind.FIBONACCI_RETRACEMENT, DrawingKind.FIBONACCI_EXTENSION})
_TURN = pi / 4  # lines are straightened to multiples of this
_COPY_PX = 20.0  # how far a duplicate stands from its original, down and to the right
_MOST_COPIES = 20  # in a row beside their original; more of them lie in one place
_SQUARE = frozenset({DrawingKind.RECTANGLE, DrawingKind.PRICE_RANGE})


def usual_style(kind: DrawingKind) -> DrawingStyle:
    """Return the style of the first drawing of a kind."""
    extend = Extend.RIGHT if kind in _EXTENDED else Extend.NONE
    is_line = kind in (DrawingKind.TREND_LINE, DrawingKind.RAY, DrawingKind.ARROW, DrawingKind.FREEHAND)
    return DrawingStyle(width=2 if is_line else 1, filled=kind in _FILLED, extend=extend)


def new_drawing(
    symbol: str, kind: DrawingKind, anchors: Sequence[Anchor], style: DrawingStyle, others: Iterable[Drawing]
) -> Drawing:
    """Return a new drawing, above all ``others``."""
    return Drawing(str(uuid4()), symbol, kind, tuple(anchors), style, order=order_above(others))


def order_above(others: Iterable[Drawing]) -> float:
    """Return the order of a drawing that is painted after all others."""
    return min(max((one.order for one in others), default=0.0) + 1.0, MOST_ORDER)


def order_below(others: Iterable[Drawing]) -> float:
    """Return the order of a drawing that is painted before all others."""
    return max(min((one.order for one in others), default=0.0) - 1.0, -MOST_ORDER)


def with_anchor(drawing: Drawing, index: int, anchor: Anchor) -> Drawing:
    """Return a drawing with another anchor in one place."""
    anchors = list(drawing.anchors)
    anchors[index] = anchor
    return replace(drawing, anchors=tuple(anchors))


def moved(scene: Scene, interval: Interval, drawing: Drawing, by: QPointF, only: int | None = None) -> Drawing:
    """
    Return a drawing moved by logical pixels; sideways by whole candles, so that it stays on their middles.

    ``only``: the index of the one anchor to move; None: all.
    """
    whole = drawing.kind is not DrawingKind.FREEHAND
    anchors = tuple(
        moved_anchor(scene, interval, anchor, by, whole_slots=whole) if only in (None, at) else anchor
        for at, anchor in enumerate(drawing.anchors)
    )
    return replace(drawing, anchors=anchors)


def duplicate(scene: Scene, interval: Interval, drawing: Drawing, others: Iterable[Drawing], steps: int = 1) -> Drawing:
    """Return a copy of a drawing, with an id of its own, ``steps`` beside it and above all others."""
    copy = moved(scene, interval, drawing, _beside(scene) * steps)
    return replace(copy, id=str(uuid4()), order=order_above(others), revision=0, locked=False, hidden=False)


def pasted(text: str, scene: Scene, interval: Interval, symbol: str, others: Sequence[Drawing]) -> tuple[Drawing, ...]:
    """
    Return copies of the drawings in a text, as JSON, for a symbol: above all others, beside one in the same place.

    They keep their order among each other. A text that is no JSON of drawings gives none.

    Raises:
        UsageError: If it is, and says what is not possible.
    """
    from app.market.drawings.drawing_json import FORMAT, read_file  # the window opens without
    from app.market.errors import UsageError

    try:
        found = sorted(read_file(text, new_id=lambda: str(uuid4())).drawings, key=lambda one: one.place)
    except UsageError:
        if FORMAT not in text:
            return ()
        raise
    places = {(one.kind, one.anchors) for one in others}
    above, copies = order_above(others), []
    for number, drawing in enumerate(found):
        copy = replace(
            drawing,
            id=str(uuid4()),
            symbol=symbol,
            order=min(above + number, MOST_ORDER),
            locked=False,
            hidden=False,
            revision=0,
        )
        for _ in range(_MOST_COPIES):
            if (copy.kind, copy.anchors) not in places:
                break
            copy = moved(scene, interval, copy, _beside(scene))
        copies.append(copy)
    return tuple(copies)


def _beside(scene: Scene) -> QPointF:
    return QPointF(max(_COPY_PX, scene.time_scale.bar_px), _COPY_PX)


def straightened(kind: DrawingKind, start: QPointF, end: QPointF) -> QPointF:
    """Return an end on the nearest line from a start at a multiple of 45°; of a rectangle, the corner of a square."""
    by = end - start
    if kind in _SQUARE:
        side = max(abs(by.x()), abs(by.y()))
        return start + QPointF(side if by.x() >= 0 else -side, side if by.y() >= 0 else -side)
    turn = round(atan2(by.y(), by.x()) / _TURN) * _TURN
    length = hypot(by.x(), by.y())
    # Exactly level or upright: a cosine of nearly 0 would leave a slant.
    return start + QPointF(round(length * cos(turn), 6), round(length * sin(turn), 6))


def thinned(points: Sequence[QPointF], reach: float = 0.7) -> list[QPointF]:
    """Return the points of a line without those less than ``reach`` away from the line that is left."""
    if len(points) < 3:
        return list(points)
    at = np.array([(point.x(), point.y()) for point in points])
    kept = np.zeros(len(at), np.bool_)
    kept[[0, -1]] = True
    spans = [(0, len(at) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        away = _distances(at[first + 1 : last], at[first], at[last])
        farthest = int(away.argmax())
        if away[farthest] > reach:
            middle = first + 1 + farthest
            kept[middle] = True
            spans += [(first, middle), (middle, last)]
    return [points[index] for index in np.flatnonzero(kept).tolist()]


def _distances(
    points: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far points are from the straight piece between two others."""
    by = end - start
    length = float((by * by).sum())
    shares = np.clip(((points - start) @ by) / length, 0.0, 1.0) if length else np.zeros(len(points))
    away = points - (start + shares[:, None] * by)
    return np.asarray(np.hypot(away[:, 0], away[:, 1]), np.float64)
