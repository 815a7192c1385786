"""The line to type a date into, to go there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QWidget

from app.market.interval import SECOND_US
from widgets.chart.scales.time_text import MONTHS, parse_date
from widgets.controls.entry_line import EntryLine

_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


class DateEntry(EntryLine[int]):
    """
    Takes a date, or a date and a time, in the zone it is opened for.

    ``now_us``: returns the exchange's time, UTC microseconds.

    Signals:
        time_chosen(object): Enter on a valid date; carries it as UTC microseconds.
    """

    time_chosen = Signal(object)

    WIDTH = 340

    def __init__(self, window: QWidget, now_us: Callable[[], int]) -> None:
        super().__init__(window, "Go to date")
        self.setAccessibleName("Go to a date")
        self._now_us = now_us
        self._rules: tzinfo = UTC
        self._zone = "UTC"
        self.edit.setAccessibleName("Date")
        self.edit.setPlaceholderText("2024-03-01 14:30")
        self.edit.setMaxLength(24)

    def open_for(self, rules: tzinfo, zone: str, top_left: QPoint) -> None:
        """Open for dates by the rules of a zone; ``zone`` is its name for the user."""
        self._rules, self._zone = rules, zone
        self.edit.selectAll()  # the last date stays, for a next one near it
        self._describe()
        self.open_at(top_left, self.edit)

    def _read(self, text: str) -> int:
        return parse_date(text, self._rules, self._now_us())

    def _meaning(self, value: int) -> str:
        there = datetime.fromtimestamp(value // SECOND_US, self._rules)
        date = f"{_WEEKDAYS[there.weekday()]}, {there.day} {MONTHS[there.month - 1]} {there.year}"
        return f"{date}, {there:%H:%M} {self._zone} · Enter to go there"

    def _hint(self) -> str:
        return f"A date, or a date and a time, in {self._zone}."

    def _take(self, value: int) -> None:
        self.time_chosen.emit(value)
