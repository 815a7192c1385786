"""The tabs of the workspaces, across the window's top."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QMenu

from widgets.controls.key_hints import text_with_key
from widgets.symbols.list_tabs import ListTabs, TabWords

HEIGHT = 36
_WORDS = TabWords("Workspaces", "workspace", "Menu of the workspaces")
_MENU = {
    "duplicate_workspace": "Duplicate",
    "reset_workspace": "Reset to one plain chart",
    "export_workspace": "Export…",
}


class WorkspaceTabs(ListTabs):
    """
    One tab for each workspace; see `ListTabs`.

    Signals:
        command_requested: Do this with a workspace; carries the name of a command in `widgets.keys` and its index.
    """

    command_requested = Signal(str, int)

    def __init__(self) -> None:
        super().__init__(_WORDS, HEIGHT)
        self.setObjectName("workspaceTabs")

    def menu_of(self, index: int) -> QMenu:
        menu = super().menu_of(index)
        menu.addAction(
            text_with_key("Import…", "import_workspace"),
            partial(self.command_requested.emit, "import_workspace", index),
        )
        return menu

    def _fill_menu(self, menu: QMenu, index: int) -> None:
        for command, text in _MENU.items():
            menu.addAction(text_with_key(text, command), partial(self.command_requested.emit, command, index))
