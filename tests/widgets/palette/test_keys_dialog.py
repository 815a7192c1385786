"""Changing keys: by the keyboard alone, with clashes named before anything is taken over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox
from pytestqt.qtbot import QtBot

from widgets.commands import CommandSet
from widgets.keys import KEY_BINDINGS, binding_of, current_keys, key_text, keys_of
from widgets.palette.command_rows import HeadRow
from widgets.palette.key_rows import KeyFilter, KeyRow
from widgets.palette.key_rules import refusal
from widgets.palette.keys_dialog import KeysDialog
from widgets.theme import text_size
from widgets.window.keyboard import WindowKeyboard
from widgets.window.main_window import MainWindow

Key, Modifier = Qt.Key, Qt.KeyboardModifier
CTRL, SHIFT, ALT, NONE = Modifier.ControlModifier, Modifier.ShiftModifier, Modifier.AltModifier, Modifier.NoModifier


@pytest.fixture
def dialog(window: MainWindow, qtbot: QtBot) -> Iterator[KeysDialog]:
    window.command_access.open_keys()
    opened = window.command_access.keys_dialog
    assert opened is not None
    qtbot.waitUntil(opened.isActiveWindow)
    yield opened
    opened.reject()


def choose(dialog: KeysDialog, command: str) -> KeyRow:
    row = dialog.model.row_of(command)
    assert row >= 0
    dialog.view.setCurrentIndex(dialog.model.index(row))
    dialog.view.setFocus()
    current = dialog.current()
    assert current is not None
    return current


def listen(dialog: KeysDialog, qtbot: QtBot, command: str, modifiers: Modifier = NONE) -> None:
    choose(dialog, command)
    qtbot.keyClick(dialog.view, Key.Key_Return, modifiers)
    assert dialog.editor is not None
    assert dialog.editor.listener.hasFocus()


def listed(dialog: KeysDialog) -> list[str]:
    return [row.command for row in dialog.model.rows if isinstance(row, KeyRow)]


def test_every_command_is_listed_in_its_section(dialog: KeysDialog) -> None:
    assert listed(dialog) == [each.command for each in KEY_BINDINGS if each.command]
    heads = [row.text for row in dialog.model.rows if isinstance(row, HeadRow)]
    assert heads == list(dict.fromkeys(each.group.value for each in KEY_BINDINGS if each.command))


def test_free_keys_are_taken_at_once_and_work_at_once(dialog: KeysDialog, window: MainWindow, qtbot: QtBot) -> None:
    changes: list[int] = []
    exported: list[int] = []
    window.keys_changed.connect(lambda: changes.append(1))
    window.requests.export_requested.connect(lambda: exported.append(1))
    listen(dialog, qtbot, "export")
    qtbot.keyClick(dialog.editor.listener, Key.Key_F7, SHIFT)
    assert dialog.editor is None
    assert dialog.view.hasFocus()
    assert keys_of("export") == ("Shift+F7",)
    assert changes == [1]
    row = dialog.current()
    assert row is not None
    assert (row.command, row.change) == ("export", "changed, was Ctrl+E")
    assert dialog.model.spoken(row) == "Export candles, Shift+F7, changed, was Ctrl+E"
    assert window.top_bar.export_button.toolTip() == "Write candles to a file (Shift+F7)"
    assert "Export…\tShift+F7" in [action.text() for action in window.top_bar.menu.actions()]
    dialog.accept()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window.chart, Key.Key_E, CTRL)
    assert exported == []
    qtbot.keyClick(window.chart, Key.Key_F7, SHIFT)
    assert exported == [1]
    qtbot.keyClick(window.chart, Key.Key_F1)
    assert "Shift+F7" in {label.text() for label in window.keys_overview.findChildren(QLabel)}


def test_a_clash_is_named_and_nothing_is_taken_before_the_user_agrees(dialog: KeysDialog, qtbot: QtBot) -> None:
    listen(dialog, qtbot, "measure")
    editor = dialog.editor
    qtbot.keyClick(editor.listener, Key.Key_S, ALT)
    assert editor.sentence.text() == "Alt+S is taken: “Snap the crosshair to prices, or no longer”."
    assert keys_of("measure") == ("Alt+M",)
    assert editor.take_button.hasFocus()
    qtbot.keyClick(editor.take_button, Key.Key_Escape)
    assert dialog.isVisible()
    assert dialog.editor is None
    assert keys_of("price_snap") == ("Alt+S",)
    listen(dialog, qtbot, "measure")
    editor = dialog.editor
    qtbot.keyClick(editor.listener, Key.Key_S, ALT)
    qtbot.mouseClick(editor.other_button, Qt.MouseButton.LeftButton)
    assert editor.listener.hasFocus()
    qtbot.keyClick(editor.listener, Key.Key_S, ALT)
    qtbot.keyClick(editor.take_button, Key.Key_Return)
    assert (keys_of("measure"), keys_of("price_snap")) == (("Alt+S",), ())
    assert choose(dialog, "price_snap").change == "changed, was Alt+S"
    assert dialog.filters[KeyFilter.CHANGED].text() == "Changed 2"


def test_a_clash_with_several_names_them_all(dialog: KeysDialog, qtbot: QtBot) -> None:
    listen(dialog, qtbot, "export")
    qtbot.keyClick(dialog.editor.listener, Key.Key_Up, CTRL | SHIFT)
    assert "“Move the chosen pane up” and “Move the chosen symbol up”" in dialog.editor.sentence.text()


@pytest.mark.parametrize(
    ("command", "key", "modifiers", "text", "said"),
    [
        ("measure", Key.Key_M, NONE, "m", "Letters and digits alone"),
        ("measure", Key.Key_M, SHIFT, "M", "Letters and digits alone"),
        ("export", Key.Key_5, NONE, "5", "Letters and digits alone"),
        ("export", Key.Key_Left, NONE, "", "Lists and fields need ←"),
        ("export", Key.Key_Return, SHIFT, "\r", "Lists and fields need"),
    ],
)
def test_keys_that_are_needed_elsewhere_are_refused_in_words(
    dialog: KeysDialog, qtbot: QtBot, command: str, key: Key, modifiers: Modifier, text: str, said: str
) -> None:
    before = keys_of(command)
    listen(dialog, qtbot, command)
    qtbot.keyClick(dialog.editor.listener, key, modifiers)
    assert dialog.editor.sentence.text().startswith(said)
    assert not dialog.editor.take_button.isVisible()
    assert dialog.editor.listener.hasFocus()
    assert keys_of(command) == before


def test_no_usual_key_would_be_refused() -> None:
    kept = {("cancel", "Esc")}  # which gives up everywhere, so that no other command may have it
    refused = {(each.command, key) for each in KEY_BINDINGS for key in each.keys if refusal(each.command, key)}
    assert refused == kept


def test_modifiers_alone_are_shown_and_waited_on(dialog: KeysDialog, qtbot: QtBot) -> None:
    listen(dialog, qtbot, "measure")
    listener = dialog.editor.listener
    QTest.keyPress(listener, Key.Key_Control, CTRL)
    assert listener._prompt() == "Ctrl+…"
    QTest.keyRelease(listener, Key.Key_Control, NONE)
    assert listener._prompt() == "Press keys, Esc stops"
    assert dialog.editor.sentence.text() == ""


def test_escape_stops_listening_and_leaves_the_dialog_open(dialog: KeysDialog, qtbot: QtBot) -> None:
    listen(dialog, qtbot, "measure")
    qtbot.keyClick(dialog.editor.listener, Key.Key_Escape)
    assert dialog.editor is None
    assert dialog.isVisible()
    assert dialog.view.hasFocus()
    qtbot.keyClick(dialog.view, Key.Key_Escape)
    assert not dialog.isVisible()


def test_a_double_click_listens_and_a_click_elsewhere_stops(dialog: KeysDialog, qtbot: QtBot) -> None:
    choose(dialog, "invert")
    at = dialog.view.visualRect(dialog.view.currentIndex()).center()
    qtbot.mouseDClick(dialog.view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert dialog.editor is not None
    assert dialog.editor.command == "invert"
    dialog.search.setFocus()
    assert dialog.editor is None


def test_shift_enter_adds_keys_to_those_there_are(dialog: KeysDialog, qtbot: QtBot) -> None:
    listen(dialog, qtbot, "date", SHIFT)
    qtbot.keyClick(dialog.editor.listener, Key.Key_F9)
    assert keys_of("date") == ("Ctrl+G", "Alt+G", "F9")


def test_usual_keys_are_put_back_one_by_one_or_all(dialog: KeysDialog, qtbot: QtBot) -> None:
    for command, keys in (("measure", ("F7",)), ("log", ()), ("fit", ("F8", "F9"))):
        current_keys.assign(command, keys)
    dialog.refresh()
    choose(dialog, "measure")
    qtbot.keyClick(dialog.view, Key.Key_Delete)
    assert keys_of("measure") == ("Alt+M",)
    choose(dialog, "log")
    index = dialog.view.currentIndex()
    dialog.view.scrollTo(index)
    undo = dialog.delegate.undo_rect(dialog.view.visualRect(index))
    qtbot.mouseClick(dialog.view.viewport(), Qt.MouseButton.LeftButton, pos=undo.center())
    assert keys_of("log") == ("Alt+L",)
    assert current_keys.changed == ["fit"]
    qtbot.mouseClick(dialog.reset_button, Qt.MouseButton.LeftButton)
    (box,) = dialog.findChildren(QMessageBox)
    box.buttons()[0].click()
    assert current_keys.changed == []
    assert not dialog.reset_button.isEnabled()


def test_putting_back_keys_that_another_has_by_now_asks_first(dialog: KeysDialog, qtbot: QtBot) -> None:
    current_keys.assign("measure", ("Alt+S",))
    dialog.refresh()
    choose(dialog, "price_snap")
    qtbot.keyClick(dialog.view, Key.Key_Backspace)
    assert dialog.editor.sentence.text().startswith("Alt+S is taken: “Measure")
    qtbot.keyClick(dialog.editor.take_button, Key.Key_Space)
    assert (keys_of("price_snap"), keys_of("measure")) == (("Alt+S",), ())


def test_commands_are_found_by_words_by_section_and_by_their_keys(dialog: KeysDialog, qtbot: QtBot) -> None:
    QTest.keyClicks(dialog.search, "snap")
    assert listed(dialog) == ["price_snap"]
    dialog.search.clear()
    qtbot.keyClick(dialog.search, Key.Key_Up, CTRL | SHIFT)
    assert set(listed(dialog)) == {"pane_up", "row_up"}
    dialog.search.clear()
    qtbot.keyClick(dialog.search, Key.Key_F11)
    assert listed(dialog) == ["full_screen"]
    dialog.search.setText("alt+")
    assert set(listed(dialog)) >= {"fit", "measure", "date"}
    assert "export" not in listed(dialog)
    dialog.search.setText("no such thing")
    assert dialog.message.isVisible()
    assert not dialog.view.isVisible()
    dialog.search.clear()
    dialog.filters[KeyFilter.WITHOUT].click()
    assert set(listed(dialog)) == {each.command for each in KEY_BINDINGS if each.command and not each.keys}
    dialog.filters[KeyFilter.CHANGED].click()
    assert listed(dialog) == []
    assert dialog.message.text() == "No keys are changed."


def test_typing_on_the_list_goes_on_in_the_search(dialog: KeysDialog, qtbot: QtBot) -> None:
    choose(dialog, "log")
    qtbot.keyClick(dialog.view, Key.Key_S)
    assert dialog.search.hasFocus()
    assert dialog.search.text() == "s"
    qtbot.keyClick(dialog.search, Key.Key_Down)
    assert dialog.view.hasFocus()


def test_the_menu_of_a_row_offers_what_can_be_done(dialog: KeysDialog, qtbot: QtBot) -> None:
    choose(dialog, "log")
    menu = dialog.menu_at(QPoint(-1, -1))
    assert [(one.text(), one.isEnabled()) for one in menu.actions()] == [
        ("Change…", True),
        ("Add others…", True),
        ("Two keys one after the other…", True),
        ("Use no keys", True),
        ("Put back", False),
    ]
    menu.actions()[3].trigger()
    assert keys_of("log") == ()
    assert key_text("log") == ""
    menu = dialog.menu_at(QPoint(-1, -1))
    assert [one.text() for one in menu.actions() if one.isEnabled()] == [
        *("Change…", "Add others…", "Two keys one after the other…", "Put back Alt+L"),
    ]


def test_everything_has_a_name(dialog: KeysDialog, qtbot: QtBot) -> None:
    listen(dialog, qtbot, "measure")
    editor = dialog.editor
    for part in (dialog.search, dialog.view, editor.listener, editor.close_button):
        assert part.accessibleName()
    assert "Measure from the crosshair on" in editor.listener.accessibleName()


@pytest.mark.parametrize("percent", [100, 200])
def test_a_clash_has_room_in_its_row(dialog: KeysDialog, qtbot: QtBot, percent: int) -> None:
    text_size.set_percent(percent)
    try:
        dialog.resize(648, 560)
        listen(dialog, qtbot, "export")
        qtbot.keyClick(dialog.editor.listener, Key.Key_Up, CTRL | SHIFT)
        qtbot.wait(10)
        editor = dialog.editor
        for part in (editor.sentence, editor.take_button, editor.other_button, editor.listener):
            assert editor.rect().contains(part.rect().translated(part.mapTo(editor, QPoint())))
        assert editor.sentence.height() >= editor.sentence.heightForWidth(editor.sentence.width())
        assert dialog.view.viewport().rect().contains(editor.geometry())
    finally:
        text_size.set_percent(100)


def test_two_keys_one_after_the_other_are_given_work_and_name_what_they_cost(
    dialog: KeysDialog, window: MainWindow, qtbot: QtBot
) -> None:
    ran: list[str] = []
    for command in ("log", "palette", "drawing_left"):
        window.commands.add(lambda command=command: CommandSet({command: lambda: ran.append(command)}))
    choose(dialog, "log")
    qtbot.keyClick(dialog.view, Key.Key_Return, CTRL)
    assert dialog.editor is not None
    listener = dialog.editor.listener
    qtbot.keyClick(listener, Key.Key_S)
    assert dialog.editor.sentence.text() == "S alone has its own meaning: begin with Ctrl, Alt or a function key."
    assert refusal("log", "Ctrl+K, Tab").startswith("Tab is for going from part to part")
    assert refusal("log", "Ctrl+K, Esc").startswith("Esc closes and gives up")
    qtbot.keyClick(listener, Key.Key_K, CTRL)
    qtbot.keyClick(listener, Key.Key_S)
    assert dialog.editor.sentence.text() == "Ctrl+K alone would work no longer: “Open the symbol picker”."
    qtbot.keyClick(dialog.editor.take_button, Key.Key_Return)
    assert keys_of("log") == ("Ctrl+K, S",)
    assert keys_of("symbols") == ()
    assert dialog.current().keys == ("Ctrl+K, S",)
    choose(dialog, "drawing_left")  # it may begin with the same key
    qtbot.keyClick(dialog.view, Key.Key_Return, CTRL)
    qtbot.keyClick(dialog.editor.listener, Key.Key_K, CTRL)
    qtbot.keyClick(dialog.editor.listener, Key.Key_Up, CTRL)
    assert keys_of("drawing_left") == ("Ctrl+K, Ctrl+Up",)
    dialog.accept()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    for focused in (window.chart, window.watchlist):
        focused.setFocus()
        target = QApplication.focusWidget()
        for second, modifiers in ((Key.Key_S, NONE), (Key.Key_Up, CTRL)):
            qtbot.keyClick(target, Key.Key_K, CTRL)
            qtbot.keyClick(target, second, modifiers)
    assert ran == ["log", "drawing_left"] * 2
    bar, canvas = window.status_bar, window.chart.focusProxy() or window.chart
    assert bar.hint.text() == ""
    qtbot.keyClick(canvas, Key.Key_K, CTRL)
    assert bar.hint.isVisible()
    assert not bar.feed.isVisible()
    assert bar.hint.text().startswith("Ctrl+K … ")
    assert f"S to {binding_of('log').text}" in bar.hint.text()
    assert f"Ctrl+↑ to {binding_of('drawing_left').text}" in bar.hint.text()
    qtbot.keyPress(canvas, Key.Key_Control, CTRL)  # on the way to the second
    assert bar.hint.isVisible()
    waits = window.findChild(WindowKeyboard)._second_step
    for give_up in (
        lambda: qtbot.keyClick(canvas, Key.Key_Escape),
        waits._patience.timeout.emit,
        lambda: qtbot.keyClick(canvas, Key.Key_E, CTRL),  # a command of its own
        lambda: qtbot.mouseClick(window.chart, Qt.MouseButton.LeftButton),
    ):
        qtbot.keyClick(canvas, Key.Key_K, CTRL)
        assert bar.hint.isVisible()
        assert waits._patience.isActive()
        give_up()
        assert (bar.hint.isVisible(), bar.feed.isVisible()) == (False, True)
        assert not waits._patience.isActive()
        assert ran == ["log", "drawing_left"] * 2
    assert not window.symbol_picker.isVisible()
    qtbot.keyClick(window.chart.focusProxy(), Key.Key_S)
    assert window.symbol_picker.isVisible()  # a letter alone still searches
    window.symbol_picker.dismiss()
    window.command_access.open_keys("palette")
    qtbot.waitUntil(lambda: dialog.editor is not None and dialog.editor.listener.hasFocus())
    qtbot.keyClick(dialog.editor.listener, Key.Key_K, CTRL)
    assert dialog.editor.sentence.text() == (
        "Ctrl+K, S, which begins with Ctrl+K, would work no longer: “Turn a logarithmic price axis on or off”. "
        "Ctrl+K, Ctrl+↑, which begins with Ctrl+K, would work no longer: “Move the drawing or point a candle left”."
    )
