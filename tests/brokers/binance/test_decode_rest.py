"""REST answers become values, tested with recorded answers."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.brokers.binance.decode_rest import (
    AggregateTrade,
    decode_aggregate_trades,
    decode_day_tickers,
    decode_error_reply,
    decode_exchange_info,
    decode_klines,
    decode_time,
    decode_trades,
)
from app.market.candle import Candle, CandleSource
from app.market.errors import MalformedMessage
from app.market.symbol import Symbol
from app.market.trade import Trade

FindData = Callable[[str], Path]

KLINE: list[Any] = [
    1723161300000,
    "61828.00000000",
    "61860.80000000",
    "61780.00000000",
    "61782.25000000",
    "15.07702000",
    1723161359999,
    "932148.06446410",
    1255,
    "6.63029000",
    "409957.59142730",
    "0",
]


def body(value: object) -> bytes:
    return json.dumps(value).encode()


def answers(shared_data: FindData, path: str) -> list[Any]:
    with gzip.open(shared_data("rest/gocryptotrader_public_rest_subset.json.gz")) as file:
        return [answer["data"] for answer in json.load(file)[path]]


def test_a_kline_is_exact() -> None:
    assert decode_klines(body([KLINE]), 1723161360000000) == [
        Candle(
            open_time_us=1723161300000000,
            open_e8=6182800000000,
            high_e8=6186080000000,
            low_e8=6178000000000,
            close_e8=6178225000000,
            volume_e8=1507702000,
            quote_volume_e16=93214806446410 * 10**8,
            trades=1255,
            taker_buy_volume_e8=663029000,
            taker_buy_quote_volume_e16=40995759142730 * 10**8,
            closed=True,
            complete=True,
            source=CandleSource.KLINE,
        )
    ]


def test_a_kline_is_closed_only_when_the_exchange_is_past_its_end() -> None:
    def is_closed(now_us: int) -> bool:
        return decode_klines(body([KLINE]), now_us)[0].closed

    assert not is_closed(1723161359999000)
    assert is_closed(1723161360000000)


def test_klines_in_microseconds_are_the_same() -> None:
    in_us = [KLINE[0] * 1000, *KLINE[1:6], KLINE[6] * 1000 + 999, *KLINE[7:]]
    assert decode_klines(body([in_us]), 1723161360000000) == decode_klines(body([KLINE]), 1723161360000000)
    assert not decode_klines(body([in_us]), 1723161359999999)[0].closed


def test_klines_come_oldest_first_in_whatever_order_the_exchange_sends_them() -> None:
    later = [KLINE[0] + 60_000, *KLINE[1:6], KLINE[6] + 60_000, *KLINE[7:]]
    times = [candle.open_time_us for candle in decode_klines(body([later, KLINE]), 0)]
    assert times == sorted(times)


@pytest.mark.parametrize(
    "change", [{0: 0}, {2: "61000.00000000"}, {3: "62000.00000000"}, {5: "-1"}, {8: -1}, {8: "1255"}, {6: None}]
)
def test_an_impossible_kline_is_malformed(change: dict[int, object]) -> None:
    changed = [change.get(index, value) for index, value in enumerate(KLINE)]
    with pytest.raises(MalformedMessage):
        decode_klines(body([changed]), 0)


def test_rows_of_cancelled_trades_are_left_out() -> None:
    taken_back = {"a": 1, "p": "0", "q": "0", "f": -1, "l": -1, "T": 1512345678901, "m": False, "M": True}
    real = {"a": 2, "p": "1.0", "q": "2.0", "f": 7, "l": 9, "T": 1512345678902, "m": False, "M": True}
    assert decode_aggregate_trades(body([taken_back, real])) == [AggregateTrade(7, 9, 1512345678902000)]


@pytest.mark.parametrize(
    "decode",
    [
        lambda answer: decode_trades(answer, "BTCUSDT"),
        decode_aggregate_trades,
        lambda answer: decode_klines(answer, 0),
        decode_day_tickers,
        decode_exchange_info,
        decode_time,
    ],
)
@given(answer=st.binary(max_size=60) | st.sampled_from([b"[1]", b"[[]]", b"[{}]", b"{}", b"null", b"[" * 99_999]))
def test_unreadable_answers_are_malformed(decode: Callable[[bytes], object], answer: bytes) -> None:
    if answer.strip() == b"[]":
        return
    with pytest.raises(MalformedMessage):
        decode(answer)


def test_the_exchanges_error_is_distinguished_from_a_proxys_error_page() -> None:
    refusal = decode_error_reply(b'{"code":-1121,"msg":"Invalid symbol."}')
    assert refusal is not None
    assert (refusal.code, refusal.message) == (-1121, "Invalid symbol.")
    assert decode_error_reply(b"<html>502</html>") is None
    assert decode_error_reply(b"") is None


def test_the_recorded_symbols_are_read(shared_data: FindData) -> None:
    with gzip.open(shared_data("rest/cryptofeed_BINANCE.0.gz")) as lines:
        answer = next(line for line in lines if b"/exchangeInfo -> " in line).split(b": ", 1)[1]
    info = decode_exchange_info(answer)
    assert info.weight_per_minute == 1200
    assert Counter(symbol.status for symbol in info.symbols) == {"TRADING": 1262, "BREAK": 433}
    assert [symbol.name for symbol in info.symbols] == sorted(symbol.name for symbol in info.symbols)
    by_name = {symbol.name: symbol for symbol in info.symbols}
    assert by_name["BTCUSDT"] == Symbol(
        "BTCUSDT", "BTC", "USDT", 1_000_000, 1_000, "TRADING", "Binance", "crypto", "CRYPTO", "UTC"
    )
    assert (by_name["ETHBTC"].tick_size_e8, by_name["ETHBTC"].step_size_e8) == (100, 10_000)


def test_the_recorded_answers_are_read(shared_data: FindData) -> None:
    for rows in answers(shared_data, "/api/v3/klines"):
        candles = decode_klines(body(rows), 4_000_000_000_000_000)
        assert [candle.open_time_us for candle in candles] == [row[0] * 1000 for row in rows]
        for candle, row in zip(candles, rows, strict=True):
            assert Decimal(candle.quote_volume_e16).scaleb(-16) == Decimal(row[7])
            assert Decimal(candle.volume_e8).scaleb(-8) == Decimal(row[5])
    for path in ("/api/v3/trades", "/api/v3/historicalTrades"):
        for rows in answers(shared_data, path):
            trades = decode_trades(body(rows), "BTCUSDT")
            assert [trade.trade_id for trade in trades] == [row["id"] for row in rows]
            assert trades[0] == Trade(
                "BTCUSDT",
                rows[0]["id"],
                rows[0]["time"] * 1000,
                int(Decimal(rows[0]["price"]).scaleb(8)),
                int(Decimal(rows[0]["qty"]).scaleb(8)),
                rows[0]["isBuyerMaker"],
            )
    for rows in answers(shared_data, "/api/v3/aggTrades"):
        if isinstance(rows, list):
            assert len(decode_aggregate_trades(body(rows))) == len(rows)


def test_the_recorded_rolling_days_are_read(shared_data: FindData) -> None:
    read = 0
    for answer in answers(shared_data, "/api/v3/ticker/24hr"):
        for ticker, row in zip(
            decode_day_tickers(body(answer)), answer if isinstance(answer, list) else [answer], strict=True
        ):
            read += 1
            assert ticker.symbol == row["symbol"]
            assert Decimal(ticker.close_e8).scaleb(-8) == Decimal(row["lastPrice"])
            assert Decimal(ticker.quote_volume_e8).scaleb(-8) == Decimal(row["quoteVolume"])
    assert read >= 5
