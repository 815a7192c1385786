"""The palette over a window: what it lists, runs and refuses, by the keyboard alone."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from widgets.commands import CommandSet
from widgets.keys import KEY_BINDINGS, current_keys
from widgets.palette.command_palette import CommandPalette
from widgets.palette.command_rows import COMMANDS, MOST_USED, USED_LAST, CommandRow, HeadRow, all_commands, rows_for
from widgets.palette.fuzzy_match import match
from widgets.palette.palette_delegate import PaletteDelegate, icon_of
from widgets.theme import icons, style, text_size
from widgets.theme.palettes import LIGHT
from widgets.window.main_window import MainWindow

Key, Modifier = Qt.Key, Qt.KeyboardModifier
PALETTE = Modifier.ControlModifier | Modifier.ShiftModifier


def opened(window: MainWindow, qtbot: QtBot) -> CommandPalette:
    qtbot.keyClick(window.chart, Key.Key_P, PALETTE)
    palette = window.command_access.palette
    assert palette is not None
    assert palette.isVisible()
    return palette


def titles(palette: CommandPalette) -> list[str]:
    return [row.title if isinstance(row, CommandRow) else row.text for row in palette.model.rows]


def current(palette: CommandPalette) -> str:
    row = palette._current()
    return row.command if row is not None else ""


def test_every_command_of_the_table_is_listed_with_its_keys(window: MainWindow, qtbot: QtBot) -> None:
    palette = opened(window, qtbot)
    listed = [row.command for row in palette.model.rows if isinstance(row, CommandRow)]
    assert listed == [each.command for each in KEY_BINDINGS if each.command and each.command != "palette"]
    assert palette.count.text() == f"{len(listed)} commands"
    assert "Export candles, The window, Ctrl+E" in [palette.model.spoken(row) for row in palette.model.rows]
    assert palette.edit.hasFocus()
    assert all(icons.pixmap(icon_of(each.command, each.group), "#ffffff").width() for each in all_commands())


def test_enter_runs_the_best_match_and_gives_the_focus_back(window: MainWindow, qtbot: QtBot) -> None:
    exported: list[bool] = []
    window.requests.export_requested.connect(lambda: exported.append(window.chart.hasFocus()))
    palette = opened(window, qtbot)
    QTest.keyClicks(palette.edit, "exp can")
    assert current(palette) == "export"
    qtbot.keyClick(palette.edit, Key.Key_Return)
    assert exported == [True]  # where the focus was before
    assert not palette.isVisible()
    palette = opened(window, qtbot)
    assert palette.edit.text() == ""
    assert titles(palette)[:3] == [USED_LAST, "Export candles", COMMANDS]
    assert window.layout_values()["palette"] == {"used": ["export"]}


def test_escape_closes_and_gives_the_focus_back_and_its_own_keys_do_too(window: MainWindow, qtbot: QtBot) -> None:
    for close in ((Key.Key_Escape, Modifier.NoModifier), (Key.Key_P, PALETTE)):
        palette = opened(window, qtbot)
        qtbot.keyClick(palette.edit, *close)
        assert not palette.isVisible()
        assert window.chart.hasFocus()


def test_a_command_that_cannot_run_is_listed_with_the_reason_and_does_not_run(window: MainWindow, qtbot: QtBot) -> None:
    palette = opened(window, qtbot)
    QTest.keyClicks(palette.edit, "undo that can")
    row = palette._current()
    assert row is not None
    assert (row.command, row.reason) == ("undo", "There is nothing to undo.")
    assert palette.reason.text() == row.reason
    assert row.reason in palette.model.spoken(row)
    qtbot.keyClick(palette.edit, Key.Key_Return)
    assert palette.isVisible()
    assert palette.used == []
    undone: list[int] = []
    window.toasts.show("Removed.", "Undo", lambda: undone.append(1))
    qtbot.keyClick(palette.edit, Key.Key_Return)  # it can now
    assert undone == [1]
    assert not palette.isVisible()


def test_a_reason_that_arises_while_the_palette_is_open_is_said(window: MainWindow, qtbot: QtBot) -> None:
    reasons, ran = [""], []
    part = CommandSet({"fit": lambda: ran.append(1)}, {"fit": lambda: reasons[0]})
    window.commands.add(lambda: part)
    palette = opened(window, qtbot)
    QTest.keyClicks(palette.edit, "go back usual width")
    assert current(palette) == "fit"
    reasons[0] = "The candles have gone."
    qtbot.keyClick(palette.edit, Key.Key_Return)
    assert ran == []
    assert palette.reason.text() == "The candles have gone."
    assert palette.reason.isVisible()


def test_the_arrow_keys_leave_heads_out_and_go_round(window: MainWindow, qtbot: QtBot) -> None:
    window.restore_layout_values({"palette": {"used": ["export", "about", "no such command"]}})
    palette = opened(window, qtbot)
    assert titles(palette)[:4] == [USED_LAST, "Export candles", "Show the version and the licences", COMMANDS]
    seen = []
    for _ in range(3):
        seen.append(current(palette))
        qtbot.keyClick(palette.edit, Key.Key_Down)
    assert seen[:2] == ["export", "about"]
    assert seen[2] not in seen[:2]
    for _ in range(3):
        qtbot.keyClick(palette.edit, Key.Key_Up)
    assert current(palette) == "export"
    qtbot.keyClick(palette.edit, Key.Key_Up)
    assert palette.list.currentIndex().row() == palette.model.rowCount() - 1
    qtbot.keyClick(palette.edit, Key.Key_Down)
    assert current(palette) == "export"
    for _ in range(60):
        qtbot.keyClick(palette.edit, Key.Key_PageDown)
    assert palette.list.currentIndex().row() == palette.model.rowCount() - 1
    for _ in range(60):
        qtbot.keyClick(palette.edit, Key.Key_PageUp)
    assert current(palette) == "export"


def test_a_click_runs_and_a_head_is_no_command(window: MainWindow, qtbot: QtBot) -> None:
    requested: list[str] = []
    palette = opened(window, qtbot)
    palette.command_requested.connect(requested.append)
    QTest.keyClicks(palette.edit, "dark theme")
    rows = [palette.list.visualRect(palette.model.index(at)).center() for at in range(2)]
    qtbot.mouseClick(palette.list.viewport(), Qt.MouseButton.LeftButton, pos=rows[0])
    assert requested == []
    assert palette.isVisible()
    qtbot.mouseClick(palette.list.viewport(), Qt.MouseButton.LeftButton, pos=rows[1])
    assert requested == ["theme_dark"]


def test_tab_changes_the_keys_of_the_command(window: MainWindow, qtbot: QtBot) -> None:
    palette = opened(window, qtbot)
    QTest.keyClicks(palette.edit, "about version")
    assert palette.message.text() == "No command matches “about version”."
    palette.edit.clear()
    QTest.keyClicks(palette.edit, "licences")
    qtbot.keyClick(palette.edit, Key.Key_Tab)
    assert not palette.isVisible()
    dialog = window.command_access.keys_dialog
    assert dialog is not None
    qtbot.waitUntil(lambda: dialog.editor is not None and dialog.editor.listener.hasFocus())
    assert dialog.editor.command == "about"
    dialog.reject()


def test_changed_keys_show_at_once(window: MainWindow, qtbot: QtBot) -> None:
    current_keys.assign("export", ("F7",))
    window.follow_keys()
    palette = opened(window, qtbot)
    assert "Export candles, The window, F7" in [palette.model.spoken(row) for row in palette.model.rows]


def test_those_used_last_come_first_and_only_five_are_remembered(window: MainWindow, qtbot: QtBot) -> None:
    palette = opened(window, qtbot)
    for command in ("fit", "export", "log", "fit", "date", "about", "quit"):
        palette.note_used(command)
    assert palette.used == ["quit", "about", "date", "fit", "log"]
    assert len(palette.used) == MOST_USED


@pytest.mark.parametrize("typed", ["", "e", "pane", "exp", "%", "zzz", " "])
@pytest.mark.parametrize("used", [(), ("close_pane", "export", "exports of another version", "export", "fit")])
def test_rows_are_all_that_match_each_once(typed: str, used: tuple[str, ...]) -> None:
    rows = rows_for(typed, used, {"fit": "Not now."})
    commands = [row.command for row in rows if isinstance(row, CommandRow)]
    matching = {
        each.command
        for each in all_commands()
        if match(typed, each.text) or match(typed, f"{each.text} {each.group.value}")
    }
    assert len(commands) == len(set(commands))
    assert set(commands) == matching
    heads = [row.text for row in rows if isinstance(row, HeadRow)]
    assert heads == [text for text in (USED_LAST, COMMANDS) if text in heads]
    assert {row.reason for row in rows if isinstance(row, CommandRow)} <= {"", "Not now."}


@pytest.mark.parametrize("percent", [100, 200])
@pytest.mark.parametrize("size", [(1440, 900), (960, 600), (700, 320)])
def test_the_palette_stays_within_the_window(
    window: MainWindow, qtbot: QtBot, size: tuple[int, int], percent: int
) -> None:
    text_size.set_percent(percent)
    try:
        window.resize(*size)
        window.set_palette(LIGHT)
        palette = opened(window, qtbot)
        assert window.rect().contains(palette.geometry())
        row_px = style.px(PaletteDelegate.ROW_PX)
        assert row_px <= palette.list.height() <= 9 * row_px
        if size == (1440, 900):
            assert (palette.y(), palette.width()) == (88, style.px(616))
        before = palette.height()
        QTest.keyClicks(palette.edit, "licences")
        assert palette.height() <= before
        palette.dismiss()
    finally:
        text_size.set_percent(100)


def test_the_palette_stays_in_the_middle_as_the_window_is_resized(window: MainWindow, qtbot: QtBot) -> None:
    palette = opened(window, qtbot)
    QTest.keyClicks(palette.edit, "exp")
    for width, height in ((1440, 900), (700, 420), (1280, 720)):
        window.resize(width, height)
        assert palette.isVisible()
        assert window.rect().contains(palette.geometry())
        assert abs(palette.geometry().center().x() - window.rect().center().x()) <= 1
    assert palette.edit.text() == "exp"
    qtbot.keyClick(palette.edit, Key.Key_Escape)
    assert window.chart.hasFocus()
