"""Lines, candles and instruments are read to the digit; what is none of OANDA's is refused."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.brokers.oanda.decode import (
    Heartbeat,
    decode_candles,
    decode_instruments,
    decode_line,
    decode_refusal,
    time_text,
    time_us_of,
)
from app.brokers.oanda.endpoints import check_rest_base, check_stream_base, instrument_of, symbol_of
from app.brokers.oanda.tick_order import TickOrder
from app.market.errors import MalformedMessage, SettingsError
from app.market.quotes.tick import Tick
from app.sandbox.oanda.faults import _GARBAGE
from app.sandbox.oanda.stream import price_line, price_text
from app.sandbox.oanda.tape import Listing, TapePrice

NOON_US = int(datetime(2026, 7, 13, 12, tzinfo=UTC).timestamp()) * 1_000_000
LINE: dict[str, Any] = {
    "type": "PRICE",
    "time": "2026-07-13T12:00:00.123456789Z",
    "instrument": "EUR_USD",
    "bids": [{"price": "1.14273", "liquidity": 1_000_000}, {"price": "1.14272", "liquidity": 5_000_000}],
    "asks": [{"price": "1.14277", "liquidity": 250_000}],
    "closeoutBid": "1.14273",
    "closeoutAsk": "1.14277",
    "status": "tradeable",
}


def test_a_price_is_a_tick_to_the_digit_with_its_nanoseconds_cut_off() -> None:
    tick = decode_line(json.dumps(LINE).encode())
    assert tick == Tick("oanda:EURUSD", NOON_US + 123_456, 0, 114_273_000, 114_277_000, 100_000_000, 25_000_000)


def test_a_heartbeat_and_a_price_of_a_closed_market() -> None:
    assert decode_line(b'{"type":"HEARTBEAT","time":"2026-07-13T12:00:05.000000000Z"}') == Heartbeat(
        NOON_US + 5_000_000
    )
    assert decode_line(json.dumps(LINE | {"bids": []}).encode()) is None
    assert decode_line(json.dumps(LINE | {"asks": []}).encode()) is None


@given(st.integers(1, 10**10), st.integers(0, 10**6), st.integers(0, 5), st.integers(0, 10**15))
def test_what_the_sandbox_writes_is_read_exactly(bid: int, spread: int, precision: int, time_us: int) -> None:
    listing = Listing("EUR_USD", "EUR/USD", precision)
    tick = decode_line(price_line(listing, TapePrice(time_us, bid, bid + spread)))
    point_e8 = 10 ** (8 - precision)
    assert isinstance(tick, Tick)
    assert (tick.time_us, tick.bid_e8, tick.ask_e8) == (time_us, bid * point_e8, (bid + spread) * point_e8)
    assert time_us_of(time_text(time_us)) == time_us
    assert len(price_text(bid, precision).partition(".")[2]) == precision


@pytest.mark.parametrize("garbage", _GARBAGE.values(), ids=list(_GARBAGE))
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_line(garbage)


@given(st.binary(max_size=100) | st.text(max_size=50).map(str.encode))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    for decode in (
        decode_line,
        lambda body: decode_candles(body, 60_000_000),
        decode_instruments,
    ):
        with contextlib.suppress(MalformedMessage):
            decode(body)
    assert isinstance(decode_refusal(body), str)


@pytest.mark.parametrize(
    "change",
    [
        {"time": "2026-07-13T12:00:00"},
        {"time": "yesterday"},
        {"instrument": 5},
        {"bids": [{"price": "0"}]},
        {"bids": [{"price": "1.123456789"}]},
        {"bids": [{"price": "1e5"}]},
        {"bids": [{"price": "NaN"}]},
        {"bids": [{"price": "99999999999999"}]},
        {"bids": [{"liquidity": 5}]},
        {"bids": [{"price": "1.1", "liquidity": -5}]},
        {"bids": [{"price": "1.1", "liquidity": "many"}]},
    ],
)
def test_prices_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        decode_line(json.dumps(LINE | change).encode())


def test_candles_have_bid_ask_and_mid() -> None:
    bar = {"o": "1.14275", "h": "1.14280", "l": "1.14270", "c": "1.142765"}
    one = {"complete": True, "volume": 37, "time": "2026-07-13T12:00:00.000000000Z", "mid": bar, "bid": bar, "ask": bar}
    later = one | {"time": "2026-07-13T12:05:00.000000000Z", "complete": False}
    answer = {"instrument": "EUR_USD", "granularity": "M1", "candles": [one, later]}
    first, second = decode_candles(json.dumps(answer).encode(), 60_000_000)
    assert first.candle.open_time_us == NOON_US
    assert (
        first.candle.mid == first.candle.bid == first.candle.ask == (114_275_000, 114_280_000, 114_270_000, 114_276_500)
    )
    assert (first.candle.ticks, first.closed, second.closed) == (37, True, False)
    assert (first.candle.first, first.candle.last) == ((NOON_US, 0), (NOON_US + 59_999_999, 0))
    for broken in ([later, one], [one | {"volume": 0}], [one | {"bid": None}], [{**one, "time": "x"}]):
        with pytest.raises(MalformedMessage):
            decode_candles(json.dumps(answer | {"candles": broken}).encode(), 60_000_000)


def test_instruments_are_symbols() -> None:
    listed = [
        {"name": "USD_JPY", "type": "CURRENCY", "displayName": "USD/JPY", "pipLocation": -2, "displayPrecision": 3},
        {"name": "EUR_USD", "displayPrecision": 5, "tradeUnitsPrecision": 0},
        {"name": "SPX500_USD", "type": "CFD", "displayPrecision": 1, "tradeUnitsPrecision": 1},
    ]
    euro, index, yen = decode_instruments(json.dumps({"instruments": listed}).encode())
    assert [symbol.name for symbol in (euro, index, yen)] == ["oanda:EURUSD", "oanda:SPX500USD", "oanda:USDJPY"]
    assert [symbol.price_decimals for symbol in (euro, index, yen)] == [5, 1, 3]
    assert euro.display_name == "EUR/USD"
    assert (euro.step_size_e8, index.step_size_e8) == (100_000_000, 10_000_000)
    for broken in ([{"name": "EURUSD"}], [{"name": "EUR_USD", "displayPrecision": 9}], [{}]):
        with pytest.raises(MalformedMessage):
            decode_instruments(json.dumps({"instruments": broken}).encode())


def test_names_become_instruments_and_back() -> None:
    for instrument in ("EUR_USD", "USD_JPY", "SPX500_USD", "XAU_USD", "USB10Y_USD"):
        assert instrument_of(symbol_of(instrument)) == instrument


def test_addresses_may_have_the_version() -> None:
    assert check_rest_base("http://127.0.0.1:5/v3/") == check_rest_base("http://127.0.0.1:5") == "http://127.0.0.1:5"
    assert check_stream_base("https://mirror/oanda/v3") == "https://mirror/oanda"
    assert check_rest_base("", "live") == "https://api-fxtrade.oanda.com"
    assert check_stream_base("") == "https://stream-fxpractice.oanda.com"
    for url in ("ws://x", "http://me:secret@x", "x"):
        with pytest.raises(SettingsError, match="no address of OANDA") as refused:
            check_stream_base(url)
        assert "secret" not in str(refused.value)


_TICKS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3), st.sampled_from(["a", "b"])), max_size=40)


@given(_TICKS)
def test_a_repeated_price_is_one_tick_and_places_follow_the_order(rows: list[tuple[int, int, str]]) -> None:
    order = TickOrder()
    taken = [new for time, bid, name in rows if (new := order.take(Tick(name, time, 0, bid, bid + 1)))]
    for name in "ab":
        ticks = [tick for tick in taken if tick.symbol == name]
        keys = [(tick.time_us, tick.place) for tick in ticks]
        assert keys == sorted(set(keys))  # rising, so none is older than the one before and none comes twice
        assert len({(tick.time_us, tick.bid_e8) for tick in ticks}) == len(ticks)
        newest = -1
        for time, bid, of in rows:  # nothing new was dropped
            if of == name and time >= newest:
                newest = time
                assert any((tick.time_us, tick.bid_e8) == (time, bid) for tick in ticks)
