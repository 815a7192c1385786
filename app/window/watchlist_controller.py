"""
Edits the watchlist's lists, fills the rows of the one shown, and chooses the symbols that the engine records.

The engine records the symbols of all lists and those of the charts; one outside the lists is recorded only while a
chart shows it. Rows are renewed several times per second, so only those in view are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.live.engine import Engine
from app.market.errors import UsageError
from app.market.symbol import in_usual_quote
from app.window.panel_values import PanelValues
from app.window.state.symbol_lists import SymbolList, put_back
from app.window.state.window_state import WindowState
from widgets.symbols.symbols_dialog import SymbolsDialog, unknown_names, unknown_sentence
from widgets.window.main_window import MainWindow


class WatchlistController:
    """
    Keeps window and engine in step with the lists of ``state``.

    ``refusal`` is one sentence while the engine records fewer symbols than the lists have, else empty. ``on_change`` is
    called after a list has changed, so that it can be saved. ``charted`` returns the symbols of all charts.
    """

    def __init__(self, engine: Engine, window: MainWindow, state: WindowState, panels: PanelValues) -> None:
        self.refusal = ""
        self.on_change: Callable[[], None] = lambda: None
        self.charted: Callable[[], Sequence[str]] = lambda: [state.symbol]
        self._engine = engine
        self._window = window
        self._state = state
        self._panels = panels
        self._dialog: SymbolsDialog | None = None
        window.requests.watch_add_requested.connect(lambda name: self.replace([*state.watchlist, name]))
        window.requests.watch_remove_requested.connect(self.remove)
        window.requests.watch_many_requested.connect(lambda names: self.replace([*state.watchlist, *names]))
        window.requests.watch_names_requested.connect(lambda names: self.replace(names))
        window.requests.symbols_requested.connect(self.open_dialog)
        window.watchlist.view_changed.connect(lambda: self.renew())
        window.watchlist.list_requested.connect(self.put_into)
        window.choosers.picker_opened.connect(engine.directory.refresh)
        tabs, lists = window.watchlist.tabs, state.lists
        tabs.shown_requested.connect(self._change_lists(lists.show))
        tabs.add_requested.connect(self.add_list)
        tabs.rename_requested.connect(self._change_lists(lists.rename))
        tabs.move_requested.connect(self._change_lists(lists.move))
        tabs.remove_requested.connect(self.remove_list)

    def symbols_to_record(self) -> list[str]:
        """Return the symbols to record: those of all lists, and the charts'."""
        return list(dict.fromkeys([*self._state.lists.union(), *self.charted()]))

    def start(self) -> None:
        """Start the engine with `symbols_to_record`, or if it refuses so many, with the active chart's alone."""
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

    def replace(self, names: Sequence[str], *, can_undo: bool = True, at: int | None = None) -> bool:
        """
        Replace the symbols of a list, each once; return False and change nothing if the engine refuses.

        ``at``: the list's index, or None for the one shown. With ``can_undo`` a toast offers to put back what is
        removed.
        """
        edited = self._state.lists.lists[self._state.lists.shown if at is None else at]
        before, edited.symbols = edited.symbols, list(dict.fromkeys(names))
        if edited.symbols == before:
            return True
        is_other_order = set(edited.symbols) == set(before)
        if not is_other_order and not self.record():
            edited.symbols = before
            return False
        self.rebuild()
        self.on_change()
        removed = [name for name in before if name not in edited.symbols]
        if removed and can_undo:
            self._offer_undo(edited.name, before, removed)
        return True

    def remove(self, name: str) -> None:
        """Remove a symbol from the list shown or, where that does not have it, from the first that does."""
        lists = self._state.lists
        order = [lists.shown, *range(len(lists.lists))]
        at = next((one for one in order if name in lists.lists[one].symbols), None)
        if at is not None:
            self.replace([one for one in lists.lists[at].symbols if one != name], at=at)

    def put_into(self, name: str, at: int, is_moved: bool) -> None:
        """Add a symbol to the list at that index and, if it ``is_moved``, take it off the list shown."""
        lists, shown = self._state.lists, self._state.lists.shown
        before = list(lists.symbols)
        if not self.replace([*lists.lists[at].symbols, name], at=at) or not is_moved:
            return
        self.replace([one for one in before if one != name], can_undo=False, at=shown)
        self._window.toasts.show(
            f"{self._engine.symbol(name).full_name} moved to “{lists.lists[at].name}”.",
            "Undo",
            lambda: self._restore(lists.lists[shown].name, before, [name]),
        )

    def _offer_undo(self, list_name: str, before: Sequence[str], removed: Sequence[str]) -> None:
        one, several = self._engine.symbol(removed[0]).full_name, f"{len(removed)} symbols"
        self._window.toasts.show(
            f"{one if len(removed) == 1 else several} removed. What is recorded stays.",
            "Undo",
            lambda: self._restore(list_name, before, removed),
        )

    def _restore(self, list_name: str, before: Sequence[str], removed: Sequence[str]) -> None:
        at = self._state.lists.index_of(list_name)
        self.replace(put_back(self._state.lists.lists[at].symbols, removed, before), at=at)

    # The lists

    def add_list(self) -> None:
        """Add an empty list, show it, and let the user name it."""
        self._state.lists.add()
        self._after_lists()
        self._window.watchlist.tabs.rename(self._state.lists.shown)

    def remove_list(self, index: int) -> None:
        """Remove a list; a toast offers to bring it back. The last one stays."""
        removed = self._state.lists.remove(index)
        if removed is None:
            return
        self.record()
        self._after_lists()
        self._window.toasts.show(
            f"The list “{removed.name}” is deleted. What is recorded stays.",
            "Undo",
            lambda: self._bring_back(removed, index),
        )

    def _bring_back(self, removed: SymbolList, index: int) -> None:
        at = self._state.lists.add(removed.name, index, removed.symbols)
        if not self.record():
            self._state.lists.remove(at)  # symbols added meanwhile have taken the room
        self._after_lists()

    def _change_lists(self, change: Callable[..., object]) -> Callable[..., None]:
        def changed(*values: object) -> None:
            change(*values)
            self._after_lists()

        return changed

    def _after_lists(self) -> None:
        self.rebuild()
        self.on_change()

    def resolve_names(self) -> None:
        """Replace names by those that the exchange's symbols, once known, give them: BTC, as a setting, is BTCUSDT."""
        known = self._engine.symbols
        for at, one in enumerate(self._state.lists.lists):
            self.replace([in_usual_quote(name, known) for name in one.symbols], can_undo=False, at=at)

    def rebuild(self) -> None:
        """Rebuild the tabs and all rows; call it when the symbols or their descriptions have changed."""
        lists = self._state.lists
        self._window.watchlist.tabs.set_lists(lists.names(), lists.shown)
        symbols = [self._engine.symbol(name) for name in lists.symbols]
        self._window.set_watchlist([self._panels.watch_row(symbol) for symbol in symbols])
        self._window.symbol_picker.set_recorded(self._engine.recorded)
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
        name = self._state.lists.names()[self._state.lists.shown]
        dialog = SymbolsDialog(self._state.watchlist, list(self._engine.symbols.values()), self._window, list_name=name)
        dialog.list_requested.connect(lambda names: self._apply_dialog(dialog, names))
        dialog.finished.connect(self._forget_dialog)
        dialog.finished.connect(dialog.deleteLater)
        self._dialog = dialog
        self._engine.directory.refresh()
        dialog.open()
        return dialog

    def _apply_dialog(self, dialog: SymbolsDialog, names: list[str]) -> None:
        known, listed = self._engine.symbols, set(self._state.watchlist)
        unknown = [name for name in unknown_names(names, known) if name not in listed]
        if unknown:
            dialog.refuse(unknown_sentence(unknown))
        elif self.replace(names):
            dialog.accept()
        else:
            dialog.refuse(self.refusal)
            self.refusal = ""

    def _forget_dialog(self) -> None:
        self._dialog = None
