"""Candles read as columns are those read one by one, whatever of them is trades, klines, empty or missing."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.candle import Candle, CandleSource
from app.market.columns.candle_columns import candles_of
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade
from storage.candles import column_reader
from tests.depth import examples
from tests.storage.helpers import START_US, World
from tests.tables import our_tables

pytestmark = pytest.mark.mostly_embedded

INTERVALS = [Interval.parse(name) for name in "1s 5s 1m 3m 15m 1h 1d 1M".split()]
_symbols = itertools.count(1)


@pytest.fixture(scope="module")
def shared_world(server_url: str) -> Iterator[World]:
    with our_tables(server_url) as url:
        world = World(url)
        yield world
        world.close()


@pytest.fixture(autouse=True)
def _small_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_reader, "FAST_SLOTS", 32)
    monkeypatch.setattr(column_reader, "_SLOW_SLOTS", 4)


def some_trades(dice: random.Random, symbol: str, count: int, spacing_us: int) -> list[Trade]:
    """Trades in the order of their ids, with quiet times and holes."""
    at_us, number, trades = START_US, dice.choice([1, 1_000]), list[Trade]()
    while len(trades) < count:
        at_us += dice.choice([spacing_us // 10, spacing_us, spacing_us * 20 if dice.random() < 0.1 else spacing_us])
        number += 1 if dice.random() < 0.97 else dice.randrange(2, 20)
        price, quantity = dice.randrange(1, 10**12), dice.randrange(1, 10**10)
        trades.append(Trade(symbol, number, at_us, price, quantity, dice.random() < 0.5))
    return trades


def some_klines(dice: random.Random, interval: Interval, span_us: int) -> list[Candle]:
    begin = interval.slot(START_US + dice.randrange(-span_us // 2, span_us))
    slots = range(begin, begin + dice.randrange(1, 200))
    return [
        Candle(
            interval.slot_open_us(slot),
            *(dice.randrange(1, 10**12) for _ in range(5)),
            dice.randrange(10**25),
            dice.randrange(100),
            dice.randrange(10**12),
            dice.randrange(10**25),
            source=CandleSource.KLINE,
        )
        for slot in slots
        if dice.random() < 0.98
    ]


@settings(max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    count=st.sampled_from([0, 1, 30, 300]),
    spacing_s=st.sampled_from([1, 20, 3_000]),
    has_klines=st.sampled_from(["none", "own", "own", "finer too"]),
)
def test_columns_are_the_candles(shared_world: World, seed: int, count: int, spacing_s: int, has_klines: str) -> None:
    dice, symbol = random.Random(seed), f"S{next(_symbols)}"
    spacing_us = spacing_s * SECOND_US
    shared_world.record(some_trades(dice, symbol, count, spacing_us))
    store, span_us = shared_world.store, max(1, count) * spacing_us + 3_600 * SECOND_US
    for interval in dice.sample([one for one in INTERVALS if span_us // one.length_us < 1_500], 2):
        finer = [one for one in INTERVALS if one.tiles(interval)]
        for stored in {"none": [], "own": [interval], "finer too": [interval, dice.choice(finer)]}[has_klines]:
            klines = some_klines(dice, stored, span_us)
            if klines:
                store.save_klines(
                    symbol, stored, klines, (klines[0].open_time_us, stored.next_open_us(klines[-1].open_time_us))
                )
        for _ in range(2):
            start_us, end_us = sorted(START_US + dice.randrange(-span_us, 2 * span_us) for _ in range(2))
            expected = store.candles(symbol, interval, start_us=start_us, end_us=end_us)
            batches = list(store.iter_candle_columns(symbol, interval, start_us=start_us, end_us=end_us))
            assert [candle for batch in batches for candle in candles_of(batch)] == expected, interval
