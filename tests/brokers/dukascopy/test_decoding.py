"""Dukascopy's two layouts are read to the digit, and what is neither is refused."""

from __future__ import annotations

import contextlib
import json
import lzma
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.brokers.dukascopy import bi5, decode_json
from app.brokers.dukascopy.instruments import asset_class_of, decode_instrument
from app.market.errors import MalformedMessage
from app.market.quotes.tick import Tick
from app.sandbox.dukascopy.layouts import (
    HOUR_MS,
    CandleRow,
    TickRow,
    packed_candles,
    packed_ticks,
    tick_json,
)

EURUSD = "dukascopy:EURUSD"
START_US = 1_549_270_800_000_000
_POINTS = st.integers(min_value=0, max_value=2**32 - 1)
_SIZES = st.floats(min_value=0, max_value=1e6, width=32)
_TICKS = st.lists(st.builds(TickRow, st.integers(0, HOUR_MS - 1), _POINTS, _POINTS, _SIZES, _SIZES), max_size=30).map(
    lambda rows: sorted(rows, key=lambda row: row.ms)
)


def size_e8(size: float) -> int:
    return round(Decimal(str(np.float32(size))) * 100_000_000)


@given(_TICKS, st.integers(0, 8))
def test_ticks_are_the_same_in_both_layouts(rows: list[TickRow], places: int) -> None:
    point_e8 = 10 ** (8 - places)
    by_file = list(bi5.decode_ticks(packed_ticks(rows), EURUSD, START_US, point_e8))
    by_json = list(decode_json.decode_ticks(tick_json(rows, START_US // 1_000, places), EURUSD, START_US))
    assert by_file == by_json
    assert [tick._replace(place=0) for tick in by_file] == [
        Tick(
            EURUSD,
            START_US + row.ms * 1_000,
            0,
            row.bid * point_e8,
            row.ask * point_e8,
            size_e8(row.bid_size),
            size_e8(row.ask_size),
        )
        for row in rows
    ]


_CANDLES = st.lists(
    st.builds(CandleRow, st.integers(0, 1_439).map(lambda m: m * 60), _POINTS, _POINTS, _POINTS, _POINTS, _SIZES),
    max_size=20,
    unique_by=lambda row: row.second,
).map(lambda rows: sorted(rows, key=lambda row: row.second))


@given(_CANDLES)
def test_candles_are_read_to_the_digit_and_fillers_are_none(rows: list[CandleRow]) -> None:
    rows = [row._replace(low=min(row[1:5]), high=max(row[1:5])) for row in rows]
    filler = CandleRow(86_340, 5, 5, 5, 5, 0.0)
    rows = [*(row for row in rows if row.second < 86_340), filler]
    candles = bi5.decode_candles(packed_candles(rows), START_US, 1_000)
    assert START_US + 86_340 * 10**6 not in [candle.open_time_us for candle in candles]
    assert [(candle.open_time_us, candle.bar, candle.volume_e8) for candle in candles] == [
        (
            START_US + row.second * 10**6,
            (row.open * 1_000, row.high * 1_000, row.low * 1_000, row.close * 1_000),
            size_e8(row.volume),
        )
        for row in rows
        if row.volume or row.low != row.high
    ]


@given(st.binary(max_size=200))
def test_bytes_that_are_no_file_are_refused(body: bytes) -> None:
    for decode in (
        lambda: bi5.decode_ticks(body, EURUSD, START_US, 1_000),
        lambda: bi5.decode_candles(body, START_US, 1_000),
        lambda: decode_json.decode_ticks(body, EURUSD, START_US),
        lambda: decode_instrument(body),
    ):
        read: Any = ()
        with contextlib.suppress(MalformedMessage):
            read = decode()
        assert len(read) == 0


def test_an_instruments_description_becomes_a_symbol(shared_data: Callable[[str], Path]) -> None:
    files = (shared_data(f"dukascopy/json/instrument-{code}.json") for code in ("EUR-USD", "BTC-USD"))
    euro, bitcoin = (decode_instrument(file.read_bytes()).symbol for file in files)
    assert (euro.exchange, euro.asset_class, euro.calendar) == ("Dukascopy", "forex", "dukascopy:EURUSD")
    assert (euro.display_name, euro.price_decimals, euro.last_date) == ("EUR/USD", 5, None)
    assert (bitcoin.asset_class, bitcoin.calendar) == ("crypto", "dukascopy:BTCUSD")
    assert (euro.time_zone, euro.first_date) == ("America/New_York", date(2003, 5, 4))
    assert (bitcoin.time_zone, bitcoin.first_date) == ("UTC", date(2017, 5, 7))


@pytest.mark.parametrize(
    ("name", "asset_class"),
    [("USDJPY", "forex"), ("XAUUSD", "metal"), ("USA500IDXUSD", "index"), ("LIGHTCMDUSD", "commodity"),
     ("BUNDTREUR", "bond"), ("ETHUSD", "crypto"), ("AAPLUSD", "")],
)  # fmt: skip
def test_the_name_of_an_instrument_says_its_asset_class(name: str, asset_class: str) -> None:
    assert asset_class_of(name) == asset_class


@pytest.mark.parametrize(
    "records",
    [
        b"\0" * 19,  # not whole
        bytes.fromhex("0036ee80") + b"\0" * 16,  # the next hour
        bytes.fromhex("00000002") + b"\0" * 16 + bytes.fromhex("00000001") + b"\0" * 16,  # backwards
        b"\0" * 12 + bytes.fromhex("7fc00000") + b"\0" * 4,  # a size that is no number
        b"\0" * 12 + bytes.fromhex("bf800000") + b"\0" * 4,  # less than nothing
    ],
)
def test_records_that_cannot_be_are_refused(records: bytes) -> None:
    with pytest.raises(MalformedMessage):
        bi5.decode_ticks(lzma.compress(records, lzma.FORMAT_ALONE), EURUSD, START_US, 1_000)


def test_a_file_that_unpacks_without_end_is_refused() -> None:
    bomb = lzma.compress(b"\0" * (65 * 2**20), lzma.FORMAT_ALONE, preset=0)
    with pytest.raises(MalformedMessage, match="longer than any"):
        bi5.decode_ticks(bomb, EURUSD, START_US, 1_000)


GOOD: dict[str, Any] = json.loads(tick_json([TickRow(5, 113_000, 112_990, 1.5, 0.75)] * 2, START_US // 1_000, 5))


@pytest.mark.parametrize(
    "change",
    [
        {"times": [0.5, 1]},
        {"times": [True, 1]},
        {"asks": [0]},
        {"askVolumes": [1.5]},
        {"askVolumes": [1.5, -1]},
        {"askVolumes": [1.5, "x"]},
        {"bids": [0, -(10**9)]},
        {"bids": [0, 10**30]},
        {"ask": None},
        {"ask": "NaN"},
        {"ask": "Infinity"},
        {"ask": 1.123456789},
        {"multiplier": 0},
        {"timestamp": START_US // 1_000 + HOUR_MS},
        {"times": [5, HOUR_MS]},
        {"times": [5, -1]},
    ],
)
def test_answers_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    decode_json.decode_ticks(json.dumps(GOOD).encode(), EURUSD, START_US)
    with pytest.raises(MalformedMessage, match="Dukascopy's answer cannot be read"):
        decode_json.decode_ticks(json.dumps(GOOD | change).encode(), EURUSD, START_US)


def test_prices_never_pass_through_a_float() -> None:
    body = json.dumps(GOOD | {"ask": 0.3, "multiplier": 0.1, "asks": [0, 3]}).encode()
    assert [tick.ask_e8 for tick in decode_json.decode_ticks(body, EURUSD, START_US)] == [30_000_000, 60_000_000]
