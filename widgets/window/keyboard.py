"""
The window's keyboard: its commands by their keys, and typing that opens the interval entry or the symbol picker.

Keys such as Ctrl+K are Qt's shortcuts and work wherever the focus is. A single character must reach a field that has
the focus, so it counts only when no widget has taken it: then the window hands it to `WindowKeyboard.handle`. The
chart's own keys are in `chart.interaction.keyboard`; both read the table of `keys`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from widgets.keys import KEY_BINDINGS, WINDOW_WIDE, command_of

_COMMAND_MODIFIERS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier


class WindowKeyboard:
    """
    Gives ``run`` the commands of the `WINDOW_WIDE` groups, by name.

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
        self._run, self._open_interval, self._open_symbol = run, open_interval, open_symbol
        self._by_character: set[str] = set()
        for binding in KEY_BINDINGS:
            for key in binding.keys if binding.group in WINDOW_WIDE else ():
                if len(key) > 1:
                    QShortcut(QKeySequence(key), window, partial(run, binding.command))
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
