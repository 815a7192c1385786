"""Charts that share their frames: live data take turns, and what the user does is painted at once in all of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import pytest
from PySide6.QtCore import QPointF, QTimer
from PySide6.QtWidgets import QApplication, QHBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from tests.widgets.chart.charts import BTC, FIRST_SLOT, MINUTE, candle, series_of, settle, zigzag
from tests.widgets.cleanup import close_and_delete
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.frames.frame_timer import FrameTimer, FrameTurns


class Charts:
    """Four charts in one window that share their frames, the first active; and the order in which they are painted."""

    def __init__(self) -> None:
        self.window = QWidget()
        self.window.resize(1000, 400)
        self.turns = FrameTurns(self.window)
        self.all = [ChartWidget() for _ in range(4)]
        self.painted: list[int] = []
        box = QHBoxLayout(self.window)
        for at, chart in enumerate(self.all):
            box.addWidget(chart)
            chart.share_frames(self.turns)
            chart.set_active(active=at == 0)
            chart.set_series(series_of(zigzag(100)), BTC)
            chart.painted.connect(partial(self.painted.append, at))
        self.window.show()

    def trade(self, price: float, *charts: int) -> None:
        for at in charts:
            series = self.all[at].series
            assert series is not None
            series.upsert(candle(FIRST_SLOT + 99, 100, price))
            self.all[at].series_changed()

    def settle(self, qtbot: QtBot) -> None:
        for chart in self.all:
            settle(qtbot, chart)
        self.painted.clear()


@pytest.fixture
def charts(qtbot: QtBot) -> Iterator[Charts]:
    made = Charts()
    qtbot.waitExposed(made.window)
    made.settle(qtbot)
    yield made
    close_and_delete(made.window)


def test_a_trade_in_all_charts_paints_no_two_in_one_turn_of_the_loop(qtbot: QtBot, charts: Charts) -> None:
    qtbot.wait(120)  # all are due
    charts.painted.clear()
    charts.trade(104, 0, 1, 2, 3)
    turns = [0]
    beat = QTimer(charts.window)
    beat.timeout.connect(lambda: turns.append(len(charts.painted)))
    beat.start(0)
    qtbot.waitUntil(lambda: len(charts.painted) >= 4)
    beat.stop()
    assert sorted(charts.painted[:4]) == [0, 1, 2, 3]
    assert max(later - earlier for earlier, later in pairwise(turns)) == 1
    assert [chart._scene.last.close for chart in charts.all] == [104] * 4


def test_a_pan_and_a_linked_crosshair_wait_for_no_turn(qtbot: QtBot, charts: Charts) -> None:
    qtbot.wait(20)
    for chart in charts.all:
        chart._frames._turns.pacer.note_ended(10.0, chart._frames._clock())  # the share is used up for long
    charts.trade(105, 1, 2, 3)
    began = {at: charts.all[at].frame_count for at in (1, 2, 3)}
    for at in (1, 2, 3):
        charts.all[at].navigator.pan(40.0)
        charts.all[at].show_guide(MINUTE.slot_open_us(FIRST_SLOT + 90))
    QApplication.processEvents()
    QApplication.processEvents()
    for at in (1, 2, 3):
        chart = charts.all[at]
        assert chart.frame_count == began[at] + 1
        assert chart._scene.guide is not None
        assert chart._scene.last.close == 105  # live data come along
        assert not chart._frames.is_due
    assert {1, 2, 3} <= set(charts.painted)


def test_a_chart_under_the_pointer_is_favoured_as_the_active_one_is(qtbot: QtBot, charts: Charts) -> None:
    charts.all[2].reading_tools.point_at(QPointF(50, 50))
    charts.settle(qtbot)
    qtbot.wait(120)
    charts.turns.pacer.note_ended(10.0, charts.all[0]._frames._clock())
    for chart in charts.all:
        chart._frames._member.began_s = charts.all[0]._frames._clock()  # none waits for long yet
    charts.trade(104, 3, 2, 1, 0)
    qtbot.waitUntil(lambda: len(charts.painted) >= 2)
    assert set(charts.painted[:2]) == {0, 2}
    qtbot.waitUntil(lambda: {1, 3} <= set(charts.painted))


def test_a_hidden_or_deleted_chart_takes_no_turn(qtbot: QtBot, charts: Charts) -> None:
    qtbot.wait(20)
    charts.trade(104, 1, 2, 3)
    charts.all[1].hide()
    close_and_delete(charts.all[2])
    frames = charts.all[1].frame_count
    qtbot.waitUntil(lambda: not charts.all[3]._frames.is_due and not charts.all[1]._frames.is_due)
    assert charts.all[1].frame_count == frames
    assert charts.turns.pacer.next_turn_s() is None
    charts.all[1].show()
    assert charts.all[1]._scene.last.close == 104


def test_a_request_of_the_user_runs_a_frame_that_waits_for_its_turn(qtbot: QtBot) -> None:
    widget, now, frames = QWidget(), [100.0], []
    qtbot.addWidget(widget)
    widget.show()
    timer = FrameTimer(widget, lambda: frames.append(timer.note_frame()), clock=lambda: now[0])
    turns = FrameTurns(widget, clock=lambda: now[0])
    timer.share(turns)
    turns.pacer.note_ended(1.0, 100.0)
    timer.request_turn(favoured=False)
    now[0] = 100.001
    timer.request()
    assert turns.pacer.next_turn_s() is None
    qtbot.waitUntil(lambda: bool(frames))
    now[0] = 101.0
    qtbot.wait(5)
    assert (len(frames), timer.is_due) == (1, False)


def test_a_frame_that_fails_does_not_stop_the_turns(qtbot: QtBot) -> None:
    widget, painted = QWidget(), []
    qtbot.addWidget(widget)
    widget.show()
    turns = FrameTurns(widget)

    def fail() -> None:
        raise ValueError("a frame")

    timers = [FrameTimer(widget, call) for call in (fail, lambda: painted.append(1))]
    for timer in timers:
        timer.share(turns)
    with qtbot.captureExceptions() as caught:
        for timer in timers:
            timer.request_turn(favoured=False)
        qtbot.waitUntil(lambda: bool(painted))
    assert [kind for kind, _, _ in caught] == [ValueError]
