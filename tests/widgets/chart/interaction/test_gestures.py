"""Throws, pinches, bands, keys and the view history, by real events on a visible chart."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QKeyEvent, QNativeGestureEvent, QPointingDevice
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
    canvas_of,
    place,
    series_of,
    settle,
    slot_at,
    zigzag,
)
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.interaction.rubber_band import RubberBand
from widgets.keys import KEY_BINDINGS, CommandGroup, command_of
from widgets.window.main_window import MainWindow

NO_KEYS, CONTROL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier
SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
Key = Qt.Key


@pytest.fixture
def series(qtbot: QtBot, chart: ChartWidget) -> CandleSeries:
    """Five thousand candles on the chart, the latest well out of view."""
    made = series_of(zigzag(5000))
    chart.set_series(made, BTC)
    chart.navigator.pan(10_000)
    settle(qtbot, chart)
    return made


def press(chart: ChartWidget, key: Qt.Key, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
    QTest.keyClick(chart.focusProxy(), key, keys)


def throw(chart: ChartWidget, by: int = 20) -> None:
    """Drag in six quick steps and release the button at the last."""
    viewport, at = canvas_of(chart).viewport(), QPoint(200, 200)
    QTest.mousePress(viewport, LEFT_BUTTON, NO_KEYS, at)
    for _ in range(6):
        at += QPoint(by, 0)
        QTest.mouseMove(viewport, at)
    QTest.mouseRelease(viewport, LEFT_BUTTON, NO_KEYS, at)


def draw_band(chart: ChartWidget, start: QPoint, end: QPoint) -> None:
    viewport = canvas_of(chart).viewport()
    QTest.mousePress(viewport, LEFT_BUTTON, CONTROL, start)
    QTest.mouseMove(viewport, end)
    QTest.mouseRelease(viewport, LEFT_BUTTON, CONTROL, end)


def test_a_thrown_chart_scrolls_on_and_a_press_stops_it(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    throw(chart)
    thrown_at = chart.center_time_us()
    qtbot.waitUntil(lambda: chart.center_time_us() < thrown_at - 20 * 60_000_000)
    QTest.mousePress(canvas_of(chart).viewport(), LEFT_BUTTON, NO_KEYS, QPoint(300, 200))
    settle(qtbot, chart)
    held_at, frames = chart.center_time_us(), chart.frame_count
    qtbot.wait(50)  # some frames
    assert (chart.center_time_us(), chart.frame_count) == (held_at, frames)


def test_kinetic_scroll_ends_at_the_end_of_the_candles(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    press(chart, Key.Key_Home)
    throw(chart, by=100)
    settle(qtbot, chart)
    assert chart.visible_range_us()[1] == pytest.approx(MINUTE.slot_open_us(FIRST_SLOT + 3), abs=2)


def test_a_pinch_on_a_touchpad_zooms_between_the_fingers(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    under, before = slot_at(chart, 250.0), chart.visible_range_us()
    where, device = QPointF(250, 200), QPointingDevice.primaryPointingDevice()
    kind = Qt.NativeGestureType.ZoomNativeGesture
    event = QNativeGestureEvent(kind, device, 2, where, where, where, 0.25, QPointF())
    QApplication.sendEvent(canvas_of(chart).viewport(), event)
    settle(qtbot, chart)
    assert slot_at(chart, 250.0) == pytest.approx(under, abs=1e-6)
    now = chart.visible_range_us()
    assert (before[1] - before[0]) / (now[1] - now[0]) == pytest.approx(1.25)


def test_two_fingers_on_a_screen_pinch_without_dragging(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    viewport, device = canvas_of(chart).viewport(), QTest.createTouchDevice()
    under, before = slot_at(chart, 350.0), chart.visible_range_us()
    touch = QTest.touchEvent(viewport, device)
    touch.press(0, QPoint(300, 200), viewport)
    touch.press(1, QPoint(400, 200), viewport)
    touch.commit()
    for step in range(1, 9):
        touch = QTest.touchEvent(viewport, device)
        touch.move(0, QPoint(300 - 10 * step, 200), viewport)
        touch.move(1, QPoint(400 + 10 * step, 200), viewport)
        touch.commit()
    touch = QTest.touchEvent(viewport, device)
    touch.release(0, QPoint(220, 200), viewport)
    touch.release(1, QPoint(480, 200), viewport)
    touch.commit()
    settle(qtbot, chart)
    now = chart.visible_range_us()
    assert (before[1] - before[0]) / (now[1] - now[0]) > 2
    assert slot_at(chart, 350.0) == pytest.approx(under, abs=2)


def test_a_band_zooms_to_its_times_and_a_rectangle_to_prices_too(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    times = [slot_at(chart, x) for x in (200.0, 500.0)]
    draw_band(chart, QPoint(500, 200), QPoint(200, 210))
    settle(qtbot, chart)
    interval = series.interval
    shown = [interval.slot(time_us) for time_us in chart.visible_range_us()]
    assert shown == pytest.approx(times, abs=1)
    corners = [canvas_of(chart).box_of("price").mapSceneToView(QPointF(300, y)).y() for y in (150.0, 90.0)]
    draw_band(chart, QPoint(100, 90), QPoint(600, 150))
    settle(qtbot, chart)
    assert canvas_of(chart).box_of("price").viewRange()[1] == pytest.approx(corners)


def test_a_band_shows_while_it_is_drawn_and_escape_gives_it_up(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    viewport, before = canvas_of(chart).viewport(), chart.visible_range_us()
    band = chart.findChild(RubberBand)
    QTest.mousePress(viewport, LEFT_BUTTON, CONTROL, QPoint(100, 100))
    QTest.mouseMove(viewport, QPoint(300, 220))
    assert band.isVisible()
    assert band.geometry() == QRect(100, 100, 200, 120)
    press(chart, Key.Key_Escape)
    assert not band.isVisible()
    QTest.mouseMove(viewport, QPoint(400, 220))
    QTest.mouseRelease(viewport, LEFT_BUTTON, CONTROL, QPoint(400, 220))
    settle(qtbot, chart)
    assert chart.visible_range_us() == before


@pytest.mark.parametrize(
    ("key", "keys", "share"),
    [
        (Key.Key_Left, NO_KEYS, -0.1),
        (Key.Key_Right, SHIFT, 0.5),
        (Key.Key_Left, CONTROL, -1.0),
        (Key.Key_PageUp, NO_KEYS, -1.0),
        (Key.Key_PageDown, NO_KEYS, 1.0),
    ],
)
def test_arrows_and_pages_move_by_their_share_of_a_screen(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries, key: Qt.Key, keys: Qt.KeyboardModifier, share: float
) -> None:
    left, right = chart.visible_range_us()
    press(chart, key, keys)
    settle(qtbot, chart)
    assert chart.visible_range_us()[0] - left == pytest.approx(share * (right - left), rel=1e-6)


def test_going_back_undoes_movements_one_by_one_and_forward_does_them_again(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    views = [(chart.visible_range_us(), chart.is_following)]
    for change in (
        lambda: draw_band(chart, QPoint(100, 90), QPoint(600, 150)),
        lambda: press(chart, Key.Key_Home),
        lambda: press(chart, Key.Key_End),
    ):
        change()
        settle(qtbot, chart)
        views.append((chart.visible_range_us(), chart.is_following))
    assert len(set(views)) == 4
    for key, keys, order in ((Key.Key_Left, ALT, views[2::-1]), (Key.Key_Right, ALT, views[1:])):
        for expected in order:
            press(chart, key, keys)
            settle(qtbot, chart)
            assert chart.visible_range_us() == pytest.approx(expected[0], abs=4)
            assert chart.is_following == expected[1]
    press(chart, Key.Key_Backspace)
    QTest.mouseClick(canvas_of(chart).viewport(), Qt.MouseButton.BackButton)
    settle(qtbot, chart)
    assert chart.visible_range_us() == pytest.approx(views[1][0], abs=4)
    low, high = canvas_of(chart).box_of("price").viewRange()[1]
    assert high - low < 20  # as in the rectangle


def test_going_back_restores_no_range_of_another_symbol(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    draw_band(chart, QPoint(100, 90), QPoint(600, 150))
    press(chart, Key.Key_Home)
    hour = Interval.parse("1h")
    slot = hour.slot(chart.center_time_us())
    chart.set_series(series_of(zigzag(500, slot - 250, hour), hour), ETH)
    settle(qtbot, chart)
    fitted = canvas_of(chart).box_of("price").viewRange()[1]
    press(chart, Key.Key_Backspace)
    settle(qtbot, chart)
    assert canvas_of(chart).box_of("price").viewRange()[1] == pytest.approx(fitted)
    assert place(chart, slot, 100).isNull() is False


def test_every_command_of_the_chart_in_the_table_does_something(chart: ChartWidget) -> None:
    groups = (
        CommandGroup.MOVING,
        CommandGroup.CHART,
        CommandGroup.DRAWINGS,
        CommandGroup.DRAWING,
        CommandGroup.PANES,
    )
    named = {each.command for each in KEY_BINDINGS if each.command and each.group in groups}
    assert named == set(chart.keyboard.commands)


def test_plus_is_recognised_on_every_keyboard_layout() -> None:
    for key, keys, text in (
        (Key.Key_Plus, SHIFT, "+"),
        (Key.Key_Plus, Qt.KeyboardModifier.KeypadModifier, "+"),
        (Key.Key_Equal, NO_KEYS, "="),
    ):
        assert command_of(QKeyEvent(QEvent.Type.KeyPress, key, keys, text)) == "zoom_in"
    assert command_of(QKeyEvent(QEvent.Type.KeyPress, Key.Key_A, NO_KEYS, "a")) is None


def test_digits_and_letters_typed_on_the_chart_reach_the_window(qtbot: QtBot, prepared: QApplication) -> None:
    chart = ChartWidget()
    window = MainWindow(chart)
    window.show()
    qtbot.waitExposed(window)
    window.activateWindow()
    chart.setFocus()
    qtbot.waitUntil(window.isActiveWindow)
    try:
        press(chart, Key.Key_9)
        assert window.interval_entry.edit.text() == "9"
        window.interval_entry.dismiss()
        press(chart, Key.Key_E)
        assert window.symbol_picker.edit.text() == "e"
        window.symbol_picker.dismiss()
        with qtbot.waitSignal(window.requests.date_entry_requested):
            press(chart, Key.Key_G, CONTROL)
    finally:
        window.allow_close()
        window.close()
        window.deleteLater()
