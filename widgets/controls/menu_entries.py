"""Entries of a menu that can be on or off, alone or one of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu


def add_toggle(menu: QMenu, text: str, *, on: bool, turn: Callable[[bool], object]) -> None:
    """Add an entry with a tick; ``turn`` is called with what it is turned to."""
    action = menu.addAction(text)
    action.setCheckable(True)
    action.setChecked(on)
    action.toggled.connect(turn)


def add_choices(menu: QMenu, entries: Sequence[tuple[str, bool, Callable[[], object]]]) -> None:
    """Add entries of which one at most has a tick: the text, whether it is that one, and what choosing it calls."""
    group = QActionGroup(menu)
    for text, is_chosen, choose in entries:
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(is_chosen)
        group.addAction(action)
        action.triggered.connect(lambda _checked=False, choose=choose: choose())
