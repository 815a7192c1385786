"""Frames become values, exact to the digit; anything else raises MalformedMessage and nothing but that."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.brokers.binance.decode_stream import (
    OtherEvent,
    ServerShutdown,
    SubscriptionAnswer,
    SubscriptionError,
    amount_e8,
    decode,
    time_us_of,
)
from app.market.errors import MalformedMessage
from app.market.trade import DayTicker, Quote, Trade
from app.market.units import format_e8
from tests.brokers.binance.helpers import quote_frame, trade_frame

FindData = Callable[[str], Path]

TRADE = (
    b'{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000",'
    b'"T":1723161255342,"m":true,"M":true}'
)
QUOTE = b'{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}'
TICKER = (
    b'{"e":"24hrMiniTicker","E":1672515782136,"s":"BNBBTC","c":"0.0025","o":"0.0010","h":"0.0026","l":"0.0009",'
    b'"v":"10000","q":"18"}'
)


def combined(stream: str, data: bytes) -> bytes:
    return b'{"stream":"%s","data":%s}' % (stream.encode(), data)


@pytest.mark.parametrize("frame", [TRADE, combined("btcusdt@trade", TRADE), combined("x", TRADE)])
def test_a_trade_is_read_from_both_kinds_of_stream(frame: bytes) -> None:
    assert decode(frame) == Trade("BTCUSDT", 3735683259, 1723161255342000, 6183763000000, 2000000, True)


@pytest.mark.parametrize("frame", [QUOTE, combined("btcusdt@bookTicker", QUOTE), combined("x", QUOTE)])
def test_a_quote_is_recognised_without_an_event_type(frame: bytes) -> None:
    assert decode(frame) == Quote("BTCUSDT", 50093239212, 6183763000000, 378826000, 6183764000000, 154698000)


@pytest.mark.parametrize("frame", [TICKER, combined("bnbbtc@miniTicker", TICKER)])
def test_a_rolling_day_is_read(frame: bytes) -> None:
    assert decode(frame) == DayTicker(
        "BNBBTC", 1672515782136000, 100000, 260000, 90000, 250000, 10000 * 10**8, 18 * 10**8
    )


def test_microseconds_and_milliseconds_are_distinguished_by_their_size() -> None:
    assert time_us_of(1723161255342) == time_us_of(1723161255342000) == 1723161255342000
    trade = decode(TRADE.replace(b"1723161255342,", b"1723161255342123,"))
    assert isinstance(trade, Trade)
    assert trade.time_us == 1723161255342123


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b'{"result":null,"id":1}', SubscriptionAnswer(1, None)),
        (b'{"id":1,"result":null}', SubscriptionAnswer(1, None)),
        (b'{"result":["btcusdt@trade"],"id":3}', SubscriptionAnswer(3, ("btcusdt@trade",))),
        (b'{"code":2,"msg":"Invalid request: x"}', SubscriptionError(None, 2, "Invalid request: x")),
        (b'{"error":{"code":3,"msg":"Invalid JSON"},"id":7}', SubscriptionError(7, 3, "Invalid JSON")),
        (b'{"e":"serverShutdown","E":1723161255343}', ServerShutdown(1723161255343000)),
        (
            combined("!serverShutdown", b'{"e":"serverShutdown","E":1723161255343000}'),
            ServerShutdown(1723161255343000),
        ),
        (combined("btcusdt@depth", b'{"e":"depthUpdate","b":[["1","2"]],"a":[],"u":1}'), OtherEvent("depthUpdate")),
        (combined("btcusdt@trade", b'{"e":"later","t":1}'), OtherEvent("later")),
        (combined("btcusdt@aggTrade", b'{"e":"aggTrade","a":1,"p":"1"}'), OtherEvent("aggTrade")),
    ],
)
def test_other_messages_than_market_events_are_distinguished(frame: bytes, message: object) -> None:
    assert decode(frame) == message


def test_unknown_fields_are_ignored() -> None:
    assert decode(TRADE[:-1] + b',"new":{"a":[1,2]}}') == decode(TRADE)
    assert decode(combined("btcusdt@trade", TRADE)[:-1] + b',"new":1}') == decode(TRADE)


def test_symbols_of_other_scripts_are_read() -> None:
    frame = trade_frame(1, "币安人生USDT").encode()
    trade = decode(frame)
    assert isinstance(trade, Trade)
    assert trade.symbol == "币安人生USDT"


@pytest.mark.parametrize(
    "changes",
    [
        {"t": -1},
        {"t": 2**63},
        {"t": 1.5},
        {"t": "1"},
        {"t": None},
        {"T": 0},
        {"T": -1},
        {"T": 172316125534},
        {"T": 17231612553420},
        {"T": 99999999999999999999},
        {"T": "1723161255342"},
        {"p": "0.00000000"},
        {"p": "-1.00000000"},
        {"p": "+1.00000000"},
        {"p": "1e5"},
        {"p": "NaN"},
        {"p": "Infinity"},
        {"p": ""},
        {"p": "."},
        {"p": ".12345678"},
        {"p": "1,5"},
        {"p": " 1.00000000"},
        {"p": "1_0.00000000"},
        {"p": "1.0000.0000"},
        {"p": "٣.00000000"},
        {"p": "1.0000000²"},
        {"p": "1.123456789"},
        {"p": "9" * 5000},
        {"p": "1000000000000.00000000"},
        {"p": 61837.63},
        {"p": None},
        {"q": "x"},
        {"q": []},
        {"s": ""},
        {"s": 5},
        {"s": "X" * 41},
        {"m": "true"},
        {"m": 1},
        {"m": None},
    ],
)
def test_an_impossible_trade_is_malformed(changes: dict[str, object]) -> None:
    frame = trade_frame(1, **changes).encode()
    with pytest.raises(MalformedMessage) as caught:
        decode(frame)
    assert caught.value.sample == frame[:200]
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"null",
        b"1",
        b'"x"',
        b"[]",
        b"{}",
        b"{",
        b"\x00",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"data":' * 50_000,
        b'{"stream":"btcusdt@trade"}',
        b'{"stream":"btcusdt@trade","data":null}',
        b'{"stream":"btcusdt@trade","data":[]}',
        b'{"stream":"btcusdt@bookTicker","data":{"u":1}}',
        b'{"stream":"s","data":{"e":5}}',
        b'{"stream":"s","data":{"e":"24hrMiniTicker"}}',
        combined("x", combined("x", TRADE)),
        TRADE.replace(b"BTCUSDT", b"\xff\xff"),
        TRADE.replace(b"BTCUSDT", b"\\ud800"),
        b'{"result":5,"id":1}',
        b'{"id":1}',
    ],
)
def test_anything_else_than_a_message_is_malformed(frame: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode(frame)


@given(st.binary(max_size=300))
@example(TRADE + TRADE)
def test_no_bytes_raise_another_error(frame: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode(frame)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from("e E s t p q T m u b B a A c o h l v data stream id result code msg error".split())


@given(
    st.sampled_from([json.loads(TRADE), json.loads(QUOTE), json.loads(TICKER)]),
    st.dictionaries(fields, json_values, max_size=3),
    st.booleans(),
    st.sampled_from(["btcusdt@trade", "btcusdt@bookTicker", "btcusdt@miniTicker", "!serverShutdown"]),
)
def test_changed_fields_give_a_message_or_malformed(
    event: dict[str, object], changes: dict[str, object], wrapped: bool, stream: str
) -> None:
    changed = event | changes
    frame = json.dumps({"stream": stream, "data": changed} if wrapped else changed).encode()
    try:
        message = decode(frame)
    except MalformedMessage:
        return
    if isinstance(message, Trade):
        assert message.trade_id >= 0
        assert message.price_e8 > 0
        assert 1_230_768_000_000_000 <= message.time_us < 4_102_444_800_000_000


@given(st.sampled_from([trade_frame(1), quote_frame(1)]), st.data())
def test_a_damaged_frame_gives_a_message_or_malformed(frame: str, data: st.DataObject) -> None:
    damaged = bytearray(frame.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.integers(0, len(damaged))) :]
    try:
        decode(bytes(damaged))
    except MalformedMessage:
        return


@given(st.decimals(0, Decimal("999999999999.99999999"), places=8, allow_nan=False), st.integers(0, 8))
def test_amounts_are_exact(amount: Decimal, places: int) -> None:
    text = f"{amount:.8f}"
    assert amount_e8(text) == int(amount.scaleb(8))
    assert format_e8(amount_e8(text)) == text
    shorter = text[: -(8 - places)] if places < 8 else text
    assert amount_e8(shorter.rstrip(".")) == int(Decimal(shorter.rstrip(".")).scaleb(8))


def recorded_frames(shared_data: FindData) -> Iterator[bytes]:
    for day in ("08", "09"):
        with gzip.open(shared_data(f"ws_raw/examples_spot_btcusdt_202408{day}.gz")) as lines:
            for line in lines:
                yield line.split(b" ", 1)[1].strip()


def test_the_recording_is_read_to_the_digit(shared_data: FindData) -> None:
    kinds: Counter[str] = Counter()
    ids = []
    for frame in recorded_frames(shared_data):
        if frame.startswith(b'{"lastUpdateId"'):
            continue  # the one REST answer between the frames
        message = decode(frame)
        kinds[type(message).__name__] += 1
        sent = msgspec.json.decode(frame)["data"]
        if isinstance(message, Trade):
            ids.append(message.trade_id)
            read = (
                format_e8(message.price_e8),
                format_e8(message.quantity_e8),
                message.time_us,
                message.is_buyer_maker,
            )
            assert read == (sent["p"], sent["q"], sent["T"] * 1000, sent["m"])
        elif isinstance(message, Quote):
            read = tuple(format_e8(amount) for amount in message[2:])
            assert read == (sent["b"], sent["B"], sent["a"], sent["A"])
    assert kinds == {"Trade": 19_904, "Quote": 73_174, "OtherEvent": 6_495}
    assert ids == list(range(3735683259, 3735703163))


def test_the_recorded_microseconds_are_kept(shared_data: FindData) -> None:
    with open(shared_data("trades/lasota_trxusdt_trade_stream_us.first1000.csv")) as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        event = {
            "e": "trade",
            "E": int(row["EventTime"]),
            "s": row["Symbol"],
            "t": int(row["TradeId"]),
            "p": row["Price"],
            "q": row["Quantity"],
            "T": int(row["TransactionTime"]),
            "m": row["IsBuyerMarketMaker"] == "1",
        }
        trade = decode(combined(row["Stream"], json.dumps(event).encode()))
        assert isinstance(trade, Trade)
        assert trade.time_us == int(row["TransactionTime"])
        assert Decimal(trade.price_e8).scaleb(-8) == Decimal(row["Price"])


def test_every_frame_of_another_recorder_is_readable(shared_data: FindData) -> None:
    kinds: Counter[str] = Counter()
    with open(shared_data("ws_raw/cryptofeed_BINANCE.ws.1.0"), "rb") as lines:
        for line in lines:
            stamp, found, frame = line.partition(b": ")
            if found and stamp.replace(b".", b"").isdigit():
                message = decode(frame.strip())
                kinds[message.kind if isinstance(message, OtherEvent) else type(message).__name__] += 1
    assert sum(kinds.values()) == 265
    assert set(kinds) == {"Quote", "depthUpdate", "aggTrade", "kline"}
