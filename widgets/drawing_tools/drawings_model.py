"""The drawings of one symbol as a table for Qt: the topmost first, with columns for the name, the eye and the lock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal

from app.market.drawings.drawing import Drawing, DrawingKind
from widgets.chart.drawings.kinds import KINDS

NAME, EYE, LOCK = range(3)
Index = QModelIndex | QPersistentModelIndex
_PRICED = (DrawingKind.HORIZONTAL_LINE, DrawingKind.FIBONACCI_RETRACEMENT, DrawingKind.PRICE_RANGE)


def title_of(drawing: Drawing) -> str:
    """Return what a drawing is called in the list: its text, else its kind."""
    return drawing.text.replace("\n", " ") or KINDS[drawing.kind].title


def detail_of(drawing: Drawing, decimals: int | None = None) -> str:
    """
    Return what tells a drawing from others of its kind: its prices, or its kind where it has a text.

    ``decimals``: the most that prices have; None: as many as they were placed with.
    """
    if drawing.text and drawing.kind not in (DrawingKind.TEXT, DrawingKind.NOTE):
        return KINDS[drawing.kind].title
    if drawing.kind in _PRICED:
        prices = (each.price if decimals is None else round(each.price, decimals) for each in drawing.anchors)
        return " to ".join(f"{price:,.10g}" for price in prices)
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
        self.decimals: int | None = None  # see `detail_of`

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

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # because Qt's signature has it
        return 0 if parent.isValid() else len(self.drawings)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # because Qt's signature has it
        return 0 if parent.isValid() else 3

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
        return flags if index.column() == NAME else flags | Qt.ItemFlag.ItemIsUserCheckable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        drawing, column = self.drawings[index.row()], index.column()
        is_on = drawing.hidden if column == EYE else drawing.locked
        if role == Qt.ItemDataRole.DisplayRole:
            return title_of(drawing) if column == NAME else None
        if role == Qt.ItemDataRole.CheckStateRole and column != NAME:
            return Qt.CheckState.Checked if is_on else Qt.CheckState.Unchecked
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return self._words(drawing, column)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
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
        return ", ".join(filter(None, (title, detail_of(drawing, self.decimals), *states)))
