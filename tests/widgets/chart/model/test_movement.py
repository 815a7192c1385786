"""Kinetic scrolling, the history of views, and the reading of wheel events."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QWheelEvent

from widgets.chart.interaction.gestures import ScrollGesture, read_wheel
from widgets.chart.interaction.rubber_band import band_of
from widgets.chart.model.kinetic_scroll import KineticScroll
from widgets.chart.model.view_history import ViewHistory, ViewState
from widgets.chart.scales.time_scale import TimeScale

FRAME_S = 0.016


def thrown(speed_px_s: float) -> KineticScroll:
    """A scroll released at that speed, at 0 s."""
    scroll = KineticScroll()
    for frame in range(-10, 1):
        scroll.add_step(speed_px_s * FRAME_S, frame * FRAME_S)
    scroll.release(0.0)
    return scroll


def frames(scroll: KineticScroll) -> list[float]:
    steps = []
    while scroll.is_moving:
        assert len(steps) < 1000
        steps.append(scroll.advance((len(steps) + 1) * FRAME_S))
    return steps


@given(st.floats(200, 10_000), st.sampled_from([-1, 1]))
def test_a_released_drag_goes_on_at_its_speed_slows_down_and_stops(speed: float, way: int) -> None:
    steps = frames(thrown(way * speed))
    assert steps[0] == pytest.approx(way * speed * FRAME_S, rel=0.05)
    assert all(0 < way * later < way * earlier for earlier, later in pairwise(steps))
    assert len(steps) * FRAME_S < 3


@given(st.floats(200, 10_000), st.floats(0.001, 0.2))
def test_the_distance_does_not_depend_on_the_frame_rate(speed: float, late_s: float) -> None:
    often, seldom = thrown(speed), thrown(speed)
    way = sum(often.advance(at * late_s / 10) for at in range(1, 11))
    assert way == pytest.approx(seldom.advance(late_s), rel=1e-6)


def test_a_slow_drag_or_one_held_still_before_its_release_stops_at_once() -> None:
    assert not thrown(60.0).is_moving
    scroll = KineticScroll()
    for frame in range(10):
        scroll.add_step(40.0, frame * FRAME_S)
    scroll.release(9 * FRAME_S + 0.2)
    assert not scroll.is_moving
    moving = thrown(2000.0)
    assert moving.is_moving
    moving.stop()
    assert moving.advance(0.1) == 0.0


def state(at: int) -> ViewState:
    return ViewState("BTCUSDT", at, 7.0, False)


def test_movements_without_a_pause_count_as_one_and_a_jump_as_its_own() -> None:
    views = ViewHistory()
    for step in range(5):
        views.note_move(lambda step=step: state(step), step * 0.1)
    views.note_move(lambda: state(5), 0.5, jump=True)
    views.note_move(lambda: state(6), 0.6)
    assert [views.back(state(7)), views.back(state(6)), views.back(state(5))] == [state(6), state(5), state(0)]
    assert views.back(state(0)) is None
    assert [views.forward(state(0)), views.forward(state(5)), views.forward(state(6))] == [state(5), state(6), state(7)]
    assert views.forward(state(7)) is None


def test_a_movement_after_going_back_discards_the_views_ahead() -> None:
    views = ViewHistory()
    views.note_move(lambda: state(0), 0.0, jump=True)
    assert views.back(state(1)) == state(0)
    views.note_move(lambda: state(0), 5.0)
    assert views.forward(state(2)) is None
    assert views.back(state(2)) == state(0)


def test_the_history_keeps_a_hundred_views() -> None:
    views = ViewHistory()
    for at in range(1000):
        views.note_move(lambda at=at: state(at), at, jump=True)
    now, count = state(1000), 0
    while (found := views.back(now)) is not None:
        now, count = found, count + 1
    assert (now, count) == (state(900), 100)


def wheel(pixels: QPoint, angle: QPoint, keys: Qt.KeyboardModifier, phase: Qt.ScrollPhase) -> QWheelEvent:
    return QWheelEvent(QPointF(), QPointF(), pixels, angle, Qt.MouseButton.NoButton, keys, phase, False)


NO, CONTROL, SHIFT = (getattr(Qt.KeyboardModifier, f"{name}Modifier") for name in ("No", "Control", "Shift"))
NO_PHASE = Qt.ScrollPhase.NoScrollPhase


@pytest.mark.parametrize(
    ("pixels", "angle", "keys", "expected"),
    [
        ((0, 0), (0, 240), NO, (0, 2)),
        ((0, 0), (0, -120), CONTROL, (0, -1)),
        ((0, 0), (0, 120), SHIFT, (60, 0)),
        ((0, 0), (120, 0), NO, (60, 0)),
        ((33, 4), (0, 0), NO, (33, 0)),
        ((4, -30), (0, 0), NO, (0, -0.5)),
        ((33, 6), (0, 0), CONTROL, (0, 0.1)),
        ((0, 0), (0, 0), NO, (0, 0)),
    ],
)
def test_the_wheel_zooms_and_fingers_sideways_pan(
    pixels: tuple[int, int], angle: tuple[int, int], keys: Qt.KeyboardModifier, expected: tuple[float, float]
) -> None:
    assert read_wheel(wheel(QPoint(*pixels), QPoint(*angle), keys, NO_PHASE), ScrollGesture()) == expected


def test_a_two_finger_gesture_keeps_its_direction_until_the_fingers_are_lifted() -> None:
    turn, phase = ScrollGesture(), Qt.ScrollPhase
    moves = [
        (phase.ScrollBegin, (0, 0)),
        (phase.ScrollUpdate, (9, 2)),
        (phase.ScrollUpdate, (4, 30)),
        (phase.ScrollMomentum, (3, 12)),
        (phase.ScrollBegin, (1, 12)),
        (phase.ScrollUpdate, (40, 12)),
    ]
    read = [read_wheel(wheel(QPoint(*by), QPoint(), NO, at), turn) for at, by in moves]
    assert read == [(0, 0), (9, 0), (4, 0), (3, 0), (0, 0.2), (0, 0.2)]


def test_a_flat_band_selects_times_only_and_stays_in_its_pane() -> None:
    pane = QRectF(0, 100, 700, 300)
    assert band_of(QPointF(300, 150), QPointF(100, 160), pane) == QRectF(100, 100, 200, 300)
    assert band_of(QPointF(300, 350), QPointF(900, 20), pane) == QRectF(300, 100, 400, 250)


@given(st.floats(-1e4, 1e4), st.floats(-3, 3))
def test_a_view_far_from_its_candles_can_only_come_closer(pixels: float, zoom: float) -> None:
    time = TimeScale(width_px=700, bar_px=7, first=1000, last=2000)
    time.centre_on(-50_000)
    before = time.right
    time.pan(pixels)
    assert time.right == pytest.approx(max(before, before - pixels / 7))
    anchor = time.position_at(200)
    time.zoom(2**zoom, 200)
    assert time.position_at(200) == pytest.approx(anchor)
