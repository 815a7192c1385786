"""
The symbol picker: a line to type into over the list of what matches.

The same panel serves two questions, which symbol to show and which to add to the watchlist; the answer is a signal
either way. It holds a `SymbolSearch` and knows nothing of the exchange.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QListView,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.market.symbol import Symbol
from widgets import icons, style
from widgets.labels import label
from widgets.numbers import count
from widgets.overlay import Overlay
from widgets.symbol_search import SymbolSearch
from widgets.theme import DARK, Palette

_Index = QModelIndex | QPersistentModelIndex
SYMBOL_ROLE = Qt.ItemDataRole.UserRole


class SymbolListModel(QAbstractListModel):
    """The symbols that match now, best first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._symbols: list[Symbol] = []

    def set_symbols(self, symbols: list[Symbol]) -> None:
        self.beginResetModel()
        self._symbols = symbols
        self.endResetModel()

    def rowCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._symbols)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        symbol = self._symbols[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return symbol.display_name
        return symbol if role == SYMBOL_ROLE else None


class SymbolPicker(Overlay):
    """
    Search over all TRADING symbols.

    Signals:
        symbol_requested: A symbol was chosen to be shown; carries its name.
        watch_add_requested: A symbol was chosen for the watchlist; carries its name.
    """

    symbol_requested = Signal(str)
    watch_add_requested = Signal(str)

    _SIZE = QSize(440, 440)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAccessibleName("Choose a symbol")
        self._symbols: Sequence[Symbol] | None = None
        self._watched: Collection[str] = ()
        self._search = SymbolSearch(())
        self._adding = False
        self.edit = QLineEdit()
        self.edit.setAccessibleName("Search symbols")
        self.edit.setClearButtonEnabled(False)
        self._glass = self.edit.addAction(icons.icon("search", DARK.dim), QLineEdit.ActionPosition.LeadingPosition)
        self.model = SymbolListModel(self)
        self.list = self._make_list()
        self.message = label("", "dim")
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        self.footer = label("", "faint", style.font(style.SMALL_PX))
        self.hint = label("", "faint", style.font(style.SMALL_PX))
        self._arrange()
        self.edit.textChanged.connect(self._refresh)
        self.edit.returnPressed.connect(self._choose)
        self.list.clicked.connect(self._choose)

    def set_symbols(self, symbols: Sequence[Symbol]) -> None:
        """Offer these; the ones not TRADING are left out. Until the first call the picker says it is loading."""
        self._symbols = symbols
        self._rebuild()

    def set_watched(self, names: Collection[str]) -> None:
        """List these first while nothing is typed; they cannot be added once more."""
        if names != self._watched:
            self._watched = names
            self._rebuild()

    def set_palette(self, palette: Palette) -> None:
        self._delegate.palette = palette
        self._glass.setIcon(icons.icon("search", palette.dim))

    def open_for(self, text: str, top_left: QPoint, *, adding: bool = False) -> None:
        """Open with ``text`` already typed, to show a symbol or, with ``adding``, to add one to the watchlist."""
        self._adding = adding
        self.edit.setPlaceholderText("Add a symbol to the watchlist" if adding else "Search symbols: btc, eth/btc …")
        self.hint.setText(f"↑ ↓ choose   Enter {'add' if adding else 'open'}   Esc close")
        self.edit.setText(text)
        self._refresh()
        self.open_at(top_left, self.edit)
        self.edit.end(False)

    def sizeHint(self) -> QSize:
        room = self._window.height() - 2 * 48 - 28
        return QSize(self._SIZE.width(), max(200, min(self._SIZE.height(), room)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        page = max(1, self.list.height() // SymbolDelegate.ROW_HEIGHT - 1)
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: page, Qt.Key.Key_PageUp: -page}
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        elif self.model.rowCount():
            row = self.list.currentIndex().row() + step
            self._select(max(0, min(self.model.rowCount() - 1, row)))

    def _make_list(self) -> QListView:
        view = QListView()
        view.setObjectName("pickerList")
        view.setAccessibleName("Matching symbols")
        view.setModel(self.model)
        view.setUniformItemSizes(True)
        view.setMouseTracking(True)
        view.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the arrow keys work from the line above
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._delegate = SymbolDelegate(view)
        view.setItemDelegate(self._delegate)
        return view

    def _arrange(self) -> None:
        self._pages = QStackedLayout()
        self._pages.addWidget(self.list)
        self._pages.addWidget(self.message)
        foot = QHBoxLayout()
        foot.setContentsMargins(4, 0, 4, 0)
        foot.addWidget(self.footer)
        foot.addStretch(1)
        foot.addWidget(self.hint)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.edit)
        layout.addLayout(self._pages, 1)
        layout.addLayout(foot)

    def _rebuild(self) -> None:
        if self._symbols is not None:
            self._search = SymbolSearch(self._symbols, first=self._watched)
            if self.isVisible():
                self._refresh()

    def _refresh(self) -> None:
        text = self.edit.text()
        found = self._offered(text)
        self.model.set_symbols(found)
        self._select(0)
        self._pages.setCurrentIndex(0 if found else 1)
        if self._symbols is None:
            self.message.setText("Loading the exchange's symbols…")
            self.footer.setText("")
            return
        self.message.setText(self._nothing_found(text.strip()))
        self.footer.setText(f"{count(len(found))} of {count(len(self._search))}")

    def _offered(self, text: str) -> list[Symbol]:
        found = self._search.matches(text)
        return [symbol for symbol in found if symbol.name not in self._watched] if self._adding else found

    def _nothing_found(self, text: str) -> str:
        if self._adding and self._search.matches(text):
            return "What matches is in the watchlist already."
        return f"No symbol matches “{text}”." if text else "The exchange lists no symbols."

    def _select(self, row: int) -> None:
        self.list.setCurrentIndex(self.model.index(row))

    def _choose(self) -> None:
        symbol = self.list.currentIndex().data(SYMBOL_ROLE)
        if symbol is None:
            return
        self.dismiss()
        (self.watch_add_requested if self._adding else self.symbol_requested).emit(symbol.name)


class SymbolDelegate(QStyledItemDelegate):
    """Draws a symbol: base asset, quote asset dimmer, the exchange's name at the right."""

    ROW_HEIGHT = 32

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.palette: Palette = DARK
        self._font = style.font()
        self._small = style.font(style.SMALL_PX)

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(0, self.ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        symbol: Symbol = index.data(SYMBOL_ROLE)
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        palette = self.palette
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            color = QColor(palette.dim)
            color.setAlphaF(0.10)
            if state & QStyle.StateFlag.State_Selected:
                color = QColor(palette.accent)
                color.setAlphaF(0.22)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            painter.drawRoundedRect(rect, 6, 6)
        inner = rect.adjusted(12, 0, -12, 0)
        middle = Qt.AlignmentFlag.AlignVCenter
        base, slash_quote = _parts(symbol)
        painter.setFont(self._font)
        painter.setPen(QColor(palette.text))
        painter.drawText(inner, middle, base)
        painter.setPen(QColor(palette.dim))
        painter.drawText(inner.adjusted(painter.fontMetrics().horizontalAdvance(base), 0, 0, 0), middle, slash_quote)
        painter.setFont(self._small)
        painter.setPen(QColor(palette.faint))
        painter.drawText(inner, middle | Qt.AlignmentFlag.AlignRight, symbol.name)
        painter.restore()


def _parts(symbol: Symbol) -> tuple[str, str]:
    base, slash, quote = symbol.display_name.partition("/")
    return base, slash + quote
