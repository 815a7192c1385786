"""
The symbol picker and the interval entry of a window: both open under the top bar, by a button, a key, or by typing.

What is picked is the chart's, unless something else has asked for a symbol. A chart says that one may just type until
the user has done so once, which is remembered.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QPoint, Signal
from PySide6.QtWidgets import QWidget

from widgets.symbols.symbol_picker import SymbolPicker
from widgets.window.bars.interval_bar import IntervalEntry
from widgets.window.bars.top_bar import TopBar


class Choosers(QObject):
    """
    Opens ``picker`` and ``entry`` in ``window``, under ``bar``.

    ``knows_typing``: whether the user has typed a symbol or an interval.

    Signals:
        symbol_chosen: A symbol was picked for the chart; carries its name.
        picker_opened: The symbol picker opened, and should show the exchange's current symbols.
        typing_learnt: The user has typed a symbol or an interval for the first time.
    """

    symbol_chosen = Signal(str)
    picker_opened = Signal()
    typing_learnt = Signal()

    def __init__(self, window: QWidget, bar: TopBar) -> None:
        super().__init__(window)
        self.picker, self.entry = SymbolPicker(window), IntervalEntry(window)
        self.knows_typing = False
        self._window, self._bar = window, bar
        self._take_symbol: Callable[[str], object] | None = None
        self.picker.symbol_requested.connect(self._on_picked)

    def pick_symbol(self, take: Callable[[str], object], text: str = "") -> None:
        """Let the user pick a symbol for something else than the chart; ``take`` is called with its name."""
        self.open_picker(text)
        self._take_symbol = take

    def open_picker(self, text: str = "", *, adding: bool = False) -> None:
        """Open the picker under the top bar or, when ``adding`` to the watchlist, beside that."""
        self._take_symbol = None
        x = self._window.width() if adding else self._bar.symbol.x()
        self.picker.open_for(text, QPoint(x, self._below_bar()), adding=adding)
        self.picker_opened.emit()

    def open_entry(self, text: str = "") -> None:
        """Open the interval entry, with ``text`` typed into it."""
        self.entry.open_with(text, QPoint(self._bar.intervals.x(), self._below_bar()))

    def type_symbol(self, text: str) -> None:
        """Open the picker with what the user has typed without opening it before."""
        self.open_picker(text)
        self._learn_typing()

    def type_interval(self, text: str) -> None:
        """Open the interval entry with what the user has typed without opening it before."""
        self.open_entry(text)
        self._learn_typing()

    def _learn_typing(self) -> None:
        if not self.knows_typing:
            self.knows_typing = True
            self.typing_learnt.emit()

    def _on_picked(self, name: str) -> None:
        take, self._take_symbol = self._take_symbol, None
        (take or self.symbol_chosen.emit)(name)

    def _below_bar(self) -> int:
        return self._bar.mapTo(self._window, QPoint(0, self._bar.height() + 4)).y()
