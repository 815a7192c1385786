"""
The window's keyboard: its commands by their keys, and typing that opens the interval entry or the symbol picker.

Keys such as Ctrl+K, and all keys of two steps, are Qt's shortcuts and work wherever the focus is. A single character
must reach a field that has the focus, so it counts only when no widget has taken it: then the window hands it to
`WindowKeyboard.handle`. The chart's own keys are in `chart.interaction.keyboard`; both read the table of `keys`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from widgets.key_map import steps_of
from widgets.keys import KEY_BINDINGS, WINDOW_WIDE, command_of, keys_of

_COMMAND_MODIFIERS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier


class WindowKeyboard(QObject):
    """
    Gives ``run`` the commands of the `WINDOW_WIDE` groups, by name, and any command that has a key of two steps.

    A digit goes to ``open_interval``, a letter in upper case to ``open_symbol``.
    """

    def __init__(
        self,
        window: QWidget,
        run: Callable[[str], object],
        *,
        open_interval: Callable[[str], object],
        open_symbol: Callable[[str], object],
    ) -> None:
        super().__init__(window)
        self._window = window
        self._run, self._open_interval, self._open_symbol = run, open_interval, open_symbol
        self._shortcuts: list[QShortcut] = []
        self._by_character: set[str] = set()
        self.follow_keys()

    def follow_keys(self) -> None:
        """Use the keys that are in force now."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)  # the deletion may be under way as the next key comes
            shortcut.deleteLater()
        self._shortcuts, self._by_character = [], set()
        for binding in KEY_BINDINGS:
            for key in keys_of(binding.command) if binding.command else ():
                if binding.group not in WINDOW_WIDE and len(steps_of(key)) == 1:
                    continue
                if len(key) > 1:
                    call = partial(self._run, binding.command)
                    self._shortcuts.append(QShortcut(QKeySequence(key), self._window, call))
                else:
                    self._by_character.add(binding.command)

    def handle(self, event: QKeyEvent) -> bool:
        """Do what a key press means that no widget took. Return whether it means anything to the window."""
        text = event.text()
        is_typing = not event.modifiers() & _COMMAND_MODIFIERS
        command = command_of(event)
        if command in self._by_character:
            self._run(command)
        elif is_typing and text.isdigit():
            self._open_interval(text)
        elif is_typing and text.isalpha():
            self._open_symbol(text)
        else:
            return False
        return True
