import json
from bisect import bisect_left
from datetime import timedelta
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.builder import CandleBuilder, finish
from app.market.coverage import IdRanges
from app.market.errors import UsageError
from app.market.interval import EXCHANGE_INTERVALS, Interval
from app.sandbox.market.pair import LISTED_US, SimulatedPair
from app.sandbox.market.simulated import LISTINGS, SimulatedMarket, pair_for
from tests.depth import examples
from tests.sandbox.helpers import NOW_US, SMALL, ManualClock, small_market

RATE = 1.5
MARKET = small_market(rate=RATE)
THIN = small_market(rate=0.01, history=timedelta(days=45))


@cache
def every_trade(market, symbol):
    first, last = market.trade_ids(symbol)
    trades = []
    while first <= last:
        page = market.trades(symbol, first, 1000)
        trades += page
        first = page[-1].trade_id + 1
    return trades


async def every_kline(market, symbol, interval):
    start_us, candles = 0, []
    while page := await market.klines(symbol, interval, start_us=start_us, end_us=None, limit=1000):
        candles += page
        start_us = page[-1].open_time_us + 1
    return candles


def folded(trades, interval):
    builder = CandleBuilder(interval)
    for trade in trades:
        builder.add(trade)
    held = IdRanges([(trades[0].trade_id, trades[-1].trade_id)])
    candles = finish(builder.candles(), interval, held, now_us=NOW_US)
    return [candle._replace(complete=True) for candle in candles]


def market_for(interval):
    """Return a market with some hundreds of candles of that interval."""
    return MARKET if interval.seconds and interval.seconds < 3600 else THIN


@pytest.mark.parametrize("interval", EXCHANGE_INTERVALS, ids=str)
async def test_klines_are_the_builders_candles_of_all_trades(interval):
    market = market_for(interval)
    trades = every_trade(market, "BTCUSDT")
    assert await every_kline(market, "BTCUSDT", interval) == folded(trades, interval)


KLINES: dict = {}


@settings(max_examples=examples(60))
@given(
    interval=st.sampled_from(EXCHANGE_INTERVALS),
    symbol=st.sampled_from(["ADAUSDT", "币安人生USDT"]),
    ago=st.floats(0, 0.97),
    limit=st.integers(1, 200),
    from_start=st.booleans(),
)
async def test_any_page_of_klines_is_a_slice_of_all_klines(interval, symbol, ago, limit, from_start):
    market = market_for(interval)
    trades = every_trade(market, symbol)
    whole = KLINES.get((symbol, interval))
    if whole is None:
        whole = KLINES[symbol, interval] = folded(trades, interval)
    at_us = NOW_US - round(ago * (NOW_US - trades[0].time_us))
    if from_start:
        page = await market.klines(symbol, interval, start_us=at_us, end_us=None, limit=limit)
        expected = whole[bisect_left(whole, (at_us,)) :][:limit]
    else:
        page = await market.klines(symbol, interval, start_us=None, end_us=at_us, limit=limit)
        expected = whole[: bisect_left(whole, (at_us + 1,))][-limit:]
    assert page == expected


def test_trade_ids_are_consecutive_and_times_never_step_back():
    for symbol in ("BTCUSDT", "ADAUSDT", "币安人生USDT"):
        trades = every_trade(MARKET, symbol)
        assert [trade.trade_id for trade in trades] == list(range(trades[0].trade_id, trades[-1].trade_id + 1))
        assert all(earlier.time_us <= later.time_us for earlier, later in pairwise(trades))
        assert trades[-1].time_us <= NOW_US


def test_amounts_are_multiples_of_the_symbols_steps():
    for symbol in MARKET.symbols():
        for trade in MARKET.trades(symbol.name, 0, 1000):
            assert trade.price_e8 > 0
            assert trade.price_e8 % symbol.tick_size_e8 == 0
            assert trade.quantity_e8 > 0
            assert trade.quantity_e8 % symbol.step_size_e8 == 0


def test_quote_volumes_of_every_listing_need_no_more_than_eight_places():
    for symbol in SimulatedMarket(clock=ManualClock()).symbols():
        assert symbol.tick_size_e8 * symbol.step_size_e8 % 10**8 == 0, symbol


def test_equal_seeds_make_equal_markets_whenever_they_start_and_other_seeds_others():
    pair_for.cache_clear()  # compute the later market's pairs again
    later = small_market(rate=RATE, clock=ManualClock(NOW_US + 3_600_000_000), history=timedelta(days=2))
    first, last = MARKET.trade_ids("BTCUSDT")
    middle = (first + last) // 2
    page = MARKET.trades("BTCUSDT", middle, 500)
    assert later.trades("BTCUSDT", middle, 500) == page
    assert small_market(rate=RATE, seed=8).trades("BTCUSDT", middle, 500) != page


def test_there_are_bursts_and_quiet_spells():
    busy = [trade.time_us // 1000 for trade in small_market().trades("BTCUSDT", 0, 1000)]
    assert max(busy.count(millisecond) for millisecond in set(busy)) >= 3
    thin = [trade.time_us for trade in every_trade(THIN, "ADAUSDT")]
    gaps = [later - earlier for earlier, later in pairwise(thin)]
    assert max(gaps) > 120_000_000
    assert min(gaps) < 2_000_000  # where ten minutes are usual


async def test_candles_look_like_a_market():
    market = SimulatedMarket(clock=ManualClock(), history=timedelta(days=40))
    for interval, low, high in ((Interval(60), 0.03, 0.25), (Interval(86_400), 1.0, 8.0)):
        candles = await market.klines("BTCUSDT", interval, start_us=None, end_us=None, limit=1000)
        ranges = sorted((candle.high_e8 - candle.low_e8) / candle.low_e8 * 100 for candle in candles)
        assert low < ranges[len(ranges) // 2] < high
    assert 30_000 < candles[-1].close_e8 / 1e8 < 120_000


def test_trades_after_the_clocks_time_do_not_exist_yet():
    clock = ManualClock()
    market = small_market(clock=clock)
    _, last = market.trade_ids("BTCUSDT")
    assert market.trades("BTCUSDT", last + 1, 10) == []
    clock.time_us += 10_000_000
    news = market.trades("BTCUSDT", last + 1, 10)
    assert news[0].trade_id == last + 1
    assert news[0].time_us > NOW_US


def test_history_begins_where_requested_but_not_before_the_listing():
    first_us = MARKET.trades("BTCUSDT", 0, 1)[0].time_us
    assert NOW_US - first_us >= timedelta(hours=6).total_seconds() * 1e6
    deep = small_market(history=timedelta(days=9000))
    assert deep.trade_ids("BTCUSDT")[0] == 0
    assert LISTED_US <= deep.trades("BTCUSDT", 0, 1)[0].time_us < LISTED_US + 60_000_000


def test_the_first_trade_from_a_time_is_found():
    trades = every_trade(MARKET, "ADAUSDT")
    for trade in trades[:: len(trades) // 20]:
        found = MARKET.first_id_from("ADAUSDT", trade.time_us)
        assert found <= trade.trade_id
        assert MARKET.trades("ADAUSDT", found, 1)[0].time_us == trade.time_us
        assert MARKET.trades("ADAUSDT", found - 1, 1)[0].time_us < trade.time_us or found == trades[0].trade_id
    assert MARKET.first_id_from("ADAUSDT", NOW_US * 2) == trades[-1].trade_id + 1


async def test_a_symbol_that_does_not_trade_has_no_data():
    assert MARKET.trade_ids("LUNAUSDT") is None
    assert MARKET.trades("LUNAUSDT", 0, 10) == []
    assert await MARKET.klines("LUNAUSDT", Interval(60), start_us=None, end_us=None, limit=5) == []
    assert await MARKET.day("LUNAUSDT") is None
    assert MARKET.quote("LUNAUSDT") is None


async def test_the_rolling_day_and_the_quote_agree_with_the_trades():
    day = await MARKET.day("BTCUSDT")
    assert day is not None
    trades = [trade for trade in every_trade(MARKET, "BTCUSDT") if trade.time_us >= day.open_time_us]
    assert day.trades == len(trades)
    assert (day.first_trade_id, day.last_trade_id) == (trades[0].trade_id, trades[-1].trade_id)
    assert day.ticker.volume_e8 == sum(trade.quantity_e8 for trade in trades)
    assert day.ticker.high_e8 == max(trade.price_e8 for trade in trades)
    assert (day.ticker.open_e8, day.ticker.close_e8) == (trades[0].price_e8, trades[-1].price_e8)
    quote = MARKET.quote("BTCUSDT")
    assert trades[-1].price_e8 in (quote.bid_e8, quote.ask_e8)
    assert quote.bid_e8 < quote.ask_e8


async def test_a_cursor_returns_every_trade_once_however_seldom_it_is_asked():
    clock = ManualClock()
    market = small_market(clock=clock)
    cursor = market.open_cursor()
    _, last = market.trade_ids("BTCUSDT")
    received = []
    for lag_us in (0, 0, 7_300_000, 0, 123, 61_000_000):
        clock.time_us += lag_us
        for _ in range(70):
            frames = await cursor.next_frames(["btcusdt@trade", "BTCUSDT@trade", "nothing"], microseconds=True)
            received += [json.loads(frame.payload)["t"] for frame in frames]
    assert received == list(range(last + 1, received[-1] + 1))
    assert received[-1] == market.trade_ids("BTCUSDT")[1]


async def test_the_first_candles_of_a_window_are_computed_by_prepare(monkeypatch):
    prepared, other = (SimulatedMarket(seed=1, clock=ManualClock(), history=timedelta(days=3)) for _ in range(2))
    prepared.prepare()
    folded, fold = [], SimulatedPair.seconds

    def seconds(pair, first, end):
        folded.append(end - first)
        return fold(pair, first, end)

    monkeypatch.setattr(SimulatedPair, "seconds", seconds)
    asked = {"start_us": None, "end_us": None, "limit": 1000}
    minute = Interval.parse("1m")
    klines = await prepared.klines("ETHUSDT", minute, **asked)
    quick_s = sum(folded)
    assert klines == await other.klines("ETHUSDT", minute, **asked)
    assert len(klines) == 1000
    assert quick_s <= 3_600  # the current hour is folded again each time
    assert sum(folded) - quick_s > 50_000


async def test_a_flood_is_published_oftener_than_a_screen_shows_it():
    clock = ManualClock()
    usual = small_market(clock=clock)
    flood = SimulatedMarket(seed=1, rate=30_000.0, clock=clock, history=timedelta(days=2))
    waited_us = []
    for market in (usual, flood):
        cursor, begin_us = market.open_cursor(), clock.time_us
        await cursor.next_frames(["btcusdt@trade"], microseconds=True)
        waited_us.append(clock.time_us - begin_us)
    assert waited_us == [50_000, 10_000]


async def test_tickers_come_once_a_second_and_quotes_with_the_trades():
    clock = ManualClock(NOW_US // 1_000_000 * 1_000_000)
    cursor = small_market(clock=clock).open_cursor()
    streams = []
    while clock.time_us < NOW_US // 1_000_000 * 1_000_000 + 10_000_000:
        frames = await cursor.next_frames(
            ["btcusdt@miniTicker", "btcusdt@bookTicker", "btcusdt@trade"], microseconds=False
        )
        streams += [frame.stream for frame in frames]
    # Computed beside the stream: one may come late, and the next then with the second after.
    assert 5 <= streams.count("btcusdt@miniTicker") <= 10
    assert 0 < streams.count("btcusdt@bookTicker") <= streams.count("btcusdt@trade")


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": -1}, {"history": timedelta(0)}, {"rate": 1e9}])
def test_an_impossible_market_is_refused_in_one_sentence(wrong):
    with pytest.raises(UsageError, match=r"^[^.]+\.$"):
        SimulatedMarket(1, SMALL, clock=ManualClock(), **wrong)


def test_the_default_listings_cover_the_default_symbols_and_the_odd_ones():
    names = {listing.base + listing.quote for listing in LISTINGS}
    assert {"BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "ADAUSDT", "XRPUSDT"} <= names
    assert any(listing.status == "BREAK" for listing in LISTINGS)
    assert any(not name.isascii() for name in names)


def test_the_turnover_of_a_flooded_day_does_not_overflow():
    market = SimulatedMarket(seed=1, rate=30_000.0, clock=ManualClock(), history=timedelta(days=2))
    day = market.rolling_day("BTCUSDT")
    assert day is not None
    assert 0 < day.ticker.quote_volume_e8 < 10**22
    assert day.ticker.low_e8 <= day.ticker.quote_volume_e8 * 10**8 // day.ticker.volume_e8 <= day.ticker.high_e8
