"""The rectangle that a drag draws over the chart, to zoom to it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

MIN_BAND_PX = 8.0  # a smaller one is a click whose hand shook
_FLAT_PX = 24.0  # a hand that draws a range of times alone strays no further up or down


def band_of(start: QPointF, end: QPointF, pane: QRectF) -> QRectF:
    """
    Return the rectangle that a drag from ``start`` to ``end`` marks in a pane, in the view's logical pixels.

    A drag that went hardly up or down marks the whole height: it means a range of times, not of values.
    """
    band = QRectF(start, end).normalized() & pane
    if abs(end.y() - start.y()) < _FLAT_PX:
        band.setTop(pane.top())
        band.setBottom(pane.bottom())
    return band


class RubberBand(QWidget):
    """A band over ``parent``, transparent to the mouse."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._colour = QColor()
        self.hide()

    def show_at(self, band: QRectF, colour: QColor) -> None:
        """Show the band there, in that colour."""
        self._colour = colour
        self.setGeometry(band.toAlignedRect())
        self.show()
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        fill = QColor(self._colour)
        fill.setAlphaF(0.16)
        painter.fillRect(self.rect(), fill)
        painter.setPen(self._colour)
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()
