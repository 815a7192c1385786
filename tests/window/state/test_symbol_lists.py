"""The watchlist's lists: names, order, and what removing and undoing leave."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.window.state.symbol_lists import FIRST_NAME, LONGEST_NAME, SymbolList, SymbolLists, put_back

NAMES = st.text(max_size=60)
LISTS = st.lists(st.tuples(NAMES, st.lists(st.sampled_from("ABCD"))), max_size=5)


def made(lists: list[tuple[str, list[str]]], shown: int = 0) -> SymbolLists:
    return SymbolLists([SymbolList(name, symbols) for name, symbols in lists], shown)


def assert_is_sound(lists: SymbolLists) -> None:
    folded = [name.casefold() for name in lists.names()]
    assert len(set(folded)) == len(folded) > 0
    assert all(name.strip() and len(name) <= LONGEST_NAME for name in lists.names())
    assert 0 <= lists.shown < len(lists.lists)
    assert all(len(set(one.symbols)) == len(one.symbols) for one in lists.lists)


@given(lists=LISTS, shown=st.integers(-2, 7), data=st.data())
def test_whatever_is_done_names_are_distinct_and_one_list_is_shown(
    lists: list[tuple[str, list[str]]], shown: int, data: st.DataObject
) -> None:
    changed = made(lists, shown)
    assert_is_sound(changed)
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(changed.lists) - 1))
        before, was_shown = changed.union(), changed.lists[changed.shown]
        match data.draw(st.sampled_from(["add", "rename", "remove", "move", "show"])):
            case "add":
                assert changed.add(data.draw(NAMES)) == changed.shown
            case "rename":
                changed.rename(at, data.draw(NAMES))
                assert changed.lists[changed.shown] is was_shown
            case "remove":
                removed = changed.remove(at)
                assert (removed is None) == (len(changed.lists) == 1 and removed is None)
                assert removed is was_shown or changed.lists[changed.shown] is was_shown
                before = [symbol for symbol in before if symbol in changed.union()]
            case "move":
                to = data.draw(st.integers(0, len(changed.lists) - 1))
                moved = changed.lists[at]
                changed.move(at, to)
                assert changed.lists[to] is moved
                assert changed.lists[changed.shown] is was_shown
            case "show":
                changed.show(at)
                assert changed.shown == at
        assert_is_sound(changed)
        assert set(changed.union()) == set(before)


def test_a_name_that_is_taken_gets_a_number_and_a_blank_one_changes_nothing() -> None:
    lists = SymbolLists.of(["A"])
    assert lists.names() == [FIRST_NAME]
    lists.add("main")
    lists.add()
    lists.add("  Layer   1 ")
    assert lists.names() == ["Main", "main 2", "List 3", "Layer 1"]
    lists.rename(1, "   ")
    lists.rename(3, "layer 1")
    lists.rename(2, "LAYER 1")
    assert lists.names() == ["Main", "main 2", "LAYER 1 2", "layer 1"]


def test_the_last_list_stays() -> None:
    lists = SymbolLists.of(["A"])
    assert lists.remove(0) is None
    lists.add("other", 0, ["B"])
    assert lists.remove(1) == SymbolList("Main", ["A"])
    assert (lists.names(), lists.shown) == (["other"], 0)


@given(before=st.lists(st.sampled_from("ABCDEFGH"), unique=True), data=st.data())
def test_undoing_removals_in_any_order_brings_the_list_back(before: list[str], data: st.DataObject) -> None:
    names, removals = list(before), []
    for _ in range(data.draw(st.integers(0, 3))):
        removed = {name for name in names if data.draw(st.booleans())}
        removals.append((removed, list(names)))
        names = [name for name in names if name not in removed]
    for removed, was in data.draw(st.permutations(removals)):
        left = list(names)
        names = put_back(names, removed, was)
        assert set(names) == set(left) | removed
        assert [name for name in names if name in left] == left
    assert sorted(names) == sorted(before)
    for removed, was in reversed(removals):
        assert put_back([name for name in was if name not in removed], removed, was) == was
