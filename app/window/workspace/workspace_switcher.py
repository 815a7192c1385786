"""
The workspaces of a window: their tabs, and switching, adding, copying, deleting, exporting and importing them.

Only the shown workspace has charts. The others are values: they cost nothing, and come back as they were left.
"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec
from PySide6.QtWidgets import QFileDialog

from app.market.errors import UsageError
from app.window.charts.open_charts import OpenChart
from app.window.workspace.workspace_document import (
    USUAL_NAME,
    Workspace,
    Workspaces,
    checked_name,
    free_name,
    read_document,
    workspaces_from_values,
    workspaces_to_values,
)
from widgets.controls.save_folder import SaveFolder
from widgets.dialogs.message import tell
from widgets.keys import key_in_brackets
from widgets.theme.palettes import Palette
from widgets.window.main_window import MainWindow
from widgets.workspace.workspace_tabs import WorkspaceTabs

logger = logging.getLogger(__name__)

MOST_WORKSPACES = 50
_FILES = "Workspaces of cryptopipe (*.json)"


class ShownCharts(Protocol):
    """The charts of the shown workspace."""

    @property
    def number(self) -> int:
        """How many there are."""

    def capture(self, workspace: Workspace) -> None:
        """Bring what they show now into the workspace."""

    def replace(self, workspace: Workspace) -> None:
        """Show a workspace's charts in place of these."""

    def plain(self, name: str) -> Workspace:
        """Return a workspace of one plain chart like the active one."""


class WorkspaceSwitcher:
    """Keeps the workspaces of ``window``; ``charts`` are the shown one's. ``on_change``: called after each change."""

    def __init__(self, charts: ShownCharts, window: MainWindow, on_change: Callable[[], object]) -> None:
        self._charts, self._window, self._on_change = charts, window, on_change
        self._document = Workspaces([Workspace(USUAL_NAME, {}, 0, 0)])
        self._tabs: WorkspaceTabs | None = None
        self._saving: tuple[int | None, str] = (None, "")
        self.folder = SaveFolder()
        self._with_index: dict[str, Callable[[int], object]] = {
            "duplicate_workspace": self.duplicate,
            "reset_workspace": self.reset,
            "delete_workspace": self.delete,
            "export_workspace": self.ask_to_export,
            "import_workspace": self.ask_to_import,
        }
        self.commands: dict[str, Callable[[OpenChart], object]] = {
            "new_workspace": lambda _: self.add(),
            "next_workspace": lambda _: self._step(1),
            "previous_workspace": lambda _: self._step(-1),
            "rename_workspace": lambda _: self._rename_shown(),
            **{command: partial(self._run_on_shown, call) for command, call in self._with_index.items()},
        }

    @property
    def current(self) -> Workspace:
        """The shown workspace, as it was when it was shown or last saved."""
        return self._document.current

    @property
    def names(self) -> list[str]:
        """The names, in the order of the tabs."""
        return [one.name for one in self._document.all]

    @property
    def shown(self) -> int:
        """The index of the shown workspace."""
        return self._document.shown

    def restore(self, values: object) -> None:
        """Take the workspaces of `values`; the charts stay as they are."""
        self._document = workspaces_from_values(values) or self._document

    def values(self) -> dict[str, Any]:
        """Return all workspaces as plain values; empty while there is one plain chart."""
        self._capture()
        return {} if self._document.is_plain else workspaces_to_values(self._document)

    # Changes

    def show(self, index: int) -> None:
        """Show another workspace."""
        if index != self.shown and 0 <= index < len(self._document.all):
            self._capture()
            self._go_to(index)

    def add(self) -> None:
        """Add a workspace of one plain chart behind the shown one, and show it."""
        self._insert([self._charts.plain("Workspace")])

    def duplicate(self, index: int) -> None:
        """Add a copy of a workspace behind the shown one, and show it."""
        self._capture()
        self._insert([copy.deepcopy(self._document.all[index])])

    def rename(self, index: int, name: str) -> None:
        """Give a workspace another name; one that another has gets a number behind it."""
        others = [one for at, one in enumerate(self.names) if at != index]
        self._document.all[index].name = free_name(checked_name(name), others)
        self._note()

    def move(self, source: int, target: int) -> None:
        """Move a tab."""
        if not 0 <= target < len(self._document.all):
            return
        shown = self._document.current
        self._document.all.insert(target, self._document.all.pop(source))
        self._document.shown = next(at for at, one in enumerate(self._document.all) if one is shown)
        self._note()

    def reset(self, index: int) -> None:
        """Let a workspace be one plain chart again; a toast offers to undo that."""
        self._capture()
        before = self._document.all[index]
        active = before.charts[before.active]
        plain = self._charts.plain(before.name)
        plain.charts[1] = replace(plain.charts[1], symbol=active.symbol, interval=active.interval)
        self._put(index, plain)
        self._window.toasts.show(
            f"“{before.name}” is one plain chart again.", "Undo", lambda: self._put_back(before, plain)
        )

    def delete(self, index: int) -> None:
        """Delete a workspace; a toast offers to bring it back. The last one stays."""
        if len(self._document.all) < 2:
            self._window.toasts.show("The last workspace stays; it can be reset.")
            return
        self._capture()
        was_shown, removed = index == self.shown, self._document.all.pop(index)
        if was_shown:
            self._go_to(min(index, len(self._document.all) - 1))
        elif index < self.shown:
            self._document.shown -= 1
        self._note()
        self._window.toasts.show(
            f"The workspace “{removed.name}” is deleted.",
            "Undo",
            lambda: self._insert([removed], index, is_shown=was_shown),
        )

    # Files

    def ask_to_export(self, index: int) -> None:
        """Ask for a file, and export a workspace to it."""
        name = self._document.all[index].name
        suggested = "".join(letter if letter.isalnum() or letter in " -_" else "_" for letter in name)
        path, _ = QFileDialog.getSaveFileName(
            self._window, "Export the workspace", str(self.folder.path / f"{suggested}.json"), _FILES
        )
        if path:
            self.export(index, Path(path if path.lower().endswith(".json") else f"{path}.json"))

    def export(self, index: int, file: Path) -> None:
        """Write a workspace to a file; a message says so, or why not."""
        self._capture()
        data = msgspec.json.format(msgspec.json.encode(workspaces_to_values(Workspaces([self._document.all[index]]))))
        part = file.with_name(f"{file.name}.part")
        try:
            part.write_bytes(data)
            os.replace(part, file)
        except OSError as error:
            part.unlink(missing_ok=True)
            reason = f"The workspace could not be written to {file}: {error.strerror or error}. Choose another folder."
            tell(self._window, reason)
            return
        self.folder.note(file)
        self._window.toasts.show(f"“{self._document.all[index].name}” was exported to {file.name}.")

    def ask_to_import(self, _: int = 0) -> None:
        """Ask for a file, and import its workspaces."""
        path, _filter = QFileDialog.getOpenFileName(self._window, "Import workspaces", str(self.folder.path), _FILES)
        if path:
            self.import_file(Path(path))

    def import_file(self, file: Path) -> None:
        """Add the workspaces of a file behind the shown one, and show the first; a message says why not."""
        try:
            found = read_document(msgspec.json.decode(file.read_bytes()))
        except OSError as error:
            tell(self._window, f"{file} could not be read: {error.strerror or error}.")
            return
        except UsageError as error:
            tell(self._window, str(error))
            return
        except (ValueError, RecursionError):
            tell(self._window, f"{file.name} is no file of workspaces: choose one that “Export…” wrote.")
            return
        self.folder.note(file)
        self._insert(found.all)

    # Tabs

    def show_tabs(self) -> None:
        """Show the tabs if there is more than one workspace or chart, else none."""
        is_wanted = len(self._document.all) > 1 or self._charts.number > 1
        if self._tabs is None and is_wanted:
            self._tabs = self._made_tabs()
            self._window.put_on_top(self._tabs)
        if self._tabs is not None:
            self._tabs.set_lists(self.names, self.shown)
            self._tabs.set_firings([one.firings for one in self._document.all])
            self._tabs.setVisible(is_wanted)

    def note_firing(self, symbol: str) -> None:
        """Count a firing of an alert on the tabs of the workspaces that have its symbol and are not shown."""
        concerned = [one for one in self._document.all if one is not self.current and symbol in one.symbols]
        for one in concerned:
            one.firings += 1
        if concerned and self._tabs is not None:
            self._tabs.set_firings([one.firings for one in self._document.all])

    def show_saving(self, saved_us: int | None, trouble: str) -> None:
        """Say at the tabs when all was saved, UTC microseconds, and why what came later could not be; see its tabs."""
        self._saving = saved_us, trouble
        if self._tabs is not None:
            self._tabs.set_saving(saved_us, trouble)

    def set_palette(self, palette: Palette) -> None:
        """Draw the tabs in a palette."""
        if self._tabs is not None:
            self._tabs.set_palette(palette)

    def _made_tabs(self) -> WorkspaceTabs:
        tabs = WorkspaceTabs()
        tabs.set_palette(self._window.colours)
        tabs.set_saving(*self._saving)
        tabs.shown_requested.connect(self.show)
        tabs.add_requested.connect(self.add)
        tabs.rename_requested.connect(self.rename)
        tabs.move_requested.connect(self.move)
        tabs.remove_requested.connect(self.delete)
        tabs.command_requested.connect(lambda command, index: self._with_index[command](index))
        return tabs

    # Parts

    def _run_on_shown(self, call: Callable[[int], object], _: OpenChart) -> None:
        call(self.shown)

    def _step(self, by: int) -> None:
        if len(self._document.all) < 2:
            self._window.toasts.show(f"Open another workspace first{key_in_brackets('new_workspace')}.")
        self.show((self.shown + by) % len(self._document.all))

    def _rename_shown(self) -> None:
        if self._tabs is None:  # there is one workspace, of one chart: show its name, to be changed
            self._tabs = self._made_tabs()
            self._window.put_on_top(self._tabs)
            self._tabs.set_lists(self.names, self.shown)
        self._tabs.show()
        self._tabs.rename(self.shown)

    def _capture(self) -> None:
        self._charts.capture(self.current)

    def _go_to(self, index: int) -> None:
        self._document.shown = index
        self.current.firings = 0
        self._charts.replace(self.current)
        self._note()

    def _insert(self, made: list[Workspace], at: int | None = None, *, is_shown: bool = True) -> None:
        """Add workspaces at an index, None: behind the shown one; taken names get a number. Show the first, or none."""
        if len(self._document.all) + len(made) > MOST_WORKSPACES:
            self._window.toasts.show(f"There are at most {MOST_WORKSPACES} workspaces: delete one, then try again.")
            return
        self._capture()
        at = self.shown + 1 if at is None else min(at, len(self._document.all))
        for place, one in enumerate(made, at):
            one.name = free_name(one.name, self.names)
            self._document.all.insert(place, one)
        self._document.shown += len(made) if at <= self.shown else 0
        if is_shown:
            self._go_to(at)
        else:
            self._note()

    def _put(self, index: int, workspace: Workspace) -> None:
        self._document.all[index] = workspace
        if index == self.shown:
            self._charts.replace(workspace)
        self._note()

    def _put_back(self, before: Workspace, plain: Workspace) -> None:
        """Undo a reset to ``plain``, wherever that one's tab is by now, under its name; if it is gone, add a tab."""
        self._capture()
        index = next((at for at, one in enumerate(self._document.all) if one is plain), None)
        if index is None:
            self._insert([before])
        else:
            before.name = plain.name
            self._put(index, before)

    def _note(self) -> None:
        self.show_tabs()
        self._on_change()
