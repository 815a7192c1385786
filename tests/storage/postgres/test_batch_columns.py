"""Columns of trades against plain Python over the same trades."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.market.coverage import IdRanges
from app.market.trade import Trade
from storage.postgres import batch_columns
from storage.rollups.levels import LEVELS
from tests.storage.helpers import START_US

MINUTE_US = 60_000_000
AMOUNTS = st.integers(1, 2**63 - 1)
TRADES = st.builds(
    Trade,
    st.sampled_from(["A", "B"]),
    st.integers(0, 30),
    st.integers(START_US, START_US + 5 * MINUTE_US),
    AMOUNTS,
    AMOUNTS,
    st.booleans(),
)


@given(st.lists(TRADES, min_size=1))
def test_rollup_sums_are_exact_up_to_the_largest_amounts(trades: list[Trade]) -> None:
    distinct = {(trade.symbol, trade.trade_id): trade for trade in reversed(trades)}.values()
    rows = batch_columns.rollup_rows(batch_columns.trade_columns(trades, {"A": 1, "B": 2})[0], MINUTE_US)
    for row in rows:
        own = [
            trade
            for trade in distinct
            if {"A": 1, "B": 2}[trade.symbol] == row.symbol_id
            and trade.time_us - trade.time_us % MINUTE_US == row.open_us
        ]
        takers = [trade for trade in own if not trade.is_buyer_maker]
        assert row.trades == len(own)
        assert row.volume == sum(trade.quantity_e8 for trade in own)
        assert row.quote_volume == sum(trade.price_e8 * trade.quantity_e8 for trade in own)
        assert row.taker_buy_volume == sum(trade.quantity_e8 for trade in takers)
        assert row.taker_buy_quote_volume == sum(trade.price_e8 * trade.quantity_e8 for trade in takers)
        assert row.open == min(own, key=lambda trade: trade.trade_id).price_e8
        assert row.close == max(own, key=lambda trade: trade.trade_id).price_e8
    assert sum(row.trades for row in rows) == len(distinct)


@given(st.lists(TRADES, min_size=1))
def test_coarser_rows_equal_those_of_the_trades(trades: list[Trade]) -> None:
    batch, _ = batch_columns.trade_columns(trades, {"A": 1, "B": 2})
    for finer, level in pairwise(LEVELS):
        rows = batch_columns.coarser_rows(batch_columns.rollup_rows(batch, finer.length_us), level.length_us)
        assert sorted(rows) == sorted(batch_columns.rollup_rows(batch, level.length_us))


@given(st.lists(TRADES, min_size=1))
def test_repeats_in_a_batch_are_dropped_and_contradictions_are_returned_apart(trades: list[Trade]) -> None:
    batch, contradictions = batch_columns.trade_columns(trades, {"A": 1, "B": 2})
    first: dict[tuple[str, int], Trade] = {}
    differing = []
    for trade in trades:
        kept = first.setdefault(trade[:2], trade)
        if trade._replace(time_us=trade.time_us // 1000) != kept._replace(time_us=kept.time_us // 1000):
            differing.append(trade)
    assert trades_of(batch) == sorted(first.values())
    assert sorted(trades_of(contradictions)) == sorted(differing)


def trades_of(columns: batch_columns.TradeColumns) -> list[Trade]:
    names = {1: "A", 2: "B"}
    parts = [columns.take(slice(at, at + 1)) for at in range(len(columns))]
    return [
        Trade(
            names[part.symbol_id.item()],
            part.trade_id.item(),
            part.time_us.item(),
            part.price.item(),
            part.quantity.item(),
            part.maker.item(),
        )
        for part in parts
    ]


@given(st.sets(st.integers(0, 40)), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40))))
def test_runs_of_ids_and_ids_within_ranges_agree_with_plain_sets(ids: set[int], pairs: list[tuple[int, int]]) -> None:
    rising = np.array(sorted(ids), dtype=np.int64)
    runs = batch_columns.id_runs(rising)
    assert sorted(one for first, last in runs for one in range(first, last + 1)) == sorted(ids)
    held = IdRanges((min(pair), max(pair)) for pair in pairs)
    assert batch_columns.ids_within(rising, list(held)).tolist() == [one in held for one in sorted(ids)]
