"""The first rows of a file, each column under a choice of what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QComboBox, QTableWidget, QTableWidgetItem

from widgets.theme import style
from widgets.theme.palettes import DARK, Palette

_LEAVE_OUT = "Leave out"
_COLUMN_PX, _ROW_PX = 132, 24


class ImportTable(QTableWidget):
    """
    Shows rows of text, with a combo box over each column.

    Signals:
        mapping_changed: The user chose what a column means; `mapping` tells all.
    """

    mapping_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("storedTable")
        self.setAccessibleName("First rows")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.verticalHeader().setDefaultSectionSize(style.px(_ROW_PX))
        self._palette = DARK
        self._header: tuple[str, ...] = ()
        self._choices: tuple[str, ...] = ()
        self._boxes: list[QComboBox] = []

    def set_palette(self, palette: Palette) -> None:
        """Use the colours of a theme."""
        self._palette = palette

    def show_rows(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        columns: Mapping[str, str],
        choices: Sequence[str],
    ) -> None:
        """
        Show ``rows`` under ``header``; ``columns``: from our names, which are ``choices``, to the file's.

        Without ``choices`` nothing can be mapped: what the rows are must be chosen first.
        """
        self.clear()
        self._header, self._choices = tuple(header), tuple(choices)
        theirs = {name: ours for ours, name in columns.items()}
        self.setColumnCount(len(header))
        self.setRowCount(len(rows) + 1)
        self.setHorizontalHeaderLabels(list(header))
        self.setRowHeight(0, style.px(34))
        self._boxes = []
        for column, name in enumerate(header):
            self.setColumnWidth(column, style.px(_COLUMN_PX))
            box = QComboBox()
            box.setAccessibleName(f"What {name} is")
            box.addItems([_LEAVE_OUT, *(one.replace("_", " ") for one in choices)])
            ours = theirs.get(name)
            box.setCurrentIndex(choices.index(ours) + 1 if ours in choices else 0)
            box.setEnabled(bool(choices))
            box.activated.connect(lambda _, chosen=box: self._on_chosen(chosen))
            self._boxes.append(box)
            self.setCellWidget(0, column, box)
        for row, cells in enumerate(rows, start=1):
            for column in range(len(header)):
                text = cells[column] if column < len(cells) else ""
                item = QTableWidgetItem(text)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled)
                if header[column] not in theirs:
                    item.setForeground(QColor(self._palette.faint))
                self.setItem(row, column, item)

    def mapping(self) -> dict[str, str]:
        """Return from our names to the file's, as chosen."""
        return {
            self._choices[box.currentIndex() - 1]: name
            for name, box in zip(self._header, self._boxes, strict=True)
            if box.currentIndex() > 0
        }

    def _on_chosen(self, chosen: QComboBox) -> None:
        # One column each: the one that meant this before is left out.
        for box in self._boxes:
            if box is not chosen and box.currentIndex() == chosen.currentIndex():
                box.setCurrentIndex(0)
        self.mapping_changed.emit()
