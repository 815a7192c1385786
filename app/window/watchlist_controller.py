"""
Edits the watchlist, fills its rows, and chooses the symbols that the engine records.

The engine records the watchlist and the chart's symbol; a symbol outside the list is recorded only while the chart
shows it. Rows are renewed several times per second, so only those in view are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from app.live.engine import Engine
from app.market.errors import UsageError
from app.market.symbol import in_usual_quote
from app.window.panel_values import PanelValues
from app.window.window_state import WindowState
from widgets.symbols.symbols_dialog import SymbolsDialog, unknown_sentence
from widgets.window.main_window import MainWindow


class WatchlistController:
    """
    Keeps window and engine in step with the watchlist of ``state``.

    ``refusal`` is one sentence while the engine records fewer symbols than the list has, else empty. ``on_change`` is
    called after the list has changed, so that it can be saved.
    """

    def __init__(self, engine: Engine, window: MainWindow, state: WindowState, panels: PanelValues) -> None:
        self.refusal = ""
        self.on_change: Callable[[], None] = lambda: None
        self._engine = engine
        self._window = window
        self._state = state
        self._panels = panels
        self._dialog: SymbolsDialog | None = None
        window.watch_add_requested.connect(lambda name: self.replace([*state.watchlist, name]))
        window.watch_remove_requested.connect(
            lambda name: self.replace([one for one in state.watchlist if one != name])
        )
        window.watch_many_requested.connect(lambda names: self.replace([*state.watchlist, *names]))
        window.watch_names_requested.connect(lambda names: self.replace(names))
        window.symbols_requested.connect(self.open_dialog)
        window.watchlist.view_changed.connect(lambda: self.renew())
        window.picker_opened.connect(engine.directory.refresh)

    def symbols_to_record(self) -> list[str]:
        """Return the symbols to record: the watchlist and the chart's symbol."""
        return list(dict.fromkeys([*self._state.watchlist, self._state.symbol]))

    def start(self) -> None:
        """Start the engine with `symbols_to_record`, or if it refuses so many, with the chart's symbol alone."""
        try:
            self._engine.start(self.symbols_to_record())
        except UsageError as error:
            self.refusal = str(error)
            self._engine.start([self._state.symbol])
        self.rebuild()

    def record(self) -> bool:
        """Record `symbols_to_record`; return False and set ``refusal`` if the engine refuses."""
        try:
            self._engine.set_symbols(self.symbols_to_record())
        except UsageError as error:
            self.refusal = str(error)
            return False
        self.refusal = ""
        return True

    def replace(self, names: Sequence[str], *, can_undo: bool = True) -> bool:
        """
        Replace the watchlist by these names, each once; return False and change nothing if the engine refuses.

        With ``can_undo`` a toast offers to put back what is removed.
        """
        before, self._state.watchlist = self._state.watchlist, list(dict.fromkeys(names))
        if self._state.watchlist == before:
            return True
        is_other_order = set(self._state.watchlist) == set(before)
        if not is_other_order and not self.record():
            self._state.watchlist = before
            return False
        self.rebuild()
        self.on_change()
        removed = [name for name in before if name not in self._state.watchlist]
        if removed and can_undo:
            self._offer_undo(before, removed)
        return True

    def _offer_undo(self, before: Sequence[str], removed: Sequence[str]) -> None:
        one, several = self._engine.symbol(removed[0]).display_name, f"{len(removed)} symbols"
        self._window.toasts.show(
            f"{one if len(removed) == 1 else several} removed. What is recorded stays.",
            "Undo",
            lambda: self.replace(put_back(self._state.watchlist, removed, before)),
        )

    def resolve_names(self) -> None:
        """Replace names by those that the exchange's symbols, once known, give them: BTC, as a setting, is BTCUSDT."""
        known = self._engine.symbols
        self.replace([in_usual_quote(name, known) for name in self._state.watchlist], can_undo=False)

    def rebuild(self) -> None:
        """Rebuild all rows; call it when the symbols or their descriptions have changed."""
        symbols = [self._engine.symbol(name) for name in self._state.watchlist]
        self._window.set_watchlist([self._panels.watch_row(symbol) for symbol in symbols])
        self._window.symbol_picker.set_recorded(self._engine.recorder.symbols)
        if self._dialog is not None:
            self._dialog.set_symbols(list(self._engine.symbols.values()))

    def renew(self, names: Sequence[str] | None = None) -> None:
        """Renew the figures of these rows, None: of those in view."""
        if self._window.isMinimized():
            return
        names = self._window.watchlist.names_in_view() if names is None else names
        self._update(names)

    def sort_again(self) -> None:
        """Where the rows are sorted by figures, renew those of all rows and move them; call every few seconds."""
        if self._window.watchlist.order.is_by_figures and self._window.watchlist.isVisible():
            self._update(self._state.watchlist)
            self._window.watchlist.sort_again()

    def _update(self, names: Sequence[str]) -> None:
        self._window.update_watchlist([self._panels.watch_row(self._engine.symbol(name)) for name in names])

    def open_dialog(self) -> SymbolsDialog:
        """Open the dialog that edits the whole list, and return it; it closes itself."""
        if self._dialog is not None:
            self._dialog.raise_()
            return self._dialog
        dialog = SymbolsDialog(self._state.watchlist, list(self._engine.symbols.values()), self._window)
        dialog.list_requested.connect(lambda names: self._apply_dialog(dialog, names))
        dialog.finished.connect(self._forget_dialog)
        dialog.finished.connect(dialog.deleteLater)
        self._dialog = dialog
        self._engine.directory.refresh()
        dialog.open()
        return dialog

    def _apply_dialog(self, dialog: SymbolsDialog, names: list[str]) -> None:
        known, listed = self._engine.symbols, set(self._state.watchlist)
        unknown = [name for name in names if known and name not in known and name not in listed]
        if unknown:
            dialog.refuse(unknown_sentence(unknown))
        elif self.replace(names):
            dialog.accept()
        else:
            dialog.refuse(self.refusal)
            self.refusal = ""

    def _forget_dialog(self) -> None:
        self._dialog = None


def put_back(names: Sequence[str], removed: Collection[str], before: Sequence[str]) -> list[str]:
    """Return ``names`` and those ``removed``, each behind the nearest of those that it stood behind in ``before``."""
    result = list(names)
    for at, name in enumerate(before):
        if name in removed and name not in result:
            ahead = [result.index(one) for one in before[:at] if one in result]
            result.insert(ahead[-1] + 1 if ahead else 0, name)
    return result
