"""Workspaces as values: their way through JSON, what is made of damaged ones, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.errors import UsageError
from app.market.interval import Interval
from app.window.workspace.workspace_document import (
    FORMAT,
    LINKED_PARTS,
    MOST_LINKS,
    VERSION,
    ChartEntry,
    DetachedWindow,
    Workspace,
    Workspaces,
    checked_name,
    free_name,
    read_document,
    workspaces_from_values,
    workspaces_to_values,
)
from widgets.workspace.grid_layout import Node, keys_of, split_of, with_neighbour

plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
unknown = st.dictionaries(st.text(max_size=4).map(lambda name: f"x-{name}"), values, max_size=2)
intervals = st.sampled_from(["1m", "13m", "90s", "1M", "1h+7m"]).map(Interval.parse)
symbols = st.sampled_from(["BTCUSDT", "oanda:EURUSD", "ETHUSDT", "1000SATSUSDT"])


@st.composite
def layouts(draw: st.DrawFn, keys: list[int]) -> Node:
    node: Node = keys[0]
    for key in keys[1:]:
        node = with_neighbour(node, draw(st.sampled_from(keys_of(node))), key, in_columns=draw(st.booleans()))
    return node


@st.composite
def workspaces(draw: st.DrawFn, name: str) -> Workspace:
    keys = draw(st.lists(st.integers(0, 99), min_size=1, max_size=6, unique=True))
    places = draw(st.lists(st.integers(-1, 1), min_size=len(keys), max_size=len(keys)))
    places[0] = -1
    if 1 in places and 0 not in places:
        places = [0 if place == 1 else place for place in places]
    charts = {
        key: ChartEntry(
            draw(symbols),
            draw(intervals),
            draw(st.dictionaries(st.text(max_size=4), values, max_size=2)),
            draw(st.dictionaries(st.text(max_size=4), values, max_size=2)),
            draw(st.integers(0, MOST_LINKS)),
            tuple(draw(st.lists(symbols, unique=True, max_size=3))),
            place,
            draw(st.dictionaries(symbols, st.dictionaries(st.text(max_size=4), values, max_size=2), max_size=2)),
            draw(unknown),
        )
        for key, place in zip(keys, places, strict=True)
    }
    for key, one in charts.items():
        others = draw(st.lists(st.sampled_from(keys), unique=True, max_size=3))
        home = draw(layouts(list(dict.fromkeys([*others, key]))))
        one.home = home if one.window >= 0 and draw(st.booleans()) else None
    by_place = {place: [key for key, one in charts.items() if one.window == place] for place in sorted(set(places))}
    rectangle = st.tuples(*[st.integers(-5000, 5000)] * 2, *[st.integers(1, 5000)] * 2)
    windows = [
        DetachedWindow(draw(layouts(own)), draw(st.none() | rectangle), draw(unknown))
        for place, own in by_place.items()
        if place >= 0
    ]
    layout = draw(layouts(by_place[-1]))
    groups = st.lists(st.sampled_from(LINKED_PARTS), unique=True).map(
        lambda parts: tuple(part for part in LINKED_PARTS if part in parts)
    )
    return Workspace(
        name,
        charts,
        layout,
        draw(st.sampled_from(keys)),
        draw(st.none() | st.sampled_from(keys_of(layout))),
        draw(st.dictionaries(st.integers(1, MOST_LINKS), groups, max_size=3)),
        windows,
        draw(st.booleans()),
        draw(unknown),
    )


@st.composite
def documents(draw: st.DrawFn) -> Workspaces:
    names = draw(st.lists(st.text(max_size=70).map(checked_name), min_size=1, max_size=3, unique=True))
    made = [draw(workspaces(name)) for name in names]
    return Workspaces(made, draw(st.integers(0, len(made) - 1)), draw(unknown))


@given(documents())
def test_a_document_comes_back_from_json_with_all_that_is_unknown(document: Workspaces) -> None:
    text = json.dumps(workspaces_to_values(document))
    again = workspaces_from_values(json.loads(text))
    assert again is not None
    # The layout's shares are rounded as they are written; `test_grid_layout` compares them.
    assert without_shares(workspaces_to_values(again)) == without_shares(json.loads(text))
    assert without_shares(workspaces_to_values(read_document(json.loads(text)))) == without_shares(json.loads(text))


def without_shares(given: Any) -> Any:
    if isinstance(given, dict):
        return {name: without_shares(value) for name, value in given.items() if name != "shares"}
    return [without_shares(one) for one in given] if isinstance(given, list) else given


@given(documents(), st.data())
def test_a_damaged_document_gives_workspaces_that_can_be_shown_or_none(document: Workspaces, data: Any) -> None:
    given_values = workspaces_to_values(document)
    damage(given_values, data)
    found = workspaces_from_values(given_values)
    for one in [] if found is None else found.all:
        places = {key: chart.window for key, chart in one.charts.items()}
        assert sorted(keys_of(one.layout)) == sorted(key for key, place in places.items() if place == -1)
        for at, window in enumerate(one.windows):
            assert sorted(keys_of(window.layout)) == sorted(key for key, place in places.items() if place == at)
        for key, chart in one.charts.items():
            home = None if chart.home is None else keys_of(chart.home)
            assert home is None or (chart.window >= 0 and key in home and set(home) <= set(one.charts))
        assert one.active in one.charts
        assert one.maximised is None or one.maximised in keys_of(one.layout)
    if found is not None:
        assert 0 <= found.shown < len(found.all)
        assert len({one.name for one in found.all}) == len(found.all)


def damage(given: Any, data: Any) -> None:
    """Replace one value, anywhere in the document, by another one."""
    while True:
        names = list(given) if isinstance(given, dict) else list(range(len(given)))
        if not names:
            return
        name = data.draw(st.sampled_from(names))
        inner = given[name]
        if isinstance(inner, dict | list) and inner and data.draw(st.booleans()):
            given = inner
        else:
            given[name] = data.draw(values)
            return


@given(values)
def test_any_values_are_read_or_refused_with_a_sentence(given: Any) -> None:
    workspaces_from_values(given)
    with pytest.raises(UsageError, match=r"[.:]"):
        read_document(given)


def test_a_file_of_a_later_version_or_of_something_else_is_refused() -> None:
    good = {"format": FORMAT, "version": VERSION, "workspaces": [{"charts": [entry(1)]}]}
    assert read_document(good).current.charts[1].symbol == "BTCUSDT"
    with pytest.raises(UsageError, match="version 2"):
        read_document({**good, "version": 2})
    with pytest.raises(UsageError, match="no file of workspaces"):
        read_document({**good, "format": "drawings"})
    with pytest.raises(UsageError, match="no workspace"):
        read_document({**good, "workspaces": [{"charts": []}]})


def entry(key: int, **other: Any) -> dict[str, Any]:
    return {"key": key, "symbol": "BTCUSDT", "interval": "1m", **other}


def test_a_chart_that_cannot_be_shown_is_left_out_and_its_neighbours_take_the_room() -> None:
    layout = {"split": "columns", "parts": [1, 2, 3], "shares": [0.2, 0.4, 0.4]}
    given = {"workspaces": [{"charts": [entry(1), entry(2, interval="no"), entry(3)], "layout": layout, "active": 2}]}
    found = workspaces_from_values(given)
    assert found is not None
    assert list(found.current.charts) == [1, 3]
    assert found.current.layout.shares == pytest.approx((1 / 3, 2 / 3))  # type: ignore[union-attr]  # because it is a split
    assert found.current.active == 1


def test_symbols_are_read_as_people_write_them_and_what_is_none_is_left_out() -> None:
    charts = [
        entry(1, symbol="eth/usdt", compare=["sol-usdt", "no such", "ETHUSDT", 5], looks={"btc-usdt": {}, "\n": {}}),
        entry(2, symbol="oanda:eur_usd"),
        entry(3, symbol="BTC USDT\n"),
        entry(4, symbol="nowhere:BTCUSDT"),
    ]
    found = workspaces_from_values({"workspaces": [{"charts": charts}]})
    assert found is not None
    assert {key: chart.symbol for key, chart in found.current.charts.items()} == {1: "ETHUSDT", 2: "oanda:EURUSD"}
    assert found.current.charts[1].compare == ("SOLUSDT", "ETHUSDT")
    assert found.current.charts[1].looks == {"BTCUSDT": {}}


@pytest.mark.parametrize("huge", [10**400, 1e308])
def test_numbers_that_no_screen_has_stand_for_the_usual_ones(huge: float) -> None:
    layout = {"split": "columns", "parts": [1, 2], "shares": [huge, huge]}
    one = {"charts": [entry(1), entry(2), entry(3, window=0)], "layout": layout, "links": {"9" * 5000: ["time"]}}
    one["windows"] = [{"layout": 3, "place": [huge, 0, 400, 300]}]
    found = workspaces_from_values({"workspaces": [one]})
    assert found is not None
    assert found.current.layout.shares == (0.5, 0.5)  # type: ignore[union-attr]  # because it is a split
    assert found.current.windows[0].place is None
    assert found.current.links == {}


def test_charts_of_detached_windows_alone_come_back_into_the_main_window() -> None:
    given = {"workspaces": [{"charts": [entry(1, window=0), entry(2, window=1)], "windows": [{}, {}]}]}
    found = workspaces_from_values(given)
    assert found is not None
    assert keys_of(found.current.layout) == [1]
    assert [keys_of(one.layout) for one in found.current.windows] == [[2]]
    assert [one.window for one in found.current.charts.values()] == [-1, 0]


def test_the_place_that_a_detached_chart_left_names_charts_of_its_workspace_alone() -> None:
    home = {"split": "rows", "parts": [3, 8, {"split": "columns", "parts": [1, 2], "shares": [0.2, 0.8]}]}
    charts = [entry(1, home=home), entry(2, home=home, window=0), entry(3), entry(4, home=home, window=1)]
    given = {"workspaces": [{"charts": charts, "windows": [{}, {}]}]}
    found = workspaces_from_values(given)
    assert found is not None
    homes = {key: chart.home for key, chart in found.current.charts.items()}
    assert homes == {1: None, 2: split_of(False, [3, split_of(True, [1, 2], [0.2, 0.8])], [1, 1]), 3: None, 4: None}


def test_names_are_one_line_and_no_two_are_the_same() -> None:
    assert checked_name("  Night\n watch ") == "Night watch"
    assert checked_name(None) == checked_name("\u200b\n") == "Workspace"
    assert checked_name("Day \x00 one") == "Day one"
    assert len(checked_name("x" * 100)) == 60
    assert free_name("Main", ["Main", "Main 2"]) == "Main 3"
    assert free_name("Main 2", ["Main", "Main 2"]) == "Main 3"
    assert free_name("Plan 2024", ["Plan 2024"]) == "Plan 2024 2"
    assert free_name("x" * 60, ["x" * 60]) == "x" * 58 + " 2"
