"""Labels for figures that change several times a second, and for sentences that may be too long."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from widgets.theme import style


def label(text: str = "", tone: str = "", font: QFont | None = None, parent: QWidget | None = None) -> QLabel:
    """Return a label of plain text in that tone (see `style.set_tone`)."""
    widget = QLabel(text, parent)
    widget.setTextFormat(Qt.TextFormat.PlainText)  # a server's message must not be taken for HTML
    if font is not None:
        widget.setFont(font)
    style.set_tone(widget, tone)
    return widget


class SteadyLabel(QLabel):
    """A label that grows but never shrinks, so that a shorter figure does not move its neighbours sideways."""

    def __init__(self, text: str = "", tone: str = "", font: QFont | None = None) -> None:
        super().__init__(text)
        self._widest = 0
        self.setTextFormat(Qt.TextFormat.PlainText)
        if font is not None:
            self.setFont(font)
        style.set_tone(self, tone)

    def forget_width(self) -> None:
        """Let the label shrink once, because its next text is about something else."""
        self._widest = 0
        self.updateGeometry()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._widest = 0  # it was measured in the font before

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        self._widest = max(self._widest, hint.width())
        return QSize(self._widest, hint.height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


class ElidedLabel(QLabel):
    """A one-line label that gives way: text that does not fit ends in “…”."""

    _MIN_WIDTH = 72

    def __init__(self, text: str = "", tone: str = "", font: QFont | None = None) -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        if font is not None:
            self.setFont(font)
        style.set_tone(self, tone)

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        return QSize(min(hint.width(), self._MIN_WIDTH), hint.height())

    def is_elided(self) -> bool:
        return self.fontMetrics().horizontalAdvance(self.text()) > self.contentsRect().width()

    def paintEvent(self, event: QPaintEvent) -> None:
        rect = self.contentsRect()
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, rect.width())
        painter = QPainter(self)
        alignment = self.alignment() | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine
        self.style().drawItemText(
            painter, rect, int(alignment), self.palette(), self.isEnabled(), text, self.foregroundRole()
        )
        painter.end()
