"""
The list of indicators: those on the chart, to be set, hidden or removed, and all there are, to be added.

A line to type into stands over it; the arrow keys move in the list, Enter adds or opens the settings, Del removes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.market.indicators import Indicator, Place, matching
from widgets import icons, style
from widgets.chart.indicators.study import Study
from widgets.labels import label
from widgets.overlay import Overlay
from widgets.theme import DARK, Palette

_Index = QModelIndex | QPersistentModelIndex
_ROW = Qt.ItemDataRole.UserRole
_ROW_PX, _REMOVE_PX = 44, 40
_PLACES = {Place.PRICE: "over prices", Place.VOLUME: "over volume", Place.OWN: "own pane"}


class Row(NamedTuple):
    """A study on the chart, or an indicator that can be added."""

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
        """What a screen reader says."""
        kind = "on the chart" if self.study is not None else f"to add, {_PLACES[self.indicator.place]}"
        return f"{self.title}, {self.note}, {kind}"


class IndicatorPicker(Overlay):
    """
    Search over indicators, for one chart. ``studies``: called for those on the chart.

    Signals:
        add_requested(str): the indicator of that key is to join the chart.
        settings_requested(str), remove_requested(str): of the study of that key.
    """

    add_requested = Signal(str)
    settings_requested = Signal(str)
    remove_requested = Signal(str)

    def __init__(self, window: QWidget, studies: Callable[[], list[Study]]) -> None:
        super().__init__(window)
        self.setAccessibleName("Indicators")
        self._studies = studies
        self._refusal = ""
        self.model = _RowModel(self)
        self.edit = _SearchLine()
        self.edit.setAccessibleName("Search indicators")
        self.edit.setPlaceholderText("Search indicators: average, rsi, volume …")
        self._glass = self.edit.addAction(icons.icon("search", DARK.dim), QLineEdit.ActionPosition.LeadingPosition)
        self.list = _List()
        self._delegate = _RowDelegate(self.list)
        self.hint = label("", "faint", style.font(style.SMALL_PX))
        self._arrange()
        self.edit.textChanged.connect(self._search)
        self.edit.returnPressed.connect(self._choose)
        self.edit.delete_pressed.connect(lambda: self._remove(self.list.currentIndex()))
        self.list.clicked.connect(self._choose)
        self.list.remove_clicked.connect(self._remove)
        self.list.selectionModel().currentChanged.connect(self._show_hint)

    def set_palette(self, palette: Palette) -> None:
        self._delegate.palette = palette
        self._glass.setIcon(icons.icon("search", palette.dim))

    def open_under(self, top_left: QPoint) -> None:
        """Open at that point of the window, nothing typed."""
        self.edit.clear()
        self._search()
        self._select(len(self._studies()))  # the first one that can be added
        self.open_at(top_left, self.edit)

    def sizeHint(self) -> QSize:
        return QSize(style.px(440), max(200, min(560, self._window.height() - 2 * 48 - 28)))

    def refresh(self) -> None:
        """Show what matches now, those on the chart first."""
        text, row = self.edit.text(), self.list.currentIndex().row()
        found = matching(text)
        on_chart = [Row(study.indicator, study) for study in self._studies() if study.indicator in found]
        self.model.set_rows([*on_chart, *(Row(one) for one in found)])
        self._delegate.first_to_add = len(on_chart)
        self._select(len(on_chart) if text and found else min(max(row, 0), self.model.rowCount() - 1))
        self._show_hint()

    def show_refusal(self, sentence: str) -> None:
        """Say why what was asked for was not done, until something else is typed or asked for."""
        self._refusal = sentence
        self._show_hint()

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
        self.list.setModel(self.model)
        self.list.setItemDelegate(self._delegate)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.edit)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.hint)

    def _select(self, row: int) -> None:
        self.list.setCurrentIndex(self.model.index(row))
        self.list.scrollTo(self.model.index(row), QListView.ScrollHint.EnsureVisible)

    def _show_hint(self) -> None:
        row: Row | None = self.list.currentIndex().data(_ROW)
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
        row: Row | None = self.list.currentIndex().data(_ROW)
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

    def _remove(self, index: _Index) -> None:
        row: Row | None = index.data(_ROW)
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


class _List(QListView):
    """A list whose rows on the chart have a cross at the right."""

    remove_clicked = Signal(QModelIndex)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("pickerList")
        self.setAccessibleName("Indicators")
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the arrow keys work from the line above
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        row: Row | None = index.data(_ROW)
        on_cross = event.position().x() >= self.viewport().width() - _REMOVE_PX
        if row is not None and row.study is not None and on_cross:
            self.remove_clicked.emit(index)
        else:
            super().mouseReleaseEvent(event)


class _RowModel(QAbstractListModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []

    def set_rows(self, rows: list[Row]) -> None:
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def rowCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return row.spoken
        if role == _ROW:
            return row
        return row.title if role == Qt.ItemDataRole.DisplayRole else None


class _RowDelegate(QStyledItemDelegate):
    """Draws a row: name over a line about it; on the chart, with its colour and a cross."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.palette: Palette = DARK
        self.first_to_add = 0

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(0, style.px(_ROW_PX))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        row: Row = index.data(_ROW)
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
            painter.drawRoundedRect(rect.adjusted(0, 2, 0, -2), 6, 6)
        if index.row() == self.first_to_add and index.row():
            painter.fillRect(rect.left(), rect.top() - 1, rect.width(), 2, QColor(self.palette.line))
        inner = rect.adjusted(12, style.px(5), -12, -style.px(5))
        if row.study is not None:
            self._paint_study(painter, rect, row.study)
            inner.adjust(16, 0, -_REMOVE_PX + 8, 0)
        self._paint_texts(painter, inner, row)
        painter.restore()

    def _paint_texts(self, painter: QPainter, inner: QRect, row: Row) -> None:
        top, bottom = Qt.AlignmentFlag.AlignTop, Qt.AlignmentFlag.AlignBottom
        painter.setFont(style.font())
        painter.setPen(QColor(self.palette.text))
        painter.drawText(inner, top, row.title)
        painter.setFont(style.font(style.SMALL_PX))
        painter.setPen(QColor(self.palette.dim))
        metrics = painter.fontMetrics()
        painter.drawText(inner, bottom, metrics.elidedText(row.note, Qt.TextElideMode.ElideRight, inner.width()))
        if row.study is None:
            painter.setPen(QColor(self.palette.faint))
            said = f"{row.indicator.name} · {_PLACES[row.indicator.place]}"
            painter.drawText(inner, top | Qt.AlignmentFlag.AlignRight, said)

    def _paint_study(self, painter: QPainter, rect: QRect, study: Study) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(study.name_colour(self.palette))
        painter.drawRoundedRect(QRect(rect.left() + 12, rect.center().y() - 5, 4, 11), 2, 2)
        cross = icons.icon("close", self.palette.dim, 14)
        cross.paint(painter, QRect(rect.right() - _REMOVE_PX + 8, rect.center().y() - 8, 16, 16))
