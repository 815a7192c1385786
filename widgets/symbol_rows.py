"""The rows of the symbol picker: what is known of each symbol, and how that is drawn."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.market.symbol import Symbol
from widgets import style
from widgets.list_picker import ROW_ROLE, Index, RowDelegate, RowModel

WATCHED_ROLE = ROW_ROLE + 1
RECORDED_ROLE = ROW_ROLE + 2


class SymbolListModel(RowModel[Symbol]):
    """The symbols that match now, best first, and which of them are watched and recorded."""

    watched: Collection[str] = frozenset()
    recorded: Collection[str] = frozenset()

    def title(self, row: Symbol) -> str:
        return row.display_name

    def spoken(self, row: Symbol) -> str:
        watched = "in the watchlist" if row.name in self.watched else ""
        return ", ".join(part for part in (row.display_name, row.trouble, watched) if part)

    def row_of(self, name: str) -> int:
        """Return the row of that symbol, or -1."""
        return next((row for row, symbol in enumerate(self.rows) if symbol.name == name), -1)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if index.isValid() and role in (WATCHED_ROLE, RECORDED_ROLE):
            symbol = self.rows[index.row()]
            if role == WATCHED_ROLE:
                return symbol.name in self.watched
            return symbol.name in self.recorded and symbol.is_trading
        return super().data(index, role)


class SymbolDelegate(RowDelegate):
    """
    Draws a symbol: base asset, quote asset dimmer, the exchange's name at the right, or why it does not trade.

    With ``ticks``, boxes say which are in the watchlist; else a dot says which are recorded.
    """

    ticks = False

    def paint_row(self, painter: QPainter, rect: QRect, index: Index) -> None:
        symbol: Symbol = index.data(ROW_ROLE)
        inner = rect.adjusted(12, 0, -12, 0)
        if self.ticks:
            self._paint_tick(painter, inner, ticked=bool(index.data(WATCHED_ROLE)))
            inner.adjust(26, 0, 0, 0)
        elif index.data(RECORDED_ROLE):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self.palette.rising))
            painter.drawEllipse(QRect(rect.left() + 4, rect.center().y() - 2, 5, 5))
        self._paint_texts(painter, inner, symbol)

    def _paint_texts(self, painter: QPainter, inner: QRect, symbol: Symbol) -> None:
        palette, middle = self.palette, Qt.AlignmentFlag.AlignVCenter
        base, slash, quote = symbol.display_name.partition("/")
        painter.setFont(style.font())
        painter.setPen(QColor(palette.dim if symbol.trouble else palette.text))
        painter.drawText(inner, middle, base)
        painter.setPen(QColor(palette.dim))
        behind = inner.adjusted(painter.fontMetrics().horizontalAdvance(base), 0, 0, 0)
        painter.drawText(behind, middle, slash + quote)
        painter.setFont(style.font(style.SMALL_PX))
        painter.setPen(QColor(palette.warning if symbol.trouble else palette.faint))
        painter.drawText(inner, middle | Qt.AlignmentFlag.AlignRight, symbol.trouble or symbol.name)

    def _paint_tick(self, painter: QPainter, inner: QRect, *, ticked: bool) -> None:
        box = QRect(inner.left(), inner.center().y() - 7, 14, 14)
        painter.setPen(QColor(self.palette.accent if ticked else self.palette.faint))
        painter.setBrush(QColor(self.palette.accent) if ticked else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box, 3, 3)
        if ticked:
            painter.setPen(QPen(QColor(self.palette.on_accent), 1.6))
            painter.drawPolyline(
                [box.topLeft() + QPoint(3, 7), box.topLeft() + QPoint(6, 10), box.topLeft() + QPoint(11, 4)]
            )
