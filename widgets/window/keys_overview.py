"""The overview of all keys, over the window: F1, or “?”. It shows the table of `keys`."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from widgets.controls.labels import label
from widgets.controls.popup import Popup
from widgets.keys import Command, CommandGroup, sections, written
from widgets.theme import style

_COLUMNS: tuple[tuple[CommandGroup, ...], ...] = (
    (CommandGroup.MOVING, CommandGroup.PANES),
    (CommandGroup.CHART, CommandGroup.WINDOW),
)
_MARGIN = 24
_CAP_PX = 20


class KeysOverview(Popup):
    """A sheet over the window; Esc or a click elsewhere puts it away. It scrolls where the window is too small."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAccessibleName("Keys and mouse")
        self._sheet: QWidget | None = None  # its hundred labels are made when they are wanted
        self._scroll = QScrollArea()
        self._scroll.setObjectName("keysScroll")
        self._scroll.setAccessibleName("Keys and mouse")
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._scroll)

    def toggle(self) -> None:
        """Open it in the middle of the window, or put it away."""
        if self.isVisible():
            self.dismiss()
            return
        if self._sheet is None:
            self._sheet = _sheet()
            self._scroll.setWidget(self._sheet)
        size = self.sizeHint()
        x, y = ((self._window.width() - size.width()) // 2, (self._window.height() - size.height()) // 2)
        self.open_at(QPoint(x, max(y, self._MARGIN)), self._scroll)

    def sizeHint(self) -> QSize:
        hint = QSize() if self._sheet is None else self._sheet.sizeHint()
        window = self._window.size()
        room = QSize(window.width() - 2 * self._MARGIN, window.height() - 2 * self._MARGIN)
        return (hint + QSize(2, 2)).boundedTo(room)


def _sheet() -> QWidget:
    sheet = QWidget()
    sheet.setObjectName("keysSheet")
    row = QHBoxLayout(sheet)
    row.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
    row.setSpacing(40)
    by_place = sections()
    for places in _COLUMNS:
        grid = QGridLayout()
        grid.setHorizontalSpacing(20)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(0, 1)
        for place in places:
            _add_section(grid, place, by_place[place])
        grid.setRowStretch(grid.rowCount(), 1)
        row.addLayout(grid)
    return sheet


def _add_section(grid: QGridLayout, place: CommandGroup, commands: Iterable[Command]) -> None:
    at = grid.rowCount()
    if at > 1:
        grid.setRowMinimumHeight(at, 10)
        at += 1
    grid.addWidget(label(place.value, "faint", style.head_font()), at, 0, 1, 2)
    for command in commands:
        at += 1
        text = label(command.text[0].upper() + command.text[1:])
        grid.addWidget(text, at, 0, Qt.AlignmentFlag.AlignTop)
        grid.addLayout(_how(command), at, 1, Qt.AlignmentFlag.AlignTop)


def _how(command: Command) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(2)
    keys = written(command)
    if keys:
        caps = QHBoxLayout()
        caps.setSpacing(4)
        for key in keys:
            caps.addWidget(_cap(key))
        caps.addStretch(1)
        column.addLayout(caps)
    if command.mouse:
        column.addWidget(label(f"or {command.mouse}" if keys else command.mouse, "dim", style.font(12)))
    return column


def _cap(key: str) -> QLabel:
    made = label(key, "", style.font(12))
    made.setObjectName("keyCap")
    style.sized(made, fixed_height=_CAP_PX)
    return made
