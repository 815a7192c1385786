"""The line to type a date into that the chart is to go to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo

from PySide6.QtCore import QPoint, QSize, Signal
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from app.market.errors import UsageError
from app.market.interval import SECOND_US
from widgets import style
from widgets.chart.date_text import parse_date
from widgets.chart.time_text import MONTHS
from widgets.labels import label
from widgets.overlay import Overlay

_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


class DateEntry(Overlay):
    """
    A line to type a date into, with what it means under it, or why it means nothing.

    ``now_us`` tells the exchange's time, UTC microseconds.

    Signals:
        time_chosen(object): Enter on a date that can be gone to; carries it as UTC microseconds.
    """

    time_chosen = Signal(object)

    _WIDTH = 340

    def __init__(self, window: QWidget, now_us: Callable[[], int]) -> None:
        super().__init__(window)
        self.setAccessibleName("Go to a date")
        self._now_us = now_us
        self._rules: tzinfo | None = None
        self._zone = ""
        self.edit = QLineEdit()
        self.edit.setAccessibleName("Date")
        self.edit.setPlaceholderText("2024-03-01 14:30")
        self.edit.setMaxLength(24)
        self.message = label("", "dim", style.font(12))
        self.message.setWordWrap(True)
        self._layout = layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.setSpacing(8)
        layout.addWidget(label("Go to date", "faint", style.head_font()))
        layout.addWidget(self.edit)
        layout.addWidget(self.message)
        self.edit.textChanged.connect(self._describe)
        self.edit.returnPressed.connect(self._enter)

    def open_for(self, rules: tzinfo, zone: str, top_left: QPoint) -> None:
        """Open, for dates by those clocks; ``zone`` is how they are called."""
        self._rules, self._zone = rules, zone
        self.edit.selectAll()  # the date gone to last may be near the next one
        self._describe(self.edit.text())
        self.open_at(top_left, self.edit)

    def sizeHint(self) -> QSize:
        height = self._layout.totalHeightForWidth(self._WIDTH)
        return QSize(self._WIDTH, height if height > 0 else super().sizeHint().height())

    def _describe(self, text: str) -> None:
        # While typing, what is not a date yet is no mistake yet: that is said on Enter.
        try:
            time_us = parse_date(text, self._clocks, self._now_us())
        except UsageError:
            self._say(f"A date, or a date and a time, in {self._zone}.", "dim")
            return
        there = datetime.fromtimestamp(time_us // SECOND_US, self._clocks)
        date = f"{_WEEKDAYS[there.weekday()]}, {there.day} {MONTHS[there.month - 1]} {there.year}"
        self._say(f"{date}, {there:%H:%M} {self._zone} · Enter to go there", "dim")

    def _enter(self) -> None:
        try:
            time_us = parse_date(self.edit.text(), self._clocks, self._now_us())
        except UsageError as error:
            self._say(str(error), "warning")
            return
        self.dismiss()
        self.time_chosen.emit(time_us)

    @property
    def _clocks(self) -> tzinfo:
        assert self._rules is not None
        return self._rules

    def _say(self, text: str, tone: str) -> None:
        self.message.setText(text)
        style.set_tone(self.message, tone)
        self.adjustSize()
