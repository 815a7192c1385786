"""How far back candles are loaded before they are needed."""

from __future__ import annotations

import pytest

from app.live.charts.prefetch import Prefetch


def test_a_view_at_rest_wants_one_screen_before_it() -> None:
    ahead = Prefetch()
    assert ahead.first_wanted(1000, 1200, 5.0) == 800
    for tenth in range(20):
        assert ahead.first_wanted(1000, 1200, 5.0 + tenth / 10) == 800


@pytest.mark.parametrize("frame_s", [0.016, 0.1, 0.25])
@pytest.mark.parametrize("speed", [50.0, 700.0])
def test_a_moving_view_wants_what_it_reaches_in_two_seconds_besides(speed: float, frame_s: float) -> None:
    ahead, at_s, wanted = Prefetch(), 0.0, 0
    while at_s < 3.0:
        left = 10_000 - speed * at_s
        wanted = ahead.first_wanted(left, left + 200, at_s)
        at_s += frame_s
    assert left - 200 - wanted == pytest.approx(2 * speed, rel=0.05, abs=2)


def test_a_view_that_comes_to_rest_wants_less_again_and_one_that_goes_right_no_more_than_a_screen() -> None:
    ahead = Prefetch()
    for step in range(30):
        ahead.first_wanted(10_000 - 100 * step, 10_200 - 100 * step, step / 10)
    for step in range(30, 60):
        resting = ahead.first_wanted(7_100, 7_300, step / 10)
    assert resting >= 7_100 - 200 - 20
    for step in range(60, 90):
        right = ahead.first_wanted(7_100 + 500 * step, 7_300 + 500 * step, step / 10)
    assert right == pytest.approx(7_100 + 500 * 89 - 200, abs=1)


def test_one_jump_wants_no_more_than_fifty_screens_and_a_clock_that_stands_still_nothing_more() -> None:
    ahead = Prefetch()
    ahead.first_wanted(10**6, 10**6 + 100, 1.0)
    assert ahead.first_wanted(-(10**6), -(10**6) + 100, 1.001) >= -(10**6) - 51 * 100
    fresh = Prefetch()
    fresh.first_wanted(500, 600, 1.0)
    assert fresh.first_wanted(300, 400, 1.0) == 200
