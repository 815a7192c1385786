"""The chart for users of the keyboard or a screen reader: a frame around the focus, and the candle in words."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect, Qt
from PySide6.QtGui import QColor, QFocusEvent, QPainter, QPaintEvent, QRegion
from PySide6.QtWidgets import QWidget

from app.market.series.series import CandleSeries
from widgets.chart.interaction.readout import Readout
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.painting.scene import Scene

_THICK_PX = 2
_BY_KEYS = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)


class FocusFrame(QWidget):
    """A frame along the edges of ``parent``, transparent to the mouse."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.colour = QColor()
        self.hide()

    def surround(self, rect: QRect) -> None:
        """Cover the inside of a rectangle's edges."""
        self.setGeometry(rect)
        inside = self.rect().adjusted(_THICK_PX, _THICK_PX, -_THICK_PX, -_THICK_PX)
        # Masked: Qt paints the chart inside without regard to this widget.
        self.setMask(QRegion(self.rect()) - QRegion(inside))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), self.colour)
        painter.end()


class ChartAccessibility(QObject):
    """Watches the canvas's focus: the frame shows while the focus came by the keyboard, until the mouse is used."""

    def __init__(self, canvas: ChartCanvas, scene: Scene, readout: Readout) -> None:
        super().__init__(canvas)
        self._canvas, self._scene, self._readout = canvas, scene, readout
        self.frame = FocusFrame(canvas)
        canvas.setAccessibleName("Chart")
        canvas.installEventFilter(self)
        canvas.pressed.connect(self.frame.hide)
        canvas.resized.connect(lambda: self.frame.surround(canvas.rect()))

    def describe_candle(self, series: CandleSeries | None) -> None:
        """Set the canvas's accessible description to the candle that is read, with its time under the crosshair."""
        cross, bar = self._scene.crosshair, self._readout.bar
        when = f"{cross.time_text}: " if cross is not None and bar is not None and cross.slot == bar.slot else ""
        self._canvas.setAccessibleDescription(f"{when}{self._readout.full_legend(series)}")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QFocusEvent):
            self.frame.colour = self._scene.colours.accent
            self.frame.surround(self._canvas.rect())
            self.frame.setVisible(event.gotFocus() and event.reason() in _BY_KEYS)
            self.frame.raise_()
        return False
