"""The first rows of a file, as they will be written."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from widgets.theme import style

ROWS = 3
"""How many rows are shown."""
_ROW_PX, _HEAD_PX, _BAR_PX = 24, 28, 10


class PreviewTable(QTableWidget):
    """Shows rows of text under the names of their columns; numbers stand at the right."""

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.setObjectName("previewTable")
        self.setAccessibleName("First rows")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setSectionsClickable(False)
        style.sized(self, fixed_height=_HEAD_PX + ROWS * _ROW_PX + _BAR_PX)

    def show_rows(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show these rows instead."""
        self.clear()
        self.setColumnCount(len(header))
        self.setRowCount(len(rows))
        self.verticalHeader().setDefaultSectionSize(style.px(_ROW_PX))
        sides = [_side([row[at] for row in rows]) for at in range(len(header))]
        for at, name in enumerate(header):
            item = QTableWidgetItem(name)
            item.setTextAlignment(sides[at] | Qt.AlignmentFlag.AlignVCenter)
            self.setHorizontalHeaderItem(at, item)
        for number, row in enumerate(rows):
            for at, text in enumerate(row):
                item = QTableWidgetItem(text)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled)
                item.setTextAlignment(sides[at] | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(number, at, item)
        self.resizeColumnsToContents()

    def show_header(self, names: Sequence[str]) -> None:
        """Show these columns, and no rows if they are others than before."""
        items = [self.horizontalHeaderItem(at) for at in range(self.columnCount())]
        if [item.text() if item is not None else "" for item in items] != list(names):
            self.show_rows(names, ())

    def texts(self) -> list[list[str]]:
        """Return the rows shown."""
        cells = [[self.item(row, column) for column in range(self.columnCount())] for row in range(self.rowCount())]
        return [[cell.text() if cell is not None else "" for cell in row] for row in cells]


def _side(texts: Sequence[str]) -> Qt.AlignmentFlag:
    are_numbers = any(texts) and all(_is_number(text) for text in texts if text)
    return Qt.AlignmentFlag.AlignRight if are_numbers else Qt.AlignmentFlag.AlignLeft


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
