"""A figure in a slot of fixed width: whatever it shows, its neighbours stay where they are."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy

from widgets.theme import style

_SMALLEST_PX = 6


class FigureLabel(QLabel):
    """
    One line, left-aligned. ``usual_px``: the slot's least width, at the usual size of text.

    `reserve` makes room for longer figures. A figure that is longer still is drawn smaller: never cut, and never moving
    what stands beside it.
    """

    def __init__(self, usual_px: int, tone: str = "", font: QFont | None = None) -> None:
        super().__init__()
        self._usual_px = usual_px
        self._reserved: tuple[str, ...] = ()
        self._slot_px = 0  # 0: not measured yet
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        if font is not None:
            self.setFont(font)
        style.set_tone(self, tone)

    def reserve(self, *texts: str) -> bool:
        """Make the slot wide enough for these texts, in place of those before; return whether its width changed."""
        before = self.slot_px()
        self._reserved, self._slot_px = texts, 0
        if self.slot_px() == before:
            return False
        self.updateGeometry()
        return True

    def slot_px(self) -> int:
        """Return the slot's width in logical pixels."""
        if not self._slot_px:
            metrics = self.fontMetrics()
            widest = max((metrics.horizontalAdvance(text) for text in self._reserved), default=0)
            self._slot_px = max(style.px(self._usual_px), widest + 1)
        return self._slot_px

    def drawn_font(self) -> QFont:
        """Return the label's font, smaller where the text would not fit."""
        font, room = QFont(self.font()), self.contentsRect().width()
        while font.pixelSize() > _SMALLEST_PX and QFontMetricsF(font).horizontalAdvance(self.text()) > room:
            font.setPixelSize(font.pixelSize() - 1)
        return font

    def sizeHint(self) -> QSize:
        return QSize(self.slot_px(), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._slot_px = 0
            self.updateGeometry()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self.drawn_font())
        painter.setPen(self.palette().color(self.foregroundRole()))
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine
        painter.drawText(self.contentsRect(), int(flags), self.text())
        painter.end()
