"""Minutes of aggregated trades have the figures of their trades, and are complete where the ids prove it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.aggregated_trades import MINUTE, AggregatedMinutes, finished, merged
from app.market.builder import CandleBuilder, finish
from app.market.candle import Candle, CandleSource
from app.market.coverage import IdRanges
from app.market.ports.row_files import AggTradeBatch
from app.market.trade import Trade

START_US = 1_723_161_595_000_000  # 5 s before midnight


def agg_batch(rows: Sequence[tuple[int, ...]], symbol: str = "XRPETH") -> AggTradeBatch:
    """Return rows of (id, time, price, quantity, first id, last id, maker) as a batch."""
    columns = [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)] or [np.empty(0, np.int64)] * 7
    return AggTradeBatch(symbol, len(rows), *columns[:6], columns[6].astype(np.bool_))


def aggregated(trades: Sequence[Trade]) -> list[tuple[int, ...]]:
    """Join trades of one time, price and side whose ids adjoin, as the exchange does."""
    runs = groupby(enumerate(trades), key=lambda at: (at[1].trade_id - at[0], *at[1][2:4], at[1].is_buyer_maker))
    joined = [[trade for _, trade in run] for _, run in runs]
    return [
        (
            1_000 + number,
            run[0].time_us,
            run[0].price_e8,
            sum(trade.quantity_e8 for trade in run),
            run[0].trade_id,
            run[-1].trade_id,
            run[0].is_buyer_maker,
        )
        for number, run in enumerate(joined)
    ]


@st.composite
def markets(draw: st.DrawFn) -> list[Trade]:
    """Trades with bursts of one price, quiet minutes, and ids that may be missing."""
    dice = random.Random(draw(st.integers(0, 10**6)))
    trades, time_us, trade_id = list[Trade](), START_US, dice.choice([0, 1, 700])
    for _ in range(draw(st.integers(1, 120))):
        if dice.random() < 0.4:
            time_us += dice.choice([1_000, 7_000_000, 200_000_000])
        if dice.random() < draw(st.sampled_from([0.0, 0.1])):
            trade_id += 3
        trades.append(
            Trade(
                "XRPETH",
                trade_id,
                time_us,
                dice.choice([140_000, 2**62]),
                dice.randrange(1, 2**55),  # a run of them is one aggregated trade, of 64 bits
                dice.random() < 0.5,
            )
        )
        trade_id += 1
    return trades


def folded(trades: Sequence[Trade]) -> list[Candle]:
    builder = CandleBuilder(MINUTE)
    for trade in trades:
        builder.add(trade)
    held = IdRanges((trade.trade_id, trade.trade_id) for trade in trades)
    return [
        candle._replace(source=CandleSource.AGGTRADES, closed=True)
        for candle in finish(builder.candles(), MINUTE, held)
    ]


@given(markets(), st.integers(1, 40), st.randoms())
def test_minutes_equal_those_of_the_trades_in_whatever_batches_and_order(
    trades: list[Trade], size: int, dice: random.Random
) -> None:
    rows = aggregated(trades)
    dice.shuffle(rows)
    minutes = AggregatedMinutes()
    for start in range(0, len(rows), size):
        assert minutes.add(agg_batch(rows[start : start + size])) == (0, [])
    assert minutes.candles() == folded(trades)
    assert sum(minutes.rows.values()) == len(rows)
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        assert minutes.add(agg_batch(part)) == (len(part), [])
    assert minutes.candles() == folded(trades)


@given(markets(), st.data())
def test_two_halves_of_a_file_give_what_the_whole_gives(trades: list[Trade], data: st.DataObject) -> None:
    rows = aggregated(trades)
    cut = data.draw(st.integers(0, len(rows)))
    halves = [AggregatedMinutes(), AggregatedMinutes()]
    for half, part in zip(halves, (rows[:cut], rows[cut:]), strict=True):
        if part:
            half.add(agg_batch(part))
    known = {one.open_time_us: one for one in halves[0].candles() if one.trades}
    for one in halves[1].candles():
        if one.trades:
            before = known.get(one.open_time_us)
            known[one.open_time_us] = one if before is None else merged(before, one)
    assert finished([known[at] for at in sorted(known)], halves[0].ids | halves[1].ids) == folded(trades)


def test_minutes_that_the_rows_begin_and_end_in_are_not_complete() -> None:
    trades = [Trade("XRPETH", 50 + at, START_US + at * 30_000_000, 10**8, 10**8, False) for at in range(8)]
    minutes = AggregatedMinutes()
    minutes.add(agg_batch(aggregated(trades)))
    assert [one.complete for one in minutes.candles()] == [False, True, True, True, False]


def test_rows_that_cannot_be_or_overlap_others_are_refused() -> None:
    good = (1, START_US, 10**8, 10**8, 10, 12, True)
    rows = [good, (2, START_US, 10**8, 10**8, 12, 13, True), (3, 5, 10**8, 10**8, 14, 14, True)]
    rows += [(4, START_US, 0, 10**8, 15, 15, True), (5, START_US, 10**8, 10**8, 17, 16, True), good]
    minutes = AggregatedMinutes()
    assert minutes.add(agg_batch(rows)) == (
        1,
        [
            (1, "its trades are part of another row"),
            (2, "its time is out of range"),
            (3, "its price or quantity is out of range"),
            (4, "its ids are out of range"),
        ],
    )
    assert [one.trades for one in minutes.candles()] == [3]


@pytest.mark.parametrize("other_ids", [(10, 19), (12, 15), (5, 30), (15, 25)])
def test_of_two_candles_with_trades_in_common_the_fuller_counts(other_ids: tuple[int, int]) -> None:
    one = Candle(0, 1, 1, 1, 1, 1, 1, 10, 1, 1, 10, 19, source=CandleSource.AGGTRADES)
    first, last = other_ids
    other = one._replace(first_trade_id=first, last_trade_id=last, trades=last - first + 1)
    assert merged(one, other) == (other if other.trades > 10 else one)
