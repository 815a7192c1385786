"""Days of trades for tests of the lake: in a database, and what they are in the lake."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa

from app.market.columns.wide_decimals import decimal_array
from app.market.trade import Trade
from storage.lake.parquet_part import lake_schema
from storage.lake.partition import DAY_US, LakeKind

FIRST_DAY_US = 1_723_161_600_000_000  # 2024-08-09
MOST_E8 = 10**15 - 1


def days_of_trades(
    days: int, a_day: int, *, symbol: str = "BTCUSDT", first_id: int = 500, seed: int = 1
) -> list[Trade]:
    """Return ``a_day`` trades on each of so many days with consecutive ids and amounts of all lengths."""
    dice = random.Random(seed)
    trades = []
    for day in range(days):
        times = sorted(dice.randrange(DAY_US // 1_000) * 1_000 for _ in range(a_day))
        for time_us in times:
            price, quantity = (dice.choice((dice.randrange(1, 10**6), dice.randrange(1, MOST_E8))) for _ in "pq")
            trade_id = first_id + len(trades)
            at_us = FIRST_DAY_US + day * DAY_US + time_us
            trades.append(Trade(symbol, trade_id, at_us, price, quantity, dice.random() < 0.5))
    return trades


def on_days(trades: list[Trade], first: int, last: int) -> list[Trade]:
    """Return the trades of the days ``first`` to ``last``, counted from 0, both inclusive."""
    begin, end = FIRST_DAY_US + first * DAY_US, FIRST_DAY_US + (last + 1) * DAY_US
    return [one for one in trades if begin <= one.time_us < end]


def lake_batch(trades: list[Trade]) -> Any:
    """Return trades as the lake has them."""
    schema = lake_schema(LakeKind.TRADES)
    _, ids, times, prices, quantities, makers = map(list, zip(*trades, strict=True))
    columns = [pa.array(ids, pa.int64()), pa.array(times, pa.timestamp("us"))]
    columns += [decimal_array(counts, schema.field("price").type) for counts in (prices, quantities)]
    return pa.RecordBatch.from_arrays([*columns, pa.array(makers)], schema=schema)
