"""The handle on the side panel's edge: a drag resizes the panel; a double click hides it, a click shows it again."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QEnterEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QApplication, QWidget

from widgets.controls.key_hints import set_key_tip
from widgets.theme.palettes import DARK, Palette

HIT_PX = 16  # wide, to hit; half of it on each side of the edge
_DRAWN_PX = 8
_OPEN_PX, _HIDDEN_PX = 48, 56  # high


class PanelHandle(QWidget):
    """
    Lies over the window, centred on the panel's edge; its owner places it.

    Signals:
        dragged: The pointer moved with the button down; carries how far, in pixels to the left since it went down.
        drag_began, drag_ended: A drag begins and ends.
        toggle_requested: Hide the panel, or show it.
    """

    drag_began = Signal()
    dragged = Signal(int)
    drag_ended = Signal()
    toggle_requested = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("panelHandle")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName("Side panel's handle")
        self._palette = DARK
        self._is_open = True
        self._pressed_at: QPointF | None = None
        self._is_dragging = False
        self._is_hovered = False
        self.set_open(True)

    def set_open(self, is_open: bool) -> None:
        """Look and act as the handle of an open or of a hidden panel."""
        self._is_open = is_open
        self.setCursor(Qt.CursorShape.SplitHCursor if is_open else Qt.CursorShape.PointingHandCursor)
        doing = "Drag to resize, double click to hide" if is_open else "Click to show, drag to resize"
        set_key_tip(self, f"{doing} the side panel", "side_panel")
        self.resize(self.sizeHint())
        self.update()

    def set_palette(self, palette: Palette) -> None:
        """Draw in a palette."""
        self._palette = palette
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(HIT_PX, _OPEN_PX if self._is_open else _HIDDEN_PX)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at, self._is_dragging = event.globalPosition(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed_at is None:
            return
        moved = self._pressed_at.x() - event.globalPosition().x()
        if not self._is_dragging and abs(moved) >= QApplication.startDragDistance():
            self._is_dragging = True
            self.drag_began.emit()
        if self._is_dragging:
            self.dragged.emit(round(moved))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._pressed_at is None:
            return
        self._pressed_at = None
        if self._is_dragging:
            self._is_dragging = False
            self.drag_ended.emit()
        elif not self._is_open:
            self.toggle_requested.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        # While hidden the first click has shown the panel already; its second must not hide it again.
        if event.button() == Qt.MouseButton.LeftButton and self._is_open:
            self.toggle_requested.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: 16, Qt.Key.Key_Right: -16}
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.toggle_requested.emit()
        elif event.key() in steps and not event.modifiers() and self._is_open:
            self.drag_began.emit()
            self.dragged.emit(steps[Qt.Key(event.key())])
            self.drag_ended.emit()
        else:
            event.ignore()

    def enterEvent(self, event: QEnterEvent) -> None:
        self._is_hovered = True
        self.update()

    def leaveEvent(self, event: object) -> None:
        self._is_hovered = False
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colours = QPainter(self), self._palette
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        is_lit = self._is_hovered or self.hasFocus()
        painter.setPen(QPen(QColor(colours.accent if self.hasFocus() else colours.faint), 1.0))
        painter.setBrush(QColor(colours.line if is_lit else colours.raised))
        body = QRectF((self.width() - _DRAWN_PX) / 2, 0, _DRAWN_PX, self.height()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(body, 3, 3)
        painter.setPen(QPen(QColor(colours.text if is_lit else colours.dim), 1.5))
        middle = body.center()
        if self._is_open:
            painter.drawLine(QPointF(middle.x(), middle.y() - 8), QPointF(middle.x(), middle.y() + 8))
        else:
            tip = QPointF(middle.x() - 1.5, middle.y())
            painter.drawPolyline([tip + QPointF(3, -4), tip, tip + QPointF(3, 4)])
        painter.end()
