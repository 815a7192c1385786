"""The entry line for a date to go to. `widgets.chart.scales.time_text` parses it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QWidget

from app.market.interval import SECOND_US
from widgets.chart.scales.time_text import MONTHS, parse_date
from widgets.controls.entry_line import EntryLine

# Not strftime's names: those follow the system's language, and the window is in English.
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


class DateEntry(EntryLine[int]):
    """
    Asks for a date, or a date and a time, in the zone that `open_for` names. Times to come are refused.

    ``now_us`` returns the exchange's time, UTC microseconds.

    Signals:
        time_chosen(object): Enter was pressed on a valid date; carries it as UTC microseconds.
    """

    time_chosen = Signal(object)  # Signal(int) is 32 bits wide, too few for microseconds

    WIDTH = 340

    def __init__(self, window: QWidget, now_us: Callable[[], int]) -> None:
        super().__init__(window, "Go to date")
        self.setAccessibleName("Go to a date")
        self._now_us = now_us
        self._rules: tzinfo = UTC
        self._zone_name = "UTC"
        self.edit.setAccessibleName("Date")
        self.edit.setPlaceholderText("2024-03-01 14:30")
        self.edit.setMaxLength(24)

    def open_for(self, rules: tzinfo, zone_name: str, top_left: QPoint) -> None:
        """
        Open the line for local times under ``rules``.

        ``zone_name`` is their zone's name for the user; ``top_left`` is in the window's coordinates.
        """
        self._rules, self._zone_name = rules, zone_name
        self.edit.selectAll()  # the last date stays, as the next one is often near it; typing replaces it
        self._describe()
        self.open_at(top_left, self.edit)

    def _read(self, text: str) -> int:
        return parse_date(text, self._rules, self._now_us())

    def _meaning(self, value: int) -> str:
        local = datetime.fromtimestamp(value // SECOND_US, self._rules)
        date = f"{_WEEKDAYS[local.weekday()]}, {local.day} {MONTHS[local.month - 1]} {local.year}"
        return f"{date}, {local:%H:%M} {self._zone_name} · Enter to go there"

    def _hint(self) -> str:
        return f"A date, or a date and a time, in {self._zone_name}."

    def _take(self, value: int) -> None:
        self.time_chosen.emit(value)
