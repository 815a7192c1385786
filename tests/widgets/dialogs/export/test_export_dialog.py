"""The export dialog: its fields, errors and states."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QDateTime, QEvent, QPoint, QPointF, Qt, QTimeZone
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from app.market.availability import StoredTimes
from app.market.coverage import IdRanges
from app.market.export_plan import ExportPlan, RowsRequest
from app.market.file_columns import RowsOf
from app.market.file_format import MOST_SHEET_ROWS, FileFormat, FileLayout
from app.market.interval import Interval
from tests.widgets.conftest import BTCUSDT, ETHUSDT, SATS
from widgets.dialogs.export.column_chooser import ColumnChip
from widgets.dialogs.export.export_dialog import ExportDialog, ExportState, WrittenFile
from widgets.dialogs.export.export_form import ExportRequest
from widgets.dialogs.export.range_fields import Range
from widgets.dialogs.export.rows_fields import FormStart, RowKind
from widgets.theme import text_size

MINUTE_US = 60_000_000
START_US = 1_723_161_300_000_000  # 2024-08-08 23:55:00 UTC
END_US = 1_723_161_900_000_000  # 2024-08-09 00:05:00 UTC
NOW_US = END_US + 60 * MINUTE_US
NO_KEYS = Qt.KeyboardModifier.NoModifier
M1, H1 = Interval.parse("1m"), Interval.parse("1h")


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
        qtbot.mouseClick(dialog.foot.start_button, Qt.MouseButton.LeftButton)
    assert isinstance(request.args[0], ExportRequest)
    return request.args[0]


def of_minutes(start_us: int | None, end_us: int | None) -> tuple[RowsRequest, ...]:
    return (RowsRequest("BTCUSDT", M1, start_us, end_us),)


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
    plan = ExportPlan(of_minutes(START_US, END_US))
    assert start(dialog, qtbot) == ExportRequest(plan, path, is_named=False)
    assert dialog.state is ExportState.RUNNING


@pytest.mark.parametrize("visible_us", [(START_US + 17_300_000, END_US - 41_000_001), (START_US, NOW_US + 1)])
def test_what_is_in_view_is_cut_to_whole_candles(
    qtbot: QtBot, prepared: QApplication, tmp_path: Path, visible_us: tuple[int, int]
) -> None:
    dialog = shown_dialog(tmp_path, visible_us)
    qtbot.addWidget(dialog)
    end_us = END_US if visible_us[1] < END_US else NOW_US
    dialog.form.rows.intervals.set_texts(["1m", "1h"])
    (minutes, hours) = start(dialog, qtbot).plan.files
    assert (minutes.start_us, minutes.end_us) == (START_US, end_us)
    assert (hours.start_us, hours.end_us) == (H1.open_time_us(START_US), H1.open_time_us(NOW_US))
    dialog.failed("")
    dialog.form.rows.kinds[RowKind.TRADES].click()
    (trades,) = start(dialog, qtbot).plan.files
    assert (trades.start_us, trades.end_us) == (START_US, end_us)
    dialog.failed("")


def test_ticks_leave_out_what_is_not_stored_and_bring_the_open_candle(dialog: ExportDialog, qtbot: QtBot) -> None:
    dialog.form.rows.fetch.click()
    dialog.form.rows.include_open.click()
    plan = start(dialog, qtbot).plan
    assert (plan.fetch, plan.include_open) == (False, True)


@pytest.mark.parametrize(
    ("choice", "minutes"), [(Range.DAY, 1440), (Range.WEEK, 7 * 1440), (Range.MONTH, 30 * 1440), (Range.YEAR, 525_600)]
)
def test_a_length_of_time_ends_now(dialog: ExportDialog, qtbot: QtBot, choice: Range, minutes: int) -> None:
    dialog.form.rows.range.buttons[choice].click()
    assert start(dialog, qtbot).plan.files == of_minutes(NOW_US - minutes * MINUTE_US, NOW_US)


def test_all_stored_begins_with_what_is_stored_first(dialog: ExportDialog, qtbot: QtBot, tmp_path: Path) -> None:
    dialog.ask_what_is_stored()
    dialog.set_stored("BTCUSDT", M1, StoredTimes())
    dialog.form.rows.range.buttons[Range.STORED].click()
    dialog.foot.start_button.click()
    assert dialog.foot.outcome.text() == "Nothing of BTCUSDT is stored: choose another range."
    dialog.set_stored("BTCUSDT", M1, StoredTimes(((START_US, END_US),)))
    request = start(dialog, qtbot)
    assert request.plan.files == of_minutes(None, None)
    assert request.path == tmp_path / "BTCUSDT-1m-20240808T2355-20240809T0105.csv"


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


def test_a_folder_that_is_a_file_or_lies_nowhere_is_refused(dialog: ExportDialog, qtbot: QtBot, tmp_path: Path) -> None:
    dialog.form.rows.intervals.set_texts(["1m", "1h"])
    (tmp_path / "file").touch()
    for path, sentence in ((tmp_path / "file", "Name the folder"), (tmp_path / "no" / "x", "does not exist")):
        dialog.form.target.set_path(str(path))
        with qtbot.assertNotEmitted(dialog.export_started):
            dialog.foot.start_button.click()
        assert sentence in dialog.foot.outcome.text()
    dialog.form.target.set_path(str(tmp_path / "new"))
    assert start(dialog, qtbot).path == tmp_path / "new"  # it is made with the first file


def test_more_rows_than_a_sheet_holds_are_refused_before_it_begins(dialog: ExportDialog, qtbot: QtBot) -> None:
    dialog.form.rows.intervals.set_texts(["1s"])
    dialog.form.layout_of_rows.format.setCurrentText("Excel")
    dialog.form.rows.range.buttons[Range.MONTH].click()
    sentence = f"An Excel sheet holds {MOST_SHEET_ROWS:,} rows and these are 2,592,000"
    assert sentence in dialog.foot.outcome.text()
    with qtbot.assertNotEmitted(dialog.export_started):
        dialog.foot.start_button.click()
    assert sentence in dialog.foot.outcome.text()


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
        for part in (dialog.foot.cancel_button, dialog.foot.start_button, dialog.foot.outcome, *rows.kinds.values()):
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


def test_a_chosen_range_is_in_utc_and_begins_with_the_one_before(dialog: ExportDialog, qtbot: QtBot) -> None:
    times = dialog.form.rows.range
    times.buttons[Range.WEEK].click()
    times.buttons[Range.CHOSEN].click()
    assert start(dialog, qtbot).plan.files == of_minutes(NOW_US - 7 * 1440 * MINUTE_US, NOW_US)
    dialog.failed("")
    times.start.setDateTime(QDateTime.fromString("2024-08-08T23:56:00Z", Qt.DateFormat.ISODate))
    times.end.setDateTime(QDateTime.fromMSecsSinceEpoch(END_US // 1000, QTimeZone.utc()))
    assert start(dialog, qtbot).plan.files == of_minutes(START_US + MINUTE_US, END_US)


def test_another_symbol_and_interval_change_the_file_name_too(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path
) -> None:
    dialog.form.rows.symbols.set_texts(["ETH/USDT"])
    dialog.form.rows.intervals.set_texts(["2m"])
    request = start(dialog, qtbot)
    assert [one.subject for one in request.plan.files] == ["ETHUSDT 2m"]
    assert request.path == tmp_path / "ETHUSDT-2m-20240808T2354-20240809T0006.csv"


def test_the_format_the_preset_the_zone_and_the_indicators_go_with_the_request(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path
) -> None:
    file = dialog.form.layout_of_rows
    file.preset.setCurrentText("freqtrade")
    assert file.chosen_format is FileFormat.FEATHER  # what freqtrade reads
    assert dialog.form.target.path.text() == str(tmp_path / "BTC_USDT-1m.feather")
    file.preset.setCurrentText("cryptopipe")
    file.format.setCurrentText("CSV, compressed")
    file.zone.setEditText("Asia/Tokyo")
    file.indicators.set_texts(["sma:20", "macd"])
    request = start(dialog, qtbot)
    assert request.path.name == "BTCUSDT-1m-20240808T2355-20240809T0005.csv.gz"
    names = ("sma_20", "macd_12_26_9", "macd_12_26_9_signal", "macd_12_26_9_histogram")
    assert request.plan.file_format is FileFormat.CSV_GZ
    assert request.plan.layout == FileLayout(zone="Asia/Tokyo", indicators=names)
    assert [one.indicator.key for one in request.plan.indicators] == ["sma", "macd"]


def test_a_file_of_freqtrade_replaces_another_only_after_agreement(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "BTC_USDT-1m.feather").write_text("keep")
    dialog.form.layout_of_rows.preset.setCurrentText("freqtrade")
    asked = answer(monkeypatch, QMessageBox.StandardButton.No)
    with qtbot.assertNotEmitted(dialog.export_started):
        dialog.foot.start_button.click()
    assert asked == ["“BTC_USDT-1m.feather” exists already. Replace it?"]


@pytest.mark.parametrize(("kind", "rows"), [(RowKind.TRADES, RowsOf.TRADES), (RowKind.GAPS, RowsOf.GAPS)])
def test_trades_and_gaps_need_no_interval_and_are_not_fetched(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path, kind: RowKind, rows: RowsOf
) -> None:
    fields, layout = dialog.form.rows, dialog.form.layout_of_rows
    layout.indicators.set_texts(["sma:20"])
    fields.kinds[kind].click()
    for field in (fields.intervals, fields.fetch, fields.include_open, layout.preset, layout.indicators):
        assert not field.isEnabled()
    assert not dialog.card.isVisible()
    request = start(dialog, qtbot)
    assert (request.plan.files, request.plan.indicators) == ((RowsRequest("BTCUSDT", rows, START_US, END_US),), ())
    assert not request.plan.fetches
    assert request.path == tmp_path / f"BTCUSDT-{rows}-20240808T2355-20240809T0005.csv"
    dialog.completed([WrittenFile(request.plan.files[0], request.path, 1_200)])
    assert dialog.foot.outcome.text() == f"1,200 {rows} written to {request.path}."


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
    qtbot.keyClicks(dialog.form.layout_of_rows.indicators.entry, text)
    dialog.form.layout_of_rows.zone.setEditText(zone)
    with qtbot.assertNotEmitted(dialog.export_started):
        qtbot.mouseClick(dialog.foot.start_button, Qt.MouseButton.LeftButton)
    assert sentence in dialog.foot.outcome.text()


def test_columns_are_left_out_and_moved_by_the_keyboard(dialog: ExportDialog, qtbot: QtBot) -> None:
    columns = dialog.form.layout_of_rows.columns
    dialog.form.layout_of_rows.indicators.set_texts(["sma:20"])
    assert columns.chosen() == ()
    chips = {chip.text(): chip for chip in columns.findChildren(ColumnChip)}
    assert next(iter(chips)) == "open_time"
    assert list(chips)[-1] == "sma_20"
    for name in list(chips)[5:-1]:
        qtbot.keyClick(chips[name], Qt.Key.Key_Space)
    control = Qt.KeyboardModifier.ControlModifier
    qtbot.keyClick(chips["open"], Qt.Key.Key_Left, control)
    qtbot.keyClick(chips["open"], Qt.Key.Key_Left, control)  # it is the first already
    wanted = ("open", "open_time", "high", "low", "close", "sma_20")
    assert start(dialog, qtbot).plan.layout.columns == wanted
    dialog.failed("")
    dialog.form.layout_of_rows.indicators.set_texts(["rsi:14"])
    assert columns.chosen() == (*wanted[:-1], "rsi_14")
    columns.reset_link.clicked.emit()
    assert columns.chosen() == ()
    dialog.form.layout_of_rows.preset.setCurrentText("ccxt")
    (first, *others) = [chip for chip in columns.findChildren(ColumnChip) if not chip.isHidden()]
    assert first.text() == "timestamp"
    for chip in (first, *others):
        chip.click()
    dialog.foot.start_button.click()
    assert dialog.foot.outcome.text() == "Choose a column: a file without one would be empty."


def test_a_column_is_dragged_to_another_place(dialog: ExportDialog, qtbot: QtBot) -> None:
    columns = dialog.form.layout_of_rows.columns
    QApplication.processEvents()
    chips = {chip.text(): chip for chip in columns.findChildren(ColumnChip)}
    close, first = chips["close"], chips["open_time"]
    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(close, left, pos=close.rect().center())
    at = close.mapFromParent(first.geometry().center())
    qtbot.mouseMove(close, close.rect().center() - QPoint(30, 0))
    event = QMouseEvent(QEvent.Type.MouseMove, QPointF(at - QPoint(10, 0)), QPointF(), left, left, NO_KEYS)
    QApplication.sendEvent(close, event)
    qtbot.mouseRelease(close, left, pos=close.rect().center())
    assert columns.chosen()[:3] == ("close", "open_time", "open")
    assert close.isChecked()


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


def test_a_typed_file_name_stays(dialog: ExportDialog, qtbot: QtBot, tmp_path: Path) -> None:
    dialog.form.target.path.clear()
    qtbot.keyClicks(dialog.form.target.path, str(tmp_path / "mine.csv"))
    dialog.form.rows.intervals.set_texts(["1h", "1m"])
    assert dialog.form.target.path.text() == str(tmp_path)  # several need a folder
    dialog.form.rows.intervals.set_texts(["1h"])
    request = start(dialog, qtbot)
    assert (request.path, request.is_named) == (tmp_path / "mine.csv", True)


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("symbols", "NOSUCH", "“NOSUCH” is not a symbol here"),
        ("intervals", "13x", "“13x” is not an interval"),
        ("path", "", "Name the file to write"),
        ("path", "/no/such/folder/x.csv", "does not exist"),
        ("path", "x.parquet", "let it end in .csv"),
    ],
)
def test_an_invalid_field_gets_a_sentence_and_nothing_starts(
    dialog: ExportDialog, qtbot: QtBot, field: str, text: str, sentence: str
) -> None:
    if field == "path":
        dialog.form.target.set_path(text)
    else:
        qtbot.keyClicks(getattr(dialog.form.rows, field).entry, text)
        assert sentence in dialog.foot.outcome.text()
    with qtbot.assertNotEmitted(dialog.export_started):
        dialog.foot.start_button.click()
    assert sentence in dialog.foot.outcome.text()
    assert dialog.state is ExportState.EDITING


@pytest.mark.parametrize(("field", "sentence"), [("symbols", "Choose a symbol."), ("intervals", "Choose an interval.")])
def test_no_symbol_or_no_interval_is_refused(dialog: ExportDialog, qtbot: QtBot, field: str, sentence: str) -> None:
    qtbot.keyClick(getattr(dialog.form.rows, field).entry, Qt.Key.Key_Backspace)
    assert dialog.foot.outcome.text() == sentence


def test_a_range_that_ends_before_it_begins_is_refused(dialog: ExportDialog, qtbot: QtBot) -> None:
    times = dialog.form.rows.range
    times.buttons[Range.CHOSEN].click()
    times.end.setDateTime(times.start.dateTime())
    with qtbot.assertNotEmitted(dialog.export_started):
        dialog.foot.start_button.click()
    assert "ends before it begins" in dialog.foot.outcome.text()


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


def test_a_failed_export_can_be_retried(dialog: ExportDialog, qtbot: QtBot) -> None:
    start(dialog, qtbot)
    dialog.failed("The disk is full: free some space.", 2)
    assert dialog.foot.outcome.text() == "The disk is full: free some space. 2 files before it are whole."
    assert dialog.foot.progress.isHidden()
    start(dialog, qtbot)


def test_without_a_visible_range_the_last_day_is_chosen(qtbot: QtBot, prepared: QApplication, tmp_path: Path) -> None:
    dialog = shown_dialog(tmp_path, None)
    qtbot.addWidget(dialog)
    times = dialog.form.rows.range
    assert times.buttons[Range.DAY].isChecked()
    assert not times.buttons[Range.VIEW].isEnabled()
    assert not times.start.isVisible()
    times.buttons[Range.CHOSEN].click()
    assert times.start.isVisible()
    assert start(dialog, qtbot).plan.files == of_minutes(NOW_US - 1440 * MINUTE_US, NOW_US)
    dialog.failed("")


def test_enter_presses_the_focused_button(dialog: ExportDialog, qtbot: QtBot) -> None:
    dialog.foot.cancel_button.setFocus()
    with qtbot.assertNotEmitted(dialog.export_started):
        qtbot.keyClick(dialog.foot.cancel_button, Qt.Key.Key_Return)
    assert not dialog.isVisible()
