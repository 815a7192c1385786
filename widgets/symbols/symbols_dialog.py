"""
The dialog that edits one of the watchlist's lists as a whole: by typing, pasting, sorting, or adding a quote asset.

Names are separated by line breaks, commas or spaces, and written in any of the usual ways: BTCUSDT, btc-usdt, BTC. The
dialog checks them while they are typed. Saving is a request; if the program refuses it, the dialog shows why.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Container, Iterable, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.market.errors import UsageError
from app.market.symbol import Symbol, broker_of, read_symbol
from widgets.controls.dialog_frame import PADDING_PX, size_first
from widgets.controls.labels import label
from widgets.controls.number_format import count
from widgets.theme import style

_MAX_NAMED = 5
_SIZE_PX = (460, 480)


def names_in(text: str, known: Container[str] = ()) -> list[str]:
    """
    Return the symbol names in a text, each once and in order, as the exchange writes them.

    They are read by `app.market.symbol.read_symbol`, to which ``known`` goes; what it refuses is returned as it stands.
    """
    # Brackets and quotes separate too: lists are pasted from configuration files and code.
    return list(dict.fromkeys(_name(word, known) for word in re.findall(r"[^\s,;\[\]\"'()]+", text)))


def unknown_names(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the names that their broker, of which some symbols are ``known``, does not list."""
    listed = frozenset(known)
    # A broker that is not connected yet has listed nothing, and refuses nothing.
    brokers = {broker_of(name) for name in listed}
    return [name for name in names if name not in listed and broker_of(name) in brokers]


def _name(word: str, known: Container[str]) -> str:
    try:
        return read_symbol(word, known)
    except UsageError:
        return word.upper()


def unknown_sentence(names: Sequence[str]) -> str:
    """Return the sentence that says the exchange has no such symbols."""
    shown = ", ".join(f"“{name}”" for name in names[:_MAX_NAMED])
    more = f" and {count(len(names) - _MAX_NAMED)} more" if len(names) > _MAX_NAMED else ""
    are = "is not a symbol" if len(names) == 1 else "are not symbols"
    return f"{shown}{more} {are} of the exchange: correct or remove {'it' if len(names) == 1 else 'them'}."


class SymbolsDialog(QDialog):
    """
    Edits the names of the list ``list_name``, at first ``names``.

    A name that is not among the exchange's ``symbols`` is refused. Names already on the list are always accepted, even
    if the exchange has delisted them; so is any name while the exchange's symbols are not known.

    Signals:
        list_requested: Use this list; carries the names. Answer with ``accept()`` or `refuse`.
    """

    list_requested = Signal(list)

    def __init__(
        self,
        names: Sequence[str],
        symbols: Collection[Symbol],
        parent: QWidget | None = None,
        *,
        list_name: str = "Main",
    ) -> None:
        super().__init__(parent)
        self.setFont(style.font())
        self.setWindowTitle(f"Symbols of “{list_name}”")
        self._symbols: dict[str, Symbol] = {}
        self._listed_before = frozenset(names)
        self.edit = QPlainTextEdit()
        self.edit.setAccessibleName("Symbols")
        self.edit.setFont(style.fixed_font())
        self.edit.setPlaceholderText("BTCUSDT, ETHUSDT, …")
        self.edit.setTabChangesFocus(True)
        self.edit.setPlainText("\n".join(names))
        self.quote = QComboBox()
        self.quote.setAccessibleName("Quote asset")
        self.fill_button = QPushButton("Add all")
        self.sort_button = QPushButton("Sort")
        self.message = label("", "dim")
        self.message.setWordWrap(True)
        # Not Qt's box of buttons: made before it is in the window, it has the desktop's icons whatever the stylesheet.
        self.cancel_button, self.save_button = QPushButton("Cancel"), QPushButton("Save")
        for other in (self.fill_button, self.sort_button, self.cancel_button):
            other.setAutoDefault(False)  # Enter saves
        self._arrange()
        self.save_button.setDefault(True)
        size_first(self, *_SIZE_PX)
        self.set_symbols(symbols)
        self.edit.textChanged.connect(self._check)
        self.fill_button.clicked.connect(self._fill)
        self.sort_button.clicked.connect(lambda: self._set_names(sorted(self.names())))
        self.save_button.clicked.connect(lambda: self.list_requested.emit(self.names()))
        self.cancel_button.clicked.connect(self.reject)
        self.edit.setFocus()

    def names(self) -> list[str]:
        """Return the names typed so far."""
        return names_in(self.edit.toPlainText(), self._symbols)

    def set_symbols(self, symbols: Collection[Symbol]) -> None:
        """Check against these symbols of the exchange from now on. Keeps the text typed."""
        self._symbols = {symbol.name: symbol for symbol in symbols}
        chosen = self.quote.currentData()
        markets = Counter(symbol.quote for symbol in symbols if symbol.is_trading and symbol.quote)
        self.quote.clear()
        for quote, number in markets.most_common():
            self.quote.addItem(f"{quote} · {count(number)}", quote)
        self.quote.setCurrentIndex(max(self.quote.findData(chosen), 0))
        self.fill_button.setEnabled(bool(markets))
        self._check()

    def refuse(self, sentence: str) -> None:
        """Show why the list was refused."""
        style.set_tone(self.message, "warning")
        self.message.setText(sentence)

    def _arrange(self) -> None:
        helpers = QHBoxLayout()
        helpers.setSpacing(8)
        helpers.addWidget(label("All that trade in", "dim"))
        helpers.addWidget(self.quote)
        helpers.addWidget(self.fill_button)
        helpers.addStretch(1)
        helpers.addWidget(self.sort_button)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addStretch(1)
        foot.addWidget(self.cancel_button)
        foot.addWidget(self.save_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(PADDING_PX, PADDING_PX, PADDING_PX, 12)
        layout.setSpacing(10)
        about = label(
            "The symbols of every list are recorded all the time. One a line, or separated by commas.",
            "dim",
        )
        about.setWordWrap(True)
        layout.addWidget(about)
        layout.addWidget(self.edit, 1)
        layout.addLayout(helpers)
        layout.addWidget(self.message)
        layout.addLayout(foot)

    def _check(self) -> None:
        names = self.names()
        unknown = [name for name in unknown_names(names, self._symbols) if name not in self._listed_before]
        if unknown:
            self.refuse(unknown_sentence(unknown))
        else:
            style.set_tone(self.message, "dim")
            halted = sum(1 for name in names if name in self._symbols and not self._symbols[name].is_trading)
            waiting = f" · {count(halted)} not trading now" if halted else ""
            self.message.setText(f"{count(len(names))} {'symbol' if len(names) == 1 else 'symbols'}{waiting}")
        self.save_button.setEnabled(bool(names) and not unknown)

    def _fill(self) -> None:
        quote = self.quote.currentData()
        found = [name for name, symbol in self._symbols.items() if symbol.quote == quote and symbol.is_trading]
        self._set_names(list(dict.fromkeys([*self.names(), *found])))

    def _set_names(self, names: Sequence[str]) -> None:
        self.edit.selectAll()
        self.edit.insertPlainText("\n".join(names))  # not setPlainText: that clears the undo history
