"""
The log in the window: its last lines, filtered by level and by text. It follows the end unless scrolled away from it.

It keeps lines that the filter hides, so that another filter can show them. Tracebacks are in the log file only.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QResizeEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from widgets.controls.bar_overflow import hide_overflow
from widgets.controls.labels import label
from widgets.controls.number_format import count
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette
from widgets.view_values import LogLine

MAX_LINES = 1000
# Not scaled with the text: large text must leave room for a tile of the metrics beside it.
_LEAST_PX, _LEAST_FILTER_PX = 310, 150
_LEVELS = (
    ("All levels", logging.NOTSET),
    ("Info", logging.INFO),
    ("Warnings", logging.WARNING),
    ("Errors", logging.ERROR),
)
_SPACING, _MARGIN = 8, 12
_MAX_FILTER_LENGTH = 200


class LogPanel(QWidget):
    """
    Shows `LogLine` values.

    Signals:
        folder_requested: Open the folder of the log files.
    """

    folder_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lines: deque[LogLine] = deque(maxlen=MAX_LINES)
        self._palette = DARK
        self._shown = 0
        self.level = QComboBox()
        self.level.setAccessibleName("Least important level shown")
        for words, number in _LEVELS:
            self.level.addItem(words, number)
        self.filter = QLineEdit()
        self.filter.setAccessibleName("Show lines with this text")
        self.filter.setPlaceholderText("Filter by text or symbol")
        self.filter.setClearButtonEnabled(True)
        self.filter.setMaxLength(_MAX_FILTER_LENGTH)
        self.line_count = label("", "faint", style.font(style.SMALL_PX))
        self.copy_button = _button("Copy", "Copy the selected lines, or all that are shown")
        self.folder_button = _button("Open folder", "Open the folder of the log files")
        self.view = QPlainTextEdit()
        self.view.setAccessibleName("Log")
        self._arrange()
        self.level.currentIndexChanged.connect(lambda _: self._refill())
        self.filter.textChanged.connect(lambda _: self._refill())
        self.copy_button.clicked.connect(lambda: self.copy())
        self.folder_button.clicked.connect(lambda: self.folder_requested.emit())
        self._refill()

    def add(self, lines: Sequence[LogLine]) -> None:
        """Add these, newest last. Of more than `MAX_LINES`, the oldest are dropped."""
        if not lines:
            return
        dropped = len(self._lines) + len(lines) - MAX_LINES
        dropped_shown = sum(map(self._matches, list(self._lines)[:dropped])) if dropped > 0 else 0
        self._lines.extend(lines)
        if len(lines) >= MAX_LINES:
            self._refill()
            return
        bar = self.view.verticalScrollBar()
        follows, value = self.is_following, bar.value()
        self._write([line for line in lines if self._matches(line)])
        self._drop(dropped_shown)
        bar.setValue(bar.maximum() if follows else max(value - dropped_shown, 0))
        self._show_count()

    @property
    def is_following(self) -> bool:
        """Whether the end is in view, and stays in view when lines arrive."""
        bar = self.view.verticalScrollBar()
        return bar.value() >= bar.maximum() - 1

    def filter_values(self) -> dict[str, Any]:
        """Return the level and the text of the filter as JSON values, for `restore_filter`."""
        return {"level": self.level.currentData(), "filter": self.filter.text()}

    def restore_filter(self, values: Mapping[str, Any]) -> None:
        """Restore what `filter_values` returned. Invalid values are ignored."""
        level, text = values.get("level"), values.get("filter")
        if isinstance(level, int) and (number := self.level.findData(level)) >= 0:
            self.level.setCurrentIndex(number)
        if isinstance(text, str) and len(text) <= _MAX_FILTER_LENGTH:
            self.filter.setText(text)

    def set_palette(self, palette: Palette) -> None:
        self._palette = palette
        self._refill()

    def copy(self) -> None:
        """Copy the selection or, where nothing is selected, all lines shown."""
        selected = self.view.textCursor().selection().toPlainText()
        QApplication.clipboard().setText(selected or self.view.toPlainText())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        hide_overflow(
            self._tools, self.width() - 2 * _MARGIN, (self.line_count, self.folder_button, self.copy_button), _SPACING
        )

    def _matches(self, line: LogLine) -> bool:
        wanted = self.filter.text().strip().casefold()
        if line.level < self.level.currentData():
            return False
        return not wanted or wanted in f"{line.text} {line.fields} {line.source}".casefold()

    def _refill(self) -> None:
        self.view.clear()
        self._shown = 0
        self._write([line for line in self._lines if self._matches(line)])
        self.view.setPlaceholderText("No line matches the filter." if self._lines else "Nothing was logged yet.")
        bar = self.view.verticalScrollBar()
        bar.setValue(bar.maximum())
        self.view.horizontalScrollBar().setValue(0)
        self._show_count()

    def _write(self, lines: Sequence[LogLine]) -> None:
        cursor = QTextCursor(self.view.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.beginEditBlock()
        for line in lines:
            if self._shown:
                cursor.insertBlock()
            self._shown += 1
            moment = datetime.fromtimestamp(line.time_us / 1e6, UTC)
            cursor.insertText(f"{moment:%H:%M:%S}  ", _format(self._palette.faint))
            cursor.insertText(f"{_level_name(line.level):8}", _format(self._level_color(line.level)))
            cursor.insertText(line.text, _format(self._text_color(line.level)))
        cursor.endEditBlock()

    def _drop(self, blocks: int) -> None:
        if blocks <= 0:
            return
        cursor = QTextCursor(self.view.document())
        cursor.movePosition(QTextCursor.MoveOperation.Start)
        cursor.movePosition(QTextCursor.MoveOperation.NextBlock, QTextCursor.MoveMode.KeepAnchor, blocks)
        cursor.removeSelectedText()
        self._shown -= blocks

    def _level_color(self, level: int) -> str:
        palette = self._palette
        if level >= logging.ERROR:
            return palette.falling
        return palette.warning if level >= logging.WARNING else palette.dim

    def _text_color(self, level: int) -> str:
        return self._palette.dim if level < logging.INFO else self._palette.text

    def _show_count(self) -> None:
        held = len(self._lines)
        lines = "line" if held == 1 else "lines"
        self.line_count.setText(
            f"{count(held)} {lines}" if self._shown == held else f"{count(self._shown)} of {count(held)}"
        )

    def _arrange(self) -> None:
        small = style.font(12)
        parts: tuple[QWidget, ...] = (self.level, self.filter, self.copy_button, self.folder_button)
        for part in parts:
            part.setFont(small)
        self.filter.setMinimumWidth(_LEAST_FILTER_PX)
        # Read-only, so letters reach the window, which opens the symbol picker; the filter is one Tab away.
        self.view.setReadOnly(True)
        self.view.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        # One line on screen per line of the log: `add` moves the scroll bar by the lines dropped.
        self.view.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.view.setUndoRedoEnabled(False)  # undo would keep every line ever added
        for part in (self.view, self.view.viewport()):  # the placeholder has the viewport's
            part.setFont(style.fixed_font(style.SMALL_PX))
        self.setMinimumWidth(_LEAST_PX)
        self._tools = QWidget()
        self._tools.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # hide_overflow makes it fit
        tools = QHBoxLayout(self._tools)
        tools.setContentsMargins(0, 0, 0, 0)
        tools.setSpacing(_SPACING)
        tools.addWidget(self.level)
        tools.addWidget(self.filter, 1)
        after: tuple[QWidget, ...] = (self.line_count, self.copy_button, self.folder_button)
        for part in after:
            tools.addWidget(part)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(_MARGIN, 8, _MARGIN, 10)
        layout.setSpacing(_SPACING)
        layout.addWidget(self._tools)
        layout.addWidget(self.view, 1)


def _level_name(level: int) -> str:
    return "critical" if level >= logging.CRITICAL else logging.getLevelName(level).lower()


def _format(color: str) -> QTextCharFormat:
    text_format = QTextCharFormat()
    text_format.setForeground(QColor(color))
    return text_format


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
