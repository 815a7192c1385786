"""Which keys a user may give to a command, and why not others."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence

from widgets.key_map import steps_of
from widgets.keys import COMMAND_MODIFIERS, WINDOW_WIDE, binding_of, can_begin, combinations_of, texts_of

_MODIFIER_KEYS = frozenset(
    {
        Qt.Key.Key_Shift,
        Qt.Key.Key_Control,
        Qt.Key.Key_Alt,
        Qt.Key.Key_Meta,
        Qt.Key.Key_AltGr,
        Qt.Key.Key_Super_L,
        Qt.Key.Key_Super_R,
        Qt.Key.Key_Hyper_L,
        Qt.Key.Key_Hyper_R,
        Qt.Key.Key_CapsLock,
        Qt.Key.Key_NumLock,
        Qt.Key.Key_ScrollLock,
    }
)
_OF_LISTS_AND_FIELDS = frozenset(
    {
        Qt.Key.Key_Left,
        Qt.Key.Key_Right,
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_Home,
        Qt.Key.Key_End,
        Qt.Key.Key_PageUp,
        Qt.Key.Key_PageDown,
        Qt.Key.Key_Return,
        Qt.Key.Key_Enter,
        Qt.Key.Key_Space,
        Qt.Key.Key_Backspace,
        Qt.Key.Key_Delete,
    }
)


def is_modifier(key: int) -> bool:
    """Return whether a key such as Ctrl means nothing alone; ``key`` is a value of `Qt.Key`."""
    return key in _MODIFIER_KEYS


def refusal(command: str, key: str) -> str:
    """
    Return in one sentence why a command cannot have this key; empty if it can. ``key`` as the table writes it.

    Raises:
        KeyError: If there is no such command.
    """
    binding, steps = binding_of(command), combinations_of(key)
    if not steps:
        return "This system does not know that key: press another."
    if len(steps) > 1:
        return first_refusal(steps_of(key)[0]) or _second_refusal(steps_of(key)[1])
    (pressed,) = steps
    shown = texts_of([key])[0]
    if pressed.key() in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
        return f"{shown} is for going from part to part: press other keys."
    if pressed.keyboardModifiers() & COMMAND_MODIFIERS:
        return ""
    letter = QKeySequence(pressed.key()).toString()
    if len(letter) == 1 and letter.isalnum():
        return "Letters and digits alone are for typing symbols and intervals: add Ctrl or Alt."
    if pressed.key() == Qt.Key.Key_Escape:
        return f"{shown} closes and gives up: press other keys."
    if binding.group in WINDOW_WIDE and pressed.key() in _OF_LISTS_AND_FIELDS:
        return f"Lists and fields need {shown}: add Ctrl or Alt."
    return ""


def first_refusal(step: str) -> str:
    """Return in one sentence why a key cannot be the first of two steps; empty if it can."""
    steps = combinations_of(step)
    if not steps:
        return "This system does not know that key: press another."
    shown = texts_of([step])[0]
    return "" if can_begin(steps[0]) else f"{shown} alone has its own meaning: begin with Ctrl, Alt or a function key."


def _second_refusal(step: str) -> str:
    pressed, shown = combinations_of(step)[0], texts_of([step])[0]
    if pressed.key() in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
        return f"{shown} is for going from part to part: press other keys."
    if pressed.key() == Qt.Key.Key_Escape:
        return f"{shown} closes and gives up: press other keys."
    return ""
