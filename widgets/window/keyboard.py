"""
The window's keyboard: its commands by their keys, and typing that opens the interval entry or the symbol picker.

Keys such as Ctrl+K are Qt's shortcuts and work wherever the focus is. A single character must reach a field that has
the focus, so it counts only when no widget has taken it: then the window hands it to `WindowKeyboard.handle`. The
chart's own keys are in `chart.interaction.keyboard`; both read the table of `keys`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from widgets.keys import command_of, keys_of

_COMMAND_MODIFIERS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier


class WindowKeyboard:
    """
    Calls the window's ``commands``, by name; a digit goes to ``open_interval``, a letter in upper case to
    ``open_symbol``.
    """

    def __init__(
        self,
        window: QWidget,
        commands: Mapping[str, Callable[[], object]],
        *,
        open_interval: Callable[[str], object],
        open_symbol: Callable[[str], object],
    ) -> None:
        self._open_interval, self._open_symbol = open_interval, open_symbol
        self._by_character: dict[str, Callable[[], object]] = {}
        for command, call in commands.items():
            for key in keys_of(command):
                if len(key) > 1:
                    QShortcut(QKeySequence(key), window, call)
                else:
                    self._by_character[command] = call

    def handle(self, event: QKeyEvent) -> bool:
        """Do what a key press means that no widget took. Return whether it means anything to the window."""
        text = event.text()
        is_typing = not event.modifiers() & _COMMAND_MODIFIERS
        if call := self._by_character.get(command_of(event) or ""):
            call()
        elif is_typing and text.isdigit():
            self._open_interval(text)
        elif is_typing and text.isalpha():
            self._open_symbol(text)
        else:
            return False
        return True
