"""
A panel to pick from a list: a line to type into, and under it the rows that match.

The focus stays in the line; the arrow and page keys move in the list, and Enter or a click chooses. Each picker
supplies the rows that match, draws them, and says what choosing one does.
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
"""The row itself. A model may define more roles, from the next number on."""

_BARS_PX = 124  # the window's bars above and below, which a picker leaves free
_MIN_HEIGHT_PX = 200
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)

Row = TypeVar("Row")


class RowModel(QAbstractListModel, Generic[Row]):
    """The rows that match, in the order shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: Sequence[Row] = ()

    @abstractmethod
    def title(self, row: Row) -> str:
        """Return the row's name, as shown."""

    @abstractmethod
    def spoken(self, row: Row) -> str:
        """Return the row in words, for a screen reader."""

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows instead, with none selected."""
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
    """Draws rows ``ROW_PX`` high: the ground of a selected or hovered row here, what is on it in the subclass.

    Only the palette's ``text``, ``dim`` and ``warning`` can be read on both.
    """

    ROW_PX = 32
    GAP_PX = 0
    """Pixels between the ground and the rows above and below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.palette: Palette = DARK

    @abstractmethod
    def paint_row(self, painter: QPainter, rect: QRect, index: Index) -> None:
        """Draw one row. The painter smooths edges; it is restored afterwards."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, style.px(self.ROW_PX))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            is_selected = bool(state & QStyle.StateFlag.State_Selected)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self.palette.selected if is_selected else self.palette.hover))
            painter.drawRoundedRect(rect.adjusted(0, self.GAP_PX, 0, -self.GAP_PX), 6, 6)
        self.paint_row(painter, rect, index)
        painter.restore()


class PickerList(QListView):
    """The list of a picker. It never has the focus: that stays in the line above, which passes the keys on."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("pickerList")
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)


class ListPicker(Popup):
    """``edit`` over ``list``, or over ``message`` while there are no rows. A subclass may add more below."""

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
        self._pages.addWidget(self.list)  # after addLayout: without a parent it would open as a window of its own
        self._pages.addWidget(self.message)
        self.list.clicked.connect(self._choose)

    @abstractmethod
    def _choose(self) -> None:
        """Choose the current row, after Enter or a click; do nothing where there is none."""

    def set_palette(self, palette: Palette) -> None:
        self._delegate.palette = palette
        self._glass.setIcon(icons.icon("search", palette.dim))

    def sizeHint(self) -> QSize:
        height = max(_MIN_HEIGHT_PX, min(self.SIZE.height(), self._window.height() - _BARS_PX))
        return QSize(min(style.px(self.SIZE.width()), self._window.width() - 2 * self._MARGIN), height)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # A page less one row: the last row of a page is the first of the next.
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

    def _show_rows(self, rows: Sequence[Any], if_none: str) -> None:
        """List these rows or, where there are none, show a sentence instead."""
        self.model.set_rows(rows)
        self.message.setText(if_none)
        self._pages.setCurrentWidget(self.list if rows else self.message)

    def _select(self, row: int) -> None:
        self.list.setCurrentIndex(self.model.index(row))
        self.list.scrollTo(self.model.index(row), QListView.ScrollHint.EnsureVisible)

    def _current(self) -> Any:
        """Return the selected row, or None."""
        return self.list.currentIndex().data(ROW_ROLE)
