"""The button that shows the time zone as an offset from UTC, and the list to choose one from."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPainter
from PySide6.QtWidgets import QListView, QWidget

from widgets.chart.popups.system_zone import system_rules
from widgets.chart.scales.zones import Zone, offset_text, zone_named, zone_names
from widgets.controls.bar_parts import ChoiceButton
from widgets.controls.list_picker import ROW_ROLE, Index, ListPicker, RowDelegate, RowModel
from widgets.theme import style


class ZoneButton(ChoiceButton):
    """Shows a zone's offset from UTC; a click asks for another zone."""

    def show_zone(self, zone: Zone, now_us: int) -> None:
        """Show a zone's offset at a time, UTC microseconds. Cheap where nothing changed: call it for every tick."""
        text = offset_text(zone.rules, now_us)
        name = f"Time zone: {zone.title}"
        if self.text() != text or self.accessibleName() != name:
            self.setText(text)
            self.setAccessibleName(name)
            self.setToolTip(f"{name}\nDays and longer candles are the exchange's own, in UTC")


class ZoneRow(NamedTuple):
    """A zone, and its offset from UTC as text."""

    zone: Zone
    offset: str

    def matches(self, words: list[str]) -> bool:
        """Whether all words are in its names or its offset."""
        text = _folded(f"{self.zone.name} {self.zone.title} {self.offset}")
        return all(word in text or word.replace("_", " ") in text for word in words)


class ZonePicker(ListPicker):
    """
    Search over all time zones, by place or by offset from UTC.

    Signals:
        zone_chosen(str): a zone's name.
    """

    zone_chosen = Signal(str)

    SIZE = QSize(320, 400)
    _delegate: _ZoneDelegate

    def __init__(self, window: QWidget, now_us: Callable[[], int]) -> None:
        super().__init__(window, _ZoneModel(), _ZoneDelegate())
        self.setAccessibleName("Choose a time zone")
        self._now_us = now_us
        self._zones: list[ZoneRow] = []
        self.edit.setAccessibleName("Search time zones")
        self.edit.setPlaceholderText("Search time zones: berlin, utc+9 …")
        self.list.setAccessibleName("Matching time zones")
        self.edit.textChanged.connect(self._refresh)

    def open_above(self, chosen: Zone, bottom_right: QPoint) -> None:
        """Open above a point of the window, with ``chosen`` marked."""
        now_us, local = self._now_us(), system_rules()
        zones = (zone_named(name, local) for name in zone_names())
        self._zones = [ZoneRow(zone, offset_text(zone.rules, now_us)) for zone in zones]
        self._delegate.chosen = chosen.name
        self.edit.clear()
        self._refresh()
        self._select(next((index for index, row in enumerate(self._zones) if row.zone == chosen), 0))
        size = self.sizeHint()
        self.open_at(bottom_right - QPoint(size.width(), size.height()), self.edit)
        self.list.scrollTo(self.list.currentIndex(), QListView.ScrollHint.PositionAtCenter)

    def _refresh(self) -> None:
        text = self.edit.text().strip()
        words = _folded(text).split()
        self._show_rows([row for row in self._zones if row.matches(words)], f"No time zone matches “{text}”.")
        self._select(0)

    def _choose(self) -> None:
        row: ZoneRow | None = self._current()
        if row is not None:
            self.dismiss()
            self.zone_chosen.emit(row.zone.name)


def _folded(text: str) -> str:
    return text.casefold().replace("-", "−")  # offsets are written with a minus sign, typed with a hyphen


class _ZoneModel(RowModel[ZoneRow]):
    def title(self, row: ZoneRow) -> str:
        return row.zone.title

    def spoken(self, row: ZoneRow) -> str:
        return f"{row.zone.title}, {row.offset}"


class _ZoneDelegate(RowDelegate):
    """Draws a zone: its place, and at the right its offset from UTC."""

    ROW_PX = 30
    chosen = ""

    def paint_row(self, painter: QPainter, rect: QRect, index: Index) -> None:
        row: ZoneRow = index.data(ROW_ROLE)
        inner, middle = rect.adjusted(12, 0, -12, 0), Qt.AlignmentFlag.AlignVCenter
        is_chosen = row.zone.name == self.chosen
        painter.setFont(style.font(weight=QFont.Weight.DemiBold if is_chosen else QFont.Weight.Normal))
        painter.setPen(QColor(self.palette.text))
        painter.drawText(inner, middle, row.zone.title)
        painter.setFont(style.font(style.SMALL_PX))
        painter.setPen(QColor(self.palette.dim))
        painter.drawText(inner, middle | Qt.AlignmentFlag.AlignRight, row.offset)
