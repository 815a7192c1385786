"""
Slanted lines, antialiased and a few pixels wide, at a tenth of what Qt's own stroker takes.

Qt draws lines one pixel wide directly, and outlines wider ones to fill the outline. So a wider line is drawn as several
thin ones, so little apart that no gap is between them; looked at, the two cannot be told apart.
"""

from __future__ import annotations

import math
from functools import lru_cache

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

_WIDEST_OF_THREE, _WIDEST_OF_FIVE = 1.7, 3.3


def stroke(painter: QPainter, colour: QColor, line: QPolygonF, width: float) -> None:
    """Draw a line through points, ``width`` pixels wide; a single one is a dot. Leaves the painter antialiasing."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    offsets = offsets_of(width) if line.count() > 1 else ()
    if not offsets:
        pen = QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        if line.count() > 1:
            painter.drawPolyline(line)
        else:
            painter.drawPoints(line)
        return
    painter.setPen(QPen(colour, 1.0))
    before = QPointF()
    for offset in offsets:
        line.translate(offset - before)
        painter.drawPolyline(line)
        before = offset


@lru_cache(maxsize=32)
def offsets_of(width: float) -> tuple[QPointF, ...]:
    """Return where lines of one pixel stand to look like one of ``width``; none where Qt has to draw it itself."""
    if width <= 1.05:
        return (QPointF(),)
    if width <= _WIDEST_OF_THREE:
        # The divisors give about as much colour as Qt's own lines, on average over all slopes.
        return tuple(_on_circle((width - 1) / 1.6, turn / 3 + 0.25) for turn in range(3))
    if width <= _WIDEST_OF_FIVE:
        return (QPointF(), *(_on_circle((width - 1) / 1.8, turn / 4) for turn in range(4)))
    return ()


def _on_circle(radius: float, turn: float) -> QPointF:
    return QPointF(radius * math.cos(turn * math.tau), radius * math.sin(turn * math.tau))
