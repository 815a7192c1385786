"""The rows of the watchlist as Qt's views read them: in the order shown, which may be sorted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QWidget

from app.market.symbol import has_live_prices
from widgets.controls.number_format import compact, percent, price
from widgets.symbols.watchlist_delegate import CHOSEN_ROLE, ROW_ROLE
from widgets.symbols.watchlist_order import SortOrder
from widgets.view_values import WatchRow

_Index = QModelIndex | QPersistentModelIndex


class WatchlistModel(QAbstractListModel):
    """
    The watched symbols and which one the chart shows.

    It announces only the rows that differ. New figures move no row: sorted ones move on `sort`.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[WatchRow] = []
        self._own_names: list[str] = []
        self._row_by_name: dict[str, int] = {}
        self._order = SortOrder()
        self._chosen = ""

    @property
    def order(self) -> SortOrder:
        """The order shown."""
        return self._order

    def set_rows(self, rows: Sequence[WatchRow]) -> None:
        """Replace all rows, given in the user's own order."""
        names = [row.symbol.name for row in rows]
        is_same_list = names == self._own_names
        if is_same_list or set(names) == set(self._own_names):
            self._own_names = names
            self.update_rows(rows)
            if not is_same_list:
                self.sort(self._order)
            return
        self.beginResetModel()
        self._own_names = names
        self._take(self._order.sort(rows))
        self.endResetModel()

    def update_rows(self, rows: Sequence[WatchRow]) -> None:
        """Replace some rows. Symbols that are not in the list are ignored."""
        for new in rows:
            number = self._row_by_name.get(new.symbol.name, -1)
            if number >= 0 and self._rows[number] != new:
                self._rows[number] = new
                self.dataChanged.emit(self.index(number), self.index(number))

    def sort(self, order: SortOrder) -> None:  # type: ignore[override]  # because nothing calls Qt's, by column
        """Show the rows in this order of their present figures."""
        self._order = order
        by_name = {row.symbol.name: row for row in self._rows}
        rows = order.sort([by_name[name] for name in self._own_names])
        if rows == self._rows:
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        names = [self._rows[index.row()].symbol.name for index in before]
        self._take(rows)
        self.changePersistentIndexList(before, [self.index(self._row_by_name[name]) for name in names])
        self.layoutChanged.emit()

    def set_chosen(self, name: str) -> None:
        """Highlight the row of this symbol, if it has one."""
        before, self._chosen = self._chosen, name
        for number, row in enumerate(self._rows):
            if before != name and row.symbol.name in (before, name):
                self.dataChanged.emit(self.index(number), self.index(number), [CHOSEN_ROLE])

    def names(self) -> list[str]:
        """Return the symbols in the order shown."""
        return [row.symbol.name for row in self._rows]

    def own_names(self) -> list[str]:
        """Return the symbols in the user's own order."""
        return list(self._own_names)

    def row_of(self, name: str) -> int:
        """Return the row of that symbol, or -1."""
        return self._row_by_name.get(name, -1)

    def widest_change(self) -> float:
        """Return the largest change of a row, up or down, in percent; 0 where none is known."""
        return max((abs(row.change_percent or 0.0) for row in self._rows), default=0.0)

    def rowCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return row.symbol.full_name
            case Qt.ItemDataRole.AccessibleTextRole | Qt.ItemDataRole.ToolTipRole:
                return in_words(row)
            case _ if role == ROW_ROLE:
                return row
            case _ if role == CHOSEN_ROLE:
                return row.symbol.name == self._chosen
        return None

    def _take(self, rows: list[WatchRow]) -> None:
        self._rows = rows
        self._row_by_name = {row.symbol.name: number for number, row in enumerate(rows)}


def in_words(row: WatchRow) -> str:
    """Return a row in words, in several lines."""
    source, moves = ("exchange", "trades") if row.symbol.has_trades else ("broker", "ticks")
    recording = "Recording" if row.receiving else f"Waiting for the {source}"
    if not has_live_prices(row.symbol.name):
        recording = "History only"
    state = row.symbol.trouble or (recording if row.recorded else "Not recording")
    return (
        f"{row.symbol.full_name} · {state}\n"
        f"Last {price(row.last, row.symbol)}, 24 h change {percent(row.change_percent)}\n"
        f"Bid {price(row.bid, row.symbol)}, ask {price(row.ask, row.symbol)}\n"
        f"{compact(row.trades_per_minute)} {moves} a minute"
    )


def as_text(row: WatchRow) -> str:
    """
    Return a row for the clipboard: name, last price, change in percent, bid and ask, with tabs between them.

    Figures are plain, as other programs read them; an unknown one is empty.
    """
    last, bid, ask = (
        "" if value is None else price(value, row.symbol).replace(",", "") for value in (row.last, row.bid, row.ask)
    )
    change = "" if row.change_percent is None else f"{row.change_percent:.2f}"
    return "\t".join((row.symbol.name, last, change, bid, ask))
