"""How far ahead of the view candles are loaded."""

from __future__ import annotations

import pytest

from app.live.charts.prefetch import Prefetch


def test_a_view_at_rest_loads_one_screen_ahead() -> None:
    prefetch = Prefetch()
    assert prefetch.update(1000, 1200, 5.0) == 800
    for tenth in range(20):
        assert prefetch.update(1000, 1200, 5.0 + tenth / 10) == 800


@pytest.mark.parametrize("frame_s", [0.016, 0.1, 0.25])
@pytest.mark.parametrize("speed", [50.0, 700.0])
def test_a_moving_view_also_loads_as_far_as_it_gets_in_two_seconds(speed: float, frame_s: float) -> None:
    prefetch, at_s, first = Prefetch(), 0.0, 0
    while at_s < 3.0:
        left = 10_000 - speed * at_s
        first = prefetch.update(left, left + 200, at_s)
        at_s += frame_s
    assert left - 200 - first == pytest.approx(2 * speed, rel=0.05, abs=2)


def test_a_view_that_stops_or_moves_right_loads_only_one_screen_ahead() -> None:
    prefetch = Prefetch()
    for step in range(30):
        prefetch.update(10_000 - 100 * step, 10_200 - 100 * step, step / 10)
    for step in range(30, 60):
        resting = prefetch.update(7_100, 7_300, step / 10)
    assert resting >= 7_100 - 200 - 20
    for step in range(60, 90):
        right = prefetch.update(7_100 + 500 * step, 7_300 + 500 * step, step / 10)
    assert right == pytest.approx(7_100 + 500 * 89 - 200, abs=1)


def test_a_jump_loads_at_most_fifty_screens_ahead_and_a_stopped_clock_adds_nothing() -> None:
    prefetch = Prefetch()
    prefetch.update(10**6, 10**6 + 100, 1.0)
    assert prefetch.update(-(10**6), -(10**6) + 100, 1.001) >= -(10**6) - 51 * 100
    fresh = Prefetch()
    fresh.update(500, 600, 1.0)
    assert fresh.update(300, 400, 1.0) == 200
