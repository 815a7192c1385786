"""Ranges of ids against a plain set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.market.coverage import IdRanges, SymbolCoverage, TradeGap
from app.market.trade import Trade

LIMIT = 60
ids = st.integers(0, LIMIT)


def ranges_of(model: set[int]) -> list[tuple[int, int]]:
    """Return the set as rising, disjoint, non-touching ranges."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(model):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges


class IdRangesMachine(RuleBasedStateMachine):
    """Does the same to an IdRanges and to a set."""

    def __init__(self) -> None:
        super().__init__()
        self.held = IdRanges()
        self.model: set[int] = set()

    @rule(trade_id=ids)
    def add(self, trade_id: int) -> None:
        assert self.held.add(trade_id) == (trade_id not in self.model)
        self.model.add(trade_id)

    @rule(first=ids, length=st.integers(1, 20))
    def add_range(self, first: int, length: int) -> None:
        self.held.add_range(first, first + length - 1)
        self.model.update(range(first, first + length))

    @rule(first=ids, length=st.integers(1, 20))
    def remove_range(self, first: int, length: int) -> None:
        self.held.remove_range(first, first + length - 1)
        self.model.difference_update(range(first, first + length))

    @rule(first=ids, length=st.integers(0, 30))
    def missing(self, first: int, length: int) -> None:
        asked = set(range(first, first + length))
        assert self.held.missing(first, first + length - 1) == ranges_of(asked - self.model)
        assert list(self.held.complement(first, first + length - 1)) == ranges_of(asked - self.model)

    @rule(others=st.sets(ids))
    def algebra(self, others: set[int]) -> None:
        other = IdRanges(ranges_of(others))
        assert list(self.held | other) == ranges_of(self.model | others)
        assert list(self.held & other) == ranges_of(self.model & others)
        assert list(self.held - other) == ranges_of(self.model - others)

    @invariant()
    def agrees(self) -> None:
        ranges = ranges_of(self.model)
        assert list(self.held) == ranges
        assert list(reversed(self.held)) == ranges[::-1]
        assert self.held.range_count() == len(ranges)
        assert bool(self.held) == bool(self.model)
        assert self.held == IdRanges(reversed(ranges))
        assert self.held.first == min(self.model, default=None)
        assert self.held.last == max(self.model, default=None)
        assert self.held.count() == len(self.model)
        between = set(range(min(self.model, default=0), max(self.model, default=0)))
        assert self.held.gaps() == ranges_of(between - self.model)
        for trade_id in range(-1, LIMIT + 25):
            assert (trade_id in self.held) == (trade_id in self.model)
            found = self.held.range_of(trade_id)
            assert found == next(((low, high) for low, high in ranges if low <= trade_id <= high), None)


TestIdRanges = IdRangesMachine.TestCase


def test_a_range_cannot_end_before_it_begins() -> None:
    with pytest.raises(ValueError, match=r"5\.\.4"):
        IdRanges([(5, 4)])


def test_changing_a_set_while_reading_it_is_harmless() -> None:
    held = IdRanges([(1, 2), (5, 6), (9, 9)])
    for first, last in held:
        held.remove_range(first, last)
    assert not held


def trade(trade_id: int, symbol: str = "BTCUSDT") -> Trade:
    return Trade(symbol, trade_id, 1_723_161_255_000_000, 1, 1, False)


def test_a_skipped_trade_is_known_when_the_next_arrives() -> None:
    coverage = SymbolCoverage("BTCUSDT")
    assert coverage.missing_before(trade(10)) is None
    assert coverage.add(trade(10))
    assert coverage.missing_before(trade(11)) is None
    gap = coverage.missing_before(trade(14))
    assert gap == TradeGap("BTCUSDT", 11, 13)
    assert gap.missing == 3
    assert coverage.gaps() == []
    coverage.add(trade(14))
    assert coverage.gaps() == [gap]
    assert coverage.missing() == 3


def test_a_late_trade_mends_its_part_of_a_gap() -> None:
    coverage = SymbolCoverage("BTCUSDT", IdRanges([(1, 5), (10, 12)]))
    assert coverage.missing_before(trade(7)) is None
    assert coverage.add(trade(7))
    assert not coverage.add(trade(7))
    assert coverage.gaps() == [TradeGap("BTCUSDT", 6, 6), TradeGap("BTCUSDT", 8, 9)]


def test_another_symbols_trade_is_a_bug() -> None:
    with pytest.raises(ValueError, match="ETHUSDT trade given to the coverage of BTCUSDT"):
        SymbolCoverage("BTCUSDT").missing_before(trade(1, "ETHUSDT"))


@given(st.permutations(range(20)))
def test_in_any_order_the_gaps_are_what_was_not_received(order: list[int]) -> None:
    coverage = SymbolCoverage("BTCUSDT")
    received: set[int] = set()
    for trade_id in order:
        received.add(trade_id)
        coverage.add(trade(trade_id))
        between = set(range(min(received), max(received)))
        assert coverage.missing() == len(between - received)
    assert coverage.gaps() == []
