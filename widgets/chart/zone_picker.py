"""The control in the chart's corner that says how far its times are from UTC, and the list to choose a zone from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from widgets import style
from widgets.chart.zones import Zone, offset_text, zone_named, zone_names
from widgets.overlay import Overlay
from widgets.theme import DARK, Palette

_Index = QModelIndex | QPersistentModelIndex
_ZONE, _OFFSET = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1
_ROW_PX = 30


class ZoneButton(QToolButton):
    """Says a zone's distance from UTC; to be pressed for another zone."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.ArrowCursor)

    def show_zone(self, zone: Zone, now_us: int) -> None:
        """Say this zone, as it is at that time, UTC microseconds. Costs nothing where that is said already."""
        text = offset_text(zone.rules, now_us)
        name = f"Time zone: {zone.title}"
        if self.text() != text or self.accessibleName() != name:
            self.setText(text)
            self.setAccessibleName(name)
            self.setToolTip(f"{name}\nDays and longer candles are the exchange's own, in UTC")

    def set_palette(self, palette: Palette) -> None:
        self.setStyleSheet(
            f"QToolButton {{ color: {palette.dim}; background: {palette.background}; border: 1px solid transparent;"
            " border-radius: 4px; padding: 0; }"
            f"QToolButton:hover {{ color: {palette.text}; background: {palette.raised}; }}"
            f"QToolButton:focus {{ border-color: {palette.accent}; }}"
        )


class ZonePicker(Overlay):
    """
    A line to type into over the zones that match.

    Signals:
        zone_chosen(str): a zone's name.
    """

    zone_chosen = Signal(str)

    def __init__(self, window: QWidget, now_us: Callable[[], int]) -> None:
        super().__init__(window)
        self.setAccessibleName("Choose a time zone")
        self._now_us = now_us
        self._zones: list[tuple[Zone, str]] = []
        self.model = _ZoneModel(self)
        self.edit = QLineEdit()
        self.edit.setAccessibleName("Search time zones")
        self.edit.setPlaceholderText("Search time zones: berlin, utc+9 …")
        self.list = QListView()
        self._delegate = _ZoneDelegate(self.list)
        self._arrange()
        self.edit.textChanged.connect(self._refresh)
        self.edit.returnPressed.connect(self._choose)
        self.list.clicked.connect(self._choose)

    def set_palette(self, palette: Palette) -> None:
        self._delegate.palette = palette

    def open_above(self, chosen: Zone, bottom_right: QPoint) -> None:
        """Open over that point of the window, with ``chosen`` marked."""
        now_us = self._now_us()
        self._zones = [(zone, offset_text(zone.rules, now_us)) for zone in map(zone_named, zone_names())]
        self._delegate.chosen = chosen.name
        self.edit.clear()
        self._refresh()
        self._select(next((row for row, (zone, _) in enumerate(self._zones) if zone == chosen), 0))
        size = self.sizeHint()
        self.open_at(bottom_right - QPoint(size.width(), size.height()), self.edit)
        self.list.scrollTo(self.list.currentIndex(), QListView.ScrollHint.PositionAtCenter)

    def sizeHint(self) -> QSize:
        return QSize(style.px(320), max(120, min(400, self._window.height() - 120)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        page = max(1, self.list.height() // style.px(_ROW_PX) - 1)
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: page, Qt.Key.Key_PageUp: -page}
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        elif self.model.rowCount():
            row = self.list.currentIndex().row() + step
            self._select(max(0, min(self.model.rowCount() - 1, row)))

    def _arrange(self) -> None:
        self.list.setObjectName("pickerList")
        self.list.setAccessibleName("Matching time zones")
        self.list.setModel(self.model)
        self.list.setItemDelegate(self._delegate)
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the arrow keys work from the line above
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.edit)
        layout.addWidget(self.list, 1)

    def _refresh(self) -> None:
        words = self.edit.text().casefold().replace("-", "−").split()
        self.model.set_zones([row for row in self._zones if _matches(row, words)])
        self._select(0)

    def _select(self, row: int) -> None:
        self.list.setCurrentIndex(self.model.index(row))
        self.list.scrollTo(self.model.index(row), QListView.ScrollHint.EnsureVisible)

    def _choose(self) -> None:
        zone = self.list.currentIndex().data(_ZONE)
        if zone is not None:
            self.dismiss()
            self.zone_chosen.emit(zone.name)


def _matches(row: tuple[Zone, str], words: list[str]) -> bool:
    zone, offset = row
    said = f"{zone.name} {zone.title} {offset}".casefold().replace("-", "−")
    return all(word in said or word.replace("_", " ") in said for word in words)


class _ZoneModel(QAbstractListModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._zones: list[tuple[Zone, str]] = []

    def set_zones(self, zones: list[tuple[Zone, str]]) -> None:
        self.beginResetModel()
        self._zones = zones
        self.endResetModel()

    def rowCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._zones)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        zone, offset = self._zones[index.row()]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{zone.title}, {offset}"
        if role == _ZONE:
            return zone
        if role == _OFFSET:
            return offset
        return zone.title if role == Qt.ItemDataRole.DisplayRole else None


class _ZoneDelegate(QStyledItemDelegate):
    """Draws a zone: its place, and at the right its distance from UTC."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.palette: Palette = DARK
        self.chosen = ""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(0, style.px(_ROW_PX))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        zone: Zone = index.data(_ZONE)
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            is_selected = bool(state & QStyle.StateFlag.State_Selected)
            ground = QColor(self.palette.accent if is_selected else self.palette.dim)
            ground.setAlphaF(0.22 if is_selected else 0.10)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            painter.drawRoundedRect(rect, 6, 6)
        inner, middle = rect.adjusted(12, 0, -12, 0), Qt.AlignmentFlag.AlignVCenter
        painter.setFont(style.font())
        painter.setPen(QColor(self.palette.accent if zone.name == self.chosen else self.palette.text))
        painter.drawText(inner, middle, zone.title)
        painter.setFont(style.font(style.SMALL_PX))
        painter.setPen(QColor(self.palette.dim))
        painter.drawText(inner, middle | Qt.AlignmentFlag.AlignRight, index.data(_OFFSET))
        painter.restore()
