"""Symbols stay on their connection, and connections are added and removed as needed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.brokers.binance.symbol_assignment import KEEP_EMPTY_S, SymbolAssignment

NAMES = [f"COIN{number:02}" for number in range(40)]


@given(st.lists(st.tuples(st.sets(st.sampled_from(NAMES)), st.floats(0, 40)), max_size=30), st.integers(1, 7))
def test_every_symbol_is_on_one_connection_and_stays_there(changes: list[tuple[set[str], float]], room: int) -> None:
    assignment, now_s = SymbolAssignment(room), 0.0
    before: dict[str, int] = {}
    for symbols, pause_s in changes:
        now_s += pause_s
        assignment.assign(symbols, now_s)
        assignment.remove_idle(now_s)
        by_connection = assignment.by_connection
        home = {symbol: number for number, symbols_there in by_connection.items() for symbol in symbols_there}
        assert set(home) == symbols
        assert sum(len(carried) for carried in by_connection.values()) == len(symbols)
        assert all(len(carried) <= room for carried in by_connection.values())
        assert all(home[symbol] == number for symbol, number in before.items() if symbol in home)
        assert by_connection
        before = home


def test_new_symbols_fill_the_first_connection_with_room() -> None:
    assignment = SymbolAssignment(2)
    assignment.assign(["A", "B", "C", "D", "E"], 0)
    assignment.assign(["B", "C", "D", "E"], 0)
    assignment.assign(["B", "C", "D", "E", "F"], 0)
    assert assignment.by_connection == {1: {"B", "F"}, 2: {"C", "D"}, 3: {"E"}}


def test_an_empty_connection_is_kept_for_a_while_and_used_again() -> None:
    assignment = SymbolAssignment(1)
    assignment.assign(["A", "B"], 0)
    assignment.assign(["A"], 100)
    assert assignment.remove_idle(100 + KEEP_EMPTY_S - 1) == []
    assert assignment.next_removal_s(100 + KEEP_EMPTY_S - 1) == 1
    assignment.assign(["A", "C"], 100 + KEEP_EMPTY_S - 1)
    assert assignment.next_removal_s(200) is None
    assignment.assign(["A"], 300)
    assert assignment.remove_idle(300 + KEEP_EMPTY_S) == [2]
    assert assignment.by_connection == {1: {"A"}}


def test_one_connection_exists_even_without_symbols() -> None:
    assignment = SymbolAssignment(1)
    assignment.assign(["A", "B"], 0)
    assignment.assign([], 0)
    assert assignment.in_use == [1]
    assert assignment.remove_idle(1000) == [2]
    assert assignment.by_connection == {1: frozenset()}


def test_a_connection_that_is_full_or_refused_gets_no_new_symbols() -> None:
    assignment = SymbolAssignment(2)
    assignment.assign(["A"], 0)
    assignment.assign(["A", "B", "C"], 0, full=[1])
    assert assignment.by_connection == {1: {"A"}, 2: {"B", "C"}}
    assert [assignment.connection_of(name) for name in "ACZ"] == [1, 2, None]
    assignment.assign(["A", "B", "C", "D"], 0)
    assert assignment.by_connection == {1: {"A", "D"}, 2: {"B", "C"}}
