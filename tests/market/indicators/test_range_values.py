"""An exported value of an indicator is the chart's, wherever the range begins and however it is read."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.candle import Candle
from app.market.columns.candle_columns import columns_of
from app.market.errors import UsageError
from app.market.indicators.chosen import read_indicators
from app.market.indicators.range_values import RangeValues
from app.market.indicators.values import IndicatorValues
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from tests.depth import examples

MINUTE = Interval.parse("1m")
CHOSEN = read_indicators("sma:20,ema:50,rsi:14,macd,bollinger:20:2.5,vwap:day,cvd,atr,ema:20:hl2")
FIRST = MINUTE.slot(1_723_161_600_000_000)


def some_candles() -> list[Candle]:
    dice = random.Random(4)
    price, candles = 6_000_000_000_000, []
    for number in range(7_000):
        if 2_000 <= number < 2_010:
            continue  # missing
        price += dice.randrange(-(10**9), 10**9)
        volume = dice.randrange(10**10)
        candles.append(
            Candle(
                MINUTE.slot_open_us(FIRST + number),
                price,
                price + dice.randrange(10**9),
                price - dice.randrange(10**9),
                price + dice.randrange(-(10**8), 10**8),
                volume,
                price * volume,
                5,
                volume // 2,
                price * volume // 2,
            )
        )
    return candles


CANDLES = some_candles()
COLUMNS = columns_of(CANDLES)


def charted() -> dict[str, np.ndarray]:
    series = CandleSeries("BTCUSDT", MINUTE)
    series.replace(CANDLES)
    found = {}
    for one in CHOSEN:
        values = IndicatorValues(one.indicator, one.settings)
        values.follow(series)
        for name, output in zip(one.columns, one.indicator.outputs, strict=True):
            found[name] = values.column(output.name).copy()
    return found


CHARTED = charted()


@settings(max_examples=examples(15), deadline=None)
@given(row=st.integers(0, len(CANDLES) - 1), cuts=st.lists(st.integers(1, 3_000), max_size=4))
def test_a_value_does_not_depend_on_the_range(row: int, cuts: list[int]) -> None:
    first = MINUTE.slot(CANDLES[row].open_time_us)
    values = RangeValues(CHOSEN, MINUTE, first)
    at = next(
        number for number, one in enumerate(CANDLES) if MINUTE.slot(one.open_time_us) >= min(first, values.first_slot)
    )
    begin, given_rows = at, {name: list[float]() for name in CHARTED}
    for size in [*cuts, len(CANDLES)]:
        part = values.with_values(COLUMNS.slice(at, size))
        assert part.schema.names[-len(CHARTED) :] == list(CHARTED)
        for name in CHARTED:
            given_rows[name] += part.column(name).to_numpy(zero_copy_only=False).tolist()
        at = min(at + size, len(CANDLES))
    for name, expected in CHARTED.items():
        np.testing.assert_array_equal(given_rows[name][row - begin :], expected[row:], name)


def test_columns_are_named_by_the_indicator_and_its_settings() -> None:
    assert [
        name for one in read_indicators("sma:20, RSI , macd:12:26:9,BB,vwap:week,ema:9:hl2") for name in one.columns
    ] == [
        "sma_20",
        "rsi_14",
        "macd_12_26_9",
        "macd_12_26_9_signal",
        "macd_12_26_9_histogram",
        "bollinger_20_2_middle",
        "bollinger_20_2_upper",
        "bollinger_20_2_lower",
        "vwap_week",
        "ema_9_hl2",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("smma:20", "“smma” is not an indicator: choose one of sma, ema"),
        ("sma:x", "period cannot be 'x'"),
        ("sma:1", "give a number from 2"),
        ("rsi:14:close:3", "has too many values: write rsi:period"),
        (" , ", "names no indicator"),
    ],
)
def test_what_is_no_indicator_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence.replace("(", r"\(")):
        read_indicators(text)


def test_a_session_too_long_for_the_interval_is_refused() -> None:
    second = Interval.parse("1s")
    with pytest.raises(UsageError, match="vwap_month needs too many candles of 1s"):
        RangeValues(read_indicators("vwap:month"), second, second.slot(1_723_161_600_000_000 + 20 * 86_400_000_000))
