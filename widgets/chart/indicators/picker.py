"""
The list of indicators: those on the chart, to be set, hidden or removed, and all there are, to be added.

Enter adds or opens the settings, Del removes.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from app.market.indicators import matching
from widgets import style
from widgets.chart.indicators.picker_rows import REMOVE_PX, IndicatorDelegate, IndicatorListModel, Row
from widgets.chart.indicators.study import Study
from widgets.labels import label
from widgets.list_picker import ROW_ROLE, Index, ListPicker, PickerList


class IndicatorPicker(ListPicker):
    """
    Search over indicators, for one chart. ``studies``: called for those on the chart.

    Signals:
        add_requested(str): the indicator of that key is to join the chart.
        settings_requested(str), remove_requested(str): of the study of that key.
    """

    add_requested = Signal(str)
    settings_requested = Signal(str)
    remove_requested = Signal(str)

    SIZE = QSize(440, 560)
    _delegate: IndicatorDelegate

    def __init__(self, window: QWidget, studies: Callable[[], list[Study]]) -> None:
        line, rows = _SearchLine(), _List()
        super().__init__(window, IndicatorListModel(), IndicatorDelegate(), line, rows)
        self.setAccessibleName("Indicators")
        self._studies = studies
        self._refusal = ""
        self.edit.setAccessibleName("Search indicators")
        self.edit.setPlaceholderText("Search indicators: average, rsi, volume …")
        self.list.setAccessibleName("Indicators")
        self.hint = label("", "faint", style.font(style.SMALL_PX))
        self.hint.setContentsMargins(4, 0, 4, 0)
        self._layout.addWidget(self.hint)
        self.edit.textChanged.connect(self._search)
        line.delete_pressed.connect(lambda: self._remove(self.list.currentIndex()))
        rows.remove_clicked.connect(self._remove)
        self.list.selectionModel().currentChanged.connect(self._show_hint)

    def open_under(self, top_left: QPoint) -> None:
        """Open at that point of the window, nothing typed."""
        self.edit.clear()
        self._search()
        self._select(len(self._studies()))  # the first one that can be added
        self.open_at(top_left, self.edit)

    def refresh(self) -> None:
        """Show what matches now, those on the chart first."""
        text, row = self.edit.text(), self.list.currentIndex().row()
        found = matching(text)
        on_chart = [Row(study.indicator, study) for study in self._studies() if study.indicator in found]
        self._show_rows([*on_chart, *(Row(one) for one in found)], "")
        self._delegate.first_to_add = len(on_chart)
        self._select(len(on_chart) if text and found else min(max(row, 0), self.model.rowCount() - 1))
        self._show_hint()

    def show_refusal(self, sentence: str) -> None:
        """Say why what was asked for was not done, until something else is typed or asked for."""
        self._refusal = sentence
        self._show_hint()

    def _show_hint(self) -> None:
        row: Row | None = self._current()
        if self._refusal:
            self.hint.setText(self._refusal)
        elif row is None:
            self.hint.setText("No indicator matches" if self.edit.text() else "")
        else:
            self.hint.setText(
                "Enter add   Esc close" if row.study is None else "Enter settings   Del remove   Esc close"
            )

    def _search(self) -> None:
        self._refusal = ""
        self.refresh()

    def _choose(self) -> None:
        self._refusal = ""
        row: Row | None = self._current()
        if row is None:
            return
        if row.study is not None:
            key = row.study.key
            self.dismiss()
            self.settings_requested.emit(key)
        else:
            self.add_requested.emit(row.indicator.key)
            before = self._delegate.first_to_add
            self.refresh()
            if self._delegate.first_to_add > before:
                # On the one that was added, so that Enter again adds no second one unasked.
                self._select(before)
            self.edit.selectAll()

    def _remove(self, index: Index) -> None:
        row: Row | None = index.data(ROW_ROLE)
        if row is not None and row.study is not None:
            self.remove_requested.emit(row.study.key)
            self.refresh()


class _SearchLine(QLineEdit):
    """
    A line to type into.

    Signals:
        delete_pressed(): Del, where there is nothing behind the cursor to be deleted.
    """

    delete_pressed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        at_end = self.cursorPosition() == len(self.text()) and not self.hasSelectedText()
        if event.key() == Qt.Key.Key_Delete and at_end:
            self.delete_pressed.emit()
        else:
            super().keyPressEvent(event)


class _List(PickerList):
    """A list whose rows on the chart have a cross at the right."""

    remove_clicked = Signal(QModelIndex)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        row: Row | None = index.data(ROW_ROLE)
        on_cross = event.position().x() >= self.viewport().width() - REMOVE_PX
        if row is not None and row.study is not None and on_cross:
            self.remove_clicked.emit(index)
        else:
            super().mouseReleaseEvent(event)
