"""The bell that marks what an alert waits for, drawn so that it is sharp at any size."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen


def paint_bell(painter: QPainter, centre: QPointF, size: float, colour: QColor) -> None:
    """Paint a bell, ``size`` logical pixels high."""
    unit = size / 10
    x, y = centre.x(), centre.y()
    path = QPainterPath(QPointF(x - 4.2 * unit, y + 2.4 * unit))
    path.cubicTo(x - 2.6 * unit, y + 0.9 * unit, x - 3.6 * unit, y - 4.4 * unit, x, y - 4.4 * unit)
    path.cubicTo(x + 3.6 * unit, y - 4.4 * unit, x + 2.6 * unit, y + 0.9 * unit, x + 4.2 * unit, y + 2.4 * unit)
    path.closeSubpath()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(colour, 1.2 * unit, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    painter.drawPath(path)
    painter.drawLine(QPointF(x - 1.0 * unit, y + 4.4 * unit), QPointF(x + 1.0 * unit, y + 4.4 * unit))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
