"""Going to a date: the texts that are dates, and the chip over the chart while a jump loads."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.market.errors import UsageError
from tests.widgets.chart.charts import BTC, series_of, zigzag
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.model.chart_style import TimeStyle
from widgets.chart.popups.date_entry import DateEntry
from widgets.chart.popups.progress_chip import ProgressChip
from widgets.chart.scales.time_text import parse_date
from widgets.chart.scales.zones import zone_named

BERLIN = ZoneInfo("Europe/Berlin")


def us(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000


NOW_US = us(2024, 8, 9, 12, 30)


@pytest.mark.parametrize(
    ("text", "rules", "expected"),
    [
        ("2024-03-01", UTC, us(2024, 3, 1)),
        (" 2024-3-1 14:30 ", UTC, us(2024, 3, 1, 14, 30)),
        ("2024-03-01T14:30:05", UTC, us(2024, 3, 1, 14, 30, 5)),
        ("2024/03/01 0:05", UTC, us(2024, 3, 1, 0, 5)),
        ("2021-06", UTC, us(2021, 6, 1)),
        ("2019", UTC, us(2019, 1, 1)),
        ("09:15", UTC, us(2024, 8, 9, 9, 15)),
        ("2024-07-01 00:00", BERLIN, us(2024, 6, 30, 22)),
        ("2024-03-31 02:30", BERLIN, us(2024, 3, 31, 1, 30)),  # the clocks skip it
        ("2023-10-29 02:30", BERLIN, us(2023, 10, 29, 0, 30)),  # and here show it twice
    ],
)
def test_a_date_is_read_in_the_charts_zone(text: str, rules: tzinfo, expected: int) -> None:
    assert parse_date(text, rules, NOW_US) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("yesterday", "“yesterday” is no date. Type one like 2024-03-01 or 2024-03-01 14:30."),
        ("", "“” is no date. Type one like 2024-03-01 or 2024-03-01 14:30."),
        ("2024-02-30", "There is no 2024-02-30: look at the day and the time again."),
        ("2024-02-01 25:00", "There is no 2024-02-01 25:00: look at the day and the time again."),
        ("2027-01-01", "2027-01-01 is still to come. Type a date up to now."),
    ],
)
def test_an_invalid_date_gets_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_date(text, UTC, NOW_US)
    assert str(error.value) == sentence


def entry_of(chart: ChartWidget) -> DateEntry:
    chart.set_series(series_of(zigzag(300)), BTC)
    chart.set_now(NOW_US)
    chart.open_date_entry()
    return chart.findChild(DateEntry)


def test_the_entry_requests_a_date_in_the_charts_zone(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.appearance.set_time_style(TimeStyle(zone=zone_named("Europe/Berlin")))
    entry = entry_of(chart)
    QTest.keyClicks(entry.edit, "2024-07-01")
    assert entry.message.text() == "Monday, 1 Jul 2024, 00:00 Europe/Berlin · Enter to go there"
    with qtbot.waitSignal(chart.date_requested) as requested:
        QTest.keyClick(entry.edit, Qt.Key.Key_Return)
    assert requested.args == [us(2024, 6, 30, 22), "01 Jul 2024 00:00"]
    assert not entry.isVisible()


def test_a_date_still_to_come_is_refused_in_the_entry(chart: ChartWidget) -> None:
    entry = entry_of(chart)
    QTest.keyClicks(entry.edit, "2030-01-01")
    QTest.keyClick(entry.edit, Qt.Key.Key_Return)
    assert entry.isVisible()
    assert entry.message.text() == "2030-01-01 is still to come. Type a date up to now."


def test_a_jump_shows_its_chip_only_after_a_moment_and_can_be_cancelled(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.begin_jump("Loading 1 Mar 2024…")
    chip = chart.findChild(ProgressChip)
    assert not chip.isVisible()
    qtbot.waitUntil(chip.isVisible)
    (cancel,) = [button for button in chip.findChildren(QPushButton) if button.isVisible()]
    with qtbot.waitSignal(chart.jump_cancelled):
        cancel.click()
    chart.end_jump("These are the first candles there are.")
    assert chip.text == "These are the first candles there are."
    assert not cancel.isVisible()
    assert chart.rect().contains(chip.geometry())
    chart.end_jump("")
    assert not chip.isVisible()


def test_escape_cancels_a_jump(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.begin_jump("Loading 1 Mar 2024…")
    with qtbot.waitSignal(chart.jump_cancelled):
        QTest.keyClick(chart.focusProxy(), Qt.Key.Key_Escape)
    chart.end_jump("")
    with qtbot.assertNotEmitted(chart.jump_cancelled):
        QTest.keyClick(chart.focusProxy(), Qt.Key.Key_Escape)
