"""
A panel to pick from a list: a line to type into, and under it the rows that match.

While one types, the arrow keys and those of pages move in the list, and Enter chooses, as a click does. Which rows
match, how one is drawn and what choosing it means is each picker's own.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QLineEdit,
    QListView,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from widgets.controls.labels import label
from widgets.controls.popup import Popup
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

Index = QModelIndex | QPersistentModelIndex
ROW_ROLE = Qt.ItemDataRole.UserRole
"""The row itself; a model with more to tell goes on from the next role."""

_BARS_PX = 124  # the window's bars above and below, which a picker leaves free
_LEAST_PX = 200
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)

Row = TypeVar("Row")


class RowModel(QAbstractListModel, Generic[Row]):
    """The rows that match now."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: Sequence[Row] = ()

    @abstractmethod
    def title(self, row: Row) -> str:
        """Return what the row is called."""

    @abstractmethod
    def spoken(self, row: Row) -> str:
        """Return what a screen reader says of it."""

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these instead; nothing is chosen then."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self.spoken(row)
        if role == ROW_ROLE:
            return row
        return self.title(row) if role == Qt.ItemDataRole.DisplayRole else None


class RowDelegate(QStyledItemDelegate):
    """Draws rows, ``ROW_PX`` high: the ground of one that is chosen or pointed at, and over that what a picker has."""

    ROW_PX = 32
    GAP_PX = 0
    """How far the ground keeps from the rows above and below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.palette: Palette = DARK

    @abstractmethod
    def paint_row(self, painter: QPainter, rect: QRect, index: Index) -> None:
        """Draw the row of that index; the painter smooths edges, and is restored after this."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, style.px(self.ROW_PX))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
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
            painter.drawRoundedRect(rect.adjusted(0, self.GAP_PX, 0, -self.GAP_PX), 6, 6)
        self.paint_row(painter, rect, index)
        painter.restore()


class PickerList(QListView):
    """The list of a picker. The focus stays in the line above, from where the keys move in here."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("pickerList")
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)


class ListPicker(Popup):
    """``edit`` over ``list``, or over ``message`` while there are no rows; what else there is, a picker adds below."""

    SIZE = QSize(440, 440)

    model: RowModel[Any]

    def __init__(
        self,
        window: QWidget,
        model: RowModel[Any],
        delegate: RowDelegate,
        edit: QLineEdit | None = None,
        view: PickerList | None = None,
    ) -> None:
        super().__init__(window)
        self.model, self._delegate = model, delegate
        self.edit, self.list = edit or QLineEdit(), view or PickerList()
        model.setParent(self)
        delegate.setParent(self.list)
        self.list.setModel(model)
        self.list.setItemDelegate(delegate)
        self._glass = self.edit.addAction(icons.icon("search", DARK.dim), QLineEdit.ActionPosition.LeadingPosition)
        self.message = label("", "dim")
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(8, 8, 8, 8)
        self._layout.setSpacing(8)
        self._layout.addWidget(self.edit)
        self._pages = QStackedLayout()
        self._layout.addLayout(self._pages, 1)
        self._pages.addWidget(self.list)  # not before: without a parent it would be shown as a window of its own
        self._pages.addWidget(self.message)
        self.list.clicked.connect(self._choose)

    @abstractmethod
    def _choose(self) -> None:
        """Do what Enter or a click on the current row means; nothing where there is none."""

    def set_palette(self, palette: Palette) -> None:
        self._delegate.palette = palette
        self._glass.setIcon(icons.icon("search", palette.dim))

    def sizeHint(self) -> QSize:
        room = self._window.height() - _BARS_PX
        return QSize(style.px(self.SIZE.width()), max(_LEAST_PX, min(self.SIZE.height(), room)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        page = max(1, self.list.height() // style.px(self._delegate.ROW_PX) - 1)
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: page, Qt.Key.Key_PageUp: -page}
        step = steps.get(Qt.Key(event.key()))
        if event.key() in _ENTER:
            self._choose()
        elif step is None:
            super().keyPressEvent(event)
        elif self.model.rowCount():
            row = self.list.currentIndex().row() + step
            self._select(max(0, min(self.model.rowCount() - 1, row)))

    def _show_rows(self, rows: Sequence[Any], otherwise: str) -> None:
        """List these; where there are none, say that sentence in their place."""
        self.model.set_rows(rows)
        self.message.setText(otherwise)
        self._pages.setCurrentWidget(self.list if rows else self.message)

    def _select(self, row: int) -> None:
        self.list.setCurrentIndex(self.model.index(row))
        self.list.scrollTo(self.model.index(row), QListView.ScrollHint.EnsureVisible)

    def _current(self) -> Any:
        """Return the row that is chosen, or None."""
        return self.list.currentIndex().data(ROW_ROLE)
