"""The export dialog at work: what it says of the files before, while and after they are written."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from app.market.availability import StoredTimes
from app.market.coverage import IdRanges
from app.market.interval import Interval
from tests.widgets.dialogs.export.conftest import H1, M1, MINUTE_US, START_US, shown_dialog, start
from widgets.dialogs.export.export_dialog import ExportDialog, WrittenFile
from widgets.dialogs.export.range_fields import Range
from widgets.theme import text_size


def answer(monkeypatch: pytest.MonkeyPatch, button: QMessageBox.StandardButton) -> list[str]:
    asked: list[str] = []

    def question(parent: object, title: str, text: str, *_: object) -> QMessageBox.StandardButton:
        asked.append(text)
        return button

    monkeypatch.setattr(QMessageBox, "question", question)
    return asked


def test_the_bar_follows_each_field_and_the_foot_says_what_the_file_will_lack(
    dialog: ExportDialog, qtbot: QtBot
) -> None:
    wanted: list[object] = []
    dialog.stored_requested.connect(wanted.append)
    dialog.ask_what_is_stored()
    assert wanted == [[("BTCUSDT", M1)]]
    row, outcome = dialog.card.rows[0], dialog.foot.outcome
    assert (row.name.text(), row.figure.text(), outcome.text()) == ("BTC/USDT 1m", "", "")
    stored = StoredTimes(((START_US - 1, START_US + 4 * MINUTE_US),), IdRanges([(0, START_US - 1)]), START_US)
    dialog.set_stored("ETHUSDT", M1, StoredTimes())  # of a symbol that is no longer chosen
    dialog.set_stored("BTCUSDT", M1, stored)
    assert row.figure.text() == "6 to fetch"
    assert dialog.card.legend.texts == ["From stored trades", "To be fetched"]
    assert outcome.text() == "10 rows, about 2\u00a0kB."
    dialog.form.rows.fetch.click()
    assert row.figure.text() == "40.00 %"
    assert dialog.card.legend.texts == ["From stored trades", "Not to be had"]
    assert outcome.text() == (
        "4 rows, about 1\u00a0kB. The file will lack 6 candles, the first at 2024-08-08 23:59: "
        "not stored, or not to be had."
    )
    assert "not to be had: 6" in row.bar.accessibleDescription()
    dialog.form.rows.fetch.click()
    dialog.form.rows.range.buttons[Range.DAY].click()
    assert dialog.card.legend.texts == ["From stored trades", "To be fetched", "Not to be had"]
    dialog.form.rows.intervals.set_texts(["1h"])
    assert wanted == [[("BTCUSDT", M1)], [("BTCUSDT", H1)]]
    assert row.figure.text() == ""
    dialog.form.rows.symbols.entry.setText("NOSUCH")
    dialog.form.rows.symbols.entry.textEdited.emit("NOSUCH")
    assert dialog.card.isHidden()
    assert "“NOSUCH” is not a symbol here" in outcome.text()


def test_several_symbols_and_intervals_go_to_a_folder(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog.ask_what_is_stored()
    rows = dialog.form.rows
    rows.symbols.entry.setFocus()
    qtbot.keyClicks(rows.symbols.entry, "eth usdt,")
    qtbot.keyClicks(rows.intervals.entry, "2h")  # and no Enter: what is typed counts
    dialog.form.layout_of_rows.format.setCurrentText("Parquet")
    assert dialog.form.target.caption.text() == "Folder"
    assert dialog.form.target.path.text() == str(tmp_path)
    assert dialog.form.target.names.text() == "BTCUSDT-1m.parquet and 3 more"
    for symbol in ("BTCUSDT", "ETHUSDT"):
        for interval in (M1, Interval.parse("2h")):
            dialog.set_stored(symbol, interval, StoredTimes(listed_us=1))
    assert [row.name.text() for row in dialog.card.rows] == [
        "BTC/USDT 1m",
        "BTC/USDT 2h",
        "ETH/USDT 1m",
        "ETH/USDT 2h",
    ]
    assert dialog.foot.outcome.text().startswith("22 rows in 4 files, about")
    for name in ("BTCUSDT-1m", "ETHUSDT-2h"):
        (tmp_path / f"{name}.parquet").write_text("keep")
    asked = answer(monkeypatch, QMessageBox.StandardButton.No)
    with qtbot.assertNotEmitted(dialog.export_started):
        dialog.foot.start_button.click()
    assert asked == [f"2 of the 4 files exist already in “{tmp_path}”. Replace them?"]
    answer(monkeypatch, QMessageBox.StandardButton.Yes)
    request = start(dialog, qtbot)
    assert request.path == tmp_path
    assert [one.subject for one in request.plan.files] == ["BTCUSDT 1m", "BTCUSDT 2h", "ETHUSDT 1m", "ETHUSDT 2h"]
    third = request.plan.files[2]
    dialog.set_progress(third, 2, 5, 10)
    assert dialog.foot.outcome.text() == "File 3 of 4, ETHUSDT 1m: 5 of 10 candles"
    assert dialog.foot.progress.value() == 625
    written = [WrittenFile(one, tmp_path / "x.parquet", 10) for one in request.plan.files]
    written[2] = written[2]._replace(lack="1 of 10 candles is missing.")
    dialog.completed(written)
    said = f"4 files with 40 candles written to {tmp_path}. ETHUSDT 1m: 1 of 10 candles is missing."
    assert dialog.foot.outcome.text() == said


def test_the_bar_fills_while_it_is_fetched(dialog: ExportDialog, qtbot: QtBot) -> None:
    dialog.ask_what_is_stored()
    dialog.set_stored("BTCUSDT", M1, StoredTimes())
    (request,) = start(dialog, qtbot).plan.files
    bar = dialog.card.rows[0].bar
    before = bar.grab().toImage()
    dialog.set_progress(request, 0, 5, 10, "2 per second, 3 s left")
    after = bar.grab().toImage()
    middle = before.height() // 2
    changed = [x for x in range(before.width()) if before.pixel(x, middle) != after.pixel(x, middle)]
    assert changed
    assert max(changed) <= before.width() / 2 + 1
    assert dialog.foot.pace.text() == "2 per second, 3 s left"
    dialog.set_progress(request, 0, 5, 10, waits_because="Cannot reach the exchange.")
    assert dialog.foot.outcome.text() == "Waiting: Cannot reach the exchange."


@pytest.mark.parametrize("percent", [100, 200])
@pytest.mark.parametrize("size", [(760, 560), (940, 540)])
def test_head_and_foot_stay_on_a_small_screen_with_large_text(
    qtbot: QtBot, prepared: QApplication, tmp_path: Path, percent: int, size: tuple[int, int]
) -> None:
    text_size.set_percent(percent)
    try:
        dialog = shown_dialog(tmp_path)
        qtbot.addWidget(dialog)
        dialog.resize(*size)
        rows = dialog.form.rows
        rows.range.buttons[Range.CHOSEN].click()
        rows.symbols.set_texts(["BTC/USDT", "ETH/USDT", "1000SATS/USDT"])
        QApplication.processEvents()
        assert (dialog.width(), dialog.height()) == size
        kinds = [button for button in rows.kinds.values() if button.isVisible()]
        assert len(kinds) == 3  # no symbol here has quotes
        for part in (dialog.foot.cancel_button, dialog.foot.start_button, dialog.foot.outcome, *kinds):
            place = part.rect().translated(part.mapTo(dialog, part.rect().topLeft()))
            assert dialog.rect().contains(place)
        fields, view = dialog.body.widget(), dialog.body.viewport()
        assert fields is not None
        assert view is not None
        assert fields.width() <= view.width()
        ends = (rows.range.start, rows.range.end, dialog.form.target.browse_button, dialog.preview)
        for field in (*rows.range.buttons.values(), *ends, rows.intervals, rows.symbols):
            assert field.mapTo(fields, field.rect().bottomRight()).x() < view.width()
    finally:
        text_size.set_percent(100)


def test_a_file_of_freqtrade_replaces_another_only_after_agreement(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "BTC_USDT-1m.feather").write_text("keep")
    dialog.form.layout_of_rows.preset.setCurrentText("freqtrade")
    asked = answer(monkeypatch, QMessageBox.StandardButton.No)
    with qtbot.assertNotEmitted(dialog.export_started):
        dialog.foot.start_button.click()
    assert asked == ["“BTC_USDT-1m.feather” exists already. Replace it?"]


def test_the_first_rows_are_asked_for_and_shown_unless_others_are_wanted_by_then(
    dialog: ExportDialog, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(dialog.preview_requested, timeout=5000) as first:
        dialog.form.rows.intervals.set_texts(["1m", "1h"])
    with qtbot.waitSignal(dialog.preview_requested, timeout=5000) as second:
        dialog.form.layout_of_rows.preset.setCurrentText("ccxt")
    assert [one.subject for one in second.args[0].files] == ["BTCUSDT 1m"]
    dialog.set_preview(second.args[0], ("timestamp", "open"), [("1723161300000", "61.5")], "")
    dialog.set_preview(first.args[0], ("open_time",), [], "too late")
    assert dialog.preview.texts() == [["1723161300000", "61.5"]]
    assert dialog.preview_note.isHidden()
    dialog.set_preview(second.args[0], ("timestamp", "open"), [], "None is stored.")
    assert (dialog.preview.rowCount(), dialog.preview_note.text()) == (0, "None is stored.")


def test_an_existing_file_is_replaced_only_after_agreement(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old.csv").write_text("keep")
    dialog.form.target.set_path(str(tmp_path / "old.csv"))
    asked = answer(monkeypatch, QMessageBox.StandardButton.No)
    with qtbot.assertNotEmitted(dialog.export_started):
        dialog.foot.start_button.click()
    assert asked == ["“old.csv” exists already. Replace it?"]
    assert (tmp_path / "old.csv").read_text() == "keep"
    answer(monkeypatch, QMessageBox.StandardButton.Yes)
    assert start(dialog, qtbot).path.name == "old.csv"


def test_progress_is_shown_and_the_fields_are_locked(dialog: ExportDialog, qtbot: QtBot) -> None:
    (request,) = start(dialog, qtbot).plan.files
    dialog.set_progress(request, 0, 12_345, 30_000)
    assert dialog.foot.outcome.text() == "12,345 of 30,000 candles"
    progress = dialog.foot.progress
    assert progress.value() / progress.maximum() == pytest.approx(0.4115, abs=0.001)
    assert not dialog.form.rows.symbols.isEnabled()
    assert not dialog.foot.start_button.isEnabled()
    assert not dialog.form.rows.range.buttons[Range.DAY].isEnabled()


def test_cancelling_is_a_request_and_ends_only_when_answered(dialog: ExportDialog, qtbot: QtBot) -> None:
    (request,) = start(dialog, qtbot).plan.files
    with qtbot.waitSignal(dialog.cancel_requested, timeout=1000):
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    with qtbot.assertNotEmitted(dialog.cancel_requested):
        dialog.reject()
    dialog.set_progress(request, 0, 500, 1000)
    assert dialog.foot.outcome.text() == "Cancelling…"
    assert dialog.isVisible()
    dialog.cancelled()
    assert dialog.foot.outcome.text() == "Cancelled; no file was written. What was fetched is stored."
    assert dialog.foot.start_button.isEnabled()
    dialog.reject()
    assert not dialog.isVisible()


def test_success_states_the_number_of_candles_the_file_and_what_is_missing(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path
) -> None:
    request = start(dialog, qtbot)
    path, (rows,) = request.path, request.plan.files
    dialog.completed([WrittenFile(rows, path, 1)])
    assert dialog.foot.outcome.text() == f"1 candle written to {path}."
    dialog.completed([WrittenFile(rows, path, 9, "1 of 10 candles is missing.")])
    assert dialog.foot.outcome.text() == f"9 candles written to {path}. 1 of 10 candles is missing."
    assert dialog.foot.cancel_button.text() == "Close"
    with qtbot.waitSignal(dialog.folder_requested, timeout=1000) as shown:
        dialog.foot.folder_button.click()
    assert shown.args == [path]
    dialog.foot.cancel_button.click()
    assert not dialog.isVisible()


def test_a_failed_export_can_be_retried_and_names_the_files_that_are_whole(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path
) -> None:
    (rows,) = start(dialog, qtbot).plan.files
    full = "The disk is full: free some space."
    dialog.failed(full)
    assert dialog.foot.outcome.text() == full
    start(dialog, qtbot)
    written = [WrittenFile(rows, tmp_path / f"{number}.csv", 9) for number in range(5)]
    dialog.failed(full, written[:2])
    assert dialog.foot.outcome.text() == f"{full} 2 files are whole in {tmp_path}: 0.csv, 1.csv."
    start(dialog, qtbot)
    dialog.cancelled(written)
    whole = f"5 files are whole in {tmp_path}: 0.csv, 1.csv, 2.csv and 2 more."
    assert dialog.foot.outcome.text() == f"Cancelled. {whole} What was fetched is stored."
    assert dialog.foot.progress.isHidden()
    start(dialog, qtbot)


def test_enter_presses_the_focused_button(dialog: ExportDialog, qtbot: QtBot) -> None:
    dialog.foot.cancel_button.setFocus()
    with qtbot.assertNotEmitted(dialog.export_started):
        qtbot.keyClick(dialog.foot.cancel_button, Qt.Key.Key_Return)
    assert not dialog.isVisible()
