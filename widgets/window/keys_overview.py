"""
The overview of all keys and mouse gestures that F1 or “?” opens.

It lists the table of `widgets.keys`, with the keys in force.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from widgets.controls.labels import label
from widgets.controls.popup import Popup
from widgets.keys import CommandGroup, KeyBinding, bindings_by_group, current_keys, keys_of, texts_of
from widgets.theme import style


class _Form(NamedTuple):
    """The groups of each column, in order; together the columns have every group."""

    columns: tuple[tuple[CommandGroup, ...], ...]
    beside: bool
    """Whether what the mouse does instead stands beside the keys, or else below them."""


def _two_columns() -> tuple[tuple[CommandGroup, ...], ...]:
    """Return the groups in two columns, in order, whose longer one is as short as can be."""
    groups, lengths = tuple(CommandGroup), [len(rows) + 1 for rows in bindings_by_group().values()]
    at = min(range(1, len(groups)), key=lambda at: max(sum(lengths[:at]), sum(lengths[at:])))
    return groups[:at], groups[at:]


# The first that is no wider than the window is taken, else the last.
_FORMS = (_Form(_two_columns(), True), _Form(_two_columns(), False), _Form((tuple(CommandGroup),), False))
_SHEET_MARGIN_PX = 20
_KEY_CAP_HEIGHT_PX = 20


class KeysOverview(Popup):
    """
    A sheet in the middle of the window, closed by Esc or a click elsewhere. It scrolls if the window is small.

    Signals:
        change_requested: Open the dialog that changes keys. The overview has closed.
    """

    change_requested = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAccessibleName("Keys and mouse")
        self._form: _Form | None = None
        self._keys: dict[str, tuple[str, ...]] = {}  # the changed keys that the sheet shows
        self._sheet: QWidget | None = None  # built when first opened: its hundred labels would delay the start
        self._scroll = QScrollArea()
        self._scroll.setObjectName("keysScroll")
        self._scroll.setAccessibleName("Keys and mouse")
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.change_button = QPushButton("Change keys…")
        self.change_button.clicked.connect(self._request_change)
        self._foot = QWidget()
        row = QHBoxLayout(self._foot)
        row.setContentsMargins(_SHEET_MARGIN_PX, 8, _SHEET_MARGIN_PX, 8)
        row.addWidget(self.change_button)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._scroll, 1)
        layout.addWidget(self._foot)

    def toggle(self) -> None:
        """Open the overview, or close it if it is open."""
        if self.isVisible():
            self.dismiss()
            return
        for form in _FORMS:
            if self._lay_out(form) <= self._room().width():
                break
        size = self.sizeHint()
        x, y = (self._window.width() - size.width()) // 2, (self._window.height() - size.height()) // 2
        self.open_at(QPoint(x, max(y, self._MARGIN)), self._scroll)

    def _lay_out(self, form: _Form) -> int:
        """Build the sheet in that form unless it has it; return its width with a scroll bar, in logical pixels."""
        if self._sheet is None or self._form != form or self._keys != current_keys.changes:
            self._form, self._keys, self._sheet = form, current_keys.changes, _build_sheet(form)
            self._scroll.setWidget(self._sheet)  # the one before is deleted
            self._sheet.ensurePolished()
        return self._sheet.sizeHint().width() + self._scroll.verticalScrollBar().sizeHint().width()

    def _request_change(self) -> None:
        self.dismiss()
        self.change_requested.emit()

    def _room(self) -> QSize:
        """Return the largest size of the sheet."""
        foot = self._foot.sizeHint().height()
        return self._window.size() - QSize(2 * self._MARGIN + 2, 2 * self._MARGIN + 2 + foot)  # 2: both borders

    def sizeHint(self) -> QSize:
        # Not the scroll area's own hint: that is capped at a few dozen lines of text.
        hint = QSize() if self._sheet is None else self._sheet.sizeHint()
        bar = (
            QSize(self._scroll.verticalScrollBar().sizeHint().width(), 0)
            if hint.height() > self._room().height()
            else QSize()
        )
        return (hint + bar).boundedTo(self._room()) + QSize(2, 2 + self._foot.sizeHint().height())


def _build_sheet(form: _Form) -> QWidget:
    sheet = QWidget()
    sheet.setObjectName("keysSheet")
    row = QHBoxLayout(sheet)
    row.setContentsMargins(_SHEET_MARGIN_PX, _SHEET_MARGIN_PX, _SHEET_MARGIN_PX, _SHEET_MARGIN_PX)
    row.setSpacing(28)
    bindings = bindings_by_group()
    for groups in form.columns:
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(0, 1)
        for group in groups:
            _add_section(grid, group, bindings[group], form)
        grid.setRowStretch(grid.rowCount(), 1)
        row.addLayout(grid)
    return sheet


def _add_section(grid: QGridLayout, group: CommandGroup, bindings: Iterable[KeyBinding], form: _Form) -> None:
    row = grid.rowCount()
    if row > 1:  # an empty grid counts one row; so this is a later section, and an empty row sets it apart
        grid.setRowMinimumHeight(row, 10)
        row += 1
    grid.addWidget(label(group.value, "faint", style.head_font()), row, 0, 1, 2)
    for binding in bindings:
        row += 1
        text = label(binding.text[0].upper() + binding.text[1:])  # not capitalize(): that lowers PNG and Home
        text.setWordWrap(len(form.columns) == 1)
        if not text.wordWrap():
            style.sized(text, fixed_height=_KEY_CAP_HEIGHT_PX)  # at the height of the keys
        grid.addWidget(text, row, 0, Qt.AlignmentFlag.AlignTop)
        grid.addLayout(_keys_and_mouse(binding, beside=form.beside), row, 1, Qt.AlignmentFlag.AlignTop)


def _keys_and_mouse(binding: KeyBinding, *, beside: bool) -> QVBoxLayout:
    """Return the keys and what the mouse does instead, ``beside`` or below them."""
    column, line = QVBoxLayout(), QHBoxLayout()
    column.setSpacing(2)
    line.setSpacing(4)
    column.addLayout(line)
    keys = texts_of(keys_of(binding.command)) if binding.command else []
    for key in keys:
        line.addWidget(_key_cap(key))
    if binding.mouse:
        mouse = label(f"or {binding.mouse}" if keys else binding.mouse, "dim", style.font(12))
        if beside or not keys:
            style.sized(mouse, fixed_height=_KEY_CAP_HEIGHT_PX)  # as high as a line with keys
            line.addWidget(mouse)
        else:
            column.addWidget(mouse)
    line.addStretch(1)
    return column


def _key_cap(key: str) -> QLabel:
    cap = label(key, "", style.font(12))
    cap.setObjectName("keyCap")
    style.sized(cap, fixed_height=_KEY_CAP_HEIGHT_PX)
    return cap
