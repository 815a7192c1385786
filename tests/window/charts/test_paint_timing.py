"""Tests of the timing of one chart's paints, on a chart that paints."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from app.live.environment.clocks import ExchangeClock
from app.live.recording.measures import Measures, PaintWatch
from app.window.charts.paint_timing import PaintTiming
from tests.live.helpers import START_US, HandClock, trade
from tests.widgets.chart.charts import BTC, FIRST_SLOT, candle, series_of, settle, zigzag
from tests.widgets.cleanup import close_and_delete
from widgets.chart.chart_widget import ChartWidget


class Timed:
    """A shown chart without candles, its timing, and what came of that."""

    def __init__(self) -> None:
        self.clock = HandClock(START_US)
        exchange_clock = ExchangeClock(self.clock)
        exchange_clock.skew_us = 0
        self.delays = Measures(exchange_clock).painted
        self.chart = ChartWidget()
        self.chart.resize(800, 500)
        self.chart.show()
        self.timing = PaintTiming(self.chart, PaintWatch(exchange_clock, self.delays))
        self.first_paints = 0
        self.timing.first_painted.connect(self._count)

    def _count(self) -> None:
        self.first_paints += 1


@pytest.fixture
def timed(qtbot: QtBot) -> Iterator[Timed]:
    made = Timed()
    qtbot.waitExposed(made.chart)
    settle(qtbot, made.chart)
    yield made
    close_and_delete(made.chart)


def test_the_first_paint_of_candles_is_told_once(timed: Timed, qtbot: QtBot) -> None:
    assert timed.first_paints == 0  # an empty chart was painted
    for _ in range(2):
        timed.timing.begin(None)
        timed.chart.set_series(series_of(zigzag(50)), BTC)
        settle(qtbot, timed.chart)
        qtbot.waitUntil(lambda: timed.first_paints > 0)
    assert timed.first_paints == 1


def test_a_trade_counts_once_the_frame_that_has_it_is_painted(timed: Timed, qtbot: QtBot) -> None:
    series, newest = series_of(zigzag(50)), [trade(1)]
    timed.timing.begin(None)
    timed.chart.set_series(series, BTC)
    settle(qtbot, timed.chart)
    timed.chart.set_source(lambda: timed.timing.note_change(newest[0]))

    def change() -> None:
        paints = timed.chart.paint_count
        series.upsert(candle(FIRST_SLOT + 49, 100.0, 101.0 + paints))
        timed.chart.series_changed()
        qtbot.waitUntil(lambda: timed.chart.paint_count > paints)
        settle(qtbot, timed.chart)

    change()
    assert timed.delays.count == 1
    change()
    assert timed.delays.count == 1  # no trade since
    newest[0] = trade(2)
    timed.timing.begin(newest[0])  # other candles, which have that trade already
    change()
    assert timed.delays.count == 1
    newest[0] = trade(3)
    change()
    assert timed.delays.count == 2


def test_a_trade_that_is_out_of_view_does_not_count(timed: Timed, qtbot: QtBot) -> None:
    timed.timing.begin(None)
    timed.chart.set_series(series_of(zigzag(500)), BTC)
    settle(qtbot, timed.chart)
    timed.chart.hide()
    timed.timing.note_change(trade(1))
    timed.chart.show()
    settle(qtbot, timed.chart)
    timed.chart.repaint()
    assert timed.delays.count == 0
