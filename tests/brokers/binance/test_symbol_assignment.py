"""Symbols keep their connection, and connections come and go with them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.brokers.binance.symbol_assignment import KEPT_EMPTY_S, SymbolAssignment

NAMES = [f"COIN{number:02}" for number in range(40)]


@given(st.lists(st.tuples(st.sets(st.sampled_from(NAMES)), st.floats(0, 40)), max_size=30), st.integers(1, 7))
def test_every_symbol_is_on_one_connection_and_stays_there(changes: list[tuple[set[str], float]], room: int) -> None:
    spread, now_s = SymbolAssignment(room), 0.0
    before: dict[str, int] = {}
    for symbols, pause_s in changes:
        now_s += pause_s
        spread.assign(symbols, now_s)
        spread.spent(now_s)
        parts = spread.parts
        home = {symbol: number for number, part in parts.items() for symbol in part}
        assert set(home) == symbols
        assert sum(len(part) for part in parts.values()) == len(symbols)
        assert all(len(part) <= room for part in parts.values())
        assert all(home[symbol] == number for symbol, number in before.items() if symbol in home)
        assert parts
        before = home


def test_new_symbols_fill_the_first_connection_with_room() -> None:
    spread = SymbolAssignment(2)
    spread.assign(["A", "B", "C", "D", "E"], 0)
    spread.assign(["B", "C", "D", "E"], 0)
    spread.assign(["B", "C", "D", "E", "F"], 0)
    assert spread.parts == {1: {"B", "F"}, 2: {"C", "D"}, 3: {"E"}}


def test_an_empty_connection_is_kept_for_a_while_and_taken_into_use_again() -> None:
    spread = SymbolAssignment(1)
    spread.assign(["A", "B"], 0)
    spread.assign(["A"], 100)
    assert spread.spent(100 + KEPT_EMPTY_S - 1) == []
    assert spread.next_spent_s(100 + KEPT_EMPTY_S - 1) == 1
    spread.assign(["A", "C"], 100 + KEPT_EMPTY_S - 1)
    assert spread.next_spent_s(200) is None
    spread.assign(["A"], 300)
    assert spread.spent(300 + KEPT_EMPTY_S) == [2]
    assert spread.parts == {1: {"A"}}


def test_one_connection_is_there_though_nothing_is_wanted() -> None:
    spread = SymbolAssignment(1)
    spread.assign(["A", "B"], 0)
    spread.assign([], 0)
    assert spread.busy == [1]
    assert spread.spent(1000) == [2]
    assert spread.parts == {1: frozenset()}


def test_a_connection_that_is_full_or_refused_gets_no_new_symbols() -> None:
    spread = SymbolAssignment(2)
    spread.assign(["A"], 0)
    spread.assign(["A", "B", "C"], 0, full=[1])
    assert spread.parts == {1: {"A"}, 2: {"B", "C"}}
    assert [spread.carrier(name) for name in "ACZ"] == [1, 2, None]
    spread.assign(["A", "B", "C", "D"], 0)
    assert spread.parts == {1: {"A", "D"}, 2: {"B", "C"}}
