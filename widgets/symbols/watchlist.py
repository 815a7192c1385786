"""
The watchlist: heads to sort by, over a list of `WatchRow` values.

Rows change several times a second. The model announces only the rows that differ, so the view repaints nothing else;
of hundreds of rows, the program updates only those in view (`Watchlist.names_in_view`). A click is a request and
highlights nothing: the list highlights the symbol last given to `Watchlist.set_symbol`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, QModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import (
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from app.market.symbol import Symbol
from widgets.commands import CommandSet
from widgets.controls.bar_parts import ICON_PX
from widgets.controls.context_menu import context_menu, give_menu, pop_up
from widgets.controls.labels import label
from widgets.controls.number_format import price
from widgets.keys import key_text
from widgets.symbols.list_tabs import ListTabs
from widgets.symbols.watchlist_delegate import ROW_HEIGHT, ROW_ROLE, WatchlistDelegate
from widgets.symbols.watchlist_head import WatchlistHead
from widgets.symbols.watchlist_model import WatchlistModel, as_text
from widgets.symbols.watchlist_order import SortOrder, moved
from widgets.symbols.watchlist_view import WatchlistView
from widgets.theme import icons, style
from widgets.theme.palettes import Palette
from widgets.view_values import WatchRow


class Watchlist(QWidget):
    """
    Tabs of the lists, heads, rows and context menu of the watched symbols; ``commands`` act on the current row.

    Signals:
        list_requested: Put this symbol into another list; carries its name, the list's index, and whether to take it
            off the list shown.
        names_requested: The user moved a row; carries all symbols in the order to keep.
        order_changed: The user sorted the rows, or no longer.
        symbol_requested: A row was clicked, or Enter pressed on it; carries the symbol's name.
        add_requested: The + was pressed, or “Add symbols…” chosen.
        remove_requested: Remove this symbol from the list; carries its name.
        edit_requested: “Edit the list…” was chosen.
        copy_requested: Copy this text.
        view_changed: Other rows came into view; their values may be old.
    """

    list_requested = Signal(str, int, bool)
    names_requested = Signal(list)
    order_changed = Signal()
    symbol_requested = Signal(str)
    add_requested = Signal()
    remove_requested = Signal(str)
    edit_requested = Signal()
    copy_requested = Signal(str)
    view_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("watchlist")
        self.model = WatchlistModel(self)
        self.delegate = WatchlistDelegate(self)
        self.commands = self._make_commands()
        self.view = self._make_view()
        self.head = WatchlistHead(self.delegate)
        self.empty = _EmptyList()
        self.empty.hide()  # until it is known that there are no rows
        self.add_button = QToolButton()
        self.add_button.setAccessibleName("Add symbols to the watchlist")
        self.add_button.setToolTip("Add symbols")
        self.add_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.add_button.setObjectName("addSymbols")
        style.sized(self.add_button, icon_size=ICON_PX)
        self.head.add_beside_symbol(self.add_button)
        self.tabs = ListTabs()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.tabs)
        layout.addWidget(self.head)
        layout.addWidget(self.view)
        layout.addWidget(self.empty)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.add_button.clicked.connect(lambda: self.add_requested.emit())
        self.empty.add_button.clicked.connect(lambda: self.add_requested.emit())
        self.tabs.menu_wanted.connect(self._fill_menu)
        self.head.order_requested.connect(self._sort)
        self.view.clicked.connect(self._request)
        self.view.activated.connect(self._request)
        self.view.moved.connect(self._move)
        self.view.drag_refused.connect(self._explain_sorting)
        self.view.menu_requested.connect(lambda index, at: pop_up(self.menu_for(index), at))
        for part in (self, self.empty):
            give_menu(part, lambda _point: self.menu_for(QModelIndex()))
        bar = self.view.verticalScrollBar()
        bar.valueChanged.connect(self.view_changed)
        bar.rangeChanged.connect(self.view_changed)
        self.view.rows_resized.connect(self._align_head)

    @property
    def order(self) -> SortOrder:
        """The order in which the rows are shown."""
        return self.model.order

    def set_rows(self, rows: Sequence[WatchRow]) -> None:
        """Show these rows, given in the user's own order, and repaint only those that differ."""
        current = self.view.name_at(self.view.currentIndex())
        old_row, length = self.view.currentIndex().row(), self.model.rowCount()
        self.model.set_rows(rows)
        if not self.view.currentIndex().isValid() and old_row >= 0:
            # The model was reset: the current row stays on its symbol or, where that is gone, in its place.
            row = self.model.row_of(current)
            self.view.setCurrentIndex(self.model.index(row if row >= 0 else min(old_row, len(rows) - 1)))
        self._fit_columns()
        is_empty_known = self.empty.isHidden() is bool(rows)
        if length != len(rows) or not is_empty_known:
            self._show_length(is_empty=not rows)

    def update_rows(self, rows: Sequence[WatchRow]) -> None:
        """Show new values in some rows, such as those of `names_in_view`. No row moves."""
        self.model.update_rows(rows)
        self._fit_columns()

    def sort_again(self) -> None:
        """Move rows to where their present figures belong; not while the pointer is on them, about to choose one."""
        if self.order.is_by_figures and not self.view.rect().contains(self.view.mapFromGlobal(QCursor.pos())):
            self.model.sort(self.order)

    def layout_values(self) -> dict[str, Any]:
        """Return the order as plain values, for a file and `restore_layout`."""
        return {"order": self.order.to_value()}

    def restore_layout(self, values: Mapping[str, Any]) -> None:
        """Restore the values of `layout_values`; anything else is the user's own order."""
        self._set_order(SortOrder.from_value(values.get("order")))

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
        self.head.set_palette(palette)
        self.tabs.set_palette(palette)
        self.view.set_palette(palette)
        self.add_button.setIcon(icons.icon("plus", palette.dim))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and hasattr(self, "head"):
            QTimer.singleShot(0, self, self._align_head)  # after Qt has given every part its new font

    # The order

    def move_current(self, by: int) -> None:
        """Move the current row by that many places; for the user."""
        index = self.view.currentIndex()
        name, row = self.view.name_at(index), index.row()
        if not name or not 0 <= row + by < self.model.rowCount():
            return
        if self.view.can_drag:
            self._move(name, row + by + (by > 0))
        else:
            self._explain_sorting()

    def _move(self, name: str, place: int) -> None:
        before = self.model.own_names()
        names = moved(before, name, place)
        if names != before:
            self.names_requested.emit(names)

    def _sort(self, order: SortOrder) -> None:
        self._set_order(order)
        self.order_changed.emit()

    def _set_order(self, order: SortOrder) -> None:
        self.model.sort(order)
        self.view.can_drag = order.column is None
        self.head.set_order(order)

    def _explain_sorting(self) -> None:
        sentence = "The rows are sorted. Click the head with the arrow until it is gone, to move rows yourself."
        QToolTip.showText(QCursor.pos(), sentence, self.view)

    # Rows and columns

    def _fit_columns(self) -> None:
        if self.delegate.set_widest_change(self.model.widest_change()):
            self.view.viewport().update()
            self.head.place()

    def _align_head(self) -> None:
        self.head.set_right(max(self.view.width() - self.view.viewport().width(), 0))
        self.head.place()

    def _show_length(self, *, is_empty: bool) -> None:
        """Give the list the height of its rows, or show the sentence where there are none."""
        had_focus = self.view.hasFocus() or self.empty.add_button.hasFocus()
        self.view.setVisible(not is_empty)
        self.empty.setVisible(is_empty)
        if had_focus:
            (self.empty.add_button if is_empty else self.view).setFocus()
        self.view.updateGeometry()
        if (layout := self.layout()) is not None:
            # Now, not by Qt's request: a panel that is hidden when the request arrives loses it, and while Qt
            # believes that one is pending it makes no other.
            layout.activate()

    def _make_view(self) -> WatchlistView:
        view = WatchlistView(self.commands.commands)
        view.setObjectName("watchlistView")
        view.setAccessibleName("Watchlist")
        view.setModel(self.model)
        view.setItemDelegate(self.delegate)
        view.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        return view

    def _make_commands(self) -> CommandSet:
        names = ("show_row", "row_up", "row_down", "remove_row")
        return CommandSet(
            {
                "show_row": lambda: self._request(self.view.currentIndex()),
                "row_up": partial(self.move_current, -1),
                "row_down": partial(self.move_current, 1),
                "add_symbols": self.add_requested.emit,
                "remove_row": self._remove_current,
            },
            dict.fromkeys(names, self._why_no_row),
        )

    def _why_no_row(self) -> str:
        is_chosen = bool(self.view.name_at(self.view.currentIndex()))
        return "" if is_chosen else "Choose a symbol of the watchlist first: go to it with Tab and the arrow keys."

    def _request(self, index: QModelIndex) -> None:
        if name := self.view.name_at(index):
            self.symbol_requested.emit(name)

    def _remove_current(self) -> None:
        if name := self.view.name_at(self.view.currentIndex()):
            self.remove_requested.emit(name)

    def menu_for(self, index: QModelIndex) -> QMenu:
        """Return the context menu of a row or of the empty space. The caller opens it."""
        menu, row = context_menu(self), index.data(ROW_ROLE)
        if isinstance(row, WatchRow):
            self._add_row_entries(menu, row, index.row())
            menu.addSeparator()
        self._fill_menu(menu)
        if row is None and self.model.rowCount():
            everything = "\n".join(as_text(self.model.index(at).data(ROW_ROLE)) for at in range(self.model.rowCount()))
            menu.addAction("Copy the list", lambda: self.copy_requested.emit(everything))
        return menu

    def _fill_menu(self, menu: QMenu) -> None:
        menu.addAction("Add symbols…", self.add_requested.emit)
        menu.addAction("Edit the list…", self.edit_requested.emit)

    def _add_row_entries(self, menu: QMenu, row: WatchRow, place: int) -> None:
        name, shown = row.symbol.name, row.symbol.full_name
        menu.addAction(f"Show {shown}\t{key_text('show_row')}", lambda: self.symbol_requested.emit(name))
        menu.addSeparator()
        last = price(row.last, row.symbol)
        copy = menu.addAction(f"Copy the price {last}", lambda: self.copy_requested.emit(last.replace(",", "")))
        copy.setEnabled(row.last is not None)
        menu.addAction(f"Copy the name {name}", lambda: self.copy_requested.emit(name))
        menu.addAction("Copy the row", lambda: self.copy_requested.emit(as_text(row)))
        menu.addSeparator()
        for command, text, by in (("row_up", "Move up", -1), ("row_down", "Move down", 1)):
            action = menu.addAction(f"{text}\t{key_text(command)}", partial(self._move, name, place + by + (by > 0)))
            action.setEnabled(self.view.can_drag and 0 <= place + by < self.model.rowCount())
        others = [(at, title) for at, title in enumerate(self.tabs.names()) if at != self.tabs.shown]
        for text, is_moved in (("Move to", True), ("Add to", False)) if others else ():
            lists = menu.addMenu(text)
            lists.setFont(style.font())
            for at, title in others:
                lists.addAction(title.replace("&", "&&"), partial(self.list_requested.emit, name, at, is_moved))
        menu.addAction(
            f"Remove {shown} from the watchlist\t{key_text('remove_row')}", lambda: self.remove_requested.emit(name)
        )


class _EmptyList(QWidget):
    """What stands in place of the rows where there are none."""

    def __init__(self) -> None:
        super().__init__()
        self.sentence: QLabel = label("Nothing is watched, so only the symbol on the chart is recorded.", "dim")
        self.sentence.setWordWrap(True)
        self.add_button = QPushButton("Add symbols…")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 8, 16, 12)
        layout.setSpacing(10)
        layout.addWidget(self.sentence)
        layout.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignLeft)
