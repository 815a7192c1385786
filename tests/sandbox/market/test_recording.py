import asyncio
import csv
import gzip
import json
import math
from decimal import Decimal
from itertools import islice

import pytest
import websockets

from app.market.errors import UsageError
from app.market.interval import Interval
from app.market.units import format_e8
from app.sandbox.market.recording import RecordedMarket, with_time_unit
from app.sandbox.market.recording_files import read_recording
from tests.sandbox.helpers import FIRST_ID, ManualClock, get, serving, trade_dump, trade_line

FIRST_BTC, LAST_BTC = 3_735_683_259, 3_735_703_162
BEGIN_US = 1_700_000_000_000_000


@pytest.fixture
def recordings(shared_data):
    return [shared_data(f"ws_raw/examples_spot_btcusdt_2024080{day}.gz") for day in (9, 8)]


async def replayed(cursor, source, streams, *, microseconds=False):
    frames = []
    while not source.finished:
        frames += await cursor.next_frames(streams, microseconds=microseconds)
    return frames


def ids(frames):
    return [json.loads(frame.payload)["t"] for frame in frames if frame.stream.endswith("@trade")]


async def test_the_recorded_trades_arrive_whole_and_in_order_over_a_socket(recordings, shared_data):
    source = RecordedMarket(recordings, speed=math.inf)
    expected = {stream: [] for stream in ("btcusdt@trade", "btcusdt@bookTicker")}
    for frame in source.log:
        if frame.stream in expected:
            expected[frame.stream].append(frame.payload)
    received = {stream: [] for stream in expected}
    async with serving(source) as server:
        url = f"{server.ws_url}/stream?streams=btcusdt@trade/btcusdt@bookTicker"
        async with websockets.connect(url, compression=None) as client:
            while sum(map(len, received.values())) < 19_904 + 73_174:
                text = await client.recv(decode=False)
                stream = text[len('{"stream":"') : text.index(b'"', len('{"stream":"'))].decode()
                received[stream].append(text[len('{"stream":"","data":') + len(stream) : -1])
        assert received == expected
        trade_ids = [json.loads(payload)["t"] for payload in received["btcusdt@trade"]]
        assert trade_ids == list(range(FIRST_BTC, LAST_BTC + 1))
        klines = {row[0]: row for row in await get(server, "klines", symbol="BTCUSDT", interval="1m")}
    with shared_data("klines/derived_expected_1m_btcusdt_20240808_2354-0005.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(klines) == 12
    for row in rows:
        kline = klines[int(row["open_time"])]
        names = "open high low close volume quote_volume trades taker_buy_base taker_buy_quote".split()
        values = [*kline[1:6], *kline[7:11]]
        assert [Decimal(row[name]) for name in names] == [Decimal(str(value)) for value in values]


async def test_a_client_that_does_not_read_delays_the_replay_and_loses_nothing(recordings):
    source = RecordedMarket(recordings, speed=math.inf)
    async with serving(source) as server:
        url = f"{server.ws_url}/ws/btcusdt@bookTicker"
        async with websockets.connect(url, compression=None, max_queue=4) as client:
            before = -1
            while source.position == 0 or source.position != before:
                before = source.position
                await asyncio.sleep(0.1)
            assert source.position < len(source.log)
            last = [frame for frame in source.log if frame.stream == "btcusdt@bookTicker"][-1].payload
            count = 1
            while await client.recv(decode=False) != last:
                count += 1
            assert count == 73_174


async def test_files_make_one_market_in_any_order_and_given_any_number_of_times(tmp_path):
    lines = [trade_line(number) for number in range(40)]
    early, late = tmp_path / "early", tmp_path / "late"
    early.write_text("".join(lines[:25]))
    late.write_text("".join(lines[15:]))
    source = RecordedMarket([late, early, early], speed=math.inf, clock=ManualClock())
    frames = await replayed(source.open_cursor(), source, ["abcusdt@trade"])
    assert ids(frames) == list(range(FIRST_ID, FIRST_ID + 40))


async def test_nothing_is_published_before_a_client_subscribes_to_a_recorded_stream(tmp_path):
    clock = ManualClock()
    source = RecordedMarket([trade_dump(tmp_path / "dump", 10)], clock=clock)
    cursor = source.open_cursor()
    for streams in ([], ["xyzusdt@trade"], ["ABCUSDT@trade"]):
        assert await cursor.next_frames(streams, microseconds=False) == []
    clock.time_us += 3_600_000_000
    assert await cursor.next_frames(["xyzusdt@trade"], microseconds=False) == []
    assert source.trade_ids("ABCUSDT") is None
    assert source.now_us() == BEGIN_US + 1000


async def test_a_finite_speed_keeps_the_recorded_pace(tmp_path):
    clock = ManualClock()
    source = RecordedMarket([trade_dump(tmp_path / "dump", 40)], speed=2.0, clock=clock)
    cursor = source.open_cursor()
    begin_us, arrivals = clock.time_us, []
    while not source.finished:
        frames = await cursor.next_frames(["abcusdt@trade"], microseconds=False)
        arrivals += [(clock.time_us - begin_us, trade_id) for trade_id in ids(frames)]
    assert [trade_id for _, trade_id in arrivals] == list(range(FIRST_ID, FIRST_ID + 40))
    for late_us, trade_id in arrivals:
        assert 0 <= late_us - (trade_id - FIRST_ID) * 125_000 < 1_000


async def test_rest_only_knows_published_trades(tmp_path):
    clock = ManualClock()
    source = RecordedMarket([trade_dump(tmp_path / "dump", 400)], clock=clock)
    cursor = source.open_cursor()
    received = []
    for _ in range(60):
        received += ids(await cursor.next_frames(["abcusdt@trade"], microseconds=False))
        known = source.trades("ABCUSDT", 0, 1000)
        # A cursor hands out no more than a second at once, and may be that much behind.
        assert [trade.trade_id for trade in known][: len(received)] == received
        assert len(received) <= len(known) <= len(received) + 4
        if known:
            candles = await source.klines("ABCUSDT", Interval(1), start_us=None, end_us=None, limit=1000)
            assert sum(candle.trades for candle in candles) == len(known)
            assert known[-1].time_us <= source.now_us()
    assert 4 < len(received) < 400


async def test_a_replay_continues_without_any_client(tmp_path):
    clock = ManualClock()
    source = RecordedMarket([trade_dump(tmp_path / "dump", 40)], clock=clock)
    await source.open_cursor().next_frames(["abcusdt@trade"], microseconds=False)
    clock.time_us += 5_000_000
    assert source.trade_ids("ABCUSDT") == (FIRST_ID, FIRST_ID + 20)
    assert ids(await source.open_cursor().next_frames(["abcusdt@trade"], microseconds=False)) == []


async def test_a_later_client_joins_the_replay_where_it_is(tmp_path):
    source = RecordedMarket([trade_dump(tmp_path / "dump", 100)], speed=math.inf, clock=ManualClock())
    first, second = source.open_cursor(), source.open_cursor()
    head = ids(await first.next_frames(["abcusdt@trade"], microseconds=False))
    rest = ids(await replayed(second, source, ["abcusdt@trade"]))
    assert head
    assert head + rest == list(range(FIRST_ID, FIRST_ID + 100))


async def test_after_the_end_a_cursor_is_silent_and_the_clock_stands_still(tmp_path):
    source = RecordedMarket([trade_dump(tmp_path / "dump", 5)], speed=math.inf, clock=ManualClock())
    cursor = source.open_cursor()
    await replayed(cursor, source, ["abcusdt@trade"])
    end_us = source.now_us()
    assert await cursor.next_frames(["abcusdt@trade"], microseconds=False) == []
    assert source.now_us() == end_us == BEGIN_US + 4 * 250_000 + 1000


async def test_rolling_days_are_made_once_a_second_from_the_trades(tmp_path):
    path = tmp_path / "dump"
    path.write_text("".join(trade_line(number, price=f"{number + 1}.00000000") for number in range(41)))
    source = RecordedMarket([path], speed=math.inf, clock=ManualClock())
    frames = await replayed(source.open_cursor(), source, ["abcusdt@miniTicker"])
    tickers = [json.loads(frame.payload) for frame in frames]
    assert len(tickers) == 10
    assert [ticker["c"] for ticker in tickers] == [format_e8((4 * second + 4) * 10**8) for second in range(10)]
    expected = {("24hrMiniTicker", "1.00000000", "1.00000000")}
    assert {(ticker["e"], ticker["o"], ticker["l"]) for ticker in tickers} == expected


async def test_trade_csvs_replay_as_the_exchange_would_have_sent_them(tmp_path):
    path = tmp_path / "ABCUSDT-trades-2024-08-09.csv"
    path.write_text("10,0.5,2,1,1700000000000,True,True\n11,0.6,3,1.8,1700000000250,False,True\n")
    source = RecordedMarket([path], speed=math.inf, clock=ManualClock())
    frames = await replayed(source.open_cursor(), source, ["abcusdt@trade"])
    assert json.loads(frames[0].payload) == {
        "e": "trade", "E": 1700000000000, "s": "ABCUSDT", "t": 10, "p": "0.50000000", "q": "2.00000000",
        "T": 1700000000000, "m": True, "M": True,
    }  # fmt: skip
    assert len(frames) == 2


async def test_klines_given_as_history_join_those_of_the_trades(recordings, shared_data):
    history = shared_data("archive/BTCUSDT-5m-2024-08.csv.gz")
    source = RecordedMarket([*recordings, history], speed=math.inf, clock=ManualClock())
    before = await source.klines("BTCUSDT", Interval(300), start_us=None, end_us=None, limit=1000)
    assert before[-1].open_time_us == 1_723_161_000_000_000 - 300_000_000
    await replayed(source.open_cursor(), source, ["btcusdt@trade"])
    after = await source.klines("BTCUSDT", Interval(300), start_us=None, end_us=None, limit=1000)
    given = {candle.open_time_us: candle for candle in read_recording(history).klines}
    assert [candle.closed for candle in after[-3:]] == [True, True, False]
    for candle in after[:-1]:
        assert candle[:10] == given[candle.open_time_us][:10]
    hours = await source.klines("BTCUSDT", Interval(3600), start_us=None, end_us=None, limit=2)
    assert hours[-1].trades == sum(candle.trades for candle in after if candle.open_time_us >= hours[-1].open_time_us)
    minutes = await source.klines("BTCUSDT", Interval(60), start_us=None, end_us=None, limit=1000)
    assert len(minutes) == 12


async def test_a_market_of_klines_alone_stands_still(shared_data):
    source = RecordedMarket([shared_data("archive/BTCUSDT-1m-2020-01-01.zip")], clock=ManualClock())
    candles = await source.klines("BTCUSDT", Interval(3600), start_us=None, end_us=None, limit=1000)
    assert len(candles) == 24
    assert all(candle.closed for candle in candles)


def test_the_steps_of_symbols_are_derived_from_their_amounts(recordings, tmp_path):
    with gzip.open(recordings[1]) as dump:
        (tmp_path / "dump").write_bytes(b"".join(islice(dump, 5_000)))
    (symbol,) = RecordedMarket([tmp_path / "dump"]).symbols()
    assert (symbol.name, symbol.base, symbol.quote) == ("BTCUSDT", "BTC", "USDT")
    assert (symbol.tick_size_e8, symbol.step_size_e8) == (1_000_000, 1_000)


def test_times_change_their_unit_and_nothing_else():
    trade = b'{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","T":1723161255342}'
    wide = with_time_unit(trade, microseconds=True)
    assert wide == trade.replace(b"343,", b"343000,").replace(b"342}", b"342000}")
    assert with_time_unit(wide, microseconds=False) == trade
    assert with_time_unit(trade, microseconds=False) == trade
    assert with_time_unit(wide, microseconds=True) == wide
    kline = b'{"e":"kline","E":1723161255343,"s":"B","k":{"t":1723161240000,"T":1723161299999,"s":"B"}}'
    assert with_time_unit(with_time_unit(kline, microseconds=True), microseconds=False) == kline
    assert b'"t":1723161240000000' in with_time_unit(kline, microseconds=True)


@pytest.mark.parametrize("speed", [0, -1, math.nan])
def test_an_impossible_speed_is_refused(tmp_path, speed):
    with pytest.raises(UsageError, match="speed"):
        RecordedMarket([trade_dump(tmp_path / "dump", 1)], speed=speed)


def test_a_recording_needs_a_file():
    with pytest.raises(UsageError, match="at least one"):
        RecordedMarket([])
