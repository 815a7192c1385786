"""The overview of all keys and mouse gestures that F1 or “?” opens. It lists the table of `widgets.keys`."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from widgets.controls.labels import label
from widgets.controls.popup import Popup
from widgets.keys import CommandGroup, KeyBinding, bindings_by_group, key_texts
from widgets.theme import style

# The groups' order within each column; together they have every group. One column is for a narrow window.
_TWO_COLUMNS: tuple[tuple[CommandGroup, ...], ...] = (
    (CommandGroup.MOVING, CommandGroup.PANES, CommandGroup.WATCHLIST, CommandGroup.LISTS),
    (CommandGroup.CHART, CommandGroup.WINDOW),
)
_ONE_COLUMN = (tuple(CommandGroup),)
_SHEET_MARGIN_PX = 24
_KEY_CAP_HEIGHT_PX = 20


class KeysOverview(Popup):
    """A sheet in the middle of the window, closed by Esc or a click elsewhere. It scrolls if the window is small."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAccessibleName("Keys and mouse")
        self._columns: tuple[tuple[CommandGroup, ...], ...] = ()
        self._sheet: QWidget | None = None  # built when first opened: its hundred labels would delay the start
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
        """Open the overview, or close it if it is open."""
        if self.isVisible():
            self.dismiss()
            return
        self._lay_out(_TWO_COLUMNS)
        if self._sheet is not None and self._sheet.sizeHint().width() > self._room().width():
            self._lay_out(_ONE_COLUMN)
        size = self.sizeHint()
        x, y = (self._window.width() - size.width()) // 2, (self._window.height() - size.height()) // 2
        self.open_at(QPoint(x, max(y, self._MARGIN)), self._scroll)

    def _lay_out(self, columns: tuple[tuple[CommandGroup, ...], ...]) -> None:
        if self._columns != columns:
            self._columns, self._sheet = columns, _build_sheet(columns)
            self._scroll.setWidget(self._sheet)  # the one before is deleted
            self._sheet.ensurePolished()

    def _room(self) -> QSize:
        return self._window.size() - QSize(2 * self._MARGIN + 2, 2 * self._MARGIN + 2)  # 2: the border, on both sides

    def sizeHint(self) -> QSize:
        # Not the scroll area's own hint: that is capped at a few dozen lines of text.
        hint = QSize() if self._sheet is None else self._sheet.sizeHint()
        bar = (
            QSize(self._scroll.verticalScrollBar().sizeHint().width(), 0)
            if hint.height() > self._room().height()
            else QSize()
        )
        return (hint + bar).boundedTo(self._room()) + QSize(2, 2)


def _build_sheet(columns: tuple[tuple[CommandGroup, ...], ...]) -> QWidget:
    sheet = QWidget()
    sheet.setObjectName("keysSheet")
    row = QHBoxLayout(sheet)
    row.setContentsMargins(_SHEET_MARGIN_PX, _SHEET_MARGIN_PX, _SHEET_MARGIN_PX, _SHEET_MARGIN_PX)
    row.setSpacing(40)
    bindings = bindings_by_group()
    for groups in columns:
        grid = QGridLayout()
        grid.setHorizontalSpacing(20)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(0, 1)
        for group in groups:
            _add_section(grid, group, bindings[group], wrap=len(columns) == 1)
        grid.setRowStretch(grid.rowCount(), 1)
        row.addLayout(grid)
    return sheet


def _add_section(grid: QGridLayout, group: CommandGroup, bindings: Iterable[KeyBinding], *, wrap: bool) -> None:
    row = grid.rowCount()
    if row > 1:  # an empty grid counts one row; so this is a later section, and an empty row sets it apart
        grid.setRowMinimumHeight(row, 10)
        row += 1
    grid.addWidget(label(group.value, "faint", style.head_font()), row, 0, 1, 2)
    for binding in bindings:
        row += 1
        text = label(binding.text[0].upper() + binding.text[1:])  # not capitalize(): that lowers PNG and Home
        text.setWordWrap(wrap)
        grid.addWidget(text, row, 0, Qt.AlignmentFlag.AlignTop)
        grid.addLayout(_keys_and_mouse(binding), row, 1, Qt.AlignmentFlag.AlignTop)


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
    cap = label(key, "", style.font(12))
    cap.setObjectName("keyCap")
    style.sized(cap, fixed_height=_KEY_CAP_HEIGHT_PX)
    return cap
