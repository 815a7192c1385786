"""The tree of splits, by itself: against areas measured in a unit square, and its way through a file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.workspace.grid_layout import (
    Node,
    Split,
    from_values,
    grid_of,
    keys_of,
    put_back,
    resized,
    shape_of,
    split_of,
    to_values,
    with_neighbour,
    with_shares,
    without,
)

Area = tuple[float, float, float, float]  # left, top, width, height


def areas(node: Node, area: Area = (0.0, 0.0, 1.0, 1.0)) -> dict[int, Area]:
    """Where each chart lies in a unit square."""
    if not isinstance(node, Split):
        return {node: area}
    left, top, width, height = area
    found: dict[int, Area] = {}
    for part, share in zip(node.parts, node.shares, strict=True):
        if node.in_columns:
            found |= areas(part, (left, top, width * share, height))
            left += width * share
        else:
            found |= areas(part, (left, top, width, height * share))
            top += height * share
    return found


@st.composite
def grids(draw: st.DrawFn) -> Node:
    """What any number of splits, closings and drags of splitters make of one chart."""
    node: Node = 0
    for new in range(1, draw(st.integers(1, 9))):
        chosen = draw(st.sampled_from(keys_of(node)))
        node = with_neighbour(node, chosen, new, in_columns=draw(st.booleans()))
        if isinstance(node, Split) and draw(st.booleans()):
            shares = draw(st.lists(st.floats(0.05, 1), min_size=len(node.parts), max_size=len(node.parts)))
            node = with_shares(node, [], shares)
        if len(keys_of(node)) > 1 and draw(st.integers(0, 3)) == 0:
            left = without(node, draw(st.sampled_from(keys_of(node))))
            assert left is not None
            node = left
    return node


def is_normal(node: Node) -> bool:
    if not isinstance(node, Split):
        return True
    inner = [part for part in node.parts if isinstance(part, Split)]
    return (
        len(node.parts) == len(node.shares) >= 2
        and sum(node.shares) == pytest.approx(1)
        and all(part.in_columns != node.in_columns and is_normal(part) for part in inner)
    )


@given(grids())
def test_a_grid_is_normal_and_fills_its_area(node: Node) -> None:
    assert is_normal(node)
    assert sum(width * height for _, _, width, height in areas(node).values()) == pytest.approx(1)


@given(grids(), st.data())
def test_a_split_halves_one_chart_and_moves_no_other(node: Node, data: st.DataObject) -> None:
    key, in_columns = data.draw(st.sampled_from(keys_of(node))), data.draw(st.booleans())
    before, after = areas(node), areas(with_neighbour(node, key, 99, in_columns=in_columns))
    left, top, width, height = before.pop(key)
    halves = (width / 2, height) if in_columns else (width, height / 2)
    assert after.pop(key) == pytest.approx((left, top, *halves))
    corner = (left + width / 2, top) if in_columns else (left, top + height / 2)
    assert after.pop(99) == pytest.approx((*corner, *halves))
    assert after.keys() == before.keys()
    assert all(after[one] == pytest.approx(before[one]) for one in before)


@given(grids(), st.data())
def test_closing_a_new_neighbour_gives_back_the_room_it_took(node: Node, data: st.DataObject) -> None:
    key, in_columns = data.draw(st.sampled_from(keys_of(node))), data.draw(st.booleans())
    again = without(with_neighbour(node, key, 99, in_columns=in_columns), 99)
    assert again is not None
    assert keys_of(again) == keys_of(node)
    assert is_normal(again)


@given(grids())
def test_a_grid_comes_back_from_json(node: Node) -> None:
    again = from_values(json.loads(json.dumps(to_values(node))), keys_of(node))
    assert again is not None
    assert keys_of(again) == keys_of(node)
    expected, found = areas(node), areas(again)
    assert all(found[key] == pytest.approx(expected[key], abs=1e-4) for key in expected)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 8) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["split", "parts", "shares"]) | st.text(max_size=2), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(json_values, st.lists(st.integers(0, 6), unique=True))
def test_of_any_values_a_grid_of_all_known_charts_is_made(values: Any, known: list[int]) -> None:
    node = from_values(values, known)
    if node is None:
        assert not known
    else:
        assert sorted(keys_of(node)) == sorted(known)
        assert is_normal(node)


@given(grids(), st.data())
def test_a_chart_grows_in_its_own_split_and_nothing_leaves_the_area(node: Node, data: st.DataObject) -> None:
    key, in_columns = data.draw(st.sampled_from(keys_of(node))), data.draw(st.booleans())
    by = data.draw(st.sampled_from([0.05, -0.05]))
    before, after = areas(node), areas(resized(node, key, by, in_columns=in_columns))
    across, along = (2, 3) if in_columns else (3, 2)
    assert after[key][along] == pytest.approx(before[key][along])
    change = after[key][across] - before[key][across]
    assert change * by >= -1e-9 or before[key][across] < 0.05
    assert sum(width * height for _, _, width, height in after.values()) == pytest.approx(1)


@given(grids(), st.data())
def test_a_chart_comes_back_to_where_it_was(node: Node, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(keys_of(node)))
    left = without(node, key)
    if left is None:
        return
    again = put_back(left, key, node)
    assert again is not None
    assert is_normal(again)
    for one, area in areas(node).items():
        assert areas(again)[one] == pytest.approx(area)


@given(grids(), st.data())
def test_charts_that_left_together_come_back_in_any_order(node: Node, data: st.DataObject) -> None:
    first, second = data.draw(st.permutations(keys_of(node)))[:2] if len(keys_of(node)) > 2 else (None, None)
    if first is None or second is None:
        return
    one_less = without(node, first)
    assert one_less is not None
    two_less = without(one_less, second)
    assert two_less is not None
    again = put_back(two_less, first, node)
    assert again is not None
    assert is_normal(again)
    assert sorted(keys_of(again)) == sorted(set(keys_of(node)) - {second})
    whole = put_back(again, second, one_less)
    assert whole is None or sorted(keys_of(whole)) == sorted(keys_of(node))


def test_a_place_between_charts_that_were_put_apart_is_gone() -> None:
    before = grid_of([1, 2, 3, 4], 2)
    now = grid_of([1, 3, 4], 3)
    assert put_back(now, 2, before) == split_of(True, [1, 2, 3, 4], [1 / 6, 1 / 6, 1 / 3, 1 / 3])
    assert put_back(grid_of([1, 4, 3], 1), 2, split_of(True, [grid_of([1, 3], 1), 2])) is None


def test_two_charts_side_by_side_share_what_one_takes() -> None:
    assert resized(split_of(True, (1, 2)), 2, 0.1, in_columns=True) == split_of(True, (1, 2), (0.4, 0.6))
    assert resized(split_of(True, (1, 2)), 2, 0.1, in_columns=False) == split_of(True, (1, 2))


def test_the_last_chart_leaves_nothing() -> None:
    assert without(3, 3) is None
    assert without(split_of(True, (1, 2)), 1) == 2


def test_charts_are_arranged_in_rows() -> None:
    assert grid_of([1, 2, 3, 4], 2) == split_of(False, (split_of(True, (1, 2)), split_of(True, (3, 4))))
    assert grid_of([1, 2, 3], 3) == split_of(True, (1, 2, 3))
    assert grid_of([1, 2, 3], 1) == split_of(False, (1, 2, 3))
    assert keys_of(grid_of([1, 2, 3, 4, 5], 2)) == [1, 2, 3, 4, 5]


def test_a_regular_grid_has_a_shape_and_any_other_arrangement_has_none() -> None:
    assert shape_of(1) == (1, 1)
    assert shape_of(grid_of([1, 2], 2)) == (2, 1)
    assert shape_of(grid_of([1, 2, 3], 1)) == (1, 3)
    assert shape_of(grid_of(list(range(6)), 3)) == (3, 2)
    assert shape_of(grid_of([1, 2, 3], 2)) is None
    assert shape_of(with_neighbour(grid_of([1, 2], 2), 2, 3, in_columns=False)) is None
    assert shape_of(with_neighbour(grid_of([1, 2, 3, 4], 2), 4, 5, in_columns=False)) is None
