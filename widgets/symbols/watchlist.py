"""
The watchlist: a model of `WatchRow` values and a list that draws them.

Rows change several times a second. The model announces only the rows that differ, so the view repaints nothing else;
of hundreds of rows, the program updates only those in view (`Watchlist.names_in_view`). A click is a request and
highlights nothing: the list highlights the symbol last given to `Watchlist.set_symbol`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QListView, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app.market.symbol import Symbol
from widgets.controls.labels import label
from widgets.controls.number_format import compact, percent, price
from widgets.symbols.watchlist_delegate import CHOSEN_ROLE, ROW_HEIGHT, ROW_ROLE, WatchlistDelegate
from widgets.theme import icons, style
from widgets.theme.palettes import Palette
from widgets.view_values import WatchRow

_Index = QModelIndex | QPersistentModelIndex


class WatchlistModel(QAbstractListModel):
    """The watched symbols, in order, and which one the chart shows."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[WatchRow] = []
        self._row_by_name: dict[str, int] = {}
        self._chosen = ""

    def set_rows(self, rows: Sequence[WatchRow]) -> None:
        """Replace all rows. Where their symbols stay the same, only rows that differ are announced."""
        names = [row.symbol.name for row in rows]
        if names != self.names():
            self._reset(list(rows))
            return
        for number, (old, new) in enumerate(zip(self._rows, rows, strict=True)):
            if old != new:
                self._rows[number] = new
                self.dataChanged.emit(self.index(number), self.index(number))

    def update_rows(self, rows: Sequence[WatchRow]) -> None:
        """Replace some rows. Symbols that are not in the list are ignored."""
        for new in rows:
            number = self._row_by_name.get(new.symbol.name, -1)
            if number >= 0 and self._rows[number] != new:
                self._rows[number] = new
                self.dataChanged.emit(self.index(number), self.index(number))

    def set_chosen(self, name: str) -> None:
        """Highlight the row of this symbol, if it has one."""
        before, self._chosen = self._chosen, name
        for number, row in enumerate(self._rows):
            if before != name and row.symbol.name in (before, name):
                self.dataChanged.emit(self.index(number), self.index(number), [CHOSEN_ROLE])

    def names(self) -> list[str]:
        return [row.symbol.name for row in self._rows]

    def row_of(self, name: str) -> int:
        """Return the row of that symbol, or -1."""
        return self._row_by_name.get(name, -1)

    def rowCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return row.symbol.display_name
            case Qt.ItemDataRole.AccessibleTextRole | Qt.ItemDataRole.ToolTipRole:
                return _in_words(row)
            case _ if role == ROW_ROLE:
                return row
            case _ if role == CHOSEN_ROLE:
                return row.symbol.name == self._chosen
        return None

    def _reset(self, rows: list[WatchRow]) -> None:
        self.beginResetModel()
        self._rows = rows
        self._row_by_name = {row.symbol.name: number for number, row in enumerate(rows)}
        self.endResetModel()


class WatchlistView(QListView):
    """
    The list of rows.

    Signals:
        remove_requested: Delete was pressed on the current row.
    """

    remove_requested = Signal()

    says_empty = False
    """Whether an empty list says that it is empty: not until its rows are known."""

    def sizeHint(self) -> QSize:
        return QSize(296, max(1, self.model().rowCount()) * style.px(ROW_HEIGHT))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 2 * style.px(ROW_HEIGHT))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_requested.emit()
        elif event.text().strip() and event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.ignore()  # for the window, which opens a picker; Qt's own search in the list would take it
        else:
            super().keyPressEvent(event)

    def dataChanged(self, first: _Index, last: _Index, roles: Sequence[int] = ()) -> None:
        # QListView itself would lay out and repaint every row, in case one has a new height. Ours never have.
        for row in range(first.row(), last.row() + 1):
            self.viewport().update(self.visualRect(self.model().index(row, 0)))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.says_empty and self.model().rowCount() == 0:
            painter = QPainter(self.viewport())
            painter.setPen(self.palette().placeholderText().color())
            painter.drawText(
                self.viewport().rect(), Qt.AlignmentFlag.AlignCenter, "Nothing watched. Add a symbol with +"
            )
            painter.end()


class Watchlist(QWidget):
    """
    Head, list and context menu of the watched symbols.

    Signals:
        symbol_requested: A row was clicked, or Enter pressed on it; carries the symbol's name.
        add_requested: The + was pressed, or “Add symbols…” chosen.
        remove_requested: Remove this symbol from the list; carries its name.
        edit_requested: “Edit the list…” was chosen.
        view_changed: Other rows came into view; their values may be old.
    """

    symbol_requested = Signal(str)
    add_requested = Signal()
    remove_requested = Signal(str)
    edit_requested = Signal()
    view_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("watchlist")
        self.model = WatchlistModel(self)
        self.delegate = WatchlistDelegate(self)
        self.view = self._make_view()
        self.add_button = QToolButton()
        self.add_button.setAccessibleName("Add symbols to the watchlist")
        self.add_button.setToolTip("Add symbols")
        self.add_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        head = QHBoxLayout()
        head.setContentsMargins(16, 0, 8, 0)
        head.addWidget(label("Watchlist", "faint", style.head_font()))
        head.addStretch(1)
        head.addWidget(self.add_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(head)
        layout.addWidget(self.view)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.add_button.clicked.connect(lambda: self.add_requested.emit())
        self.view.clicked.connect(self._request)
        self.view.activated.connect(self._request)
        self.view.remove_requested.connect(self._remove_current)
        self.view.customContextMenuRequested.connect(self._open_menu)
        bar = self.view.verticalScrollBar()
        bar.valueChanged.connect(self.view_changed)
        bar.rangeChanged.connect(self.view_changed)

    def set_rows(self, rows: Sequence[WatchRow]) -> None:
        """Show these rows, and repaint only those that differ."""
        current = self._name_at(self.view.currentIndex())
        old_row, length = self.view.currentIndex().row(), self.model.rowCount()
        self.model.set_rows(rows)
        self.view.says_empty = True
        if not self.view.currentIndex().isValid() and old_row >= 0:
            # The model was reset: the current row stays on its symbol or, where that is gone, in its place.
            row = self.model.row_of(current)
            self.view.setCurrentIndex(self.model.index(row if row >= 0 else min(old_row, len(rows) - 1)))
        if length != len(rows):
            self.view.updateGeometry()
            if (layout := self.layout()) is not None:
                # Now, not by Qt's request: a panel that is hidden when the request arrives loses it, and while Qt
                # believes that one is pending it makes no other.
                layout.activate()

    def update_rows(self, rows: Sequence[WatchRow]) -> None:
        """Show new values in some rows, such as those of `names_in_view`."""
        self.model.update_rows(rows)

    def names_in_view(self) -> list[str]:
        """Return the symbols whose rows are in view, from top to bottom; none while the list is hidden."""
        height = self.view.viewport().height()
        first = self.view.indexAt(QPoint(0, 0)).row()
        if first < 0 or not self.view.isVisible():
            return []
        return self.model.names()[first : first + height // style.px(ROW_HEIGHT) + 2]  # 2: cut at top and bottom

    def set_symbol(self, symbol: Symbol) -> None:
        """Highlight the symbol that the chart shows."""
        self.model.set_chosen(symbol.name)
        row = self.model.row_of(symbol.name)
        if row >= 0:
            self.view.scrollTo(self.model.index(row))

    def set_palette(self, palette: Palette) -> None:
        self.delegate.set_palette(palette)
        self.add_button.setIcon(icons.icon("plus", palette.dim))
        self.view.viewport().update()

    def _make_view(self) -> WatchlistView:
        view = WatchlistView()
        view.setObjectName("watchlistView")
        view.setAccessibleName("Watchlist")
        view.setModel(self.model)
        view.setItemDelegate(self.delegate)
        view.setUniformItemSizes(True)
        view.setMouseTracking(True)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        return view

    def _name_at(self, index: QModelIndex) -> str:
        row = index.data(ROW_ROLE)
        return row.symbol.name if isinstance(row, WatchRow) else ""

    def _request(self, index: QModelIndex) -> None:
        name = self._name_at(index)
        if name:
            self.symbol_requested.emit(name)

    def _remove_current(self) -> None:
        name = self._name_at(self.view.currentIndex())
        if name:
            self.remove_requested.emit(name)

    def menu_for(self, index: QModelIndex) -> QMenu:
        """Return the context menu of a row or of the empty space. The caller opens it."""
        menu = QMenu(self)
        menu.setFont(style.font())
        name = self._name_at(index)
        if name:
            shown = index.data(Qt.ItemDataRole.DisplayRole)
            menu.addAction(f"Show {shown}", lambda: self.symbol_requested.emit(name))
            menu.addAction(f"Remove {shown} from the watchlist\tDel", lambda: self.remove_requested.emit(name))
            menu.addSeparator()
        menu.addAction("Add symbols…", self.add_requested.emit)
        menu.addAction("Edit the list…", self.edit_requested.emit)
        return menu

    def _open_menu(self, position: QPoint) -> None:
        menu = self.menu_for(self.view.indexAt(position))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.view.viewport().mapToGlobal(position))


def _in_words(row: WatchRow) -> str:
    recording = "Recording" if row.receiving else "Waiting for the exchange"
    state = row.symbol.trouble or (recording if row.recorded else "Not recording")
    return (
        f"{row.symbol.display_name} · {state}\n"
        f"Last {price(row.last, row.symbol)}, 24 h change {percent(row.change_percent)}\n"
        f"Bid {price(row.bid, row.symbol)}, ask {price(row.ask, row.symbol)}\n"
        f"{compact(row.trades_per_minute)} trades a minute"
    )
