"""Pane layouts: adding, removing, moving and resizing panes."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from widgets.chart.model.pane_layout import LEAST_PX, PaneLayout, PaneShare

three = PaneLayout().with_pane("rsi")
shares = st.lists(st.floats(1e-4, 1.0), min_size=1, max_size=8)


def arranged(parts: list[float]) -> PaneLayout:
    return PaneLayout(tuple(PaneShare("price" if not at else f"p{at}", share) for at, share in enumerate(parts)))


def test_the_default_has_the_volume_in_the_lowest_sixth() -> None:
    assert PaneLayout().keys == ("price", "volume")
    assert PaneLayout().heights(600) == [500, 100]


def test_a_new_pane_is_the_lowest_and_as_high_as_the_others() -> None:
    assert three.keys == ("price", "volume", "rsi")
    assert three.heights(900) == [600, 150, 150]
    assert three.with_pane("rsi") == three
    dragged = three.dragged(0, -60, 900)
    assert dragged.heights(900) == [540, 210, 150]
    assert dragged.with_pane("macd").heights(900) == [450, 175, 125, 150]  # in proportion


@given(st.integers(0, 11), st.integers(100, 3000))
def test_panes_are_equally_high_and_the_price_never_under_half_until_one_is_dragged(count: int, total: int) -> None:
    layout = PaneLayout().without("volume")
    for number in range(count):
        layout = layout.with_pane(f"p{number}")
    price, *others = layout.heights(total)
    assert price >= total // 2
    assert max(others, default=0) - min(others, default=0) <= 1
    assert len(others) > 3 or all(abs(one - total / 6) <= 1 for one in others) or total < 6 * LEAST_PX
    for number in range(count):
        assert layout.heights(total)[0] >= total // 2
        layout = layout.without(f"p{number}")
    assert layout.heights(total) == [total]


def test_a_price_pane_that_the_user_made_low_stays_so() -> None:
    low = three.dragged(0, -300, 900)
    assert low.heights(900)[0] == 300
    assert low.with_pane("macd").heights(900)[0] == 300


def test_the_price_pane_cannot_be_removed() -> None:
    assert three.without("volume").keys == ("price", "rsi")
    assert three.without("price") == three


def test_panes_move_within_the_others() -> None:
    assert three.moved("rsi", -1).keys == ("price", "rsi", "volume")
    assert three.moved("rsi", -9).keys == ("rsi", "price", "volume")
    assert three.moved("rsi", 1) == three


def test_a_dragged_edge_takes_from_one_neighbour_alone() -> None:
    before = three.heights(1000)
    after = three.dragged(1, 30, 1000).heights(1000)
    assert after == [before[0], before[1] + 30, before[2] - 30]
    assert three.dragged(0, -9999, 1000).heights(1000) == [LEAST_PX, before[0] + before[1] - LEAST_PX, before[2]]
    assert three.dragged(2, 30, 1000) == three


def test_growing_a_pane_moves_the_edge_above_it_or_the_top_ones_below() -> None:
    before = three.heights(1000)
    assert three.grown("rsi", 24, 1000).heights(1000) == [before[0], before[1] - 24, before[2] + 24]
    assert three.grown("price", 24, 1000).heights(1000) == [before[0] + 24, before[1] - 24, before[2]]


@given(shares, st.integers(0, 5000))
def test_heights_fill_the_whole_and_reach_the_least_height_if_there_is_room(parts: list[float], total: int) -> None:
    price, *others = arranged(parts).heights(total)
    assert price + sum(others) == total
    kept = total * min(parts[0] / sum(parts), 0.5)  # the price's half, or what it has of that
    least = LEAST_PX if total >= LEAST_PX * len(parts) else 0
    assert price >= max(least, kept) - 1
    if others:
        assert min(others) >= min(least, (total - max(least, kept)) / len(others)) - 1


@given(shares, st.integers(0, 9), st.floats(-3000, 3000), st.integers(0, 3000))
def test_dragging_an_edge_leaves_the_other_edges(parts: list[float], at: int, by: float, total: int) -> None:
    before = arranged(parts).heights(total)
    after = arranged(parts).dragged(at, by, total).heights(total)
    assert sum(after) == total
    # The price's half may leave the others less than the least height; dragging its edge gives it to them.
    is_tight = at == 0 and total < 2 * LEAST_PX * (len(parts) - 1)
    for place, (was, now) in enumerate(zip(before, after, strict=True)):
        if place not in (at, at + 1):
            assert abs(was - now) <= 1 or (is_tight and by < 0 and was < now <= LEAST_PX)


@given(shares, st.integers(0, 9), st.integers(0, 3000))
@example([0.5625, 0.25, 0.3125], 0, 144)
def test_an_edge_that_is_dragged_nowhere_moves_nothing(parts: list[float], at: int, total: int) -> None:
    before = arranged(parts).heights(total)
    assert arranged(parts).dragged(at, 0, total).heights(total) == pytest.approx(before, abs=1)


@given(shares)
@example([0.5, 0.125, 0.125])
@example([4.0, 1.0, 1.0])
def test_a_layout_that_was_restored_is_written_as_it_was_read(parts: list[float]) -> None:
    written = arranged(parts).to_values()
    assert PaneLayout.from_values(written).to_values() == written
    assert sum(round(one["share"] * 1e6) for one in written) == 1_000_000


@given(shares)
def test_a_layout_survives_a_file(parts: list[float]) -> None:
    one = arranged(parts)
    again = PaneLayout.from_values(one.to_values())
    assert again.keys == one.keys
    assert again.heights(900) == pytest.approx(one.heights(900), abs=2)


@pytest.mark.parametrize(
    "values",
    [None, 3, "price", [], [3], [{"pane": "volume", "share": 0.5}], [{"pane": "price", "share": "wide"}], [{}] * 3],
)
def test_an_invalid_stored_layout_becomes_the_default(values: object) -> None:
    assert PaneLayout.from_values(values) == PaneLayout()


def test_invalid_parts_of_a_stored_layout_are_dropped() -> None:
    good = {"pane": "price", "share": 0.7}
    values = [good, good, {"pane": "volume", "share": -1}, {"pane": "rsi", "share": 0.3}]
    assert PaneLayout.from_values(values).keys == ("price", "rsi")
