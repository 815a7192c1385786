"""The line to type an interval into."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QWidget

from app.market.interval import Interval
from widgets.entry_line import EntryLine
from widgets.numbers import spelled


class IntervalEntry(EntryLine[Interval]):
    """
    Any interval by its name, such as 13m.

    Signals:
        interval_requested: Enter on a valid interval; carries the `Interval`.
    """

    interval_requested = Signal(object)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window, "Interval")
        self.setAccessibleName("Type an interval")
        self.edit.setAccessibleName("Interval")
        self.edit.setPlaceholderText("13m")
        self.edit.setMaxLength(12)

    def open_with(self, text: str, top_left: QPoint) -> None:
        """Open with ``text`` already typed."""
        self.edit.setText(text)
        self._describe()
        self.open_at(top_left, self.edit)
        self.edit.end(False)

    def _read(self, text: str) -> Interval:
        return Interval.parse(text)

    def _meaning(self, value: Interval) -> str:
        return f"{spelled(value)} · Enter to show"

    def _hint(self) -> str:
        return "A number and s, m, h, d, w or M: 90s, 13m, 4h."

    def _take(self, value: Interval) -> None:
        self.interval_requested.emit(value)
