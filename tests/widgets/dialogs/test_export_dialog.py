"""The export dialog: its fields, errors and states."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QDateTime, Qt, QTimeZone
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from app.market.interval import Interval
from tests.widgets.conftest import BTCUSDT, ETHUSDT, SATS
from widgets.dialogs.export_dialog import ExportDialog, ExportRequest, ExportState

START_US = 1_723_161_300_000_000  # 2024-08-08 23:55:00 UTC
END_US = 1_723_161_900_000_000  # 2024-08-09 00:05:00 UTC
M1 = Interval.parse("1m")


@pytest.fixture
def dialog(qtbot: QtBot, prepared: QApplication, tmp_path: Path) -> Iterator[ExportDialog]:
    made = ExportDialog([BTCUSDT, ETHUSDT, SATS], BTCUSDT, M1, visible_us=(START_US, END_US), folder=tmp_path)
    made.show()
    yield made
    made.state = ExportState.DONE
    made.close()
    made.deleteLater()
    QApplication.processEvents()


def start(dialog: ExportDialog, qtbot: QtBot) -> ExportRequest:
    with qtbot.waitSignal(dialog.export_started, timeout=1000) as request:
        qtbot.mouseClick(dialog.form.start_button, Qt.MouseButton.LeftButton)
    assert isinstance(request.args[0], ExportRequest)
    return request.args[0]


def answer(monkeypatch: pytest.MonkeyPatch, button: QMessageBox.StandardButton) -> list[str]:
    asked: list[str] = []

    def question(parent: object, title: str, text: str, *_: object) -> QMessageBox.StandardButton:
        asked.append(text)
        return button

    monkeypatch.setattr(QMessageBox, "question", question)
    return asked


def test_the_visible_range_is_exported_by_default(dialog: ExportDialog, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1m-20240808T2355-20240809T0005.csv"
    assert start(dialog, qtbot) == ExportRequest(BTCUSDT, M1, START_US, END_US, path)
    assert dialog.state is ExportState.RUNNING


def test_exporting_all_stored_candles_sets_no_bounds(dialog: ExportDialog, qtbot: QtBot, tmp_path: Path) -> None:
    dialog.form.everything.click()
    assert start(dialog, qtbot) == ExportRequest(BTCUSDT, M1, None, None, tmp_path / "BTCUSDT-1m.csv")


def test_a_chosen_range_is_in_utc(dialog: ExportDialog, qtbot: QtBot) -> None:
    dialog.form.chosen.click()
    assert dialog.form.start.isEnabled()
    dialog.form.start.setDateTime(QDateTime.fromString("2024-08-08T23:56:00Z", Qt.DateFormat.ISODate))
    dialog.form.end.setDateTime(QDateTime.fromMSecsSinceEpoch(END_US // 1000, QTimeZone.utc()))
    request = start(dialog, qtbot)
    assert (request.start_us, request.end_us) == (START_US + 60_000_000, END_US)


def test_another_symbol_and_a_typed_interval_change_the_file_name_too(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path
) -> None:
    dialog.form.everything.click()
    dialog.form.symbol.setEditText("eth usdt")
    dialog.form.interval.setEditText("13m")
    request = start(dialog, qtbot)
    assert (request.symbol, request.interval) == (ETHUSDT, Interval.parse("13m"))
    assert request.path == tmp_path / "ETHUSDT-13m.csv"


def test_a_typed_file_name_stays(dialog: ExportDialog, qtbot: QtBot, tmp_path: Path) -> None:
    dialog.form.path.clear()
    qtbot.keyClicks(dialog.form.path, str(tmp_path / "mine.csv"))
    dialog.form.interval.setEditText("1h")
    assert start(dialog, qtbot).path == tmp_path / "mine.csv"


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("symbol", "NOSUCH", "“NOSUCH” is not a symbol here"),
        ("interval", "13x", "“13x” is not an interval"),
        ("path", "", "Name the file to write"),
        ("path", "/no/such/folder/x.csv", "does not exist"),
    ],
)
def test_an_invalid_field_gets_a_sentence_and_nothing_starts(
    dialog: ExportDialog, qtbot: QtBot, field: str, text: str, sentence: str
) -> None:
    widget = getattr(dialog.form, field)
    if field == "path":
        dialog.form.set_path(text)
    else:
        widget.setEditText(text)
    with qtbot.assertNotEmitted(dialog.export_started):
        dialog.form.start_button.click()
    assert sentence in dialog.form.outcome.text()
    assert dialog.state is ExportState.EDITING


def test_a_range_that_ends_before_it_begins_is_refused(dialog: ExportDialog, qtbot: QtBot) -> None:
    dialog.form.chosen.click()
    dialog.form.end.setDateTime(dialog.form.start.dateTime())
    with qtbot.assertNotEmitted(dialog.export_started):
        dialog.form.start_button.click()
    assert "ends before it begins" in dialog.form.outcome.text()


def test_an_existing_file_is_replaced_only_after_agreement(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old.csv").write_text("keep")
    dialog.form.set_path(str(tmp_path / "old.csv"))
    asked = answer(monkeypatch, QMessageBox.StandardButton.No)
    with qtbot.assertNotEmitted(dialog.export_started):
        dialog.form.start_button.click()
    assert asked == ["“old.csv” exists already. Replace it?"]
    assert (tmp_path / "old.csv").read_text() == "keep"
    answer(monkeypatch, QMessageBox.StandardButton.Yes)
    assert start(dialog, qtbot).path.name == "old.csv"


def test_progress_is_shown_and_the_fields_are_locked(dialog: ExportDialog, qtbot: QtBot) -> None:
    start(dialog, qtbot)
    dialog.set_progress(12345, 0.4)
    assert dialog.form.outcome.text() == "12,345 candles written"
    assert dialog.form.progress.value() / dialog.form.progress.maximum() == 0.4
    assert not dialog.form.symbol.isEnabled()
    assert not dialog.form.start_button.isEnabled()
    dialog.set_progress(20000, None)
    assert dialog.form.progress.maximum() == 0


def test_cancelling_is_a_request_and_ends_only_when_answered(dialog: ExportDialog, qtbot: QtBot) -> None:
    start(dialog, qtbot)
    with qtbot.waitSignal(dialog.cancel_requested, timeout=1000):
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    with qtbot.assertNotEmitted(dialog.cancel_requested):
        dialog.reject()
    dialog.set_progress(500, 0.5)
    assert dialog.form.outcome.text() == "Cancelling…"
    assert dialog.isVisible()
    dialog.cancelled()
    assert dialog.form.outcome.text() == "Cancelled; no file was written."
    assert dialog.form.start_button.isEnabled()
    dialog.reject()
    assert not dialog.isVisible()


def test_success_states_the_number_of_candles_and_the_file(dialog: ExportDialog, qtbot: QtBot, tmp_path: Path) -> None:
    path = start(dialog, qtbot).path
    dialog.completed(path, 1)
    assert dialog.form.outcome.text() == f"1 candle written to {path}"
    assert dialog.form.cancel_button.text() == "Close"
    dialog.form.cancel_button.click()
    assert not dialog.isVisible()


def test_a_failed_export_can_be_retried(dialog: ExportDialog, qtbot: QtBot) -> None:
    start(dialog, qtbot)
    dialog.failed("The disk is full: free some space.")
    assert dialog.form.outcome.text() == "The disk is full: free some space."
    assert dialog.form.progress.isHidden()
    start(dialog, qtbot)


def test_without_a_visible_range_all_stored_candles_are_chosen(
    qtbot: QtBot, prepared: QApplication, tmp_path: Path
) -> None:
    dialog = ExportDialog([BTCUSDT], BTCUSDT, M1, folder=tmp_path)
    qtbot.addWidget(dialog)
    assert dialog.form.everything.isChecked()
    assert not dialog.form.visible.isEnabled()
    dialog.form.chosen.click()
    assert start(dialog, qtbot).start_us is not None
    dialog.failed("")


def test_enter_presses_the_focused_button(dialog: ExportDialog, qtbot: QtBot) -> None:
    dialog.form.cancel_button.setFocus()
    with qtbot.assertNotEmitted(dialog.export_started):
        qtbot.keyClick(dialog.form.cancel_button, Qt.Key.Key_Return)
    assert not dialog.isVisible()
