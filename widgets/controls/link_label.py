"""A label that can be clicked, or pressed by the keyboard: a link."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QStyle

from widgets.controls.labels import ElidedLabel

_PRESSES = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)


class LinkLabel(ElidedLabel):
    """
    One line of text; ``is_underlined`` shows that it is a link, by dots in the colour of the text.

    It is elided only while ``is_sentence``: part of a figure would be another figure.

    Signals:
        clicked: It was clicked, or Enter or the space bar pressed on it.
    """

    clicked = Signal()

    def __init__(
        self, text: str = "", tone: str = "", font: QFont | None = None, *, is_underlined: bool = True
    ) -> None:
        super().__init__(text, tone, font)
        self.is_sentence = False
        self._is_underlined = is_underlined
        self._is_link = False
        self.set_link(True)

    @property
    def is_link(self) -> bool:
        """Whether it can be clicked."""
        return self._is_link

    def set_link(self, is_link: bool) -> None:
        """Be a link, or a plain label."""
        if is_link != self._is_link:
            self._is_link = is_link
            self.setFocusPolicy(Qt.FocusPolicy.TabFocus if is_link else Qt.FocusPolicy.NoFocus)
            self.setCursor(Qt.CursorShape.PointingHandCursor if is_link else Qt.CursorShape.ArrowCursor)
            self.update()

    def minimumSizeHint(self) -> QSize:
        return super().minimumSizeHint() if self.is_sentence else self.sizeHint()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        is_inside = self.rect().contains(event.position().toPoint())
        if self._is_link and event.button() is Qt.MouseButton.LeftButton and is_inside:
            self.clicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._is_link and event.key() in _PRESSES:
            self.clicked.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._is_link:
            return
        painter = QPainter(self)
        if self._is_underlined:
            metrics, inside = self.fontMetrics(), self.contentsRect()
            width = min(metrics.horizontalAdvance(self.text()), inside.width())
            text = QStyle.alignedRect(
                self.layoutDirection(),
                self.alignment() | Qt.AlignmentFlag.AlignVCenter,
                QSize(width, metrics.height()),
                inside,
            )
            painter.setPen(QPen(self.palette().color(self.foregroundRole()), 1, Qt.PenStyle.DotLine))
            y = min(text.bottom(), self.height() - 1) + 0.5
            painter.drawLine(QPointF(text.left(), y), QPointF(text.left() + width, y))
        if self.hasFocus():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self.palette().link().color(), 1))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        painter.end()
