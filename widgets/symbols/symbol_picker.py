"""
The symbol picker: a line to type into, over the list of symbols that match.

It has two uses: to choose the symbol to show, or, when ``adding``, the symbols of the watchlist. For the second it
stays open, and each Enter or click adds a symbol or removes it. Either choice leaves as a signal. It searches with
`SymbolSearch` and knows nothing of the exchange.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import QApplication, QHBoxLayout, QPushButton, QWidget

from app.market.symbol import Symbol
from widgets.controls.labels import label
from widgets.controls.list_picker import ROW_ROLE, Index, ListPicker, RowDelegate, RowModel
from widgets.controls.number_format import count
from widgets.symbols.symbol_search import SymbolSearch
from widgets.theme import style

WATCHED_ROLE = ROW_ROLE + 1
RECORDED_ROLE = ROW_ROLE + 2


class SymbolListModel(RowModel[Symbol]):
    """The symbols that match, best first, each with whether it is watched and recorded."""

    watched: Collection[str] = frozenset()
    recorded: Collection[str] = frozenset()

    def title(self, row: Symbol) -> str:
        return row.full_name

    def spoken(self, row: Symbol) -> str:
        watched = "in the watchlist" if row.name in self.watched else ""
        return ", ".join(part for part in (row.full_name, row.trouble, watched) if part)

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
    Draws a symbol: base asset, quote asset in a dimmer colour, and at the right its name or why it does not trade.

    With ``ticks``, a box shows whether it is in the watchlist; otherwise a dot shows that it is recorded.
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
        painter.setPen(QColor(palette.warning if symbol.trouble else palette.dim))
        painter.drawText(
            inner, middle | Qt.AlignmentFlag.AlignRight, symbol.trouble or symbol.broker_note or symbol.name
        )

    def _paint_tick(self, painter: QPainter, inner: QRect, *, ticked: bool) -> None:
        box = QRect(inner.left(), inner.center().y() - 7, 14, 14)
        painter.setPen(QColor(self.palette.fill if ticked else self.palette.faint))
        painter.setBrush(QColor(self.palette.fill) if ticked else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box, 3, 3)
        if ticked:
            painter.setPen(QPen(QColor(self.palette.on_fill), 1.6))
            painter.drawPolyline(
                [box.topLeft() + QPoint(3, 7), box.topLeft() + QPoint(6, 10), box.topLeft() + QPoint(11, 4)]
            )


class SymbolPicker(ListPicker):
    """
    A search over all symbols. Symbols that do not trade come last and say why.

    Signals:
        symbol_requested: Show this symbol; carries its name.
        watch_add_requested, watch_remove_requested: Add this symbol to the watchlist, or remove it; carry its name.
        watch_many_requested: Add all trading symbols that match to the watchlist; carries their names.
    """

    symbol_requested = Signal(str)
    watch_add_requested = Signal(str)
    watch_remove_requested = Signal(str)
    watch_many_requested = Signal(list)

    model: SymbolListModel
    _delegate: SymbolDelegate

    def __init__(self, window: QWidget) -> None:
        super().__init__(window, SymbolListModel(), SymbolDelegate())
        self.setAccessibleName("Choose a symbol")
        self._symbols: Sequence[Symbol] | None = None
        self._watched: Collection[str] = ()
        self._search = SymbolSearch(())
        self._adding = False
        self._text = ""
        self._to_add: list[str] = []
        self.edit.setAccessibleName("Search symbols")
        self.list.setAccessibleName("Matching symbols")
        self.footer = label("", "faint", style.font(style.SMALL_PX))
        self.hint = label("", "faint", style.font(style.SMALL_PX))
        self.all_button = QPushButton()
        self.all_button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.all_button.setFont(style.font(style.SMALL_PX))
        self.all_button.setToolTip("Ctrl+Enter")
        self._arrange()
        self.all_button.clicked.connect(self._choose_all)
        self.edit.textChanged.connect(self._refresh)

    def set_symbols(self, symbols: Sequence[Symbol]) -> None:
        """Offer these; until the first call, the picker says it is loading. Keeps the text typed and the selection."""
        self._symbols = symbols
        self._rebuild()

    def set_watched(self, names: Collection[str]) -> None:
        """Mark these as in the watchlist, and list them first while nothing is typed."""
        if names != self._watched:
            self._watched = names
            self.model.watched = frozenset(names)
            self._rebuild()

    def set_recorded(self, names: Collection[str]) -> None:
        """Mark these as recorded."""
        self.model.recorded = frozenset(names)
        self.list.viewport().update()

    def open_for(self, text: str, top_left: QPoint, *, adding: bool = False) -> None:
        """Open with ``text`` typed, to choose the symbol to show or, when ``adding``, symbols for the watchlist."""
        self._adding = adding
        self.edit.setPlaceholderText(
            "Add symbols to the watchlist" if adding else "Search symbols: btc, eth/btc, oanda:eur/usd …"
        )
        self.hint.setText("Enter add or remove   Esc done" if adding else "Enter open   Shift+Enter watch   Esc close")
        self._delegate.ticks = adding
        self._rebuild()
        self.edit.setText(text)
        self._refresh()
        self._select(0)
        self.open_at(top_left, self.edit)
        self.edit.end(False)

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ShortcutOverride and self._adds_all(cast(QKeyEvent, event)):
            event.accept()  # the window's command of that key waits until the picker is closed
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._adds_all(event):
            self._choose_all()
        else:
            super().keyPressEvent(event)

    def _adds_all(self, event: QKeyEvent) -> bool:
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        return self._adding and is_enter and bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)

    def _arrange(self) -> None:
        foot = QHBoxLayout()
        foot.setContentsMargins(4, 0, 4, 0)
        foot.addWidget(self.footer)
        foot.addWidget(self.all_button)
        foot.addStretch(1)
        foot.addWidget(self.hint)
        self._layout.addLayout(foot)

    def _rebuild(self) -> None:
        if self._symbols is not None:
            # While symbols are being added, the order stays: each tick would move rows under the mouse.
            self._search = SymbolSearch(self._symbols, first=() if self._adding else self._watched)
            if self.isVisible():
                self._refresh()

    def _refresh(self) -> None:
        text = self.edit.text()
        found = self._search.matches(text)
        # New text selects the best match; new symbols keep the selection and the scroll position.
        chosen, typed = self._selected_name(), text != self._text
        self._text = text
        place = self.list.verticalScrollBar().value()
        self._show_rows(found, self._nothing_found(text.strip()))
        row = -1 if typed else self.model.row_of(chosen)
        if row >= 0:
            self.list.verticalScrollBar().setValue(place)
        self._select(max(row, 0))
        if self._symbols is None:
            self.footer.setText("")
        else:
            self._count([symbol.name for symbol in found if symbol.is_trading])

    def _count(self, trading: list[str]) -> None:
        """Show how many of the symbols that trade are listed, and offer to add all of them."""
        # It says “Trading”, because the list may also hold symbols that do not trade: rows and count would differ.
        self.footer.setText(f"Trading: {count(len(trading))} of {count(len(self._search))}")
        self._to_add = [name for name in trading if name not in self.model.watched]
        self.all_button.setText(f"Add all {count(len(self._to_add))}")
        self.all_button.setVisible(self._adding and bool(self._text.strip()) and len(self._to_add) > 1)

    def _nothing_found(self, text: str) -> str:
        if self._symbols is None:
            return "Loading the exchange's symbols…"
        return f"No symbol matches “{text}”." if text else "The exchange lists no symbols."

    def _choose(self) -> None:
        if QApplication.keyboardModifiers() & Qt.KeyboardModifier.ShiftModifier or self._adding:
            self._toggle()
        elif name := self._selected_name():
            self.dismiss()
            self.symbol_requested.emit(name)

    def _toggle(self) -> None:
        """Request that the selected symbol be added to the watchlist, or removed from it."""
        if name := self._selected_name():
            watched = name in self.model.watched
            (self.watch_remove_requested if watched else self.watch_add_requested).emit(name)
            self.edit.selectAll()  # so that typing the next name replaces this one

    def _choose_all(self) -> None:
        if self.edit.text().strip() and self._to_add:  # never the whole exchange, by a slip of the hand
            self.watch_many_requested.emit(list(self._to_add))

    def _selected_name(self) -> str:
        symbol: Symbol | None = self._current()
        return symbol.name if symbol is not None else ""
