"""Candles of ticks, of any interval, however they are read: against what the ticks add up to one by one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.coverage import IdRanges
from app.market.interval import MENU_INTERVALS, Interval
from app.market.ports.ticks import TickReader
from app.market.quotes.tick import PriceSide, Tick
from app.market.quotes.tick_candle import SideBar, TickCandle
from storage.postgres.connection import connect
from storage.postgres.pool import ConnectionPool
from storage.quotes.tick_ledger import TickLedger
from storage.quotes.tick_store import TickStore
from tests.depth import examples
from tests.storage.helpers import compress
from tests.storage.quotes.helpers import START_US, SYMBOL, some_ticks
from tests.tables import our_tables
from tests.tick_candles import candle_of_tick, combine_ticks

pytestmark = pytest.mark.mostly_embedded

TYPED = [
    Interval.parse(name) for name in ("2s", "3s", "7s", "14s", "61s", "90s", "13m", "59m", "181m", "1441m", "2M")
] + [Interval.parse(name) for name in ("5m+3m", "1h+15m", "181m+90m", "1d+61m")]
INTERVALS = [*MENU_INTERVALS, *TYPED]
DAY_US = 86_400_000_000
FETCHED = IdRanges([(START_US, START_US + DAY_US - 1)])
# Two busy stretches, a few ticks years away, and one alone.
TICKS = [
    *some_ticks(3_000),
    *some_ticks(2_000, seed=2, start_us=START_US + 3 * DAY_US + 17_000_000),
    *[tick for year in (1, 2) for tick in some_ticks(60, seed=year, start_us=START_US + year * 400 * DAY_US)],
    Tick(SYMBOL, START_US + 1_000 * DAY_US, 0, 5, 6),
]


@pytest.fixture(scope="module")
def store(server_url: str) -> Iterator[TickStore]:
    with our_tables(server_url) as url:
        with connect(url) as connection:
            ledger = TickLedger(connection)
            ledger.store([*TICKS[::2], *some_ticks(300, symbol="dukascopy:EURUSD", seed=9)])
            compress(connection, "quotes")  # where that can be, so that the others come late
            ledger.store(TICKS, (SYMBOL, START_US, START_US + DAY_US))
            connection.execute("ANALYZE")
        pool = ConnectionPool(lambda: connect(url))
        yield TickStore(pool)
        pool.close()


def expected(interval: Interval) -> list[TickCandle]:
    return [
        combine_ticks(open_us, (candle_of_tick(open_us, tick) for tick in group))
        for open_us, group in groupby(TICKS, key=lambda tick: interval.open_time_us(tick.time_us))
    ]


def bars(candles: list[TickCandle], side: PriceSide) -> list[SideBar]:
    return [(one.open_time_us, *one.bar(side), one.ticks) for one in candles]


@pytest.mark.parametrize("interval", INTERVALS, ids=str)
def test_candles_of_every_interval_are_those_of_their_ticks(store: TickStore, interval: Interval) -> None:
    reader: TickReader = store
    candles = expected(interval)
    assert reader.tick_candles(SYMBOL, interval) == candles
    for limit in (1, 7, 1_000, 10**6):
        assert reader.tick_candles(SYMBOL, interval, limit=limit) == candles[-limit:]
    parts = list(reader.iter_tick_candles(SYMBOL, interval, batch=100))
    assert [candle for part in parts for candle in part] == candles
    assert max(map(len, parts)) <= 100
    for side in PriceSide:
        assert store.side_bars(SYMBOL, interval, side) == (bars(candles, side), FETCHED)
        for limit in (1, 7, 1_000, 10**6):
            assert store.side_bars(SYMBOL, interval, side, limit=limit)[0] == bars(candles, side)[-limit:]


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), interval=st.sampled_from(INTERVALS))
def test_any_range_has_the_candles_that_open_in_it(store: TickStore, data: st.DataObject, interval: Interval) -> None:
    near = st.builds(
        lambda tick, more: tick.time_us + more, st.sampled_from(TICKS), st.integers(-2 * DAY_US, 2 * DAY_US)
    )
    edge = st.one_of(st.none(), near, st.sampled_from([interval.open_time_us(tick.time_us) for tick in TICKS]))
    start_us, end_us = data.draw(edge), data.draw(edge)
    limit = data.draw(st.one_of(st.none(), st.integers(1, 50)))
    candles = [
        candle
        for candle in expected(interval)
        if (start_us is None or candle.open_time_us >= start_us) and (end_us is None or candle.open_time_us < end_us)
    ]
    found = store.tick_candles(SYMBOL, interval, start_us=start_us, end_us=end_us, limit=limit)
    assert found == (candles if limit is None else candles[-limit:])
    side = data.draw(st.sampled_from(PriceSide))
    page = store.side_bars(SYMBOL, interval, side, start_us=start_us, end_us=end_us, limit=limit)
    assert page == (bars(found, side), FETCHED)
    parts = store.iter_tick_candles(SYMBOL, interval, start_us=start_us, end_us=end_us, batch=13)
    assert [candle for part in parts for candle in part] == candles


def test_ticks_of_a_range_come_by_time_and_place_in_bounded_parts(store: TickStore) -> None:
    reader: TickReader = store
    assert reader.ticks(SYMBOL, 0, 2**62) == TICKS
    start_us, end_us = TICKS[100].time_us, TICKS[4_000].time_us
    within = [tick for tick in TICKS if start_us <= tick.time_us < end_us]
    assert reader.ticks(SYMBOL, start_us, end_us) == within
    parts = list(reader.iter_ticks(SYMBOL, start_us, end_us, batch=70))
    assert [tick for part in parts for tick in part] == within
    assert max(map(len, parts)) <= 70
    assert reader.ticks(SYMBOL, end_us, start_us) == []


def test_a_symbol_that_was_never_stored_has_nothing(store: TickStore) -> None:
    m1 = Interval.parse("1m")
    assert store.ticks("oanda:NOTHING", 0, 2**62) == store.tick_candles("oanda:NOTHING", m1) == []
    assert list(store.iter_ticks("oanda:NOTHING", 0, 2**62)) == list(store.iter_tick_candles("oanda:NOTHING", m1)) == []
    assert store.fetched_ticks("oanda:NOTHING") == IdRanges()
    assert store.side_bars("oanda:NOTHING", m1, PriceSide.BID) == ([], IdRanges())
    assert store.tick_candles(SYMBOL, m1, limit=0) == []
    assert store.side_bars(SYMBOL, m1, PriceSide.MID, limit=0) == ([], IdRanges())


def test_the_times_fetched_are_read(store: TickStore) -> None:
    assert list(store.fetched_ticks(SYMBOL)) == [(START_US, START_US + DAY_US - 1)]


@given(at=st.integers(-1, 5_121), limit=st.integers(1, 3_000))
@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_ticks_after_a_position_are_the_next_ones(store: TickStore, at: int, limit: int) -> None:
    ordered = sorted(TICKS, key=lambda tick: tick.number)
    at = min(at, len(ordered) - 1)
    number = -1 if at < 0 else ordered[at].number
    assert store.ticks_after(SYMBOL, number, limit) == ordered[at + 1 :][:limit]


def test_the_newest_tick_is_known_of_each_symbol_that_has_one(store: TickStore) -> None:
    newest = store.newest_ticks([SYMBOL, "dukascopy:EURUSD", "oanda:GBPUSD"])
    assert newest.keys() == {SYMBOL, "dukascopy:EURUSD"}
    assert newest[SYMBOL] == max(tick.number for tick in TICKS)
    assert store.ticks_after("oanda:GBPUSD", -1, 10) == []
