"""Symbols keep their connection, and connections come and go with them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.binance.spread import KEPT_EMPTY_S, Spread
from app.binance.summary import summed
from app.market.ports import FeedState, FeedStatus

NAMES = [f"COIN{number:02}" for number in range(40)]


@given(st.lists(st.tuples(st.sets(st.sampled_from(NAMES)), st.floats(0, 40)), max_size=30), st.integers(1, 7))
def test_every_symbol_is_on_one_connection_and_stays_there(changes: list[tuple[set[str], float]], room: int) -> None:
    spread, now_s = Spread(room), 0.0
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
    spread = Spread(2)
    spread.assign(["A", "B", "C", "D", "E"], 0)
    spread.assign(["B", "C", "D", "E"], 0)
    spread.assign(["B", "C", "D", "E", "F"], 0)
    assert spread.parts == {1: {"B", "F"}, 2: {"C", "D"}, 3: {"E"}}


def test_an_empty_connection_is_kept_for_a_while_and_taken_into_use_again() -> None:
    spread = Spread(1)
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
    spread = Spread(1)
    spread.assign(["A", "B"], 0)
    spread.assign([], 0)
    assert spread.busy == [1]
    assert spread.spent(1000) == [2]
    assert spread.parts == {1: frozenset()}


def test_the_worst_connection_stands_for_all_and_says_how_many_are_concerned() -> None:
    live = FeedStatus(FeedState.LIVE)
    late = FeedStatus(FeedState.BACKING_OFF, "X broke.", 3, 30.0, 130.0)
    soon = FeedStatus(FeedState.BACKING_OFF, "Y broke.", 1, 0.5, 101.0)
    assert summed([live, live]) == live
    assert summed([live, late]) == FeedStatus(FeedState.BACKING_OFF, "1 of 2 connections: X broke.", 3, 30.0, 130.0)
    both = summed([late, live, soon])
    assert both.sentence(100.0) == "2 of 3 connections: Y broke; trying again in 1 s."
    assert summed([late]) == late


def test_a_refusal_is_all_connections_affair() -> None:
    refused = FeedStatus(FeedState.REFUSED, "Refused.")
    assert summed([FeedStatus(FeedState.CLOSED), refused]) == refused
