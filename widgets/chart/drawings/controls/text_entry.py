"""The field over the chart in which a drawing's text is typed, in its place."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QHideEvent, QKeyEvent
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app.market.drawings.drawing import MOST_TEXT
from widgets.theme import style
from widgets.theme.palettes import Palette

_LEAST_PX, _PADDING_PX = 120, 10
_RETURN = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class TextEntry(QPlainTextEdit):
    """
    Takes a text of some lines: Return ends it, Shift+Return begins another line, Esc gives it up.

    Signals:
        text_entered(str): the text is complete; also once the focus goes elsewhere, or the chart out of view.
        given_up(): the user gave it up.
    """

    text_entered = Signal(str)
    given_up = Signal()

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self.setObjectName("drawingText")
        self.setAccessibleName("Text of the drawing")
        self.setFont(style.font(style.SMALL_PX))
        self.setTabChangesFocus(True)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        for set_policy in (self.setVerticalScrollBarPolicy, self.setHorizontalScrollBarPolicy):
            set_policy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.textChanged.connect(self._fit)
        self._is_open, self._at = False, QPointF()
        self.hide()

    def open_with(self, text: str, at: QPointF, palette: Palette) -> None:
        """Open at a position of the canvas, its whole text selected."""
        self.setStyleSheet(
            f"#drawingText {{ background: {palette.raised}; color: {palette.text};"
            f" border: 1px solid {palette.accent}; border-radius: 4px; }}"
        )
        self._is_open, self._at = True, at
        self.setPlainText(text)
        self.selectAll()
        self._fit()
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.PopupFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._close()
            self.given_up.emit()
        elif event.key() in _RETURN and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.enter()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() not in (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason):
            self.enter()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if not event.spontaneous():  # as of a window that is closed; one that is minimised comes back as it was
            self.enter()

    def enter(self) -> None:
        """Take the text as it is now, if it is open."""
        if self._is_open:
            text = self.toPlainText().strip()[:MOST_TEXT]
            self._close()
            self.text_entered.emit(text)

    def _close(self) -> None:
        had_focus, self._is_open = self.hasFocus(), False
        self.hide()
        if had_focus:
            self._canvas.setFocus()

    def _fit(self) -> None:
        """Be as large as the text, and stay inside the canvas: what is typed beyond its edge would not be seen."""
        lines = self.toPlainText().split("\n")
        metrics = self.fontMetrics()
        width = max(metrics.horizontalAdvance(line) for line in lines) + 4 * _PADDING_PX
        height = len(lines) * metrics.lineSpacing() + 2 * _PADDING_PX
        canvas = self._canvas.rect()
        self.resize(min(max(style.px(_LEAST_PX), width), canvas.width()), min(height, canvas.height()))
        room = canvas.width() - self.width(), canvas.height() - self.height()
        self.move(max(0, min(round(self._at.x()), room[0])), max(0, min(round(self._at.y()), room[1])))
        self.ensureCursorVisible()
