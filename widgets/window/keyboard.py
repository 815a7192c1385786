"""
The window's keyboard: its commands by their keys, and typing that opens the interval entry or the symbol picker.

Keys such as Ctrl+K, and the first steps of those of two, are Qt's shortcuts and work wherever the focus is. After a
first step the next key is waited for, see `SecondStep`; Qt alone would wait for ever, and say nothing.

A single character must reach a field that has the focus, so it counts only when no widget has taken it: then the window
hands it to `WindowKeyboard.handle`. The chart's own keys are in `chart.interaction.keyboard`; both read the table of
`keys`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QWidget

from widgets.key_map import steps_of
from widgets.keys import KEY_BINDINGS, WINDOW_WIDE, binding_of, command_of, key_of, keys_of, texts_of

_PATIENCE_MS = 5_000  # from the first step of a key to the second
_MODIFIER_KEYS = {Qt.Key.Key_Control, Qt.Key.Key_Shift, Qt.Key.Key_Alt, Qt.Key.Key_AltGr, Qt.Key.Key_Meta}
_ENDING = {QEvent.Type.MouseButtonPress, QEvent.Type.ApplicationDeactivate}
_COMMAND_MODIFIERS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier


class SecondStep(QObject):
    """
    Waits for the second step of keys whose first has been pressed, for five seconds.

    ``run`` gets the command's name. ``show_hint`` gets what may follow, and an empty text once that is over. Escape,
    a click or any other key ends the waiting; that other key means what it always means.
    """

    def __init__(self, run: Callable[[str], object], show_hint: Callable[[str], object], parent: QObject) -> None:
        super().__init__(parent)
        self._run, self._show_hint = run, show_hint
        self._commands: dict[str, str] = {}  # by the second step; empty while nothing is waited for
        self._patience = QTimer(self, singleShot=True, interval=_PATIENCE_MS)
        self._patience.timeout.connect(self.end)

    def begin(self, first: str, commands: dict[str, str]) -> None:
        """Wait for what follows ``first``: one of ``commands``' keys."""
        self.end()
        self._commands = commands
        follow = (f"{_text_of(second)} to {binding_of(command).text}" for second, command in commands.items())
        self._show_hint(f"{_text_of(first)} … {' · '.join(follow)} · Esc to give up")
        self._patience.start()
        _application().installEventFilter(self)

    def end(self) -> None:
        """Wait no longer."""
        if self._commands:
            self._commands = {}
            self._patience.stop()
            _application().removeEventFilter(self)
            self._show_hint("")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in _ENDING:
            self.end()
        if not isinstance(event, QKeyEvent) or not self._commands or event.key() in _MODIFIER_KEYS:
            return False
        command = self._commands.get(key_of(event))
        is_ours = command is not None or event.key() == Qt.Key.Key_Escape or event.isAutoRepeat()
        if event.type() == QEvent.Type.ShortcutOverride:
            if is_ours:
                event.accept()  # it comes as a key press next, and is no shortcut
                return True
            self.end()
        elif event.type() == QEvent.Type.KeyPress and is_ours:
            if not event.isAutoRepeat():
                self.end()
            if command is not None:
                self._run(command)
            return True
        return False


class WindowKeyboard(QObject):
    """
    Gives ``run`` the commands of the `WINDOW_WIDE` groups, by name, and any command that has a key of two steps.

    A digit goes to ``open_interval``, a letter in upper case to ``open_symbol``. ``show_hint``: see `SecondStep`.
    """

    def __init__(
        self,
        window: QWidget,
        run: Callable[[str], object],
        *,
        open_interval: Callable[[str], object],
        open_symbol: Callable[[str], object],
        show_hint: Callable[[str], object],
    ) -> None:
        super().__init__(window)
        self._window = window
        self._run, self._open_interval, self._open_symbol = run, open_interval, open_symbol
        self._second_step = SecondStep(run, show_hint, self)
        self._shortcuts: list[QShortcut] = []
        self._by_character: set[str] = set()
        self.follow_keys()

    def follow_keys(self) -> None:
        """Use the keys that are in force now."""
        self._second_step.end()
        by_first: dict[str, dict[str, str]] = {}
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)  # the deletion may be under way as the next key comes
            shortcut.deleteLater()
        self._shortcuts, self._by_character = [], set()
        for binding in KEY_BINDINGS:
            for key in keys_of(binding.command) if binding.command else ():
                if binding.group not in WINDOW_WIDE and len(steps_of(key)) == 1:
                    continue
                first, *second = steps_of(key)
                if second:
                    by_first.setdefault(first, {})[second[0]] = binding.command
                elif len(key) > 1:
                    self._add_shortcut(key, partial(self._run, binding.command))
                else:
                    self._by_character.add(binding.command)
        for first, commands in by_first.items():
            self._add_shortcut(first, partial(self._second_step.begin, first, commands))

    def _add_shortcut(self, key: str, call: Callable[[], object]) -> None:
        self._shortcuts.append(QShortcut(QKeySequence(key), self._window, call))

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


def _text_of(key: str) -> str:
    return texts_of([key])[0]


def _application() -> QApplication:
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    return application
