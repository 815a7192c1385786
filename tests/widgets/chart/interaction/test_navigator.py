"""Navigation: zooming, panning, following the latest candle, and arrivals that must not move the view."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QFont, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.market.interval import Interval
from app.market.series.series import CandleSeries
from tests.widgets.chart.charts import (
    BTC,
    ETH,
    FIRST_SLOT,
    LEFT_BUTTON,
    MINUTE,
    NO_BUTTON,
    candle,
    canvas_of,
    picture,
    price_range,
    series_of,
    settle,
    slot_at,
    zigzag,
)
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.interaction.navigator import Navigator
from widgets.chart.model.pane_layout import PRICE
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_builder import update_scene
from widgets.chart.painting.text_cache import TextStyles
from widgets.chart.panes.pane_set import make_pane

NO_KEYS = Qt.KeyboardModifier.NoModifier
MINUTE_US = 60_000_000
_STILL = QPoint()


def turn_wheel(
    chart: ChartWidget,
    x: float,
    *,
    angle: QPoint = _STILL,
    pixels: QPoint = _STILL,
    keys: Qt.KeyboardModifier = NO_KEYS,
) -> None:
    viewport = canvas_of(chart).viewport()
    where = QPointF(x, 200)
    event = QWheelEvent(where, where, pixels, angle, NO_BUTTON, keys, Qt.ScrollPhase.NoScrollPhase, False)
    QApplication.sendEvent(viewport, event)


def drag(chart: ChartWidget, start: QPoint, by: QPoint) -> None:
    viewport = canvas_of(chart).viewport()
    QTest.mousePress(viewport, LEFT_BUTTON, NO_KEYS, start)
    QTest.mouseMove(viewport, start + by)
    QTest.mouseRelease(viewport, LEFT_BUTTON, NO_KEYS, start + by)


@pytest.mark.parametrize("x", [40.0, 300.0, 650.0])
@pytest.mark.parametrize("notches", [3, -3])
def test_the_wheel_zooms_at_the_pointer(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries, x: float, notches: int
) -> None:
    chart.navigator.pan(1500)
    settle(qtbot, chart)
    under, span = slot_at(chart, x), chart.visible_range_us()
    turn_wheel(chart, x, angle=QPoint(0, 120 * notches))
    settle(qtbot, chart)
    assert slot_at(chart, x) == pytest.approx(under, abs=1e-6)
    now = chart.visible_range_us()
    assert ((now[1] - now[0]) < (span[1] - span[0])) == (notches > 0)


@pytest.mark.parametrize("x", [40.0, 650.0])
def test_the_wheel_holds_the_latest_candle_at_its_pixel_while_following(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries, x: float
) -> None:
    time_scale = chart._scene.time_scale
    edge = time_scale.x_of(time_scale.last + 0.5)
    for notches in (3, 1, -2, -9, 4, 12):
        turn_wheel(chart, x, angle=QPoint(0, 120 * notches))
        settle(qtbot, chart)
        assert time_scale.x_of(time_scale.last + 0.5) == pytest.approx(edge, abs=1e-6)
        assert chart.is_following
    series.upsert(candle(time_scale.last + 1, 100.0, 101.0))  # the next candle comes to the same pixel
    chart.series_changed()
    settle(qtbot, chart)
    assert time_scale.x_of(time_scale.last + 0.5) == pytest.approx(edge, abs=1e-6)
    under = slot_at(chart, x)
    turn_wheel(chart, x, angle=QPoint(0, -120), keys=Qt.KeyboardModifier.ControlModifier)  # as a pinch
    settle(qtbot, chart)
    assert slot_at(chart, x) == pytest.approx(under, abs=1e-6)


def test_a_touchpad_pans_sideways_by_its_pixels(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    under = slot_at(chart, 300)
    turn_wheel(chart, 300, pixels=QPoint(50, 3))
    settle(qtbot, chart)
    assert slot_at(chart, 350) == pytest.approx(under)


def test_dragging_carries_the_candle_under_the_pointer(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    under = slot_at(chart, 300)
    drag(chart, QPoint(300, 200), QPoint(120, 30))
    settle(qtbot, chart)
    assert slot_at(chart, 420) == pytest.approx(under)


def test_dragging_the_price_axis_stretches_until_a_double_click_fits_again(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    fitted = price_range(chart)
    axis = QPoint(chart.width() - 20, 100)
    drag(chart, axis, QPoint(0, 100))
    settle(qtbot, chart)
    low, high = price_range(chart)
    assert high - low > 1.3 * (fitted[1] - fitted[0])
    chart.navigator.pan(700)
    settle(qtbot, chart)
    assert price_range(chart) == (low, high)
    QTest.mouseDClick(canvas_of(chart).viewport(), LEFT_BUTTON, NO_KEYS, axis)
    settle(qtbot, chart)
    assert price_range(chart) == pytest.approx(fitted)


def test_a_double_click_fits_width_and_prices(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    usual, fitted = chart.visible_range_us(), price_range(chart)
    chart.navigator.zoom(0.4)
    chart.navigator.stretch("price", 3)
    settle(qtbot, chart)
    QTest.mouseDClick(canvas_of(chart).viewport(), LEFT_BUTTON, NO_KEYS, QPoint(200, 200))
    settle(qtbot, chart)
    assert chart.visible_range_us() == usual
    assert price_range(chart) == pytest.approx(fitted)


def test_keys_move_and_home_and_end_go_to_the_ends(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    start = chart.visible_range_us()
    for key, earlier in ((Qt.Key.Key_Left, True), (Qt.Key.Key_Right, False)):
        before = chart.center_time_us()
        QTest.keyClick(chart.focusProxy(), key)
        settle(qtbot, chart)
        assert (chart.center_time_us() < before) == earlier
    QTest.keyClick(chart.focusProxy(), Qt.Key.Key_Plus)
    settle(qtbot, chart)
    assert chart.visible_range_us()[0] > start[0]
    QTest.keyClick(chart.focusProxy(), Qt.Key.Key_Minus)
    QTest.keyClick(chart.focusProxy(), Qt.Key.Key_Home)
    settle(qtbot, chart)
    first_us = MINUTE.slot_open_us(FIRST_SLOT)
    left_us, right_us = chart.visible_range_us()
    assert left_us < first_us < right_us
    assert not chart.is_following
    QTest.keyClick(chart.focusProxy(), Qt.Key.Key_End)
    settle(qtbot, chart)
    assert chart.visible_range_us() == pytest.approx(start, abs=10)
    assert chart.is_following


def test_a_drag_never_leaves_the_view_without_candles(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    first_us, last_us = MINUTE.slot_open_us(FIRST_SLOT), MINUTE.slot_open_us(FIRST_SLOT + 999)
    for far in (10**7, -(10**7)):
        chart.navigator.pan(far)
        settle(qtbot, chart)
        left_us, right_us = chart.visible_range_us()
        assert right_us > first_us
        assert left_us < last_us


def test_following_moves_on_with_each_new_candle(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    before = chart.visible_range_us()
    series.upsert(candle(FIRST_SLOT + 1000, 100, 105))
    chart.series_changed()
    settle(qtbot, chart)
    assert chart.is_following
    assert chart.visible_range_us() == pytest.approx([time + MINUTE_US for time in before], abs=2)


def test_a_view_of_older_candles_stays_until_the_user_follows_again(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    with qtbot.waitSignal(chart.following_changed) as changed:
        chart.navigator.pan(2000)
    assert changed.args == [False]
    settle(qtbot, chart)
    before, seen = chart.visible_range_us(), picture(chart)
    series.upsert(candle(FIRST_SLOT + 1000, 100, 110))  # the last price stays, and so its line
    chart.series_changed()
    settle(qtbot, chart)
    assert chart.visible_range_us() == before
    pane = canvas_of(chart).box_of("price").sceneBoundingRect().toRect().adjusted(0, 40, 0, -60)
    assert picture(chart).copy(pane) == seen.copy(pane)
    chart.bar.steps["latest"].click()
    settle(qtbot, chart)
    assert chart.is_following
    assert chart.visible_range_us()[1] > MINUTE.slot_open_us(FIRST_SLOT + 1000)


def test_older_candles_arrive_without_moving_the_view(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    chart.navigator.pan(3000)
    settle(qtbot, chart)
    seen, visible = picture(chart), chart.visible_range_us()
    series.prepend(zigzag(5000, FIRST_SLOT - 5000))
    chart.series_changed()
    settle(qtbot, chart)
    assert picture(chart) == seen
    assert chart.visible_range_us() == visible


def test_older_history_is_requested_once_until_it_arrives(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    requested: list[int] = []
    chart.older_history_requested.connect(requested.append)
    chart.navigator.pan(2000)
    settle(qtbot, chart)
    assert requested == []
    for _ in range(12):
        chart.navigator.pan(400)
        settle(qtbot, chart)
    assert requested == [MINUTE.slot_open_us(FIRST_SLOT)]
    series.prepend(zigzag(20, FIRST_SLOT - 20))
    chart.series_changed()
    settle(qtbot, chart)
    assert requested == [MINUTE.slot_open_us(FIRST_SLOT), MINUTE.slot_open_us(FIRST_SLOT - 20)]


@pytest.mark.parametrize("through_nothing", [False, True])
@pytest.mark.parametrize("name", ["30s", "5m", "13m", "1h"])
def test_the_time_under_the_centre_stays_over_a_switch(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries, name: str, through_nothing: bool
) -> None:
    chart.navigator.pan(2500)
    settle(qtbot, chart)
    centre_us, interval = chart.center_time_us(), Interval.parse(name)
    if through_nothing:
        chart.set_series(None, ETH)
        settle(qtbot, chart)
        assert chart.center_time_us() == centre_us
    around = interval.slot(centre_us)
    other = series_of(zigzag(400, around - 200, interval), interval)
    chart.set_series(other, ETH)
    settle(qtbot, chart)
    assert not chart.is_following
    assert chart.center_time_us() == pytest.approx(centre_us, abs=2)


def test_a_switch_while_following_still_follows(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    hour = Interval.parse("1h")
    empty = CandleSeries("ETHUSDT", hour)
    chart.set_series(None, ETH)
    chart.set_series(empty, ETH)
    settle(qtbot, chart)
    assert chart.is_following
    empty.replace(zigzag(30, 200_000, hour))
    chart.series_changed()
    settle(qtbot, chart)
    assert hour.slot_open_us(200_029) < chart.visible_range_us()[1]
    assert chart.visible_range_us()[0] < hour.slot_open_us(200_029)


def test_a_resize_keeps_the_right_edge(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    chart.navigator.pan(2000)
    settle(qtbot, chart)
    right_us = chart.visible_range_us()[1]
    chart.resize(1100, 300)
    settle(qtbot, chart)
    assert chart.visible_range_us()[1] == right_us


def test_candles_in_the_middle_of_the_view_stay_in_it_when_it_is_narrow(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    settle(qtbot, chart)
    wide, time_scale = chart.size(), chart._scene.time_scale
    chart.navigator.show_time(series.interval.slot_open_us(int(series.slots[-1])))
    settle(qtbot, chart)
    right = time_scale.right
    chart.resize(wide.width() // 2, wide.height())
    settle(qtbot, chart)
    assert time_scale.shows_last()
    assert time_scale.x_of(time_scale.last) == pytest.approx(time_scale.width_px / 2, abs=5)
    chart.resize(wide)
    settle(qtbot, chart)
    assert time_scale.right == pytest.approx(right, abs=0.1)


def test_a_navigator_moves_a_scene_without_a_widget(qapp: QApplication) -> None:
    scene = Scene(TextStyles(QFont()), [make_pane(PRICE)])
    scene.time_scale.width_px = 700
    frames, following, candles = [], [], series_of(zigzag(1000))
    navigator = Navigator(scene, lambda: frames.append(True), following.append)
    navigator.show_series(candles, BTC, keep_time_us=None, follow=None)
    navigator.begin_frame()
    update_scene(scene, candles, 1.0)
    navigator.step(2000)
    assert (following, len(frames)) == ([False], 1)
    assert navigator.take_older_request() is None
    navigator.show_first()
    assert navigator.take_older_request() == MINUTE.slot_open_us(FIRST_SLOT)
    assert navigator.take_older_request() is None
    navigator.go_back()
    navigator.go_back()
    assert navigator.is_following
