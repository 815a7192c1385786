"""The table of keys, and its overview in the window."""

from __future__ import annotations

from itertools import chain

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from widgets.keys import FOCUSED, KEY_BINDINGS, WINDOW_WIDE, CommandGroup, bindings_by_group, key_texts
from widgets.window.main_window import MainWindow

NO_KEYS = Qt.KeyboardModifier.NoModifier


def test_no_key_has_two_meanings_and_every_command_has_a_key_or_is_for_the_mouse() -> None:
    def keys_in(*groups: CommandGroup) -> list[str]:
        return [QKeySequence(key).toString() for each in KEY_BINDINGS if each.group in groups for key in each.keys]

    others = [group for group in CommandGroup if group not in FOCUSED]
    for keys in (keys_in(*others), *(keys_in(part, *WINDOW_WIDE) for part in FOCUSED)):
        assert all(keys)
        assert len(set(keys)) == len(keys)
    assert all(binding.keys or binding.mouse for binding in KEY_BINDINGS)
    assert all(binding.command for binding in KEY_BINDINGS if binding.keys)
    commands = [binding.command for binding in KEY_BINDINGS if binding.command]
    assert len(set(commands)) == len(commands)
    assert list(chain.from_iterable(bindings_by_group().values())) == list(KEY_BINDINGS)


def test_the_overview_opens_by_its_keys_and_lists_every_command(qtbot: QtBot, window: MainWindow) -> None:
    overview = window.keys_overview
    qtbot.keyClick(window.chart, Qt.Key.Key_F1)
    assert overview.isVisible()
    said = {label.text() for label in overview.findChildren(QLabel)}
    for binding in KEY_BINDINGS:
        assert binding.text[0].upper() + binding.text[1:] in said
        assert set(key_texts(binding)) <= said
    assert window.rect().contains(overview.geometry())
    qtbot.keyClick(overview, Qt.Key.Key_Escape)
    assert not overview.isVisible()
    assert window.chart.hasFocus()
    qtbot.keyClick(window.chart, Qt.Key.Key_Question, Qt.KeyboardModifier.ShiftModifier)
    assert overview.isVisible()
