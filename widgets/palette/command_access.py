"""The ways to commands other than their keys: the palette, and the dialog that changes keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from widgets.commands import Commands

if TYPE_CHECKING:
    from widgets.palette.command_palette import CommandPalette
    from widgets.palette.keys_dialog import KeysDialog
    from widgets.theme.palettes import Palette


class CommandAccess(QObject):
    """
    Opens both over ``window``, and loads them only then.

    ``say`` shows a sentence to the user; ``colours`` returns the present palette.

    Signals:
        used_changed: The user ran a command; see `layout_values`.
        keys_changed: The user changed keys; they are in `widgets.keys.current_keys`.
        import_requested, export_requested: Read keys from a file, or write them to one; carry its path.
    """

    used_changed = Signal()
    keys_changed = Signal()
    import_requested = Signal(str)
    export_requested = Signal(str)

    def __init__(
        self, window: QWidget, commands: Commands, colours: Callable[[], Palette], say: Callable[[str], object]
    ) -> None:
        super().__init__(window)
        self._window, self._commands, self._colours, self._say = window, commands, colours, say
        self._used: list[str] = []
        self.palette: CommandPalette | None = None
        self.keys_dialog: KeysDialog | None = None

    def open_palette(self) -> None:
        """Open the palette; where it is open already, close it."""
        if self.palette is None:
            from widgets.palette.command_palette import CommandPalette

            self.palette = CommandPalette(self._window, self._commands)
            self.palette.used = self._used
            self.palette.set_palette(self._colours())
            self.palette.command_requested.connect(self._run)
            self.palette.keys_requested.connect(self.open_keys)
        self.palette.open()

    def open_keys(self, command: str = "") -> None:
        """Open the dialog of keys, listening for those of ``command`` where that is given."""
        if self.keys_dialog is None:
            from widgets.palette.keys_dialog import KeysDialog

            self.keys_dialog = KeysDialog(self._window)
            self.keys_dialog.keys_changed.connect(self.keys_changed)
            self.keys_dialog.import_requested.connect(self.import_requested)
            self.keys_dialog.export_requested.connect(self.export_requested)
        self.keys_dialog.set_palette(self._colours())
        self.keys_dialog.open_for(command)

    def layout_values(self) -> dict[str, Any]:
        """Return the commands used last, as plain values for `restore_layout`."""
        return {"used": list(self._used if self.palette is None else self.palette.used)}

    def restore_layout(self, values: Mapping[str, Any]) -> None:
        """Restore the values of `layout_values`; anything else is no command."""
        used = values.get("used")
        self._used = [each for each in used if isinstance(each, str)] if isinstance(used, list) else []
        if self.palette is not None:
            self.palette.used = self._used

    def _run(self, command: str) -> None:
        self.used_changed.emit()
        if not self._commands.run(command) and (reason := self._commands.reason_not(command)):
            self._say(reason)
