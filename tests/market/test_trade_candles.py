"""Candles folded from columns of trades are those of the builder, however the trades are cut into batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.builder import CandleBuilder
from app.market.candle import Candle
from app.market.columns.candle_columns import opens_of, slots_of
from app.market.columns.trade_candles import TradeCandles
from app.market.interval import Interval
from app.market.trade import Trade
from tests.depth import examples

BEGIN_US = 1_723_161_600_000_000
INTERVALS = [Interval.parse(one) for one in ("1s", "13s", "1m", "13m", "181m", "1d", "3d", "1w", "1M", "5M")]
AMOUNT = st.integers(1, 10**9) | st.integers(1, 10**18)


def add(candles: TradeCandles, trades: list[Trade]) -> None:
    _, *columns, maker = zip(*trades, strict=True)
    candles.add(*(np.array(one, dtype=np.int64) for one in columns), np.array(maker, dtype=np.bool_))


@st.composite
def trades(draw: st.DrawFn) -> list[Trade]:
    rows = draw(st.lists(st.tuples(st.integers(0, 10**13), AMOUNT, AMOUNT, st.booleans()), min_size=1, max_size=40))
    return [Trade("BTCUSDT", 7 + at, BEGIN_US + time, *rest) for at, (time, *rest) in enumerate(rows)]


@given(trades(), st.sampled_from(INTERVALS), st.integers(1, 7))
@settings(max_examples=examples(300), deadline=None)
def test_any_batches_give_what_the_builder_gives(given_trades: list[Trade], interval: Interval, size: int) -> None:
    builder, candles = CandleBuilder(interval), TradeCandles(interval)
    for trade in given_trades:
        builder.add(trade)
    for at in range(0, len(given_trades), size):
        add(candles, given_trades[at : at + size])
    assert candles.take_ended() == builder.candles()


@given(trades(), st.sampled_from(INTERVALS))
@settings(max_examples=examples(100), deadline=None)
def test_what_ended_is_taken_once_and_later_trades_of_it_are_refused(
    given_trades: list[Trade], interval: Interval
) -> None:
    candles = TradeCandles(interval)
    add(candles, given_trades)
    middle_us = BEGIN_US + 5 * 10**12
    first = candles.take_ended(middle_us)
    assert all(interval.next_open_us(one.open_time_us) <= middle_us for one in first)
    rest: list[Candle] = candles.take_ended()
    assert all(interval.next_open_us(one.open_time_us) > middle_us for one in rest)
    assert sum(one.trades for one in first + rest) == len(given_trades)
    with pytest.raises(ValueError, match="was taken"):
        add(candles, given_trades)


@given(st.lists(st.integers(0, 4_102_444_800_000_000), min_size=1), st.sampled_from(INTERVALS))
def test_slots_of_columns_are_those_of_the_interval(times_us: list[int], interval: Interval) -> None:
    slots = slots_of(interval, np.array(times_us, dtype=np.int64))
    assert slots.tolist() == [interval.slot(one) for one in times_us]
    assert opens_of(interval, slots).tolist() == [interval.open_time_us(one) for one in times_us]
