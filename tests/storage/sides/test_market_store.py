"""The candles that readers get of symbols with ticks: of mid, bid and ask, of ticks and of the broker's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.market.candle import Candle, CandleSource
from app.market.columns.candle_columns import candles_of
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from app.market.quotes.tick import PriceSide, Tick
from app.market.units import E8
from storage.candles.read_only import NullWriter
from storage.postgres.connection import connect
from storage.quotes.tick_ledger import TickLedger
from storage.sides.market_store import MarketStore, ReadOnlyMarketStore
from tests.tables import our_tables
from tests.tick_candles import with_places

pytestmark = pytest.mark.mostly_embedded

SYMBOL, MINUTE, HOUR = "oanda:EURUSD", Interval.parse("1m"), Interval.parse("1h")
FRIDAY_US = 1_783_713_600 * SECOND_US  # 2026-07-10T20:00Z; the forex week ends an hour later
HOUR_US, DAY_US = 3_600 * SECOND_US, 86_400 * SECOND_US
SUNDAY_US = FRIDAY_US + 2 * DAY_US + HOUR_US
TICKS = list(
    with_places(
        Tick(SYMBOL, begin_us + second * SECOND_US, 0, 110_000_000 + second, 110_000_400 + second, E8, 2 * E8)
        for begin_us in (FRIDAY_US, SUNDAY_US)
        for second in range(0, 3_600, 7)
        if not 600 <= second < 900  # five minutes without a tick
    )
)


@pytest.fixture(scope="module")
def url(server_url: str) -> Iterator[str]:
    with our_tables(server_url) as url:
        with connect(url) as connection:
            ledger = TickLedger(connection)
            ledger.store(TICKS, (SYMBOL, FRIDAY_US, FRIDAY_US + HOUR_US))
            ledger.store([], (SYMBOL, SUNDAY_US, SUNDAY_US + HOUR_US))
        yield url


@pytest.fixture
def store(url: str) -> Iterator[MarketStore]:
    store = MarketStore(lambda: connect(url))
    yield store
    store.close()
    with connect(url) as connection:
        connection.execute("TRUNCATE quote_klines, kline_ranges")


def test_minutes_of_a_weekend_are_left_out_and_quiet_ones_are_empty(store: MarketStore) -> None:
    found = store.candles(SYMBOL, MINUTE)
    opens = [one.open_time_us for one in found]
    expected = [begin + minute * 60 * SECOND_US for begin in (FRIDAY_US, SUNDAY_US) for minute in range(60)]
    assert opens == expected
    assert all(one.closed and one.complete and one.source is CandleSource.TICKS for one in found)
    assert [one.trades for one in found[10:15]] == [0] * 5
    assert {one.close_e8 for one in found[10:15]} == {found[9].close_e8}


def test_each_price_has_its_candles(store: MarketStore) -> None:
    closes = {side: store.of_side(side).candles(SYMBOL, HOUR)[-1].close_e8 for side in PriceSide}
    last = TICKS[-1]
    assert closes == {PriceSide.BID: last.bid_e8, PriceSide.ASK: last.ask_e8, PriceSide.MID: last.mid_e8}
    assert store.candles(SYMBOL, HOUR) == store.of_side(PriceSide.MID).candles(SYMBOL, HOUR)


def test_the_newest_are_given_and_parts_add_up(store: MarketStore) -> None:
    whole = store.candles(SYMBOL, MINUTE)
    assert store.candles(SYMBOL, MINUTE, limit=70) == whole[-70:]
    assert (
        store.candles(SYMBOL, MINUTE, end_us=SUNDAY_US, limit=5)
        == [one for one in whole if one.open_time_us < SUNDAY_US][-5:]
    )
    parts = [one for part in store.iter_candles(SYMBOL, MINUTE, batch=7) for one in part]
    assert [one.open_time_us for one in parts] == sorted({one.open_time_us for one in parts})
    assert [one for one in parts if one.trades] == [one for one in whole if one.trades]
    columns = [one for batch in store.iter_candle_columns(SYMBOL, MINUTE) for one in candles_of(batch)]
    assert columns == whole


def test_time_that_nobody_watched_is_the_brokers_candle_if_it_is_stored(store: MarketStore) -> None:
    monday_us = SUNDAY_US + HOUR_US
    published = Candle(monday_us, 5, 8, 4, 6, 3 * E8, 0, 3, 0, 0, source=CandleSource.KLINE)
    assert store.save_klines(SYMBOL, MINUTE, [published], (monday_us, monday_us + 60 * SECOND_US)) == 1
    assert store.save_klines(SYMBOL, MINUTE, [published]) == 0
    assert store.candles(SYMBOL, MINUTE, limit=2)[-1] == published
    assert store.fetched_klines(SYMBOL, MINUTE) == IdRanges([(monday_us, monday_us + 60 * SECOND_US - 1)])
    assert store.of_side(PriceSide.BID).candles(SYMBOL, MINUTE, start_us=monday_us) == []

    bid = published._replace(close_e8=5)
    store.of_side(PriceSide.BID).save_klines(SYMBOL, MINUTE, [bid])
    assert store.of_side(PriceSide.BID).candles(SYMBOL, MINUTE, start_us=monday_us) == [bid]
    assert store.candles(SYMBOL, MINUTE, limit=2)[-1] == published


def test_each_price_remembers_what_was_fetched_of_it_and_an_empty_answer_is_one(store: MarketStore) -> None:
    monday_us = SUNDAY_US + HOUR_US
    quarter_us, hour_us = (monday_us, monday_us + HOUR_US // 4), (monday_us, monday_us + HOUR_US)
    bid, ask = store.of_side(PriceSide.BID), store.of_side(PriceSide.ASK)
    assert bid.save_klines(SYMBOL, MINUTE, [], quarter_us) == 0
    assert list(bid.fetched_klines(SYMBOL, MINUTE)) == [(quarter_us[0], quarter_us[1] - 1)]
    bid.save_klines(SYMBOL, MINUTE, [], (quarter_us[1], hour_us[1]))
    assert list(bid.fetched_klines(SYMBOL, MINUTE)) == [(hour_us[0], hour_us[1] - 1)]
    assert bid.stored_times(SYMBOL, MINUTE).klines == bid.fetched_klines(SYMBOL, MINUTE)
    for other in (ask, store.of_side(PriceSide.MID), store):
        assert list(other.fetched_klines(SYMBOL, MINUTE)) == []
    month = Interval.parse("1M")
    ask.save_klines(SYMBOL, month, [], hour_us)
    assert list(ask.fetched_klines(SYMBOL, month)) == [(hour_us[0], hour_us[1] - 1)]
    assert list(ask.fetched_klines(SYMBOL, MINUTE)) == []

    # Minutes without a tick are known to be empty: those that there are make up the hour, of this price alone.
    one = Candle(monday_us, 5, 8, 4, 6, E8, 0, 1, 0, 0, source=CandleSource.KLINE)
    for side in (bid, ask):
        side.save_klines(SYMBOL, MINUTE, [one])
    assert [hour.trades for hour in bid.candles(SYMBOL, HOUR, start_us=monday_us)] == [1]
    assert ask.candles(SYMBOL, HOUR, start_us=monday_us) == []


def test_minutes_of_the_broker_make_up_an_hour_in_full_or_not_at_all(store: MarketStore) -> None:
    # The last hour before the weekend, of another week, and half of the one before it.
    friday_us = FRIDAY_US + 7 * DAY_US
    minutes = [
        Candle(friday_us + minute * 60 * SECOND_US, 5, 8, 4, 6, E8, 0, 1, 0, 0, source=CandleSource.KLINE)
        for minute in range(-30, 60)
    ]
    store.save_klines(SYMBOL, MINUTE, minutes)
    hours = store.candles(SYMBOL, HOUR, start_us=friday_us - HOUR_US, end_us=friday_us + HOUR_US)
    assert [(one.open_time_us, one.trades, one.complete) for one in hours] == [(friday_us, 60, True)]


def test_a_store_that_only_reads_keeps_nothing(url: str) -> None:
    store = ReadOnlyMarketStore(lambda: connect(url))
    candle = Candle(SUNDAY_US + HOUR_US, 5, 8, 4, 6, E8, 0, 1, 0, 0, source=CandleSource.KLINE)
    assert store.save_klines(SYMBOL, MINUTE, [candle]) == 0
    assert store.candles(SYMBOL, MINUTE, start_us=SUNDAY_US + HOUR_US) == []
    assert NullWriter[Tick]().put(TICKS)
    store.close()


def test_a_symbol_with_nothing_stored_has_no_candles(store: MarketStore) -> None:
    assert store.candles("dukascopy:GBPUSD", MINUTE) == []
    assert list(store.iter_candles("dukascopy:GBPUSD", MINUTE)) == []
    assert store.stored_times("dukascopy:GBPUSD", MINUTE).first_us is None
