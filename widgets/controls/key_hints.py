"""
Keys in tool tips and menus that last, such as “Export… Ctrl+E”: they follow the keys that the user changes.

Menus that are made each time they open need none of this: `widgets.keys.key_text` is enough there.
"""

from __future__ import annotations

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QWidget

from widgets.keys import key_text

_TIP, _ENTRY = "cryptopipeKeyTip", "cryptopipeKeyEntry"  # properties: text and command, and what stands behind the key


def set_key_tip(widget: QWidget, tip: str, command: str, *, otherwise: str = "") -> None:
    """
    Give a widget a tool tip that ends with the command's key in brackets, now and when the user changes it.

    ``otherwise`` stands in the brackets, too: what else does it.

    Raises:
        KeyError: If there is no such command.
    """
    widget.setProperty(_TIP, [tip, command, otherwise])
    inside = ", ".join(part for part in (key_text(command), otherwise) if part)
    widget.setToolTip(f"{tip} ({inside})" if inside else tip)


def text_with_key(text: str, command: str) -> str:
    """
    Return the text of an entry of a menu that is about to open, with the command's key behind it.

    Raises:
        KeyError: If there is no such command.
    """
    key = key_text(command)
    return f"{text}\t{key}" if key else text


def set_key_entry(action: QAction, text: str, command: str) -> QAction:
    """
    Give an entry of a menu its text and the command's key behind it, now and when the user changes it.

    Returns the action.

    Raises:
        KeyError: If there is no such command.
    """
    action.setProperty(_ENTRY, [text, command])
    key = key_text(command)
    action.setText(f"{text}\t{key}" if key else text)
    return action


def follow_keys() -> None:
    """Show the keys in force in every tool tip and menu of the program that `set_key_tip` and the like made."""
    for widget in QApplication.allWidgets():
        if tip := widget.property(_TIP):
            set_key_tip(widget, tip[0], tip[1], otherwise=tip[2])
        for action in widget.actions():
            if entry := action.property(_ENTRY):
                set_key_entry(action, *entry)
