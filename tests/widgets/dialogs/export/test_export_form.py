"""What the fields of the export dialog ask for: rows, range, columns and target; and which of it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QDateTime, QEvent, QPoint, QPointF, Qt, QTimeZone
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.market.availability import StoredTimes
from app.market.errors import UsageError
from app.market.export_plan import ExportPlan, RowsRequest
from app.market.file_columns import RowsOf
from app.market.file_format import MOST_SHEET_ROWS, FileFormat, FileLayout
from tests.widgets.dialogs.export.conftest import (
    END_US,
    H1,
    M1,
    MINUTE_US,
    NOW_US,
    START_US,
    of_minutes,
    shown_dialog,
    start,
)
from widgets.dialogs.export.column_chooser import ColumnChip
from widgets.dialogs.export.export_dialog import ExportDialog, ExportState, WrittenFile
from widgets.dialogs.export.export_form import ExportRequest
from widgets.dialogs.export.range_fields import Range
from widgets.dialogs.export.rows_fields import RowKind

NO_KEYS = Qt.KeyboardModifier.NoModifier


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


def test_a_candle_for_every_minute_is_offered_for_whole_minutes(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path
) -> None:
    form = dialog.form
    assert not form.rows.rolling.isVisible()  # every minute has a candle of 1m
    for texts, offered in (
        (["90s"], False),
        (["1M"], False),
        (["1h+5m"], False),
        (["1h", "1m"], False),
        (["1h", "13m"], True),
    ):
        form.rows.intervals.set_texts(texts)
        assert form.rows.rolling.isVisible() is offered
    form.rows.include_open.click()
    form.rows.rolling.click()
    assert not form.rows.include_open.isEnabled()
    form.rows.intervals.set_texts(["5m"])
    dialog.set_stored("BTCUSDT", M1, StoredTimes(((START_US - 60 * MINUTE_US, START_US + 5 * MINUTE_US),)))
    form.rows.fetch.click()
    # Ten minutes in view, of which five are stored: a window ends with each but the first four.
    assert dialog.foot.outcome.text().startswith("6 rows, about ")
    assert "The file will lack 5 minutes, the first at 2024-08-09" in dialog.foot.outcome.text()
    request = start(dialog, qtbot)
    (file,) = request.plan.files
    assert file == RowsRequest("BTCUSDT", H1.parse("5m"), START_US, END_US, is_rolling=True)
    assert form.columns(request.plan)[-1] == "minute_index"
    assert not request.plan.include_open
    assert request.path == tmp_path / "BTCUSDT-5m-rolling-20240808T2355-20240809T0005.csv"
    dialog.failed("")
    form.layout_of_rows.preset.setCurrentText("freqtrade")
    dialog.foot.start_button.click()
    assert "rolling ones overlap" in dialog.foot.outcome.text()
    form.layout_of_rows.preset.setCurrentText("cryptopipe")
    form.rows.intervals.set_texts(["1h"])
    dialog.foot.start_button.click()
    assert "No whole window of 1h lies in that range" in dialog.foot.outcome.text()
    form.rows.kinds[RowKind.TRADES].click()
    assert not form.rows.rolling.isVisible()


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


def test_a_chosen_range_is_in_utc_and_begins_with_the_one_before(dialog: ExportDialog, qtbot: QtBot) -> None:
    times = dialog.form.rows.range
    times.buttons[Range.WEEK].click()
    times.buttons[Range.CHOSEN].click()
    assert start(dialog, qtbot).plan.files == of_minutes(NOW_US - 7 * 1440 * MINUTE_US, NOW_US)
    dialog.failed("")
    times.start.setDateTime(QDateTime.fromString("2024-08-08T23:56:00Z", Qt.DateFormat.ISODate))
    times.end.setDateTime(QDateTime.fromMSecsSinceEpoch(END_US // 1000, QTimeZone.utc()))
    assert start(dialog, qtbot).plan.files == of_minutes(START_US + MINUTE_US, END_US)


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


def test_a_range_that_ends_before_it_begins_is_refused(dialog: ExportDialog, qtbot: QtBot) -> None:
    times = dialog.form.rows.range
    times.buttons[Range.CHOSEN].click()
    times.end.setDateTime(times.start.dateTime())
    with qtbot.assertNotEmitted(dialog.export_started):
        dialog.foot.start_button.click()
    assert "ends before it begins" in dialog.foot.outcome.text()


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


def test_a_key_press_makes_one_plan(dialog: ExportDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    made = list[ExportPlan]()

    def counted(*values: object) -> ExportPlan:
        made.append(ExportPlan(*values))
        return made[-1]

    monkeypatch.setattr("widgets.dialogs.export.export_form.ExportPlan", counted)
    entry = dialog.form.rows.intervals.entry
    qtbot.keyClicks(entry, "5")
    with pytest.raises(UsageError):
        dialog.form.plan()
    assert made == []
    with qtbot.waitSignal(dialog.preview_requested) as asked:
        qtbot.keyClicks(entry, "m")
    (plan,) = made  # the forecast, the names and the rows shown later are those of the same plan
    assert dialog.form.plan() is plan
    assert [str(one.rows) for one in plan.files] == ["1m", "5m"]
    assert asked.args[0].files == plan.files[:1]
