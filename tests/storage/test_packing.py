from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.trade import Trade
from storage import packing
from tests.storage.helpers import START_US

AMOUNTS = st.integers(1, 2**63 - 1)
TRADES = st.builds(
    Trade,
    st.sampled_from(["A", "B"]),
    st.integers(0, 30),
    st.integers(START_US, START_US + 5 * packing.MINUTE_US),
    AMOUNTS,
    AMOUNTS,
    st.booleans(),
)


@given(st.lists(TRADES, min_size=1))
def test_rollup_sums_are_exact_up_to_the_largest_amounts(trades: list[Trade]) -> None:
    distinct = {(trade.symbol, trade.trade_id): trade for trade in reversed(trades)}.values()
    rows = packing.rollup(packing.columns(trades, {"A": 1, "B": 2}), packing.MINUTE_US)
    for row in rows:
        own = [
            trade
            for trade in distinct
            if {"A": 1, "B": 2}[trade.symbol] == row.symbol_id
            and trade.time_us - trade.time_us % packing.MINUTE_US == row.open_us
        ]
        takers = [trade for trade in own if not trade.is_buyer_maker]
        assert row.trades == len(own)
        assert whole(row.volume, 8) == sum(trade.quantity_e8 for trade in own)
        assert whole(row.quote_volume, 16) == sum(trade.price_e8 * trade.quantity_e8 for trade in own)
        assert whole(row.taker_buy_volume, 8) == sum(trade.quantity_e8 for trade in takers)
        assert whole(row.taker_buy_quote_volume, 16) == sum(trade.price_e8 * trade.quantity_e8 for trade in takers)
        assert whole(row.open, 8) == min(own, key=lambda trade: trade.trade_id).price_e8
        assert whole(row.close, 8) == max(own, key=lambda trade: trade.trade_id).price_e8
    assert sum(row.trades for row in rows) == len(distinct)


@given(st.sets(st.integers(0, 40)), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40))))
def test_runs_and_held_ids_agree_with_plain_sets(ids: set[int], pairs: list[tuple[int, int]]) -> None:
    rising = np.array(sorted(ids), dtype=np.int64)
    runs = packing.runs(rising)
    assert sorted(one for first, last in runs for one in range(first, last + 1)) == sorted(ids)
    from app.market.coverage import IdRanges

    held = IdRanges((min(pair), max(pair)) for pair in pairs)
    assert packing.held_already(rising, list(held)).tolist() == [one in held for one in sorted(ids)]


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": ""},
        {"trade_id": -1},
        {"trade_id": 2**63},
        {"time_us": 0},
        {"time_us": 2**62},
        {"price_e8": 0},
        {"price_e8": 2**63},
        {"quantity_e8": -5},
    ],
)
def test_a_trade_that_cannot_be_stored_is_told_apart(change: dict[str, object]) -> None:
    good = Trade("BTCUSDT", 1, START_US, 1, 1, True)
    assert packing.unfit(good) == ""
    assert packing.unfit(good._replace(**change)) != ""


def whole(text: str, places: int) -> int:
    # Not Decimal arithmetic: that rounds to 28 digits.
    sign, digits, exponent = Decimal(text).as_tuple()
    assert sign == 0
    return int("".join(map(str, digits))) * 10 ** (places + int(exponent))
