"""The overview of all keys, over the window: F1 or “?”. It shows the table of `keys`."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from widgets.controls.labels import label
from widgets.controls.popup import Popup
from widgets.keys import CommandGroup, KeyBinding, bindings_by_group, key_texts
from widgets.theme import style

_COLUMNS: tuple[tuple[CommandGroup, ...], ...] = (
    (CommandGroup.MOVING, CommandGroup.PANES),
    (CommandGroup.CHART, CommandGroup.WINDOW),
)
_MARGIN = 24
_CAP_PX = 20


class KeysOverview(Popup):
    """A sheet over the window that Esc or a click elsewhere closes. It scrolls where the window is too small."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAccessibleName("Keys and mouse")
        self._sheet: QWidget | None = None  # made when first opened: it has a hundred labels
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
        """Open the sheet in the middle of the window, or close it."""
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
        return (hint + QSize(2, 2)).boundedTo(room)  # 2: the border, on both sides


def _sheet() -> QWidget:
    sheet = QWidget()
    sheet.setObjectName("keysSheet")
    row = QHBoxLayout(sheet)
    row.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
    row.setSpacing(40)
    bindings = bindings_by_group()
    for groups in _COLUMNS:
        grid = QGridLayout()
        grid.setHorizontalSpacing(20)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(0, 1)
        for group in groups:
            _add_section(grid, group, bindings[group])
        grid.setRowStretch(grid.rowCount(), 1)
        row.addLayout(grid)
    return sheet


def _add_section(grid: QGridLayout, group: CommandGroup, bindings: Iterable[KeyBinding]) -> None:
    at = grid.rowCount()
    if at > 1:
        grid.setRowMinimumHeight(at, 10)
        at += 1
    grid.addWidget(label(group.value, "faint", style.head_font()), at, 0, 1, 2)
    for binding in bindings:
        at += 1
        text = label(binding.text[0].upper() + binding.text[1:])
        grid.addWidget(text, at, 0, Qt.AlignmentFlag.AlignTop)
        grid.addLayout(_keys_and_mouse(binding), at, 1, Qt.AlignmentFlag.AlignTop)


def _keys_and_mouse(binding: KeyBinding) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(2)
    keys = key_texts(binding)
    if keys:
        caps = QHBoxLayout()
        caps.setSpacing(4)
        for key in keys:
            caps.addWidget(_key_cap(key))
        caps.addStretch(1)
        column.addLayout(caps)
    if binding.mouse:
        column.addWidget(label(f"or {binding.mouse}" if keys else binding.mouse, "dim", style.font(12)))
    return column


def _key_cap(key: str) -> QLabel:
    made = label(key, "", style.font(12))
    made.setObjectName("keyCap")
    style.sized(made, fixed_height=_CAP_PX)
    return made
