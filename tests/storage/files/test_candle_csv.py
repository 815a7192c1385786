"""Candles as rows: to the digit; and times as people write them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.candle import CandleSource, empty_candle
from app.market.errors import UsageError
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade
from storage.files.candle_csv import COLUMNS, candle_row, format_time, parse_time
from tests.candle_files import write_csv
from tests.live.helpers import START_US, folded

MINUTE = Interval.parse("1m")


def test_the_file_holds_what_the_exchange_sent_to_the_digit(tmp_path: Path) -> None:
    one = folded(
        [
            Trade("X", 7, START_US + 500_000, 6_183_763_000_001, 2_000_001, False),
            Trade("X", 8, START_US + 900_000, 6_183_700_000_000, 1, True),
        ],
        MINUTE,
    )
    kline = one[0]._replace(
        first_trade_id=None, last_trade_id=None, closed=True, complete=True, source=CandleSource.KLINE
    )
    path = tmp_path / "candles.csv"
    assert write_csv([one, [empty_candle(START_US + 60 * SECOND_US, 6_183_700_000_000)], [kline]], path) == 3
    figures = (
        "61837.63000001,61837.63000001,61837.00000000,61837.00000000,0.02000002,1236.7538367465000001,2,0.02000001,"
        "1236.7532183765000001"
    )
    assert path.read_bytes().decode() == (
        "open_time,open,high,low,close,volume,quote_volume,trades,taker_buy_volume,taker_buy_quote_volume,"
        "first_trade_id,last_trade_id,vwap,closed,complete,source\n"
        f"2024-08-09T00:00:00Z,{figures},7,8,61837.62999969500031,false,false,trades\n"
        "2024-08-09T00:01:00Z,61837.00000000,61837.00000000,61837.00000000,61837.00000000,0.00000000,"
        "0.00000000,0,0.00000000,0.00000000,,,,true,true,trades\n"
        f"2024-08-09T00:00:00Z,{figures},,,61837.62999969500031,true,true,kline\n"
    )


@given(st.integers(1, 10**15), st.integers(1, 10**15), st.integers(1, 10**13))
def test_vwap_is_quote_volume_by_volume_to_the_last_place(price: int, other: int, quantity: int) -> None:
    trades = [
        Trade("X", 1, START_US, price, quantity, False),
        Trade("X", 2, START_US, other, 7, True),
    ]
    (candle,) = folded(trades, MINUTE)
    row = dict(zip(COLUMNS, candle_row(candle), strict=True))
    exact = Decimal(row["quote_volume"]) / Decimal(row["volume"])
    assert abs(Decimal(row["vwap"]) - exact) <= Decimal("1e-15")
    assert Decimal(row["low"]) <= Decimal(row["vwap"]) <= Decimal(row["high"])


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("2024-08-09", START_US),
        (" 2024-08-09 ", START_US),
        ("2024-08-09T00:00Z", START_US),
        ("2024-08-09 00:01", START_US + 60 * SECOND_US),
        ("2024-08-09T02:00+02:00", START_US),
        ("2024-08-09T00:00:00.123456Z", START_US + 123_456),
        ("1970-01-01", 0),
    ],
)
def test_times_are_read_as_utc_unless_they_say_otherwise(text: str, time_us: int) -> None:
    assert parse_time(text) == time_us


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "2024-08-09T25:00", "1723161600", "09.08.2024"])
def test_a_text_that_is_no_time_is_a_clear_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="write it like 2024-08-08"):
        parse_time(text)


@given(st.integers(0, 4_000_000_000_000_000))
def test_a_written_time_reads_back_as_itself(time_us: int) -> None:
    assert parse_time(format_time(time_us)) == time_us
