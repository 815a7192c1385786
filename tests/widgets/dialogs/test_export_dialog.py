"""The export dialog: its fields, errors and states."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QDateTime, Qt, QTimeZone
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from app.market.availability import StoredTimes
from app.market.candle_request import CandleRequest
from app.market.coverage import IdRanges
from app.market.file_format import FileFormat, FileLayout
from app.market.interval import Interval
from tests.widgets.conftest import BTCUSDT, ETHUSDT, SATS
from widgets.dialogs.export_dialog import ExportDialog, ExportRequest, ExportState
from widgets.dialogs.export_file_fields import Rows
from widgets.dialogs.export_form import FormStart, Range
from widgets.theme import text_size

MINUTE_US = 60_000_000
START_US = 1_723_161_300_000_000  # 2024-08-08 23:55:00 UTC
END_US = 1_723_161_900_000_000  # 2024-08-09 00:05:00 UTC
NOW_US = END_US + 60 * MINUTE_US
M1 = Interval.parse("1m")


def shown_dialog(tmp_path: Path, visible_us: tuple[int, int] | None = (START_US, END_US)) -> ExportDialog:
    start = FormStart(BTCUSDT, M1, visible_us, NOW_US, tmp_path)
    made = ExportDialog([BTCUSDT, ETHUSDT, SATS], start)
    made.show()
    return made


@pytest.fixture
def dialog(qtbot: QtBot, prepared: QApplication, tmp_path: Path) -> Iterator[ExportDialog]:
    made = shown_dialog(tmp_path)
    yield made
    made.state = ExportState.DONE
    made.close()
    made.deleteLater()
    QApplication.processEvents()


def start(dialog: ExportDialog, qtbot: QtBot) -> ExportRequest:
    with qtbot.waitSignal(dialog.export_started, timeout=1000) as request:
        qtbot.mouseClick(dialog.start_button, Qt.MouseButton.LeftButton)
    assert isinstance(request.args[0], ExportRequest)
    return request.args[0]


def asked(start_us: int, end_us: int) -> CandleRequest:
    return CandleRequest("BTCUSDT", M1, start_us, end_us, fetch=True, include_open=False)


def answer(monkeypatch: pytest.MonkeyPatch, button: QMessageBox.StandardButton) -> list[str]:
    asked: list[str] = []

    def question(parent: object, title: str, text: str, *_: object) -> QMessageBox.StandardButton:
        asked.append(text)
        return button

    monkeypatch.setattr(QMessageBox, "question", question)
    return asked


def test_the_visible_range_is_exported_by_default_and_what_is_not_stored_is_fetched(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "BTCUSDT-1m-20240808T2355-20240809T0005.csv"
    assert start(dialog, qtbot) == ExportRequest(asked(START_US, END_US), path, is_named=False)
    assert dialog.state is ExportState.RUNNING


def test_ticks_leave_out_what_is_not_stored_and_bring_the_open_candle(dialog: ExportDialog, qtbot: QtBot) -> None:
    dialog.form.fetch.click()
    dialog.form.include_open.click()
    request = start(dialog, qtbot).candles
    assert (request.fetch, request.include_open) == (False, True)


@pytest.mark.parametrize(
    ("choice", "minutes"), [(Range.DAY, 1440), (Range.WEEK, 7 * 1440), (Range.MONTH, 30 * 1440), (Range.YEAR, 525_600)]
)
def test_a_length_of_time_ends_now(dialog: ExportDialog, qtbot: QtBot, choice: Range, minutes: int) -> None:
    dialog.form.ranges[choice].click()
    assert start(dialog, qtbot).candles == asked(NOW_US - minutes * MINUTE_US, NOW_US)


def test_all_stored_begins_with_what_is_stored_first(dialog: ExportDialog, qtbot: QtBot) -> None:
    dialog.ask_what_is_stored()
    dialog.form.ranges[Range.STORED].click()
    dialog.start_button.click()
    assert dialog.outcome.text() == "Nothing of this symbol is stored: choose another range."
    dialog.set_stored(BTCUSDT, M1, StoredTimes(((START_US, END_US),)))
    assert start(dialog, qtbot).candles == asked(START_US, NOW_US)


def test_the_bar_follows_each_field_and_the_foot_says_what_the_file_will_lack(
    dialog: ExportDialog, qtbot: QtBot
) -> None:
    wanted: list[tuple[object, object]] = []
    dialog.stored_requested.connect(lambda *chosen: wanted.append(chosen))
    dialog.ask_what_is_stored()
    assert wanted == [(BTCUSDT, M1)]
    assert (dialog.card.figure.text(), dialog.outcome.text()) == ("", "")
    stored = StoredTimes(((START_US - 1, START_US + 4 * MINUTE_US),), IdRanges([(0, START_US - 1)]), START_US)
    dialog.set_stored(ETHUSDT, M1, StoredTimes())  # an answer that comes too late
    dialog.set_stored(BTCUSDT, M1, stored)
    assert dialog.card.figure.text() == "6 to fetch"
    assert dialog.card.entry_texts() == ["From stored trades", "To be fetched"]
    assert dialog.outcome.text() == "10 rows, about 2 kB."
    dialog.form.fetch.click()
    assert dialog.card.figure.text() == "40.00 %"
    assert dialog.card.entry_texts() == ["From stored trades", "Not to be had"]
    assert dialog.outcome.text() == (
        "4 rows, about 1 kB. The file will lack 6 candles, the first at 2024-08-08 23:59: not stored, or not to be had."
    )
    assert "not to be had: 6" in dialog.card.bar.accessibleDescription()
    dialog.form.fetch.click()
    dialog.form.ranges[Range.DAY].click()
    assert dialog.card.entry_texts() == ["From stored trades", "To be fetched", "Not to be had"]
    dialog.form.interval.setEditText("1h")
    assert wanted == [(BTCUSDT, M1), (BTCUSDT, Interval.parse("1h"))]
    assert dialog.card.figure.text() == ""
    dialog.form.symbol.setEditText("NOSUCH")
    assert dialog.card.name.text() == ""


def test_the_bar_fills_while_it_is_fetched(dialog: ExportDialog, qtbot: QtBot) -> None:
    dialog.ask_what_is_stored()
    dialog.set_stored(BTCUSDT, M1, StoredTimes())
    start(dialog, qtbot)
    bar = dialog.card.bar
    before = bar.grab().toImage()
    dialog.set_progress(5, 10, "2 per second, 3 s left")
    after = bar.grab().toImage()
    middle = before.height() // 2
    changed = [x for x in range(before.width()) if before.pixel(x, middle) != after.pixel(x, middle)]
    assert changed
    assert max(changed) <= before.width() / 2 + 1
    assert dialog.pace.text() == "2 per second, 3 s left"
    dialog.set_progress(5, 10, waits_because="Cannot reach the exchange.")
    assert dialog.outcome.text() == "Waiting: Cannot reach the exchange."


@pytest.mark.parametrize("percent", [100, 200])
def test_head_and_foot_stay_on_a_small_screen_with_large_text(
    qtbot: QtBot, prepared: QApplication, tmp_path: Path, percent: int
) -> None:
    text_size.set_percent(percent)
    try:
        dialog = shown_dialog(tmp_path)
        qtbot.addWidget(dialog)
        dialog.resize(760, 560)
        dialog.form.ranges[Range.CHOSEN].click()
        QApplication.processEvents()
        assert (dialog.width(), dialog.height()) == (760, 560)
        for part in (dialog.cancel_button, dialog.start_button, dialog.outcome):
            place = part.rect().translated(part.mapTo(dialog, part.rect().topLeft()))
            assert dialog.rect().contains(place)
        fields, view = dialog.body.widget(), dialog.body.viewport()
        assert fields is not None
        assert view is not None
        assert fields.width() <= view.width()
        for field in (*dialog.form.ranges.values(), dialog.form.start, dialog.form.end, dialog.form.browse_button):
            assert field.mapTo(fields, field.rect().bottomRight()).x() < view.width()
    finally:
        text_size.set_percent(100)


def test_a_chosen_range_is_in_utc(dialog: ExportDialog, qtbot: QtBot) -> None:
    dialog.form.ranges[Range.CHOSEN].click()
    assert dialog.form.start.isEnabled()
    dialog.form.start.setDateTime(QDateTime.fromString("2024-08-08T23:56:00Z", Qt.DateFormat.ISODate))
    dialog.form.end.setDateTime(QDateTime.fromMSecsSinceEpoch(END_US // 1000, QTimeZone.utc()))
    assert start(dialog, qtbot).candles == asked(START_US + MINUTE_US, END_US)


def test_another_symbol_and_a_typed_interval_change_the_file_name_too(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path
) -> None:
    dialog.form.symbol.setEditText("eth usdt")
    dialog.form.interval.setEditText("2m")
    request = start(dialog, qtbot)
    assert (request.candles.symbol, request.candles.interval) == ("ETHUSDT", Interval.parse("2m"))
    assert request.path == tmp_path / "ETHUSDT-2m-20240808T2354-20240809T0005.csv"


def test_the_format_the_preset_the_zone_and_the_indicators_go_with_the_request(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path
) -> None:
    file = dialog.form.file
    file.preset.setCurrentText("freqtrade")
    assert file.chosen_format is FileFormat.FEATHER  # what freqtrade reads
    assert dialog.form.path.text() == str(tmp_path / "BTC_USDT-1m.feather")
    file.preset.setCurrentText("cryptopipe")
    file.format.setCurrentText("CSV, compressed")
    file.zone.setEditText("Asia/Tokyo")
    file.indicators.setText("sma:20, macd")
    request = start(dialog, qtbot)
    assert request.path.name == "BTCUSDT-1m-20240808T2355-20240809T0005.csv.gz"
    assert request.file_format is FileFormat.CSV_GZ
    names = ("sma_20", "macd_12_26_9", "macd_12_26_9_signal", "macd_12_26_9_histogram")
    assert request.layout == FileLayout(zone="Asia/Tokyo", indicators=names)
    assert [one.indicator.key for one in request.indicators] == ["sma", "macd"]


def test_trades_need_no_interval_and_are_not_fetched(dialog: ExportDialog, qtbot: QtBot, tmp_path: Path) -> None:
    file = dialog.form.file
    file.rows[Rows.TRADES].click()
    for field in (dialog.form.interval, dialog.form.fetch, dialog.form.include_open, file.preset, file.indicators):
        assert not field.isEnabled()
    assert not dialog.card.isVisible()
    request = start(dialog, qtbot)
    assert (request.rows, request.indicators) == (Rows.TRADES, ())
    assert request.path == tmp_path / "BTCUSDT-trades-20240808T2355-20240809T0005.csv"
    dialog.completed(request.path, 1_200)
    assert dialog.outcome.text() == f"1,200 trades written to {request.path}."


@pytest.mark.parametrize(
    ("text", "zone", "sentence"),
    [
        ("smma:9", "UTC", "“smma” is not an indicator"),
        ("", "Berlin", "“Berlin” is not a time zone"),
    ],
)
def test_a_wrong_indicator_or_zone_gets_a_sentence(
    dialog: ExportDialog, qtbot: QtBot, text: str, zone: str, sentence: str
) -> None:
    dialog.form.file.indicators.setText(text)
    dialog.form.file.zone.setEditText(zone)
    with qtbot.assertNotEmitted(dialog.export_started):
        qtbot.mouseClick(dialog.start_button, Qt.MouseButton.LeftButton)
    assert sentence in dialog.outcome.text()


def test_a_typed_file_name_stays(dialog: ExportDialog, qtbot: QtBot, tmp_path: Path) -> None:
    dialog.form.path.clear()
    qtbot.keyClicks(dialog.form.path, str(tmp_path / "mine.csv"))
    dialog.form.interval.setEditText("1h")
    request = start(dialog, qtbot)
    assert (request.path, request.is_named) == (tmp_path / "mine.csv", True)


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
        dialog.start_button.click()
    assert sentence in dialog.outcome.text()
    assert dialog.state is ExportState.EDITING


def test_a_range_that_ends_before_it_begins_is_refused(dialog: ExportDialog, qtbot: QtBot) -> None:
    dialog.form.ranges[Range.CHOSEN].click()
    dialog.form.end.setDateTime(dialog.form.start.dateTime())
    with qtbot.assertNotEmitted(dialog.export_started):
        dialog.start_button.click()
    assert "ends before it begins" in dialog.outcome.text()


def test_an_existing_file_is_replaced_only_after_agreement(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old.csv").write_text("keep")
    dialog.form.set_path(str(tmp_path / "old.csv"))
    asked = answer(monkeypatch, QMessageBox.StandardButton.No)
    with qtbot.assertNotEmitted(dialog.export_started):
        dialog.start_button.click()
    assert asked == ["“old.csv” exists already. Replace it?"]
    assert (tmp_path / "old.csv").read_text() == "keep"
    answer(monkeypatch, QMessageBox.StandardButton.Yes)
    assert start(dialog, qtbot).path.name == "old.csv"


def test_progress_is_shown_and_the_fields_are_locked(dialog: ExportDialog, qtbot: QtBot) -> None:
    start(dialog, qtbot)
    dialog.set_progress(12_345, 30_000)
    assert dialog.outcome.text() == "12,345 of 30,000 candles"
    assert dialog.progress.value() / dialog.progress.maximum() == pytest.approx(0.4115, abs=0.001)
    assert not dialog.form.symbol.isEnabled()
    assert not dialog.start_button.isEnabled()
    assert not dialog.form.ranges[Range.DAY].isEnabled()


def test_cancelling_is_a_request_and_ends_only_when_answered(dialog: ExportDialog, qtbot: QtBot) -> None:
    start(dialog, qtbot)
    with qtbot.waitSignal(dialog.cancel_requested, timeout=1000):
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    with qtbot.assertNotEmitted(dialog.cancel_requested):
        dialog.reject()
    dialog.set_progress(500, 1000)
    assert dialog.outcome.text() == "Cancelling…"
    assert dialog.isVisible()
    dialog.cancelled()
    assert dialog.outcome.text() == "Cancelled; no file was written. What was fetched is stored."
    assert dialog.start_button.isEnabled()
    dialog.reject()
    assert not dialog.isVisible()


def test_success_states_the_number_of_candles_the_file_and_what_is_missing(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path
) -> None:
    path = start(dialog, qtbot).path
    dialog.completed(path, 1)
    assert dialog.outcome.text() == f"1 candle written to {path}."
    dialog.completed(path, 9, "1 of 10 candles is missing.")
    assert dialog.outcome.text() == f"9 candles written to {path}. 1 of 10 candles is missing."
    assert dialog.cancel_button.text() == "Close"
    with qtbot.waitSignal(dialog.folder_requested, timeout=1000) as shown:
        dialog.folder_button.click()
    assert shown.args == [path]
    dialog.cancel_button.click()
    assert not dialog.isVisible()


def test_a_failed_export_can_be_retried(dialog: ExportDialog, qtbot: QtBot) -> None:
    start(dialog, qtbot)
    dialog.failed("The disk is full: free some space.")
    assert dialog.outcome.text() == "The disk is full: free some space."
    assert dialog.progress.isHidden()
    start(dialog, qtbot)


def test_without_a_visible_range_the_last_day_is_chosen(qtbot: QtBot, prepared: QApplication, tmp_path: Path) -> None:
    dialog = shown_dialog(tmp_path, None)
    qtbot.addWidget(dialog)
    assert dialog.form.ranges[Range.DAY].isChecked()
    assert not dialog.form.ranges[Range.VIEW].isEnabled()
    assert not dialog.form.start.isVisible()
    dialog.form.ranges[Range.CHOSEN].click()
    assert dialog.form.start.isVisible()
    assert start(dialog, qtbot).candles == asked(NOW_US - 1440 * MINUTE_US, NOW_US)
    dialog.failed("")


def test_enter_presses_the_focused_button(dialog: ExportDialog, qtbot: QtBot) -> None:
    dialog.cancel_button.setFocus()
    with qtbot.assertNotEmitted(dialog.export_started):
        qtbot.keyClick(dialog.cancel_button, Qt.Key.Key_Return)
    assert not dialog.isVisible()
