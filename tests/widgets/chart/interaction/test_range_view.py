"""A range of time in view: shown, kept as the width and the candles change, and over once the view is moved."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.market.interval import Interval
from app.market.series.series import CandleSeries
from tests.widgets.chart.charts import BTC, FIRST_SLOT, candle, canvas_of, series_of, settle, zigzag
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.model.time_range import TimeRange

FIVE, HALF_HOUR = Interval.parse("5m"), Interval.parse("30m")
COUNT = 1000
DAY_US = 86_400_000_000


@pytest.fixture
def five(qtbot: QtBot, chart: ChartWidget) -> CandleSeries:
    made = series_of(zigzag(COUNT, interval=FIVE), FIVE)
    chart.set_series(made, BTC)
    settle(qtbot, chart)
    return made


def ticked(chart: ChartWidget) -> list[str]:
    return [each.value for each, button in chart.bar.ranges.items() if button.isChecked()]


def left_edge(chart: ChartWidget) -> float:
    """The slot position at the left edge."""
    return chart._scene.time_scale.left


def shown_day(qtbot: QtBot, chart: ChartWidget) -> float:
    """Show the last day in candles of five minutes; return the slot position where it begins."""
    chart.ranges.show(TimeRange.DAY, FIVE, None)
    chart.series_changed()
    settle(qtbot, chart)
    return FIRST_SLOT + COUNT - 288 - 0.5


def test_a_press_and_a_key_ask_for_a_range_and_tick_nothing_yet(
    qtbot: QtBot, chart: ChartWidget, five: CandleSeries
) -> None:
    with qtbot.waitSignal(chart.range_requested) as asked:
        QTest.mouseClick(chart.bar.ranges[TimeRange.WEEK], Qt.MouseButton.LeftButton)
    assert asked.args == [TimeRange.WEEK]
    with qtbot.waitSignal(chart.range_requested) as asked:
        QTest.keyClick(canvas_of(chart), Qt.Key.Key_5, Qt.KeyboardModifier.AltModifier)
    assert asked.args == [TimeRange.ALL]
    assert ticked(chart) == []


def test_the_range_fills_the_view_and_is_in_force_until_the_view_is_moved(
    qtbot: QtBot, chart: ChartWidget, five: CandleSeries
) -> None:
    start = shown_day(qtbot, chart)
    assert left_edge(chart) == pytest.approx(start)
    assert ticked(chart) == ["1D"]
    for move in (
        lambda: chart.navigator.pan(60),
        lambda: chart.navigator.zoom(1.15),
        chart.navigator.fit,
        chart.navigator.show_first,
    ):
        move()
        settle(qtbot, chart)
        assert ticked(chart) == []
        chart.navigator.go_back()
        settle(qtbot, chart)
        assert ticked(chart) == ["1D"], "the view before was that range"
        assert left_edge(chart) == pytest.approx(start, abs=0.5)


def test_a_resize_and_new_candles_leave_the_range_in_force_and_in_view(
    qtbot: QtBot, chart: ChartWidget, five: CandleSeries
) -> None:
    start = shown_day(qtbot, chart)
    for width in (1100, 500, 800):
        chart.resize(width, chart.height())
        settle(qtbot, chart)
        assert ticked(chart) == ["1D"]
        assert left_edge(chart) == pytest.approx(start)
    for at in range(3):
        five.upsert(candle(FIRST_SLOT + COUNT + at, 100, 105, interval=FIVE))
        chart.series_changed()
        settle(qtbot, chart)
        assert ticked(chart) == ["1D"]
        assert left_edge(chart) == pytest.approx(start + 1 + at)


def test_a_range_in_another_interval_waits_for_its_candles(
    qtbot: QtBot, chart: ChartWidget, five: CandleSeries
) -> None:
    chart.navigator.show_first()
    chart.ranges.show(TimeRange.WEEK, HALF_HOUR, None)
    chart.set_series(None, BTC)
    settle(qtbot, chart)
    assert ticked(chart) == ["1W"]
    first = HALF_HOUR.slot(FIVE.slot_open_us(FIRST_SLOT))
    chart.set_series(series_of(zigzag(400, first, HALF_HOUR), HALF_HOUR), BTC)
    settle(qtbot, chart)
    assert ticked(chart) == ["1W"]
    assert left_edge(chart) == pytest.approx(first + 400 - 336 - 0.5)
    chart.ranges.show(TimeRange.WEEK, HALF_HOUR, None)
    chart.set_series(None, BTC)
    chart.set_series(five, BTC)  # the user chose this one meanwhile
    settle(qtbot, chart)
    assert ticked(chart) == []


def test_all_there_is_begins_with_the_first_candle_and_grows(qtbot: QtBot, chart: ChartWidget) -> None:
    series = series_of(zigzag(200))
    chart.set_series(series, BTC)
    settle(qtbot, chart)
    chart.ranges.show(TimeRange.ALL, series.interval, series.interval.slot_open_us(FIRST_SLOT - 60))
    chart.series_changed()
    settle(qtbot, chart)
    assert left_edge(chart) == pytest.approx(FIRST_SLOT - 60.5)
    series.prepend(zigzag(50, FIRST_SLOT - 50))
    series.set_begins(begins=True)  # the exchange's first candle turned out to be a later one
    series.upsert(candle(FIRST_SLOT + 200, 100, 105))
    chart.series_changed()
    settle(qtbot, chart)
    assert left_edge(chart) == pytest.approx(FIRST_SLOT - 50.5)
    assert ticked(chart) == ["All"]


def test_a_range_longer_than_a_young_symbol_shows_all_of_it(qtbot: QtBot, chart: ChartWidget) -> None:
    series = series_of(zigzag(120))
    series.set_begins(begins=True)
    chart.set_series(series, BTC)
    for wanted in (TimeRange.YEAR, TimeRange.DAY, TimeRange.ALL):
        chart.ranges.show(wanted, series.interval, None)
        chart.series_changed()
        settle(qtbot, chart)
        assert ticked(chart) == [wanted.value]
        assert left_edge(chart) == pytest.approx(FIRST_SLOT - 0.5)


def test_without_candles_nothing_is_shown_or_lost(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.ranges.show(TimeRange.ALL, FIVE, None)
    chart.ranges.refresh()
    chart.set_series(CandleSeries("BTCUSDT", FIVE), BTC)
    settle(qtbot, chart)
    chart.set_series(series_of(zigzag(20, interval=FIVE), FIVE), BTC)
    settle(qtbot, chart)
    assert ticked(chart) == []  # it is not known where all there is begins
    assert chart.is_following
