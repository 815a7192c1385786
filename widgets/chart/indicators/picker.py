"""
The indicator picker: a list of the studies on the chart, to set or remove, and of all indicators, to add.

Enter adds an indicator or opens a study's settings, Del removes a study.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from PySide6.QtCore import QModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from app.market.indicators import Indicator, Placement, matching
from widgets.chart.indicators.study import Study
from widgets.controls.bar_parts import ChoiceButton
from widgets.controls.labels import label
from widgets.controls.list_picker import ROW_ROLE, Index, ListPicker, PickerList, RowDelegate, RowModel
from widgets.theme import icons, style
from widgets.theme.palettes import Palette

_REMOVE_PX, _CROSS_PX = 40, 14
"""The width of the area at the right of a study's row in which a click removes it."""
_BETWEEN_PX = 12  # between a title and what stands at its right
_PLACES = {Placement.PRICE: "over prices", Placement.VOLUME: "over volume", Placement.OWN: "own pane"}


def remove_px() -> int:
    """Return how much of a row's right end removes its indicator, in logical pixels."""
    return style.px(_REMOVE_PX)


class IndicatorRow(NamedTuple):
    """A row of the list: a study on the chart, or an indicator to add."""

    indicator: Indicator
    study: Study | None = None

    @property
    def title(self) -> str:
        return self.study.label if self.study is not None else self.indicator.title

    @property
    def note(self) -> str:
        if self.study is None:
            return self.indicator.about
        return f"{self.indicator.title}{', hidden' if self.study.is_hidden else ''}"

    @property
    def spoken(self) -> str:
        """The row as a screen reader says it."""
        kind = "on the chart" if self.study is not None else f"to add, {_PLACES[self.indicator.placement]}"
        return f"{self.title}, {self.note}, {kind}"


class IndicatorListModel(RowModel[IndicatorRow]):
    """The matching studies on the chart, then all matching indicators."""

    def title(self, row: IndicatorRow) -> str:
        return row.title

    def spoken(self, row: IndicatorRow) -> str:
        return row.spoken


class IndicatorDelegate(RowDelegate):
    """Draws a row: the name above a line about it; for a study also its colour and a cross."""

    ROW_PX = 44
    GAP_PX = 2
    first_to_add = 0
    """The first row of indicators to add; a line separates it from the studies above."""

    def paint_row(self, painter: QPainter, rect: QRect, index: Index) -> None:
        row: IndicatorRow = index.data(ROW_ROLE)
        if index.row() == self.first_to_add and index.row():
            painter.fillRect(rect.left(), rect.top() - 1, rect.width(), 2, QColor(self.palette.line))
        inner = rect.adjusted(12, style.px(5), -12, -style.px(5))
        if row.study is not None:
            self._paint_study(painter, rect, row.study)
            inner.adjust(16, 0, 8 - remove_px(), 0)
        self._paint_texts(painter, inner, row)

    def _paint_texts(self, painter: QPainter, inner: QRect, row: IndicatorRow) -> None:
        top, bottom = Qt.AlignmentFlag.AlignTop, Qt.AlignmentFlag.AlignBottom
        painter.setFont(style.font(style.SMALL_PX))
        painter.setPen(QColor(self.palette.dim))
        metrics = painter.fontMetrics()
        painter.drawText(inner, bottom, metrics.elidedText(row.note, Qt.TextElideMode.ElideRight, inner.width()))
        room = inner.width()
        if row.study is None:
            said = f"{row.indicator.name} · {_PLACES[row.indicator.placement]}"
            painter.drawText(inner, top | Qt.AlignmentFlag.AlignRight, said)
            room -= metrics.horizontalAdvance(said) + _BETWEEN_PX
        painter.setFont(style.font())
        painter.setPen(QColor(self.palette.text))
        painter.drawText(inner, top, painter.fontMetrics().elidedText(row.title, Qt.TextElideMode.ElideRight, room))

    def _paint_study(self, painter: QPainter, rect: QRect, study: Study) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        swatch = QRect(rect.left() + 12, rect.center().y() - style.px(12), 4, style.px(24))
        colours = study.drawn_colours(self.palette)
        for at, colour in enumerate(colours):
            top = swatch.top() + swatch.height() * at // len(colours)
            end = swatch.top() + swatch.height() * (at + 1) // len(colours)
            painter.fillRect(QRect(swatch.left(), top, swatch.width(), end - top), colour)
        side = style.px(_CROSS_PX)
        cross = QRect(0, 0, side, side)
        cross.moveCenter(QPoint(rect.right() - remove_px() // 2, rect.center().y()))
        icons.icon("close", self.palette.dim, _CROSS_PX).paint(painter, cross)


class IndicatorPicker(ListPicker):
    """
    A popup to search the indicators of one chart. ``studies`` returns those on the chart.

    Signals:
        add_requested(str): add the indicator of that key to the chart.
        settings_requested(str): open the settings of the study of that key.
        remove_requested(str): remove the study of that key.
        templates_requested(QPoint): open the menu of templates at a point of the screen.
    """

    add_requested = Signal(str)
    settings_requested = Signal(str)
    remove_requested = Signal(str)
    templates_requested = Signal(QPoint)

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
        self.templates = ChoiceButton("Templates of indicators", "Save these indicators by name, or show saved ones")
        self.templates.setText("Templates")
        self.templates.setFont(style.font(12))
        self.templates.clicked.connect(lambda: self._ask_for_templates())
        foot = QHBoxLayout()
        foot.addWidget(self.hint, 1)
        foot.addWidget(self.templates)
        self._layout.addLayout(foot)
        self.edit.textChanged.connect(self._search)
        line.delete_pressed.connect(lambda: self._remove(self.list.currentIndex()))
        rows.remove_clicked.connect(self._remove)
        self.list.selectionModel().currentChanged.connect(self._show_hint)

    def set_palette(self, palette: Palette) -> None:
        super().set_palette(palette)
        self.templates.set_palette(palette)

    def open_under(self, top_left: QPoint) -> None:
        """Open with an empty search, the top left corner at a point of the window."""
        self.edit.clear()
        self._search()
        self._select(len(self._studies()))  # the first indicator to add
        self.open_at(top_left, self.edit)

    def refresh(self) -> None:
        """Show the rows that match now, studies on the chart first."""
        text, row = self.edit.text(), self.list.currentIndex().row()
        found = matching(text)
        on_chart = [IndicatorRow(study.indicator, study) for study in self._studies() if study.indicator in found]
        self._show_rows([*on_chart, *(IndicatorRow(one) for one in found)], "")
        self._delegate.first_to_add = len(on_chart)
        self._select(len(on_chart) if text and found else min(max(row, 0), self.model.rowCount() - 1))
        self._show_hint()

    def show_refusal(self, sentence: str) -> None:
        """Show why the last request was refused, until the next input."""
        self._refusal = sentence
        self._show_hint()

    def _ask_for_templates(self) -> None:
        at = self.templates.mapToGlobal(self.templates.rect().bottomLeft())
        self.dismiss()
        self.templates_requested.emit(at)

    def _show_hint(self) -> None:
        row: IndicatorRow | None = self._current()
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
        row: IndicatorRow | None = self._current()
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
                # Select the new study, so that a second Enter opens its settings instead of adding another one.
                self._select(before)
            self.edit.selectAll()

    def _remove(self, index: Index) -> None:
        row: IndicatorRow | None = index.data(ROW_ROLE)
        if row is not None and row.study is not None:
            self.remove_requested.emit(row.study.key)
            self.refresh()


class _SearchLine(QLineEdit):
    """
    The search field.

    Signals:
        delete_pressed(): Del was pressed with nothing after the cursor to delete.
    """

    delete_pressed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        at_end = self.cursorPosition() == len(self.text()) and not self.hasSelectedText()
        if event.key() == Qt.Key.Key_Delete and at_end:
            self.delete_pressed.emit()
        else:
            super().keyPressEvent(event)


class _List(PickerList):
    """
    The list of rows, whose studies have a cross at the right.

    Signals:
        remove_clicked(QModelIndex): the cross of that row was clicked.
    """

    remove_clicked = Signal(QModelIndex)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        row: IndicatorRow | None = index.data(ROW_ROLE)
        on_cross = event.position().x() >= self.viewport().width() - remove_px()
        if row is not None and row.study is not None and on_cross:
            self.remove_clicked.emit(index)
        else:
            super().mouseReleaseEvent(event)
