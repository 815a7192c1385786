"""The tabs of the workspaces, across the window's top, and when all of it was saved."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QTabBar, QToolButton

from widgets.controls.key_hints import text_with_key
from widgets.controls.labels import ElidedLabel
from widgets.controls.number_format import counted, utc_time
from widgets.symbols.list_tabs import ListTabs, TabWords
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

HEIGHT = 36
_GAP_PX, _BELL_PX = 10, 12
_RIGHT = QTabBar.ButtonPosition.RightSide
_WORDS = TabWords("Workspaces", "workspace", "Menu of the workspaces")
_MENU = {
    "duplicate_workspace": "Duplicate",
    "reset_workspace": "Reset to one plain chart",
    "export_workspace": "Export…",
}


class WorkspaceTabs(ListTabs):
    """
    One tab for each workspace; see `ListTabs`. ``saving`` says when they were saved last, where there is room for it,
    and always why they could not be.

    Signals:
        command_requested: Do this with a workspace; carries the name of a command in `widgets.keys` and its index.
    """

    command_requested = Signal(str, int)

    def __init__(self) -> None:
        super().__init__(_WORDS, HEIGHT)
        self.setObjectName("workspaceTabs")
        self._is_in_trouble = False
        self._firings: list[int] = []
        self._palette = DARK
        self.saving = ElidedLabel("", "faint", style.font(style.SMALL_PX))
        self.saving.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        row = self.layout()
        assert isinstance(row, QHBoxLayout)
        row.insertWidget(row.count() - 1, self.saving)
        row.insertSpacing(row.count() - 1, _GAP_PX)
        self.set_saving(None, "")

    def set_saving(self, saved_us: int | None, trouble: str) -> None:
        """Say when the file was written, UTC microseconds or None, and in ``trouble`` why it lacks what came later."""
        self._is_in_trouble = bool(trouble)
        at = utc_time(saved_us)
        if trouble:
            self.saving.setText(f"Not saved: {trouble[:1].lower()}{trouble[1:]}")
            since = "Nothing of this run is" if saved_us is None else f"What has changed since {at} is not"
            self.saving.setToolTip(f"{since} saved: {trouble}. The program goes on trying.")
        else:
            self.saving.setText("" if saved_us is None else f"Saved {at.split()[-2]}")
            self.saving.setToolTip(f"The charts and workspaces were saved on {at}.")
        self.saving.setAccessibleName(self.saving.text())
        style.set_tone(self.saving, "warning" if trouble else "faint")
        self._fit_saving()

    def set_firings(self, firings: Sequence[int]) -> None:
        """Show a bell with the number of alerts that fired on each workspace's symbols since it was shown last."""
        for at, name in enumerate(self.names()):
            count = firings[at] if at < len(firings) else 0
            before = self.bar.tabButton(at, _RIGHT)
            if before is not None:
                before.deleteLater()  # Qt only hides it
            bell = _Bell(count, self._palette) if count else None
            self.bar.setTabButton(at, _RIGHT, bell)
            said = f", {counted(count, 'alert')} fired" if count else ""
            self.bar.setAccessibleTabName(at, f"{name}{said}")
        self._firings = list(firings)
        self._fit_saving()

    def set_palette(self, palette: Palette) -> None:
        super().set_palette(palette)
        self._palette = palette
        self.set_firings(self._firings)

    def set_lists(self, names: Sequence[str], shown: int) -> None:
        super().set_lists(names, shown)
        if hasattr(self, "saving"):
            self._fit_saving()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_saving()

    def _fit_saving(self) -> None:
        """Let the time give way to the tabs; a trouble stays."""
        parts = (self.bar, self.add_button, self.saving, self.menu_button)
        needed = sum(part.sizeHint().width() for part in parts) + 4 * _GAP_PX
        has_room = self._is_in_trouble or needed <= self.width()
        self.saving.setVisible(has_room and bool(self.saving.text()))

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


class _Bell(QToolButton):
    """A bell and a number beside a tab's name; a click is the tab's."""

    def __init__(self, count: int, palette: Palette) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setFont(style.font(style.SMALL_PX))
        self.setText(str(count))
        self.setIcon(icons.icon("bell", palette.accent, _BELL_PX))
        style.sized(self, icon_size=_BELL_PX)
        self.setStyleSheet(
            f"QToolButton {{ background: transparent; border: 0; color: {palette.accent}; padding: 0; }}"
        )
