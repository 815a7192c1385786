"""Commands run by name: which part runs one, and why one cannot run now."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from widgets.commands import Commands, CommandSet
from widgets.window.main_window import MainWindow


def test_the_part_added_first_runs_a_command_that_two_parts_have() -> None:
    ran: list[str] = []
    commands, first, second = Commands(), CommandSet(), CommandSet()
    first.commands["log"] = lambda: ran.append("first")
    second.commands["log"] = lambda: ran.append("second")
    second.commands["fit"] = lambda: ran.append("fit")
    commands.add(lambda: first)
    commands.add(lambda: second)
    assert commands.run("log")
    assert commands.run("fit")
    assert ran == ["first", "fit"]


def test_a_command_runs_in_the_part_that_is_there_now() -> None:
    ran: list[str] = []
    charts = [CommandSet({"fit": lambda: ran.append("left")}), CommandSet({"fit": lambda: ran.append("right")})]
    active: list[CommandSet] = []
    commands = Commands()

    def part() -> CommandSet | None:
        return active[-1] if active else None

    commands.add(part)
    assert commands.reason_not("fit")
    assert not commands.run("fit")
    for chart in charts:
        active.append(chart)
        assert commands.reason_not("fit") == ""
        assert commands.run("fit")
    assert ran == ["left", "right"]
    commands.remove(part)
    assert not commands.run("fit")
    with pytest.raises(ValueError, match="not in list"):
        commands.remove(part)


def test_a_command_with_a_reason_not_to_run_is_not_called() -> None:
    reasons, ran = ["There is nothing to undo."], []
    part = CommandSet({"undo": lambda: ran.append(1), "back": lambda: False}, {"undo": lambda: reasons[-1]})
    commands = Commands()
    commands.add(lambda: part)
    assert not commands.run("undo")
    assert commands.reason_not("undo") == reasons[0]
    reasons.append("")
    assert commands.run("undo")
    assert ran == [1]
    assert not commands.run("back")  # it had nothing to do


def test_the_windows_parts_run_their_commands_by_name(window: MainWindow, qtbot: QtBot) -> None:
    commands, toasts = window.commands, window.toasts
    undone: list[str] = []
    assert commands.reason_not("undo") == "There is nothing to undo."
    toasts.show("Removed.", "Undo", lambda: undone.append("undone"))
    assert commands.run("undo")
    assert undone == ["undone"]
    assert "first" in commands.reason_not("remove_row")
    removed: list[str] = []
    window.requests.watch_remove_requested.connect(removed.append)
    window.watchlist.view.setFocus()
    qtbot.keyClick(window.watchlist.view, Qt.Key.Key_Down)
    assert commands.run("remove_row")
    assert len(removed) == 1
    assert commands.reason_not("remove_list") == "The last list cannot be deleted."
    assert commands.run("symbols")
    assert window.symbol_picker.isVisible()
