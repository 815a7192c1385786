"""The chip over the chart's lower edge: a sentence on a task in progress, with a button to cancel it, or on its end."""

from __future__ import annotations

from PySide6.QtCore import QRect, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from widgets.chart.frames.frame_timer import single_shot
from widgets.theme.palettes import Palette

_SHOWN_AFTER_MS = 150  # most tasks are done by then: the chip would only flash
_SHOWN_FOR_MS = 6000
_MARGIN_PX = 12


class ProgressChip(QFrame):
    """
    Hidden unless a task is in progress or has just ended.

    Signals:
        cancelled(): the user cancels the task.
    """

    cancelled = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("chip")
        self._area = QRect()
        self._text, self._cancel = QLabel(), QPushButton("Cancel")
        self._cancel.clicked.connect(self.cancelled)
        self._show_timer, self._hide_timer = single_shot(self, self.show), single_shot(self, self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 4, 4)
        row.setSpacing(8)
        row.addWidget(self._text)
        row.addWidget(self._cancel)
        self.hide()

    @property
    def text(self) -> str:
        """The sentence on the chip, also while it waits to appear; empty if hidden."""
        return self._text.text() if self.isVisible() or self._show_timer.isActive() else ""

    @property
    def is_under_way(self) -> bool:
        """Whether a task is in progress that can be cancelled."""
        return bool(self.text) and not self._cancel.isHidden()

    def begin(self, text: str, *, can_cancel: bool = True) -> None:
        """Show the sentence of a task, if it takes longer than a moment."""
        self._set_text(text, under_way=can_cancel)
        if not self.isVisible():
            self._show_timer.start(_SHOWN_AFTER_MS)

    def end(self, text: str = "") -> None:
        """Show for a while how the task ended; an empty text hides the chip."""
        self._show_timer.stop()
        self._set_text(text, under_way=False)
        self.setVisible(bool(text))
        if text:
            self._hide_timer.start(_SHOWN_FOR_MS)

    def set_palette(self, palette: Palette) -> None:
        self.ensurePolished()
        self.setStyleSheet(
            f"#chip {{ background: {palette.raised}; border: 1px solid {palette.edge}; border-radius: 6px; }}"
            f"QLabel {{ color: {palette.text}; padding: 3px 8px 3px 0; }}"
            f"QPushButton {{ color: {palette.text}; background: {palette.raised}; border: 1px solid {palette.edge};"
            " border-radius: 4px; padding: 2px 10px; }"
            f"QPushButton:hover, QPushButton:focus {{ border-color: {palette.accent}; }}"
        )

    def place_in(self, area: QRect) -> None:
        """Place the chip at the bottom of a rectangle, in the middle."""
        self._area = area
        self.adjustSize()
        size = self.sizeHint().boundedTo(area.size())
        x = area.left() + (area.width() - size.width()) // 2
        self.setGeometry(x, area.bottom() - size.height() - _MARGIN_PX, size.width(), size.height())

    def _set_text(self, text: str, *, under_way: bool) -> None:
        self._hide_timer.stop()
        self._text.setText(text)
        self._cancel.setVisible(under_way)
        self.place_in(self._area)
