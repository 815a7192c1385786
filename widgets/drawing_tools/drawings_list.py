"""The list of the drawings of one symbol, in the side panel: the topmost first, each with buttons to hide and lock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractTableModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.market.drawings.drawing import Drawing, DrawingKind
from widgets.chart.drawings.kinds import KINDS, icon_of
from widgets.controls.key_hints import set_key_tip
from widgets.controls.labels import ElidedLabel, label
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

NAME, EYE, LOCK = range(3)
_ROW_PX, _ICON_COLUMN_PX = 32, 30
_Index = QModelIndex | QPersistentModelIndex
_PRICED = (DrawingKind.HORIZONTAL_LINE, DrawingKind.FIBONACCI_RETRACEMENT, DrawingKind.PRICE_RANGE)


def title_of(drawing: Drawing) -> str:
    """Return what a drawing is called in the list: its text, else its kind."""
    return drawing.text.replace("\n", " ") or KINDS[drawing.kind].title


def detail_of(drawing: Drawing) -> str:
    """Return what tells a drawing from others of its kind: its prices, or its kind where it has a text."""
    if drawing.text and drawing.kind not in (DrawingKind.TEXT, DrawingKind.NOTE):
        return KINDS[drawing.kind].title
    if drawing.kind in _PRICED:
        return " to ".join(f"{anchor.price:,.10g}" for anchor in drawing.anchors)
    return ""


class DrawingsModel(QAbstractTableModel):
    """
    Rows of drawings, the topmost first; columns for the name, the eye and the lock.

    Signals:
        hidden_requested(object, bool), locked_requested(object, bool): hide or lock that `Drawing`, or no longer.
    """

    hidden_requested = Signal(object, bool)
    locked_requested = Signal(object, bool)

    def __init__(self) -> None:
        super().__init__()
        self.drawings: list[Drawing] = []

    def set_drawings(self, drawings: Sequence[Drawing]) -> None:
        """Show these, given in the order of painting."""
        rows = list(reversed(drawings))
        if [one.id for one in rows] == [one.id for one in self.drawings]:
            self.drawings = rows
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, LOCK))
            return
        self.beginResetModel()
        self.drawings = rows
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008  # because Qt's signature has it
        return 0 if parent.isValid() else len(self.drawings)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008  # because Qt's signature has it
        return 0 if parent.isValid() else 3

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
        return flags if index.column() == NAME else flags | Qt.ItemFlag.ItemIsUserCheckable

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        drawing, column = self.drawings[index.row()], index.column()
        is_on = drawing.hidden if column == EYE else drawing.locked
        if role == Qt.ItemDataRole.DisplayRole:
            return title_of(drawing) if column == NAME else None
        if role == Qt.ItemDataRole.CheckStateRole and column != NAME:
            return Qt.CheckState.Checked if is_on else Qt.CheckState.Unchecked
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return self._words(drawing, column)
        return None

    def setData(self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or index.column() == NAME:
            return False
        drawing, is_on = self.drawings[index.row()], Qt.CheckState(value) == Qt.CheckState.Checked
        (self.hidden_requested if index.column() == EYE else self.locked_requested).emit(drawing, is_on)
        return True

    def _words(self, drawing: Drawing, column: int) -> str:
        title = title_of(drawing)
        if column == EYE:
            return f"Show {title}" if drawing.hidden else f"Hide {title}"
        if column == LOCK:
            return f"Unlock {title}" if drawing.locked else f"Lock {title}"
        states = [word for word, on in (("hidden", drawing.hidden), ("locked", drawing.locked)) if on]
        return ", ".join(filter(None, (title, detail_of(drawing), *states)))


class DrawingsList(QFrame):
    """
    The list with undo, redo and a line on where the drawings are kept below it.

    Signals:
        chosen(str): the user chose the drawing of that id.
        shown_requested(object): take the chart to that `Drawing`.
        hidden_requested(object, bool), locked_requested(object, bool): hide or lock a `Drawing`, or no longer.
        remove_requested(object): remove that `Drawing`.
        menu_requested(object, QPoint): open the menu of that `Drawing` at a point of the screen.
        undo_requested(), redo_requested(): undo the last change, or redo it.
    """

    chosen = Signal(str)
    shown_requested = Signal(object)
    hidden_requested = Signal(object, bool)
    locked_requested = Signal(object, bool)
    remove_requested = Signal(object)
    menu_requested = Signal(object, QPoint)
    undo_requested = Signal()
    redo_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("drawingsList")
        self.model = DrawingsModel()
        self.model.hidden_requested.connect(self.hidden_requested)
        self.model.locked_requested.connect(self.locked_requested)
        self._chosen = ""
        self._delegate = _RowDelegate(self)
        self.view = _RowsView(self.model)
        self.view.setItemDelegate(self._delegate)
        self.view.setAccessibleName("Drawings")
        self.view.selectionModel().currentRowChanged.connect(self._on_current)
        self.view.activated.connect(lambda index: self.shown_requested.emit(self.model.drawings[index.row()]))
        self.view.remove_requested.connect(self.remove_requested)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._open_menu)
        self.undo_button = self._make_button("Undo", "undo_drawing")
        self.redo_button = self._make_button("Redo", "redo_drawing")
        self.undo_button.clicked.connect(lambda: self.undo_requested.emit())
        self.redo_button.clicked.connect(lambda: self.redo_requested.emit())
        self._empty = label("Draw with the tools at the left of the chart.", "faint", style.font(style.SMALL_PX))
        self._empty.setWordWrap(True)
        self._kept = ElidedLabel("", "faint")
        self._kept.setFont(style.font(style.SMALL_PX))
        self._arrange()
        self.set_drawings((), "")
        self.set_history(can_undo=False, can_redo=False)
        self.set_palette(DARK)

    def set_drawings(self, drawings: Sequence[Drawing], symbol: str) -> None:
        """Show the drawings of a symbol, given in the order of painting; ``symbol``: its name for the user."""
        self.view.selectionModel().blockSignals(True)
        self.model.set_drawings(drawings)
        self.view.selectionModel().blockSignals(False)
        self._select(self._chosen)
        self._empty.setVisible(not drawings)
        self.view.setVisible(bool(drawings))
        self._kept.setText(f"Kept for {symbol}, on every desktop" if symbol else "")

    def set_chosen(self, drawing_id: str) -> None:
        """Show which drawing is chosen on the chart; empty: none."""
        if drawing_id != self._chosen:
            self._chosen = drawing_id
            self._select(drawing_id)

    def set_history(self, *, can_undo: bool, can_redo: bool) -> None:
        """Say whether there is anything to undo or redo."""
        self.undo_button.setEnabled(can_undo)
        self.redo_button.setEnabled(can_redo)
        self._draw_icons()

    def set_palette(self, palette: Palette) -> None:
        """Draw the icons in a palette, and in the present size of text."""
        self._delegate.palette = palette
        self._draw_icons()
        self.view.fit()
        self.view.viewport().update()

    def _draw_icons(self) -> None:
        palette = self._delegate.palette
        for button, name in ((self.undo_button, "undo"), (self.redo_button, "redo")):
            button.setIcon(icons.icon(name, palette.dim if button.isEnabled() else palette.edge))

    def _select(self, drawing_id: str) -> None:
        row = next((at for at, one in enumerate(self.model.drawings) if one.id == drawing_id), -1)
        selection = self.view.selectionModel()
        selection.blockSignals(True)
        if row < 0:
            selection.clear()
        elif self.view.currentIndex().row() != row or not selection.hasSelection():
            self.view.setCurrentIndex(self.model.index(row, max(self.view.currentIndex().column(), 0)))
        selection.blockSignals(False)
        self.view.viewport().update()

    def _on_current(self, index: QModelIndex) -> None:
        if index.isValid():
            self._chosen = self.model.drawings[index.row()].id
            self.chosen.emit(self._chosen)

    def _open_menu(self, point: QPoint) -> None:
        index = self.view.indexAt(point)
        if index.isValid():
            self.menu_requested.emit(self.model.drawings[index.row()], self.view.viewport().mapToGlobal(point))

    def _make_button(self, name: str, command: str) -> QToolButton:
        button = QToolButton()
        button.setAccessibleName(f"{name} the last change of a drawing")
        set_key_tip(button, name, command)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        style.sized(button, icon_size=16, fixed_height=28)
        return button

    def _arrange(self) -> None:
        foot = QHBoxLayout()
        foot.setContentsMargins(8, 4, 16, 8)
        foot.addWidget(self.undo_button)
        foot.addWidget(self.redo_button)
        foot.addWidget(self._kept, 1)
        self._kept.setAlignment(Qt.AlignmentFlag.AlignRight)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(0)
        self._empty.setContentsMargins(16, 8, 16, 8)
        column.addWidget(self._empty)
        column.addWidget(self.view, 1)
        column.addLayout(foot)
        column.addStretch(0)


class _RowsView(QTableView):
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


class _RowDelegate(QStyledItemDelegate):
    """Paints a row: the kind's icon, the title, the detail, the eye and the lock."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.palette = DARK

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
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
            self._paint_name(painter, option, drawing)
        else:
            is_on = drawing.hidden if index.column() == EYE else drawing.locked
            names = ("eye", "eye-off") if index.column() == EYE else ("lock-open", "lock")
            self._paint_icon(painter, rect.center(), names[is_on], palette.text if is_on else palette.dim)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QColor(palette.accent))
            painter.drawRect(rect.adjusted(0, 0, -1, -1))

    def editorEvent(
        self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: _Index
    ) -> bool:
        """Return False: the view ticks, on all of the cell and not only where Qt would draw a box."""
        return False

    def _paint_name(self, painter: QPainter, option: QStyleOptionViewItem, drawing: Drawing) -> None:
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
        detail = painter.fontMetrics().elidedText(detail_of(drawing), Qt.TextElideMode.ElideRight, room.width())
        if room.width() > style.px(24):
            painter.drawText(room, aligned, detail)

    @staticmethod
    def _paint_icon(painter: QPainter, middle: QPoint, name: str, colour: str) -> None:
        side = style.px(16)
        ratio = painter.device().devicePixelRatioF()
        painter.drawPixmap(middle - QPoint(side // 2 - 1, side // 2 - 1), icons.pixmap(name, colour, side, ratio))
