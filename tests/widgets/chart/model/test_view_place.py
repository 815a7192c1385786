"""The view's place as values of a file: what comes back, and what a damaged file makes of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.chart.model.follow_latest import FollowLatest
from widgets.chart.model.view_place import ViewPlace
from widgets.chart.scales.time_scale import TimeScale

JUNK = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from(["candle px", "centre us", "room px", "else"]), JUNK))
def test_any_values_make_a_place_that_comes_back_the_same(values: dict[str, object]) -> None:
    place = ViewPlace.from_values(values)
    assert ViewPlace.from_values(json.loads(json.dumps(place.to_values()))) == place
    assert place.bar_px is None or 0 < place.bar_px <= 120
    assert place.centre_us is None or isinstance(place.centre_us, int)


def test_what_cannot_be_is_left_out() -> None:
    assert ViewPlace.from_values({"candle px": 1e9, "centre us": "today", "room px": True}) == ViewPlace()
    assert ViewPlace.from_values({"candle px": float("nan"), "centre us": -1}) == ViewPlace()


@pytest.mark.parametrize(("kept_px", "room_px"), [(0.0, 0.0), (300.0, 300.0), (900.0, 250.0), (499.0, 250.0)])
def test_the_latest_candle_is_in_view_however_much_room_a_wider_view_had_beside_it(
    kept_px: float, room_px: float
) -> None:
    time_scale = TimeScale(width_px=500.0)
    FollowLatest(room_px=kept_px).advance(time_scale, 1000)
    assert time_scale.shows_last()
    assert time_scale.room_beside(1000) == pytest.approx(room_px)
