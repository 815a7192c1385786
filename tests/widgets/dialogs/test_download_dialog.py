"""The download dialog: what it asks for, by keyboard and mouse, and what it shows of a download."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QScrollArea
from pytestqt.qtbot import QtBot

from app.market.availability import Origin, Stretch
from app.market.interval import SECOND_US, Interval
from app.market.symbol import Symbol
from app.market.units import E8
from widgets.dialogs.download_dialog import DownloadDialog, DownloadState
from widgets.dialogs.download_form import ChosenDownload, DownloadStart, Range, Rows
from widgets.dialogs.download_rows import SymbolRow
from widgets.theme import text_size

NOW_US = 1_786_710_896_789_000  # 2026-08-14 12:34:56.789
DAY_US = 86_400 * SECOND_US
VIEW_US = NOW_US - 3_600 * SECOND_US, NOW_US + 60 * SECOND_US
SYMBOLS = [Symbol(f"{base}USDT", base, "USDT", E8 // 100, 1000) for base in ("BTC", "ETH", "ADA")]


@pytest.fixture
def dialog(qtbot: QtBot, prepared: QApplication) -> Iterator[DownloadDialog]:
    made = DownloadDialog(SYMBOLS, DownloadStart("BTCUSDT", Interval.parse("5m"), VIEW_US, NOW_US))
    made.show()
    yield made
    made.close()
    made.deleteLater()


def forecast(dialog: DownloadDialog, qtbot: QtBot) -> ChosenDownload:
    """The forecast that the dialog requests, some time after the last change."""
    with qtbot.waitSignal(dialog.forecast_requested) as asked:
        pass
    return asked.args[0]


def test_symbols_rows_and_range_are_chosen_by_the_keyboard_and_asked_for_once(
    dialog: DownloadDialog, qtbot: QtBot
) -> None:
    form = dialog.form
    QTest.keyClicks(form.symbols.entry, "eth, ada")
    QTest.keyClick(form.symbols.entry, Qt.Key.Key_Return)
    QTest.keyClick(form.rows[Rows.CANDLES], Qt.Key.Key_Space)
    form.interval.setCurrentText("1h")
    form.days.setValue(2)
    chosen = forecast(dialog, qtbot)
    assert chosen.symbols == ("BTCUSDT", "ETHUSDT", "ADAUSDT")
    assert chosen.interval == Interval.parse("1h")
    hour_us = 3_600 * SECOND_US
    end_us = NOW_US - NOW_US % hour_us
    today_us = NOW_US - NOW_US % DAY_US
    assert (chosen.start_us, chosen.end_us) == (today_us - 2 * DAY_US, end_us)
    with qtbot.waitSignal(dialog.download_requested) as asked:
        QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert asked.args == [chosen]
    assert dialog.state is DownloadState.RUNNING
    assert not form.symbols.isEnabled()


def test_days_back_begin_with_a_whole_day_and_say_so(dialog: DownloadDialog) -> None:
    form = dialog.form
    form.days.setValue(3)
    chosen = form.chosen()
    assert chosen.start_us == NOW_US - NOW_US % DAY_US - 3 * DAY_US
    assert chosen.end_us == NOW_US - NOW_US % (60 * SECOND_US) - 60 * SECOND_US  # the last minute that has settled
    assert form.since.text() == "since 2026-08-11"
    dialog.ask_for_forecast()
    assert (dialog.rows.start.text(), dialog.rows.end.text()) == ("2026-08-11 00:00", "2026-08-14 12:33")
    form.days.setValue(1)
    assert form.since.text() == "since 2026-08-13"
    QTest.mouseClick(form.ranges[Range.VIEW], Qt.MouseButton.LeftButton)
    assert not form.since.isVisible()


def test_the_view_and_chosen_times_end_before_what_is_not_over(dialog: DownloadDialog, qtbot: QtBot) -> None:
    form = dialog.form
    dialog.choose_view()
    chosen = forecast(dialog, qtbot)
    assert chosen.interval is None
    assert chosen.start_us == VIEW_US[0] - VIEW_US[0] % SECOND_US
    assert NOW_US - 62 * SECOND_US < chosen.end_us <= NOW_US - 61 * SECOND_US
    assert not form.start.isVisible()
    QTest.mouseClick(form.ranges[Range.CHOSEN], Qt.MouseButton.LeftButton)
    assert form.start.isVisible()
    assert not form.days.isVisible()
    assert form.chosen() == chosen  # it begins with the range before
    form.end.setDateTime(form.start.dateTime().addSecs(-1))
    dialog.ask_for_forecast()
    assert dialog.outcome.text() == "The range ends before it begins: choose a later end."
    form.end.setDateTime(form.start.dateTime().addSecs(60))
    assert form.chosen().end_us - form.chosen().start_us == 60 * SECOND_US
    form.symbols.remove("BTCUSDT")
    dialog.ask_for_forecast()
    assert dialog.outcome.text() == "Add a symbol, such as BTCUSDT."
    QTest.keyClicks(form.symbols.entry, "BTCEUR")
    QTest.keyClick(form.symbols.entry, Qt.Key.Key_Return)
    assert "is not a symbol of the exchange" in dialog.outcome.text()
    dialog.start_button.click()
    assert dialog.state is DownloadState.EDITING


def test_a_download_is_shown_cancelled_hidden_and_tried_again(dialog: DownloadDialog, qtbot: QtBot) -> None:
    dialog.ask_for_forecast()
    chosen = dialog.form.chosen()
    rows = [SymbolRow("BTC/USDT", [Stretch(0, 9, Origin.TRADES), Stretch(10, 19, Origin.FETCH)], "1 day to fetch")]
    dialog.set_forecast(chosen._replace(interval=Interval.parse("1m")), rows, "of another range")
    assert dialog.outcome.text() == ""
    dialog.set_forecast(chosen, rows, "15 days are stored.")
    assert dialog.findChild(QScrollArea).verticalScrollBar().maximum() == 0  # it is as high as it needs to be
    assert dialog.rows.figures() == ["1 day to fetch"]
    assert dialog.rows.legend.texts == ["Trades, stored", "To be fetched"]
    QTest.mouseClick(dialog.start_button, Qt.MouseButton.LeftButton)
    dialog.set_progress([rows[0]._replace(figure="50 %", work="BTCUSDT-trades-2026-08-13.zip")], 0.5, "7 rows", "4 s")
    assert (dialog.progress.value(), dialog.pace.text()) == (500, "4 s")
    assert dialog.rows.figures() == ["50 %"]
    # Hidden, it goes on; Esc hides it, too.
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert dialog.state is DownloadState.RUNNING
    dialog.show()
    with qtbot.waitSignal(dialog.cancel_requested):
        dialog.cancel_button.click()
    dialog.set_progress(rows, 0.6, "too late")
    assert dialog.outcome.text() == "Cancelling; what is stored stays…"
    dialog.failed("Cancelled.")
    assert dialog.start_button.text() == "Try again"
    with qtbot.waitSignal(dialog.download_requested) as asked:
        dialog.start_button.click()
    assert asked.args == [chosen]
    lacks = [f"BTC/USDT trades, day {number}: its checksum is wrong." for number in range(9)]
    dialog.completed(rows, "5 rows read: 5 stored, 0 held already.", lacks)
    assert dialog.lacks.text().splitlines() == [*lacks[:6], "And 3 more; the log names all."]
    assert dialog.start_button.text() == "Try again"
    dialog.form.days.setValue(3)
    assert dialog.start_button.text() == "Download"
    assert not dialog.lacks.isVisible()


@pytest.mark.parametrize("percent", [100, 200])
def test_head_and_foot_stay_on_a_small_screen(dialog: DownloadDialog, qtbot: QtBot, percent: int) -> None:
    text_size.set_percent(percent)
    try:
        dialog.form.symbols.add([one.name for one in SYMBOLS])
        dialog.ask_for_forecast()
        qtbot.wait(1)
        assert dialog.height() <= dialog.screen().availableSize().height()
        for part in (dialog.start_button, dialog.cancel_button, dialog.outcome):
            assert dialog.rect().contains(part.mapTo(dialog, part.rect().bottomRight()))
    finally:
        text_size.set_percent(100)
