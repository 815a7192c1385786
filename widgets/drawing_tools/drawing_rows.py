"""The rows of the list of drawings: how the mouse and the keys work on them, and how they are painted."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractItemModel, QEvent, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from app.market.drawings.drawing import Drawing
from widgets.chart.drawings.kinds import icon_of
from widgets.drawing_tools.drawings_model import EYE, LOCK, NAME, DrawingsModel, Index, detail_of, title_of
from widgets.theme import icons, style
from widgets.theme.palettes import DARK

_ROW_PX, _ICON_COLUMN_PX = 32, 30


class RowsView(QTableView):
    """
    The rows; Del and Backspace remove, Space ticks, Return goes there.

    Signals:
        remove_requested(object): remove that `Drawing`.
    """

    remove_requested = Signal(object)

    def __init__(self, model: DrawingsModel) -> None:
        super().__init__()
        self.setObjectName("drawingsView")
        self._drawings = model
        self.setModel(model)
        self.horizontalHeader().hide()
        self.verticalHeader().hide()
        self.setShowGrid(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setFont(style.font())
        self.setMouseTracking(True)
        header = self.horizontalHeader()
        header.setMinimumSectionSize(1)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column in (EYE, LOCK):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
        self.fit()

    def fit(self) -> None:
        """Size rows and columns for the present size of text."""
        self.verticalHeader().setDefaultSectionSize(style.px(_ROW_PX))
        for column in (EYE, LOCK):
            self.setColumnWidth(column, style.px(_ICON_COLUMN_PX))

    def sizeHint(self) -> QSize:
        return QSize(100, self.model().rowCount() * style.px(_ROW_PX) + 2)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        if index.isValid() and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_requested.emit(self._drawings.drawings[index.row()])
        elif index.isValid() and event.key() == Qt.Key.Key_Space and index.column() != NAME:
            is_on = index.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
            state = Qt.CheckState.Unchecked if is_on else Qt.CheckState.Checked
            self._drawings.setData(index, state, Qt.ItemDataRole.CheckStateRole)
        else:
            super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: Any) -> None:
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and index.isValid() and index.column() != NAME:
            is_on = index.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
            state = Qt.CheckState.Unchecked if is_on else Qt.CheckState.Checked
            self._drawings.setData(index, state, Qt.ItemDataRole.CheckStateRole)


class RowDelegate(QStyledItemDelegate):
    """Paints a row: the kind's icon, the title, the detail, the eye and the lock."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.palette = DARK

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        palette, rect = self.palette, option.rect
        model = index.model()
        assert isinstance(model, DrawingsModel)
        drawing = model.drawings[index.row()]
        state = option.state
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(palette.selected))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(palette.hover))
        if index.column() == NAME:
            self._paint_name(painter, option, drawing, detail_of(drawing, model.decimals))
        else:
            is_on = drawing.hidden if index.column() == EYE else drawing.locked
            names = ("eye", "eye-off") if index.column() == EYE else ("lock-open", "lock")
            self._paint_icon(painter, rect.center(), names[is_on], palette.text if is_on else palette.dim)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QColor(palette.accent))
            painter.drawRect(rect.adjusted(0, 0, -1, -1))

    def editorEvent(self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index) -> bool:
        """Return False: the view ticks, on all of the cell and not only where Qt would draw a box."""
        return False

    def _paint_name(self, painter: QPainter, option: QStyleOptionViewItem, drawing: Drawing, detail: str) -> None:
        palette, rect = self.palette, option.rect
        side = style.px(16)
        is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
        ink = palette.dim if drawing.hidden else palette.text
        icon_rect = rect.adjusted(style.px(16), 0, 0, 0)
        icon_rect.setWidth(side)
        self._paint_icon(
            painter, icon_rect.center(), icon_of(drawing.kind), palette.accent if is_selected else palette.dim
        )
        text = rect.adjusted(style.px(16) + side + 8, 0, -4, 0)
        painter.setFont(style.font())
        painter.setPen(QColor(ink))
        title = painter.fontMetrics().elidedText(title_of(drawing), Qt.TextElideMode.ElideRight, text.width())
        aligned = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(text, aligned, title)
        room = text.adjusted(painter.fontMetrics().horizontalAdvance(title) + 6, 0, 0, 0)
        painter.setFont(style.font(style.SMALL_PX))
        painter.setPen(QColor(palette.dim))
        shown = painter.fontMetrics().elidedText(detail, Qt.TextElideMode.ElideRight, room.width())
        if room.width() > style.px(24):
            painter.drawText(room, aligned, shown)

    @staticmethod
    def _paint_icon(painter: QPainter, middle: QPoint, name: str, colour: str) -> None:
        side = style.px(16)
        ratio = painter.device().devicePixelRatioF()
        painter.drawPixmap(middle - QPoint(side // 2 - 1, side // 2 - 1), icons.pixmap(name, colour, side, ratio))
