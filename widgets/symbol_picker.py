"""
The symbol picker: a line to type into over the list of what matches.

The same panel serves two questions, which symbol to show and which to have in the watchlist; the answer is a signal
either way. For the second it stays open: each Enter or click puts a symbol on the list or takes it off. It holds a
`SymbolSearch` and knows nothing of the exchange.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QPushButton,
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
WATCHED_ROLE = Qt.ItemDataRole.UserRole + 1
RECORDED_ROLE = Qt.ItemDataRole.UserRole + 2


class SymbolListModel(QAbstractListModel):
    """The symbols that match now, best first, and which of them are watched and recorded."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._symbols: list[Symbol] = []
        self.watched: Collection[str] = frozenset()
        self.recorded: Collection[str] = frozenset()

    def set_symbols(self, symbols: list[Symbol]) -> None:
        self.beginResetModel()
        self._symbols = symbols
        self.endResetModel()

    def row_of(self, name: str) -> int:
        """Return the row of that symbol, or -1."""
        return next((row for row, symbol in enumerate(self._symbols) if symbol.name == name), -1)

    def rowCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._symbols)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        symbol = self._symbols[index.row()]
        if role == WATCHED_ROLE:
            return symbol.name in self.watched
        if role == RECORDED_ROLE:
            return symbol.name in self.recorded and symbol.is_trading
        if role == Qt.ItemDataRole.DisplayRole:
            return symbol.display_name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            watched = "in the watchlist" if symbol.name in self.watched else ""
            return ", ".join(part for part in (symbol.display_name, symbol.trouble, watched) if part)
        return symbol if role == SYMBOL_ROLE else None


class SymbolPicker(Overlay):
    """
    Search over all symbols; those that do not trade come last and say why.

    Signals:
        symbol_requested: A symbol was chosen to be shown; carries its name.
        watch_add_requested, watch_remove_requested: A symbol is to join or leave the watchlist; carry its name.
        watch_many_requested: All that match are to join the watchlist; carries their names.
    """

    symbol_requested = Signal(str)
    watch_add_requested = Signal(str)
    watch_remove_requested = Signal(str)
    watch_many_requested = Signal(list)

    _SIZE = QSize(440, 440)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAccessibleName("Choose a symbol")
        self._symbols: Sequence[Symbol] | None = None
        self._watched: Collection[str] = ()
        self._search = SymbolSearch(())
        self._adding = False
        self._text = ""
        self._more: list[str] = []
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
        self.all_button = QPushButton()
        self.all_button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.all_button.setFont(style.font(style.SMALL_PX))
        self.all_button.setToolTip("Ctrl+Enter")
        self._arrange()
        self.all_button.clicked.connect(self._choose_all)
        self.edit.textChanged.connect(self._refresh)
        self.edit.returnPressed.connect(self._choose)
        self.list.clicked.connect(self._choose)

    def set_symbols(self, symbols: Sequence[Symbol]) -> None:
        """Offer these. Until the first call the picker says it is loading. What is typed and chosen stays."""
        self._symbols = symbols
        self._rebuild()

    def set_watched(self, names: Collection[str]) -> None:
        """Tick these, and list them first while nothing is typed."""
        if names != self._watched:
            self._watched = names
            self.model.watched = frozenset(names)
            self._rebuild()

    def set_recorded(self, names: Collection[str]) -> None:
        """Mark these as recorded."""
        self.model.recorded = frozenset(names)
        self.list.viewport().update()

    def set_palette(self, palette: Palette) -> None:
        self._delegate.palette = palette
        self._glass.setIcon(icons.icon("search", palette.dim))

    def open_for(self, text: str, top_left: QPoint, *, adding: bool = False) -> None:
        """Open with ``text`` already typed, to show a symbol or, with ``adding``, to add one to the watchlist."""
        self._adding = adding
        self.edit.setPlaceholderText("Add symbols to the watchlist" if adding else "Search symbols: btc, eth/btc …")
        self.hint.setText("Enter add or remove   Esc done" if adding else "Enter open   Shift+Enter watch   Esc close")
        self._delegate.ticks = adding
        self._rebuild()
        self.edit.setText(text)
        self._refresh()
        self._select(0)
        self.open_at(top_left, self.edit)
        self.edit.end(False)

    def sizeHint(self) -> QSize:
        room = self._window.height() - 2 * 48 - 28
        return QSize(style.px(self._SIZE.width()), max(200, min(self._SIZE.height(), room)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        page = max(1, self.list.height() // style.px(SymbolDelegate.ROW_HEIGHT) - 1)
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: page, Qt.Key.Key_PageUp: -page}
        step = steps.get(Qt.Key(event.key()))
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                self._choose_all()
            elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self._toggle()
        elif step is None:
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
        foot.addWidget(self.all_button)
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
            # A list that is being ticked must not jump under the hand.
            self._search = SymbolSearch(self._symbols, first=() if self._adding else self._watched)
            if self.isVisible():
                self._refresh()

    def _refresh(self) -> None:
        text = self.edit.text()
        found = self._search.matches(text)
        chosen, typed = self._chosen_name(), text != self._text
        self._text = text
        place = self.list.verticalScrollBar().value()
        self.model.set_symbols(found)
        row = -1 if typed else self.model.row_of(chosen)
        if row >= 0:
            self.list.verticalScrollBar().setValue(place)
        self._select(max(row, 0))
        self._pages.setCurrentIndex(0 if found else 1)
        if self._symbols is None:
            self.message.setText("Loading the exchange's symbols…")
            self.footer.setText("")
            return
        self.message.setText(self._nothing_found(text.strip()))
        trading = sum(symbol.is_trading for symbol in found)
        self.footer.setText(f"{count(trading)} of {count(len(self._search))}")
        self._more = [one.name for one in found if one.is_trading and one.name not in self.model.watched]
        self.all_button.setText(f"Add all {count(len(self._more))}")
        self.all_button.setVisible(self._adding and bool(text.strip()) and len(self._more) > 1)

    def _nothing_found(self, text: str) -> str:
        return f"No symbol matches “{text}”." if text else "The exchange lists no symbols."

    def _select(self, row: int) -> None:
        self.list.setCurrentIndex(self.model.index(row))

    def _choose(self) -> None:
        if QApplication.keyboardModifiers() & Qt.KeyboardModifier.ShiftModifier or self._adding:
            self._toggle()
        elif name := self._chosen_name():
            self.dismiss()
            self.symbol_requested.emit(name)

    def _toggle(self) -> None:
        """Put the chosen symbol on the watchlist, or take it off."""
        if name := self._chosen_name():
            watched = name in self.model.watched
            (self.watch_remove_requested if watched else self.watch_add_requested).emit(name)
            self.edit.selectAll()  # the next name takes the place of this one

    def _choose_all(self) -> None:
        if self._adding and self.edit.text().strip() and self._more:
            self.watch_many_requested.emit(list(self._more))

    def _chosen_name(self) -> str:
        symbol = self.list.currentIndex().data(SYMBOL_ROLE)
        return symbol.name if symbol is not None else ""


class SymbolDelegate(QStyledItemDelegate):
    """
    Draws a symbol: base asset, quote asset dimmer, the exchange's name at the right, or why it does not trade.

    With ``ticks``, boxes say which are in the watchlist; else a dot says which are recorded.
    """

    ROW_HEIGHT = 32

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.palette: Palette = DARK
        self.ticks = False
        self._font = style.font()
        self._small = style.font(style.SMALL_PX)

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(0, style.px(self.ROW_HEIGHT))

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
        if self.ticks:
            self._paint_tick(painter, inner, ticked=bool(index.data(WATCHED_ROLE)))
            inner.adjust(26, 0, 0, 0)
        elif index.data(RECORDED_ROLE):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(palette.rising))
            painter.drawEllipse(QRect(rect.left() + 4, rect.center().y() - 2, 5, 5))
        middle = Qt.AlignmentFlag.AlignVCenter
        base, slash_quote = _parts(symbol)
        painter.setFont(self._font)
        painter.setPen(QColor(palette.dim if symbol.trouble else palette.text))
        painter.drawText(inner, middle, base)
        painter.setPen(QColor(palette.dim))
        painter.drawText(inner.adjusted(painter.fontMetrics().horizontalAdvance(base), 0, 0, 0), middle, slash_quote)
        painter.setFont(self._small)
        painter.setPen(QColor(palette.warning if symbol.trouble else palette.faint))
        painter.drawText(inner, middle | Qt.AlignmentFlag.AlignRight, symbol.trouble or symbol.name)
        painter.restore()

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


def _parts(symbol: Symbol) -> tuple[str, str]:
    base, slash, quote = symbol.display_name.partition("/")
    return base, slash + quote
