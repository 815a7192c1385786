"""Value labels: in order, apart, off the last price, near their values, and none left out that had room."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from widgets.chart.model.label_placement import LabelKind, LabelRules, LabelWish, Span, placed_labels, stacked, within

RULES = LabelRules(height=4, pitch=5, reach=3, second_reach=1)
VIEW = Span(0, 24)
wishes = st.lists(st.builds(LabelWish, st.integers(-6, 30), st.sampled_from(LabelKind)), max_size=4)
# The last price's height, the top of its label, and that label's height; and how much of the axis a button takes.
prices = st.none() | st.tuples(st.integers(-2, 26), st.integers(-2, 2), st.integers(4, 8))
buttons = st.integers(0, 6)
USUAL, PANE = LabelRules(height=20, pitch=22, reach=24, second_reach=10), Span(0, 400)


def taken_by(price: tuple[int, int, int] | None) -> Span | None:
    if price is None:
        return None
    top = min(max(price[0] + price[1], 0), 24 - price[2])
    return Span(top, top + price[2])


def allowed(wish: LabelWish, room: Span, taken: Span | None, last: float) -> list[float]:
    """All whole heights where the rules allow one label's middle."""
    made, reach = [], RULES.second_reach if wish.kind is LabelKind.SECOND else RULES.reach
    for middle in range(-10, 40):
        anchor = room.top + 2 if wish.y < VIEW.top else room.bottom - 2 if wish.y > VIEW.bottom else wish.y
        if taken is not None:
            is_above = wish.y <= last
            inner = taken.top - 3 if is_above else taken.bottom + 3
            if wish.y > VIEW.bottom and is_above:
                anchor = min(anchor, inner)
            if wish.y < VIEW.top and not is_above:
                anchor = max(anchor, inner)
            if (middle > inner) if is_above else (middle < inner):
                continue
        if room.top + 2 <= middle <= room.bottom - 2 and abs(middle - anchor) <= reach:
            made.append(float(middle))
    return made


def can_stand(some: list[tuple[float, list[float]]]) -> bool:
    """Whether any choice of heights puts labels, each with its value and its heights, in order and apart."""

    def from_on(at: int, lowest: float) -> bool:
        return at == len(some) or any(from_on(at + 1, one + RULES.pitch) for one in some[at][1] if one >= lowest - 1e-6)

    some = sorted(some, key=lambda one: one[0])
    return from_on(0, float("-inf"))


@given(wishes, prices, buttons)
def test_the_labels_shown_are_those_that_every_arrangement_tried_allows(
    wanted: list[LabelWish], price: tuple[int, int, int] | None, button: int
) -> None:
    room, taken = Span(VIEW.top, VIEW.bottom - button), taken_by(price)
    last = float(price[0]) if price is not None else room.middle
    placed = placed_labels(wanted, RULES, VIEW, room, taken, last)
    heights = {at: allowed(wish, room, taken, last) for at, wish in enumerate(wanted)}
    shown: list[int] = []

    def turn(at: int) -> tuple[int, float, int]:
        away, is_alert = abs(wanted[at].y - last), wanted[at].kind is LabelKind.ALERT
        return wanted[at].kind.value, away if is_alert else -away, -at if is_alert else at

    for at in sorted(range(len(wanted)), key=turn):
        if wanted[at].kind is LabelKind.SECOND:  # the others are where they are
            fixed = {one: [placed[one]] for one in shown if wanted[one].kind is not LabelKind.SECOND}
            steps = [one + RULES.pitch * by for (one,) in fixed.values() for by in range(-4, 5)]
            between = [one for one in steps if heights[at] and heights[at][0] <= one <= heights[at][-1]]
            heights |= {**fixed, at: sorted({*heights[at], *between})}
        some = [*shown, at]
        sides = [[one for one in some if (wanted[one].y <= last) == side] for side in (True, False)]
        parts = sides if taken is not None else [some]
        if all(can_stand([(wanted[one].y, heights[one]) for one in part]) for part in parts):
            shown.append(at)
    assert {at for at, middle in enumerate(placed) if middle is not None} == set(shown)


crowds = st.lists(st.builds(LabelWish, st.floats(-100, 500), st.sampled_from(LabelKind)), max_size=30)


@given(crowds, st.floats(-50, 450))
def test_labels_keep_their_order_their_distance_and_off_the_last_price(wanted: list[LabelWish], last: float) -> None:
    top = min(max(last - 10, 0.0), 362.0)
    taken = Span(top, top + 38)
    placed = placed_labels(wanted, USUAL, PANE, PANE, taken, last)
    there = sorted((wish.y, middle) for wish, middle in zip(wanted, placed, strict=True) if middle is not None)
    middles = [middle for _, middle in there]
    assert all(other - one >= 22 - 1e-6 for one, other in pairwise(sorted(middles)))
    assert len(set(middles)) == len(middles)
    assert all(one < other or one_y == other_y for (one_y, one), (other_y, other) in pairwise(there))
    for y, middle in there:
        assert 10 - 1e-6 <= middle <= 390 + 1e-6
        assert middle + 10 <= taken.top + 1e-6 if y <= last else middle - 10 >= taken.bottom - 1e-6
        assert not 0 <= y <= 400 or abs(middle - y) <= 24 + 1e-6


def middles(heights: Sequence[float], last: float | None = None) -> list[float | None]:
    taken = Span(last - 10, last + 28) if last is not None else None
    return placed_labels([LabelWish(y) for y in heights], USUAL, PANE, PANE, taken, last or 0.0)


def test_a_label_with_room_is_at_its_value_and_crowded_ones_stand_about_their_mean() -> None:
    assert middles([100.0, 300.0]) == [100.0, 300.0]
    assert middles([100.0, 100.0]) == [89.0, 111.0]
    assert middles([-80.0, 900.0]) == [10.0, 390.0]


def test_the_innermost_label_gives_way_where_the_last_price_leaves_no_room() -> None:
    assert middles([150.0, 200.0, 204.0, 228.0], last=210.0) == [150.0, 188.0, None, 250.0]


def test_of_crowded_alerts_the_farthest_from_the_last_price_gives_way() -> None:
    wanted = [LabelWish(y, LabelKind.ALERT) for y in (170.0, 174.0, 178.0, 182.0)]
    middles = placed_labels(wanted, USUAL, PANE, PANE, Span(200.0, 238.0), 210.0)
    assert middles == [None, None, 166.0, 188.0]


def test_an_alert_gives_way_to_a_first_line_and_moves_it_where_both_have_room() -> None:
    first, alert = LabelWish(100.0), LabelWish(101.0, LabelKind.ALERT)
    assert placed_labels([first, alert], USUAL, PANE, PANE) == [89.5, 111.5]
    crowd = [*[LabelWish(100.0)] * 3, alert]
    assert placed_labels(crowd, USUAL, PANE, PANE)[3] is None


def test_a_second_line_gives_way_to_a_first_one_wherever_it_stands() -> None:
    wanted = [LabelWish(100.0, LabelKind.SECOND), LabelWish(101.0), LabelWish(102.0), LabelWish(103.0)]
    assert placed_labels(wanted, USUAL, PANE, PANE)[0] is None


def test_a_second_line_has_a_label_only_where_there_is_room_as_it_is() -> None:
    for distance, has_label in ((23.0, True), (13.0, True), (11.0, False)):
        middles = placed_labels([LabelWish(100.0), LabelWish(100.0 + distance, LabelKind.SECOND)], USUAL, PANE, PANE)
        assert (middles[1] is not None) == has_label


def test_heavy_ones_stay_where_they_are_and_light_ones_go_between() -> None:
    heights = stacked([206.0, 226.0, 227.0, 266.0], 20.0, [1e6, 1.0, 1.0, 1e6])
    assert [round(height, 1) for height in heights] == [206.0, 226.0, 246.0, 266.0]
    assert within([-30.0, 5.0, 60.0], 20.0, Span(0.0, 60.0)) == [0.0, 20.0, 60.0]
