"""The keys of a data directory: in force from the start, saved as they change, imported and exported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.window.keys.keys_controller import KeysController
from tests.widgets.cleanup import close_and_delete
from widgets.keys import current_keys, keys_of
from widgets.theme.style import prepare_application
from widgets.window.keyboard import WindowKeyboard
from widgets.window.main_window import MainWindow

Key = Qt.Key


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication) -> Iterator[MainWindow]:
    """A shown window around an empty widget that takes the focus."""
    prepare_application(qapp)
    chart = QWidget()
    chart.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    made = MainWindow(chart)
    made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    chart.setFocus()
    yield made
    made.allow_close()
    close_and_delete(made)


def said(window: MainWindow) -> list[str]:
    return [toast.text.text() for toast in window.toasts.shown]


def test_saved_keys_are_in_force_and_changes_are_saved_at_once(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "keys.json").write_text('{"version": 1, "keys": {"export": ["F7"], "fly": ["F8"]}, "note": "mine"}')
    exported: list[int] = []
    window.requests.export_requested.connect(lambda: exported.append(1))
    KeysController(window, tmp_path)
    qtbot.keyClick(window.chart, Key.Key_F7)
    assert exported == [1]
    current_keys.assign("measure", ("Ctrl+Shift+M",))
    window.keys_changed.emit()
    assert json.loads((tmp_path / "keys.json").read_text()) == {
        "version": 1,
        "note": "mine",
        "keys": {"fly": ["F8"], "export": ["F7"], "measure": ["Ctrl+Shift+M"]},
    }
    assert said(window) == []


def test_without_saved_keys_those_in_force_stay(window: MainWindow, tmp_path: Path) -> None:
    current_keys.assign("export", ("F7",))
    KeysController(window, tmp_path)
    assert keys_of("export") == ("F7",)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b'{"keys": {"export": ["F7"]', b'{"keys": "\xff"}', b'{"keys": ' + b"[" * 100_000])
def test_a_bad_file_costs_one_sentence_and_is_kept(window: MainWindow, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys.json").write_bytes(content)
    KeysController(window, tmp_path)
    assert said(window) == [
        "keys.json could not be read, so the usual keys are in force. It is kept as keys.damaged.json."
    ]
    assert keys_of("export") == ("Ctrl+E",)
    current_keys.assign("export", ("F8",))
    window.keys_changed.emit()
    assert (tmp_path / "keys.damaged.json").read_bytes() == content
    assert json.loads((tmp_path / "keys.json").read_text())["keys"] == {"export": ["F8"]}


def test_a_folder_that_is_gone_loses_nothing_but_the_saving(window: MainWindow, tmp_path: Path) -> None:
    KeysController(window, tmp_path / "gone")
    current_keys.assign("export", ("F8",))
    window.keys_changed.emit()
    assert said(window)[0].startswith("The keys could not be saved: No such file or directory.")
    assert keys_of("export") == ("F8",)


def test_keys_go_from_one_computer_to_another_by_a_file(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    KeysController(window, there)
    window.command_access.open_keys()
    dialog = window.command_access.keys_dialog
    assert dialog is not None
    current_keys.assign("export", ("F7",))
    dialog.export_requested.emit(str(tmp_path / "mine.json"))
    assert dialog.hint.text() == "Exported the changed keys as mine.json."
    dialog.export_requested.emit(str(tmp_path / "no" / "mine.json"))
    assert "could not be written: No such file or directory. Choose another folder." in dialog.hint.text()
    dialog.reset()
    assert keys_of("export") == ("Ctrl+E",)
    (tmp_path / "bad.json").write_text("{")
    dialog.import_requested.emit(str(tmp_path / "bad.json"))
    assert dialog.hint.text().startswith("bad.json could not be read as keys")
    assert keys_of("export") == ("Ctrl+E",)
    dialog.import_requested.emit(str(tmp_path / "mine.json"))
    assert dialog.hint.text() == "Imported: 1 command with keys of your own."
    assert keys_of("export") == ("F7",)
    assert json.loads((there / "keys.json").read_text())["keys"] == {"export": ["F7"]}
    dialog.reject()


def test_a_part_in_a_window_of_its_own_follows_changed_keys_too(window: MainWindow, qtbot: QtBot) -> None:
    other = QWidget()
    ran: list[str] = []
    WindowKeyboard(other, ran.append, open_interval=ran.append, open_symbol=ran.append, show_hint=ran.append)
    other.show()
    other.activateWindow()
    qtbot.waitUntil(other.isActiveWindow)
    current_keys.assign("export", ("F7",))
    window.follow_keys()
    qtbot.keyClick(other, Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(other, Key.Key_F7)
    assert ran == ["export"]
    close_and_delete(other)
