"""One chart among several: its head above it, and a frame around the active one."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor, QCursor, QEnterEvent, QMoveEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from widgets.chart.chart_widget import ChartWidget
from widgets.theme.palettes import DARK, Palette
from widgets.workspace.chart_head import ChartHead

LEAST_WIDTH_PX, LEAST_HEIGHT_PX = 120, 90  # a chart that a splitter is dragged over keeps so much, if there is room


class ChartFrame(QWidget):
    """
    The head and the chart of ``key``. Alone in the window, a chart has neither head nor frame.
    """

    def __init__(self, key: int, chart: ChartWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.key, self.chart = key, chart
        self.head = ChartHead()
        self._is_alone, self._is_active = True, False
        self._accent, self._ground = QColor(DARK.accent), QColor(DARK.background)
        self._box = QVBoxLayout(self)
        self._box.setSpacing(0)
        self._box.addWidget(self.head)
        self._box.addWidget(chart, 1)
        self.setMinimumSize(LEAST_WIDTH_PX, LEAST_HEIGHT_PX)
        self._place()

    def set_alone(self, is_alone: bool) -> None:
        """Show the chart by itself, or as one of several."""
        if is_alone != self._is_alone:
            self._is_alone = is_alone
            self._place()

    def _place(self) -> None:
        margin = 0 if self._is_alone else 1
        self._box.setContentsMargins(margin, margin, margin, margin)
        self.head.setVisible(not self._is_alone)
        self.chart.set_names_itself(names_itself=self._is_alone)
        self.update()

    def set_active(self, is_active: bool) -> None:
        """Frame the chart as the active one, or no longer."""
        if is_active != self._is_active:
            self._is_active = is_active
            self.head.set_active(is_active)
            self.update()

    @property
    def is_framed(self) -> bool:
        """Whether the frame of the active chart is drawn."""
        return self._is_active and not self._is_alone

    def set_palette(self, palette: Palette) -> None:
        """Draw head and frame in a palette; the chart has its own call."""
        self._accent, self._ground = QColor(palette.accent), QColor(palette.background)
        self.head.set_palette(palette)
        self.update()

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.head.set_hovered(True)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.head.set_hovered(False)

    def moveEvent(self, event: QMoveEvent) -> None:
        super().moveEvent(event)
        self._look_for_pointer()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._look_for_pointer()

    def _look_for_pointer(self) -> None:
        """Notice that the frame has left the pointer: Qt tells only of a pointer that leaves the frame."""
        if not self.rect().contains(self.mapFromGlobal(QCursor.pos())):
            self.head.set_hovered(False)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._is_alone:
            return
        painter = QPainter(self)
        painter.setPen(self._accent if self._is_active else self._ground)
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()
