"""What conditions can be written, and that they are read back as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.alerts.alert import (
    Direction,
    IndicatorCrosses,
    PriceCrosses,
    PriceInRange,
    PriceMoves,
    Rule,
    Trouble,
    TroubleKind,
    VolumeExceeds,
)
from app.market.alerts.language import read_rule, text_of_rule
from app.market.errors import UsageError
from app.market.indicators.chosen import read_indicators
from app.market.interval import Interval
from app.market.units import E8

M1, M5 = Interval.parse("1m"), Interval.parse("5m")
RSI, EMA_20, EMA_50 = read_indicators("rsi:14, ema:20, ema:50")
WRITTEN = {
    "price crosses 100": Rule(PriceCrosses(100 * E8)),
    "price crosses up 65_000.5": Rule(PriceCrosses(65_000 * E8 + E8 // 2, Direction.UP)),
    "Price  CROSSES Down 0.00000001": Rule(PriceCrosses(1, Direction.DOWN)),
    "price crosses 100 of 5m": Rule(PriceCrosses(100 * E8), M5),
    "price enters 90 to 110": Rule(PriceInRange(90 * E8, 110 * E8, enters=True)),
    "price leaves 90 to 90 of 1h": Rule(PriceInRange(90 * E8, 90 * E8, enters=False), Interval.parse("1h")),
    "moves 2% in 5m": Rule(PriceMoves(2 * E8, 300_000_000)),
    "price moves down 0.5 % in 90s": Rule(PriceMoves(E8 // 2, 90_000_000, Direction.DOWN)),
    "volume > 3x average 20 of 5m": Rule(VolumeExceeds(3 * E8, 20), M5),
    "volume >1.5 x average 1 of 1m": Rule(VolumeExceeds(3 * E8 // 2, 1), M1),
    "rsi:14 of 5m crosses up 70": Rule(IndicatorCrosses(RSI, 70.0, Direction.UP), M5),
    "RSI of 5m crosses 30.5": Rule(IndicatorCrosses(RSI, 30.5), M5),
    "ema:20 of 1m crosses ema:50": Rule(IndicatorCrosses(EMA_20, EMA_50), M1),
}


@pytest.mark.parametrize(("text", "rule"), WRITTEN.items(), ids=list(WRITTEN))
def test_a_condition_is_read(text: str, rule: Rule) -> None:
    assert read_rule(text) == rule


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a condition"),
        ("price is nice", "is not a condition"),
        ("price crosses sideways 100", "is not a condition"),
        ("price crosses -5", "is not a condition"),
        ("price crosses up", "is not a condition"),
        ("price crosses 0", "0 is never reached"),
        ("price crosses 1.123456789", "more than eight decimal places"),
        ("price enters 110 to 90", "write the lower price first"),
        ("moves 2% in 1M", "Months differ"),
        ("moves 2% in soon", "is not an interval"),
        ("feed lost for a while", "is not a condition"),
        ("feed lost for 1M", "Months differ"),
        ("trades missing of 5m", "is not a condition"),
        ("volume > 3x average 0 of 5m", "1 to 1000 candles"),
        ("volume > 3x average 1001 of 5m", "1 to 1000 candles"),
        ("nonsense:14 of 5m crosses up 70", "is not an indicator"),
        ("rsi:14 of 5m crosses rsi", "never crosses itself"),
        ("rsi:0 of 5m crosses 70", "cannot be 0"),
        ("price crosses 100; DROP TABLE alerts", "is not a condition"),
    ],
)
def test_what_is_no_condition_gets_a_sentence(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_rule(text)


amounts = st.integers(1, 10**15)
directions = st.sampled_from([None, *Direction])
intervals = st.sampled_from([Interval.parse(name) for name in ("1m", "5m", "90s", "4h", "1d")])
conditions = st.one_of(
    st.builds(PriceCrosses, amounts, directions),
    st.builds(lambda low, width, enters: PriceInRange(low, low + width, enters), amounts, amounts, st.booleans()),
    st.builds(PriceMoves, amounts, intervals.map(lambda one: one.length_us), directions),
    st.builds(VolumeExceeds, amounts, st.integers(1, 1000)),
    st.builds(
        IndicatorCrosses,
        st.sampled_from([RSI, EMA_20]),
        st.one_of(st.integers(-1000, 1000).map(float), st.just(EMA_50)),
        directions,
    ),
)

troubles = st.builds(Trouble, st.sampled_from(TroubleKind), intervals.map(lambda one: one.length_us))


@given(st.builds(Rule, conditions, intervals) | st.builds(Rule, troubles))
def test_the_text_of_a_rule_is_read_back_as_the_same(rule: Rule) -> None:
    assert read_rule(text_of_rule(rule)) == rule
