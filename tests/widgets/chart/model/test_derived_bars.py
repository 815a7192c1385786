"""Derived bars: equal to the plain recurrence, and equal whether computed at once or update by update."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.candle import Candle
from app.market.series.series import BarColumns, CandleSeries
from tests.depth import examples
from tests.widgets.chart.charts import FIRST_SLOT, candle, series_of, zigzag
from widgets.chart.model.derived_bars import DerivedBars, Rule, closes_only, heikin_ashi

closes = st.lists(st.floats(1, 1e6), min_size=1, max_size=200)


def walk(values: list[float], first: int = FIRST_SLOT) -> list[Candle]:
    return [
        candle(first + at, before, value)
        for at, (before, value) in enumerate(zip([50.0, *values[:-1]], values, strict=True))
    ]


def recurrence(series: CandleSeries) -> list[tuple[float, float, float, float]]:
    """Heikin-Ashi by its definition, bar by bar."""
    made: list[tuple[float, float, float, float]] = []
    for at in range(len(series)):
        bar = series.bar(at)
        close = (bar.open + bar.high + bar.low + bar.close) / 4
        open_ = (made[-1][0] + made[-1][3]) / 2 if made else (bar.open + bar.close) / 2
        made.append((open_, max(bar.high, open_, close), min(bar.low, open_, close), close))
    return made


def all_bars(derived: DerivedBars, series: CandleSeries, level: int = 0) -> BarColumns:
    derived.follow(series)
    return derived.bars_between(0, 1 << 40, level)


@given(closes)
def test_heikin_ashi_equals_its_recurrence(values: list[float]) -> None:
    series = series_of(walk(values))
    bars = all_bars(DerivedBars(heikin_ashi), series)
    expected = np.array(recurrence(series))
    found = np.column_stack((bars.open, bars.high, bars.low, bars.close))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("rule", [heikin_ashi, closes_only])
def test_bars_of_a_growing_series_equal_those_computed_at_once(rule: object, level: int) -> None:
    candles = walk([100.0 + at * 7 % 31 for at in range(300)])
    growing, derived = series_of(candles[100:150]), DerivedBars(rule)
    all_bars(derived, growing, level)
    for at, each in enumerate(candles[150:], 150):
        growing.upsert(each._replace(close_e8=each.open_e8, closed=False))
        if at % 3:
            all_bars(derived, growing, level)  # not after every change
        growing.upsert(each)
        all_bars(derived, growing, level)
    growing.prepend(candles[:100])
    grown = all_bars(derived, growing, level)
    whole = all_bars(DerivedBars(rule), series_of(candles), level)
    for one, other in zip(grown[1:], whole[1:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_series_replaces_all_bars() -> None:
    derived = DerivedBars(heikin_ashi)
    all_bars(derived, series_of(zigzag(50)))
    other = series_of(zigzag(3, 77))
    assert all_bars(derived, other).slot.tolist() == [77, 78, 79]
    assert len(all_bars(derived, series_of([])).slot) == 0


def test_a_line_keeps_the_lowest_and_highest_close_of_a_block() -> None:
    values = [100.0, 130.0, 90.0, 110.0]
    bars = all_bars(DerivedBars(closes_only), series_of(walk(values, FIRST_SLOT)), 2)
    assert (bars.high[0], bars.low[0], bars.close[0]) == (130.0, 90.0, 110.0)


changes = st.lists(
    st.tuples(st.sampled_from(["tick", "prepend", "merge", "upsert"]), st.integers(-40, 40), closes), max_size=6
)


@given(st.sampled_from([heikin_ashi, closes_only]), changes, st.sampled_from([0, 3]))
@settings(max_examples=examples(60))
def test_after_any_change_the_bars_equal_those_computed_at_once(
    rule: Rule, made: list[tuple[str, int, list[float]]], level: int
) -> None:
    series, derived = series_of(walk([100.0 + at * 7 % 31 for at in range(150)])), DerivedBars(rule)
    all_bars(derived, series, level)
    for change, by, values in made:
        first, last = int(series.slots[0]), int(series.slots[-1])
        if change == "prepend":
            series.prepend(walk(values, first - len(values) - abs(by)))
        elif change == "merge":
            series.merge(walk(values, first + 60 + by))
        else:
            series.upsert(walk(values[:1], last + (by > 0) if change == "tick" else first + 60 + by)[0])
        kept, whole = all_bars(derived, series, level), all_bars(DerivedBars(rule), series, level)
        for one, other in zip(kept[1:], whole[1:], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)
