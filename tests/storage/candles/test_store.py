"""Candles that SQL makes against those of the builder, and what else readers ask for."""

from __future__ import annotations

import itertools
import random
from bisect import bisect_left
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.candle import Candle, CandleSource
from app.market.columns.candle_columns import candles_of
from app.market.coverage import IdRanges
from app.market.interval import MENU_INTERVALS, SECOND_US, Interval
from app.market.symbol import Symbol
from app.market.trade import Trade
from tests.depth import examples
from tests.storage.helpers import PATIENCE_S, START_US, World, compress, folded, some_trades
from tests.tables import our_tables

pytestmark = pytest.mark.mostly_embedded

ALL_INTERVALS = [
    *MENU_INTERVALS,
    *(Interval.parse(name) for name in "61s 3601s 181m 90s 7s 17s 1441m 25h 5d 2w 3M".split()),
    *(Interval.parse(name) for name in "2m+1m 5m+3m 1h+5m 1h+15m 181m+90m 1d+61m 3d+1500m 1w+77m".split()),
]
MINUTE = Interval.parse("1m")
MOST_CANDLES = 2_000
_symbols = itertools.count(1)


@pytest.fixture(scope="module")
def shared_world(server_url: str) -> Iterator[World]:
    with our_tables(server_url) as url:
        world = World(url)
        yield world
        world.close()


@st.composite
def histories(draw: st.DrawFn) -> list[Trade]:
    """Distinct trades in random order, ids partly missing, times mostly but not strictly rising with the ids."""
    seed = draw(st.integers(0, 2**32))
    spacing_us = draw(st.sampled_from([200_000, 20 * SECOND_US, 3_000 * SECOND_US, 86_400 * SECOND_US]))
    missing = draw(st.sampled_from([0.0, 0.02, 0.3]))
    first_id = draw(st.sampled_from([0, 1, 5_000_000_000]))
    dice = random.Random(seed)
    trades = [
        Trade(
            "X",
            first_id + number,
            START_US + number * spacing_us + dice.randrange(2 * spacing_us),
            dice.randrange(1, 10 ** dice.randrange(1, 18)),
            dice.randrange(1, 10 ** dice.randrange(1, 18)),
            dice.random() < 0.5,
        )
        for number in range(dice.randrange(1, 60))
        if number == 0 or dice.random() >= missing
    ]
    dice.shuffle(trades)
    return trades


@pytest.mark.timeout(300)  # thousands of queries
@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=histories(),
    batches=st.integers(1, 5),
    ahead_s=st.none() | st.integers(0, 200_000),
    compressed=st.booleans(),
    seed=st.integers(),
)
def test_sql_candles_equal_those_of_the_builder(
    shared_world: World, history: list[Trade], batches: int, ahead_s: int | None, compressed: bool, seed: int
) -> None:
    symbol, dice = f"S{next(_symbols)}", random.Random(seed)
    trades = [trade._replace(symbol=symbol) for trade in history]
    for number in range(batches):
        shared_world.record([*trades[number::batches], *dice.sample(trades, len(trades) // 3)])
    if compressed:
        with shared_world.connect() as connection:
            compress(connection)  # where trades are ever compressed
    store = shared_world.store
    newest_us = max(trade.time_us for trade in trades)
    now_us = None if ahead_s is None else newest_us + ahead_s * SECOND_US
    span_us = newest_us - START_US + 10 * SECOND_US
    for interval in dice.sample(ALL_INTERVALS, len(ALL_INTERVALS) // 2):
        if span_us // interval.length_us > MOST_CANDLES:
            continue  # millions of empty seconds teach nothing more
        now = now_us if now_us is None or (now_us - newest_us) // interval.length_us < MOST_CANDLES else newest_us
        expected = folded(trades, interval, now)
        assert store.candles(symbol, interval, now_us=now) == expected, interval
        limit = dice.randrange(1, 50)
        assert store.candles(symbol, interval, now_us=now, limit=limit) == expected[-limit:], interval
        start_us, end_us = sorted(START_US + dice.randrange(-span_us, 2 * span_us) for _ in range(2))
        within = [candle for candle in expected if start_us <= candle.open_time_us < end_us]
        assert store.candles(symbol, interval, now_us=now, start_us=start_us, end_us=end_us) == within, interval
        batch = max(7, len(expected) // 20)
        parts = list(store.iter_candles(symbol, interval, now_us=now, batch=batch))
        assert max(map(len, parts)) <= batch
        assert [candle for part in parts for candle in part] == expected, interval
        if now is None:
            batches = store.iter_candle_columns(symbol, interval, start_us=start_us, end_us=end_us)
            assert [candle for batch in batches for candle in candles_of(batch)] == within, interval


def test_the_views_give_the_same_figures_to_other_programs(world: World) -> None:
    trades = some_trades(4_000)
    world.record(trades)
    for name in "30s 1m 3m 5m 10m 15m 30m 1h 2h 4h 6h 12h 1d".split():
        rows = world.rows(f"""
            SELECT (extract(epoch FROM open_time) * 1000000)::bigint, trunc(open * 1e8)::bigint,
                trunc(high * 1e8)::bigint, trunc(low * 1e8)::bigint, trunc(close * 1e8)::bigint,
                trunc(volume * 1e8)::numeric(40), trunc(quote_volume * 1e16)::numeric(60), trades,
                trunc(taker_buy_volume * 1e8)::numeric(40), trunc(taker_buy_quote_volume * 1e16)::numeric(60),
                first_trade_id, last_trade_id
            FROM candles_{name} WHERE symbol = 'BTCUSDT' ORDER BY open_time""")
        expected = [tuple(candle[:12]) for candle in folded(trades, Interval.parse(name)) if candle.trades]
        assert rows == expected, name
    assert world.rows("SELECT count(*), min(symbol) FROM trade_log") == [(4_000, "BTCUSDT")]


def test_a_long_quiet_time_costs_only_the_candles_asked_for(world: World) -> None:
    trades = some_trades(3)
    world.record(trades)
    second = Interval.parse("1s")
    now_us = trades[-1].time_us + 365 * 86_400 * SECOND_US
    newest = world.store.candles("BTCUSDT", second, limit=5, now_us=now_us)
    assert [candle.open_time_us for candle in newest] == [
        second.open_time_us(now_us) - back * SECOND_US for back in (4, 3, 2, 1, 0)
    ]
    assert {candle.close_e8 for candle in newest} == {trades[-1].price_e8}
    assert [candle.closed for candle in newest] == [True, True, True, True, False]


def kline(open_us: int, price: int = 7, *, trades: int = 4, closed: bool = True) -> Candle:
    made = Candle(open_us, price, price + 2, price - 2, price + 1, 50, 350, trades, 20, 140, source=CandleSource.KLINE)
    return made._replace(closed=closed)


def test_a_kline_stands_in_where_trades_are_missing_and_only_there(world: World) -> None:
    trades = [trade for trade in some_trades(9_000) if not 3_000 <= trade.trade_id < 3_500]
    world.record(trades)
    own = {candle.open_time_us: candle for candle in folded(trades, MINUTE)}
    incomplete = [open_us for open_us, candle in own.items() if not candle.complete]
    assert incomplete
    assert len(own) > len(incomplete)
    published = [kline(open_us) for open_us in range(min(own) - 120 * SECOND_US, max(own) + 1, 60 * SECOND_US)]
    world.store.save_klines("BTCUSDT", MINUTE, [*published, kline(max(own) + 60 * SECOND_US, closed=False)])
    got = {candle.open_time_us: candle for candle in world.store.candles("BTCUSDT", MINUTE)}
    for candle in published:
        judged = own.get(candle.open_time_us)
        expected = candle if judged is None or not judged.complete else judged
        assert got.pop(candle.open_time_us) == expected
    assert not got


def test_the_newest_trades_prove_nothing_where_klines_go_on(world: World) -> None:
    """Recording stopped within a minute; what the exchange had of it, or after it, came later."""
    trades = some_trades(9_000)
    world.record(trades)
    own = folded(trades, MINUTE)
    last = own[-1]
    assert world.store.candles("BTCUSDT", MINUTE)[-1] == last
    assert (last.complete, last.closed) == (False, False)
    after = kline(last.open_time_us + 180 * SECOND_US)
    world.store.save_klines("BTCUSDT", MINUTE, [after])
    doubted = last._replace(complete=False, closed=True)
    assert world.store.candles("BTCUSDT", MINUTE)[-2:] == [doubted, after]
    before_us = after.open_time_us
    assert world.store.candles("BTCUSDT", MINUTE, end_us=before_us, limit=2) == [*own[-2:-1], doubted]
    parts = list(world.store.iter_candles("BTCUSDT", MINUTE, batch=1))
    assert [candle for part in parts for candle in part] == [*own[:-1], doubted, after]
    whole = kline(last.open_time_us, trades=last.trades + 1)
    world.store.save_klines("BTCUSDT", MINUTE, [whole])
    assert world.store.candles("BTCUSDT", MINUTE)[-2:] == [whole, after]


def test_klines_alone_make_candles_of_every_interval_they_add_up_to(world: World) -> None:
    start_us = Interval.parse("1h").open_time_us(START_US)
    published = [kline(start_us + minute * 60 * SECOND_US, 10 + minute) for minute in range(60) if minute != 40]
    world.store.save_klines("NEWUSDT", MINUTE, published)
    assert world.store.candles("NEWUSDT", MINUTE) == published
    assert world.store.candles("NEWUSDT", MINUTE, limit=25) == published[-25:]
    quarters = world.store.candles("NEWUSDT", Interval.parse("15m"))
    assert [candle.open_time_us - start_us for candle in quarters] == [0, 900 * SECOND_US, 2_700 * SECOND_US]
    assert quarters[0] == Candle(start_us, 10, 26, 8, 25, 750, 5_250, 60, 300, 2_100, source=CandleSource.KLINE)
    parts = list(world.store.iter_candles("NEWUSDT", MINUTE, batch=9))
    assert [candle for part in parts for candle in part] == published


def test_a_kline_published_again_replaces_the_earlier_one(world: World) -> None:
    open_us = MINUTE.open_time_us(START_US)
    world.store.save_klines("NEWUSDT", MINUTE, [kline(open_us), kline(open_us, 9)])
    world.store.save_klines("NEWUSDT", MINUTE, [kline(open_us, 11)])
    assert world.store.candles("NEWUSDT", MINUTE) == [kline(open_us, 11)]


def test_an_unknown_symbol_has_nothing(world: World) -> None:
    assert world.store.candles("NOPE", MINUTE, now_us=START_US) == []
    assert list(world.store.iter_candles("NOPE", MINUTE)) == []
    assert world.store.trades("NOPE", 0, 10) == []
    assert not world.store.coverage("NOPE")


def test_symbols_are_remembered_as_given_and_recorded_ones_do_not_appear_by_themselves(world: World) -> None:
    world.record(some_trades(1, symbol="OLDUSDT"))
    first = [
        Symbol("ETHUSDT", "ETH", "USDT", 1_000_000, 10_000),
        Symbol("币安人生USDT", "币安人生", "USDT", 1, 100_000_000),
    ]
    world.store.save_symbols(first)
    assert world.store.symbols() == first
    halted = Symbol(
        "ETHUSDT", "ETH", "USDT", 1_000_000, 10_000, "HALT", "Binance", "crypto", "CRYPTO", "UTC", date(2017, 8, 17)
    )
    world.store.save_symbols([halted, Symbol("ADAUSDT", "ADA", "USDT")])
    assert world.store.symbols() == [Symbol("ADAUSDT", "ADA", "USDT"), halted, first[1]]
    world.store.save_symbols(first)  # says less than the description before: that stays
    assert world.store.symbols()[1] == replace(halted, status="TRADING")


def test_many_threads_read_while_one_writes(world: World) -> None:
    trades = some_trades(6_000)

    def read() -> None:
        for _ in range(10):
            seen = world.store.candles("BTCUSDT", MINUTE)
            # Batches were committed in order, so whatever is seen is the fold of a beginning of the trades.
            assert seen == folded(trades[: sum(candle.trades for candle in seen)], MINUTE)

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        for start in range(0, len(trades), 200):
            world.writer.put(trades[start : start + 200])
    assert world.writer.drain(PATIENCE_S)
    for reader in readers:
        reader.result()


@pytest.mark.parametrize("name", ["1s", "7s", "17s"])
def test_no_candle_is_made_of_the_trades_that_retention_left_of_it(world: World, name: str) -> None:
    interval, day_us = Interval.parse(name), 86_400 * SECOND_US
    midnight_us = (START_US // day_us + 1) * day_us
    trades = [
        Trade("BTCUSDT", number + 1, midnight_us + (number - 50) * 3 * SECOND_US, 10 + number, 1, False)
        for number in range(100)
    ]
    world.record(trades)
    whole = world.store.candles("BTCUSDT", interval)
    with world.connect() as connection:
        connection.execute("UPDATE retention SET kept_from = %s", (datetime.fromtimestamp(midnight_us / 1e6, UTC),))
    # Nothing was dropped here, but afterwards that cannot be known.
    assert world.store.candles("BTCUSDT", interval) == [
        candle for candle in whole if candle.open_time_us >= midnight_us
    ]
    assert world.store.candles("BTCUSDT", MINUTE) == folded(trades, MINUTE)


@pytest.mark.parametrize("name", ["1s", "7s", "1m", "13m"])
def test_traded_candles_of_a_range_come_with_the_nearest_before_and_after(world: World, name: str) -> None:
    interval = Interval.parse(name)
    trades = [Trade("BTCUSDT", number, START_US + number * 20 * SECOND_US, 10, 1, False) for number in range(1, 400)]
    kept = [trade for trade in trades if not 100 <= trade.trade_id < 200]
    world.record(kept)
    ids = [(one.open_time_us, one.first_trade_id, one.last_trade_id) for one in folded(kept, interval) if one.trades]
    for first, last in ((50, 60), (120, 150), (90, 300), (0, 5), (395, 500)):
        start_us, end_us = START_US + first * 20 * SECOND_US, START_US + last * 20 * SECOND_US
        begins = [open_us for open_us, *_ in ids]
        low = bisect_left(begins, interval.open_time_us(start_us))
        high = bisect_left(begins, end_us)
        found = world.store.traded_candles("BTCUSDT", interval, start_us, end_us)
        assert [(one.open_time_us, one.first_trade_id, one.last_trade_id) for one in found] == ids[
            max(low - 1, 0) : high + 1
        ]
    assert world.store.traded_candles("NOPE", interval, START_US, START_US + 1) == []
    dropped = datetime.fromtimestamp(START_US / 1e6, UTC) + timedelta(seconds=4_000)
    with world.connect() as connection:
        connection.execute("DELETE FROM trades WHERE time < %s", (dropped,))
        connection.execute("UPDATE retention SET kept_from = %s", (dropped,))
    start_us, end_us = START_US + 50 * 20 * SECOND_US, START_US + 60 * 20 * SECOND_US
    found = world.store.traded_candles("BTCUSDT", interval, start_us, end_us)
    known = IdRanges((one.first_trade_id, one.last_trade_id) for one in found)
    assert known.missing(50, 59) == []
    assert known.first < 50


def test_the_coverage_of_many_symbols_is_that_of_each(world: World) -> None:
    names = [f"S{number}USDT" for number in range(40)]
    for number, name in enumerate(names[:30]):
        world.record(some_trades(20, symbol=name, first_id=100 + number))
        world.record(some_trades(20, symbol=name, first_id=500 + number))
    found = world.store.coverage_of([*names, names[0]])
    assert list(found) == names
    assert found == {name: world.store.coverage(name) for name in names}
    assert found["S3USDT"] == IdRanges([(103, 122), (503, 522)])
    assert world.store.coverage_of([]) == {}
