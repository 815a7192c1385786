"""Of which times the exchange's klines are known: what was asked for once is remembered to the microsecond."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.candle import Candle, CandleSource
from app.market.coverage import IdRanges
from app.market.interval import Interval
from storage.candles import klines
from storage.candles.klines import stored_intervals
from storage.postgres.connection import connect
from tests.depth import examples
from tests.storage.helpers import START_US, World

pytestmark = pytest.mark.embedded_only

MINUTE, HOUR, MONTH = (Interval.parse(name) for name in ("1m", "1h", "1M"))
_symbols = itertools.count(1)


def kline(interval: Interval, slot: int, *, closed: bool = True) -> Candle:
    open_us = interval.slot_open_us(interval.slot(START_US) + slot)
    amounts = (7 * 10**8 + slot, 9 * 10**8, 5 * 10**8, 8 * 10**8, 123_456_789_012_345_678, 10**24 + slot, 12 + slot)
    return Candle(open_us, *amounts, 5, 10**20, closed=closed, source=CandleSource.KLINE)


pieces = st.tuples(st.sampled_from([MINUTE, HOUR]), st.integers(-30, 60), st.integers(1, 25))


@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(pieces, min_size=1, max_size=12))
def test_ranges_come_back_as_their_union_by_interval(world: World, asked: list[tuple[Interval, int, int]]) -> None:
    symbol, store = f"S{next(_symbols)}", world.store
    expected = {MINUTE: IdRanges(), HOUR: IdRanges()}
    for interval, first, count in asked:
        klines = [kline(interval, slot) for slot in range(first, first + count) if slot % 5]
        begin_us = kline(interval, first).open_time_us
        end_us = kline(interval, first + count).open_time_us
        store.save_klines(symbol, interval, klines, (begin_us, end_us))
        expected[interval].add_range(begin_us, end_us - 1)
    for interval, ranges in expected.items():
        assert store.fetched_klines(symbol, interval) == ranges
    rows = world.rows(f"SELECT count(*) FROM kline_ranges JOIN symbols ON id = symbol_id WHERE name = '{symbol}'")
    assert rows == [(sum(len(list(ranges)) for ranges in expected.values()),)], "those that touch are one row"


def test_klines_come_back_to_the_digit_and_an_open_one_is_not_taken(world: World) -> None:
    for interval in (MINUTE, HOUR, MONTH):
        klines = [kline(interval, slot) for slot in range(40)]
        world.store.save_klines("X", interval, [*klines, kline(interval, 40, closed=False)])
        found = world.store.candles("X", interval, start_us=klines[0].open_time_us, limit=1000)
        assert [one for one in found if one.source is CandleSource.KLINE][-40:] == klines


def test_the_listing_counts_for_every_interval_and_joins_what_follows(world: World) -> None:
    store, listed_us = world.store, kline(MINUTE, 0).open_time_us
    store.save_listing("X", listed_us)
    store.save_klines("X", MINUTE, [], (listed_us, listed_us + MINUTE.length_us))
    assert list(store.fetched_klines("X", MINUTE)) == [(0, listed_us + MINUTE.length_us - 1)]
    assert list(store.fetched_klines("X", MONTH)) == [(0, listed_us - 1)]
    store.save_listing("X", listed_us)
    assert world.rows("SELECT count(*) FROM kline_ranges") == [(2,)]


def test_the_times_of_fetched_trades_are_no_klines_of_any_interval_and_may_be_taken_back(world: World) -> None:
    store = world.store
    store.save_fetched_trades("X", 1_000_000, 5_000_000)
    store.save_fetched_trades("X", 5_000_000, 9_000_000)
    assert list(store.fetched_trades("X")) == [(1_000_000, 8_999_999)]
    assert list(store.fetched_klines("X", MINUTE)) == []
    store.forget_fetched_trades("X", 3_000_000, 4_000_000)
    assert list(store.fetched_trades("X")) == [(1_000_000, 2_999_999), (4_000_000, 8_999_999)]
    store.forget_fetched_trades("X", 0, 4_500_000)
    store.forget_fetched_trades("X", 9_000_000, 10_000_000)
    assert list(store.fetched_trades("X")) == [(4_500_000, 8_999_999)]
    assert list(store.fetched_trades("NEVER")) == []


def test_an_unknown_symbol_has_no_fetched_ranges(world: World) -> None:
    assert list(world.store.fetched_klines("NEVER", MINUTE)) == []


def test_stored_intervals_are_found_without_reading_their_klines(world: World) -> None:
    world.store.save_klines("X", MINUTE, [kline(MINUTE, 0)])
    with connect(world.url) as connection:
        connection.execute(_MANY_KLINES)
        connection.execute("ANALYZE klines")
        (symbol_id,) = connection.execute("SELECT id FROM symbols WHERE name = 'X'").fetchone()
        assert stored_intervals(connection, symbol_id, HOUR) == [MINUTE]
        lengths = [HOUR.seconds, MINUTE.seconds, 1], [0, 0, 0]
        ((plan,),) = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {klines._STORED}", (*lengths, symbol_id))
    assert rows_read(plan[0]["Plan"]) <= len(lengths[0])


_MANY_KLINES = """
    INSERT INTO klines
    SELECT (jsonb_populate_record(k, jsonb_build_object('open_time', k.open_time + n * interval '1 min'))).*
    FROM klines k, generate_series(1, 50000) AS n
"""


def rows_read(node: dict[str, object]) -> float:
    """Return how many rows of the table a plan has looked at."""
    below = sum(rows_read(child) for child in node.get("Plans", ()))
    if node.get("Relation Name") != "klines":
        return below
    return below + node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
