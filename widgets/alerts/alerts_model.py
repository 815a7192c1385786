"""The list of alerts and the history as tables for Qt: filtered, sorted, with texts for screen readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from app.market.alerts.stored_alert import AlertState
from widgets.alerts.alert_views import AlertRow, FiringRow
from widgets.controls.number_format import UNKNOWN, count, fixed
from widgets.theme.palettes import DARK, Palette

ROW_ROLE = Qt.ItemDataRole.UserRole
_Index = QModelIndex | QPersistentModelIndex
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_FAR = float("inf")


class Shelf(Enum):
    """Which alerts are listed; the value is the tab's title."""

    WATCHING = "Watching"
    PAUSED = "Paused"
    ENDED = "Ended"

    def holds(self, row: AlertRow) -> bool:
        """Whether an alert is listed there."""
        states = {AlertState.WAITING: Shelf.WATCHING, AlertState.PAUSED: Shelf.PAUSED}
        return states.get(row.state, Shelf.ENDED) is self


class Column(Enum):
    """A column of the list; the value is its head."""

    ALERT = "Alert"
    SYMBOL = "Symbol"
    DISTANCE = "Distance"
    FIRED = "Fired"
    ENDS = "Ends"
    TELLS = ""
    ON = " "


COLUMNS = tuple(Column)
_KEYS: dict[Column, Callable[[AlertRow], Any]] = {
    Column.ALERT: lambda row: row.title.casefold(),
    Column.SYMBOL: lambda row: row.symbol.name if row.symbol else "",
    Column.DISTANCE: lambda row: _FAR if row.distance is None else abs(row.distance),
    Column.FIRED: lambda row: row.fired,
    Column.ENDS: lambda row: _FAR if row.expires_us is None else row.expires_us,
    Column.TELLS: lambda row: (row.notifies, row.sounds),
    Column.ON: lambda row: row.state is AlertState.WAITING,
}


def distance_text(row: AlertRow) -> str:
    """Return how far the last price is from where an alert fires, in percent."""
    return UNKNOWN if row.distance is None else f"{fixed(abs(row.distance), 2)} %"


class AlertsModel(QAbstractTableModel):
    """The alerts of one shelf, in the order chosen; ``rows`` are those listed."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[AlertRow] = []
        self._all: Sequence[AlertRow] = ()
        self._shelf, self._text = Shelf.WATCHING, ""
        self._column, self._descending = Column.DISTANCE, False
        self._palette = DARK

    def set_palette(self, palette: Palette) -> None:
        """Use these colours."""
        self._palette = palette
        self._renew()

    def set_rows(self, rows: Sequence[AlertRow]) -> None:
        """List these instead."""
        self._all = rows
        self._renew()

    def arrange(
        self,
        *,
        shelf: Shelf | None = None,
        text: str | None = None,
        column: Column | None = None,
        descending: bool | None = None,
    ) -> None:
        """List another shelf, only what has a text in it, or in another order."""
        self._shelf = self._shelf if shelf is None else shelf
        self._text = self._text if text is None else text.casefold()
        self._column = self._column if column is None else column
        self._descending = self._descending if descending is None else descending
        self._renew()

    def number(self, shelf: Shelf) -> int:
        """Return how many alerts are on a shelf."""
        return sum(map(shelf.holds, self._all))

    def row_of(self, alert_id: int | None) -> int | None:
        """Return where an alert is listed; None: it is not."""
        return next((at for at, row in enumerate(self.rows) if row.alert_id == alert_id), None)

    def shelf_of(self, alert_id: int) -> Shelf | None:
        """Return the shelf of an alert; None: there is no such alert."""
        row = next((row for row in self._all if row.alert_id == alert_id), None)
        return None if row is None else next(shelf for shelf in Shelf if shelf.holds(row))

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008  # because Qt's signature has it
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008  # because Qt's signature has it
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        column = COLUMNS[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.value
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column in (Column.DISTANCE, Column.FIRED) else _LEFT
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self.rows[index.row()], COLUMNS[index.column()]
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text_of(row, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._spoken(row, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column in (Column.DISTANCE, Column.FIRED) else _LEFT
        if role == Qt.ItemDataRole.ForegroundRole and column in (Column.DISTANCE, Column.ENDS):
            return QColor(self._palette.dim)
        if role == Qt.ItemDataRole.ToolTipRole and column in (Column.ALERT, Column.ON):
            return f"{row.title}\n{row.words}" if column is Column.ALERT else _switch_tip(row)
        return None

    def _text_of(self, row: AlertRow, column: Column) -> str | None:
        match column:
            case Column.ALERT:
                return row.title
            case Column.SYMBOL:
                return row.symbol.display_name if row.symbol else "all"
            case Column.DISTANCE:
                return distance_text(row)
            case Column.FIRED:
                return count(row.fired)
            case Column.ENDS:
                return row.ends
            case _:
                return None

    def _spoken(self, row: AlertRow, column: Column) -> str:
        match column:
            case Column.ALERT:
                return f"{row.title}. {row.words}"
            case Column.TELLS:
                channels = [text for on, text in ((row.notifies, "notification"), (row.sounds, "sound")) if on]
                return " and ".join(channels) or "no notification"
            case Column.ON:
                return row.state.value
            case _:
                return self._text_of(row, column) or ""

    def _renew(self) -> None:
        found = [row for row in self._all if self._shelf.holds(row) and self._text in _searched(row)]
        found.sort(key=lambda row: row.alert_id)
        found.sort(key=_KEYS[self._column], reverse=self._descending)
        if found == self.rows:
            return
        self.beginResetModel()
        self.rows = found
        self.endResetModel()


def _searched(row: AlertRow) -> str:
    return f"{row.title} {row.words} {row.symbol.name if row.symbol else 'all'}".casefold()


def _switch_tip(row: AlertRow) -> str:
    return {AlertState.WAITING: "Pause", AlertState.PAUSED: "Resume"}.get(row.state, row.state.value.capitalize())


class FiringColumn(Enum):
    """A column of the history; the value is its head."""

    TIME = "Time, UTC"
    ALERT = "Alert"
    SYMBOL = "Symbol"
    PRICE = "Price"
    TRADE = "By trade"
    WHY = "Why"


FIRING_COLUMNS = tuple(FiringColumn)


class HistoryModel(QAbstractTableModel):
    """Firings, the newest first."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: Sequence[FiringRow] = ()
        self._palette = DARK

    def set_palette(self, palette: Palette) -> None:
        """Use these colours."""
        self._palette = palette
        self.layoutChanged.emit()

    def set_rows(self, rows: Sequence[FiringRow]) -> None:
        """Show these instead."""
        if list(rows) != list(self.rows):
            self.beginResetModel()
            self.rows = rows
            self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008  # because Qt's signature has it
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008  # because Qt's signature has it
        return 0 if parent.isValid() else len(FIRING_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return FIRING_COLUMNS[section].value
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if FIRING_COLUMNS[section] is FiringColumn.PRICE else _LEFT
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self.rows[index.row()], FIRING_COLUMNS[index.column()]
        if role == ROW_ROLE:
            return row
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return _firing_text(row, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column is FiringColumn.PRICE else _LEFT
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._colour(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return _firing_tip(row, column)
        return None

    def _colour(self, row: FiringRow, column: FiringColumn) -> QColor | None:
        if column is FiringColumn.TRADE and row.trade_id is not None:
            return QColor(self._palette.accent)
        if column is FiringColumn.WHY and (row.late or row.is_provisional):
            return QColor(self._palette.warning)
        return QColor(self._palette.dim) if column in (FiringColumn.TIME, FiringColumn.WHY) else None


def _firing_text(row: FiringRow, column: FiringColumn) -> str:
    match column:
        case FiringColumn.TIME:
            moment = datetime.fromtimestamp(row.time_us / 1e6, UTC)
            return f"{moment:%d %b %H:%M:%S}.{row.time_us // 1000 % 1000:03}"
        case FiringColumn.ALERT:
            return row.title
        case FiringColumn.SYMBOL:
            return row.symbol.display_name if row.symbol else "all"
        case FiringColumn.PRICE:
            return row.price or UNKNOWN
        case FiringColumn.TRADE:
            return UNKNOWN if row.trade_id is None else count(row.trade_id)
        case _:
            marks = [row.late, "provisional" if row.is_provisional else "", row.why]
            return " · ".join(filter(None, marks))


def _firing_tip(row: FiringRow, column: FiringColumn) -> str | None:
    if column is FiringColumn.TRADE and row.trade_id is not None:
        return "Show it on the chart"
    if column is FiringColumn.WHY and row.late:
        return "The trade came with a repair or an import, or no program was recording: it was judged then."
    if column is FiringColumn.WHY and row.is_provisional:
        return "Trades before it are missing, or not stored yet: it is judged again once they are."
    return _firing_text(row, column) if column in (FiringColumn.WHY, FiringColumn.ALERT) else None
