"""Indicators of rolling windows against one calculation over all rows of a phase."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.market.columns.rolling import MINUTE_US
from app.market.errors import UsageError
from app.market.file_columns import MINUTE_INDEX
from app.market.indicators.definition import BAR_COLUMNS, Bars
from app.market.indicators.phase_values import Figures, PhaseValues, inputs_of
from app.market.indicators.research_names import NamedIndicator, named_indicators
from app.market.interval import ORIGIN_US
from tests.depth import examples

COUNTED = "rsi_14,atr_14,ema_20,sma_5,wma_9_hl2,macd,bollinger_20_2p5,volume_average_10"
FIRST_US = ORIGIN_US + 987_654 * MINUTE_US
DAY_US = 86_400_000_000


def some_windows(count: int, length: int, *, seed: int, missing: float = 0.0) -> Figures:
    """Return windows by rising time, some of them missing."""
    dice = np.random.default_rng(seed)
    held = np.flatnonzero(dice.random(count) >= missing)
    ends_us = FIRST_US + held * MINUTE_US
    close = 100 + np.cumsum(dice.normal(size=len(held)))
    figures: Figures = {name: dice.uniform(1, 50, len(held)) for name in BAR_COLUMNS}
    figures |= {"close": close, "open": close + 0.5, "high": close + 2, "low": close - 2}
    figures["open_time_us"] = ends_us - length * MINUTE_US
    figures["trades"] = dice.integers(1, 9, len(held))
    figures[MINUTE_INDEX] = (ends_us - ORIGIN_US) // MINUTE_US % length
    return figures


def rows(figures: Figures, chosen: Any) -> Figures:
    return {name: column[chosen] for name, column in figures.items()}


def brute_force(one: NamedIndicator, figures: Figures) -> list[NDArray[np.float64]]:
    """Return the values of one calculation over all windows of each phase, in the order of the windows."""
    found = [np.full(len(figures[MINUTE_INDEX]), np.nan) for _ in one.columns]
    for index in np.unique(figures[MINUTE_INDEX]):
        chosen = figures[MINUTE_INDEX] == index
        bars = Bars(*(figures[name][chosen] for name in BAR_COLUMNS))
        computed = one.chosen.indicator.compute(bars, **one.chosen.settings)
        for values, column in zip(found, computed if isinstance(computed, tuple) else (computed,), strict=True):
            values[chosen] = column
    return found


@settings(max_examples=examples(25))
@given(st.integers(1, 9), st.integers(0, 12_000), st.sampled_from((0.0, 0.3)), st.integers(0, 99))
def test_values_are_those_of_one_calculation_over_all_rows_of_the_phase(
    length: int, count: int, missing: float, seed: int
) -> None:
    figures, named = some_windows(count, length, seed=seed, missing=missing), named_indicators(COUNTED)
    found = PhaseValues(named, length).add(figures)
    for one in named:
        for column, expected in zip(one.columns, brute_force(one, figures), strict=True):
            np.testing.assert_allclose(found[column], expected, rtol=1e-9, atol=1e-9, err_msg=column)


@settings(max_examples=examples(40))
@given(st.integers(1, 9), st.integers(1, 9_000), st.integers(0, 99), st.lists(st.integers(0, 9_000), max_size=5))
def test_batches_cut_anywhere_have_the_same_values_to_the_last_bit(
    length: int, count: int, seed: int, cuts: list[int]
) -> None:
    figures, named = some_windows(count, length, seed=seed, missing=0.1), named_indicators(f"{COUNTED},cvd,vwap_week")
    whole = PhaseValues(named, length).add(figures)
    borders = sorted({0, *(min(cut, len(figures[MINUTE_INDEX])) for cut in cuts), len(figures[MINUTE_INDEX])})
    values = PhaseValues(named, length)
    parts = [values.add(rows(figures, slice(begin, end))) for begin, end in pairwise(borders)]
    for column in whole:
        joined = np.concatenate([part[column] for part in parts]) if parts else np.empty(0)
        assert np.array_equal(joined, whole[column], equal_nan=True), column


@settings(max_examples=examples(40))
@given(st.integers(1, 9), st.integers(1, 9_000), st.integers(0, 99))
def test_the_newest_rows_of_its_phase_alone_give_the_last_value_to_the_last_bit(
    length: int, count: int, seed: int
) -> None:
    figures, named = some_windows(count, length, seed=seed, missing=0.1), named_indicators(COUNTED)
    if not len(figures[MINUTE_INDEX]):
        return
    whole, values = PhaseValues(named, length).add(figures), PhaseValues(named, length)
    of_phase = np.flatnonzero(figures[MINUTE_INDEX] == figures[MINUTE_INDEX][-1])[-values.reach :]
    newest = values.add(rows(figures, of_phase))
    for column in whole:
        assert np.array_equal(newest[column][-1:], whole[column][-1:], equal_nan=True), column


@given(st.integers(1, 900), st.integers(0, 20_000), st.integers(0, 99))
@settings(max_examples=examples(25))
def test_a_sum_of_a_session_runs_over_the_windows_of_its_phase_that_start_in_it(
    length: int, count: int, seed: int
) -> None:
    figures = some_windows(count, length, seed=seed, missing=0.1)
    found = PhaseValues(named_indicators("cvd"), length).add(figures)["cvd"]
    sums: dict[tuple[int, int], float] = {}
    delta = 2 * figures["taker_buy_volume"] - figures["volume"]
    for index, start_us, more, value in zip(
        figures[MINUTE_INDEX].tolist(), figures["open_time_us"].tolist(), delta.tolist(), found.tolist(), strict=True
    ):
        session = (index, start_us // DAY_US)
        sums[session] = sums.get(session, 0.0) + more
        assert value == pytest.approx(sums[session], abs=1e-6)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("rsi_14", ["rsi_14"]),
        ("RSI:14, atr_14", ["rsi_14", "atr_14"]),
        ("cvd,cvd_week", ["cvd", "cvd_week"]),
        ("macd", ["macd", "macd_signal", "macd_histogram"]),
        ("macd_5_35_5", ["macd_5_35_5", "macd_5_35_5_signal", "macd_5_35_5_histogram"]),
        ("bollinger_20_2.5", ["bollinger_20_2p5_middle", "bollinger_20_2p5_upper", "bollinger_20_2p5_lower"]),
        ("ema_50_hl2,volume-average_9", ["ema_50_hl2", "volume_average_9"]),
        ("rsi_14,rsi_14", ["rsi_14"]),
    ],
)
def test_a_name_is_that_of_the_column(text: str, columns: list[str]) -> None:
    assert [column for one in named_indicators(text) for column in one.columns] == columns


def test_a_name_says_the_parameters() -> None:
    (one,) = named_indicators("bollinger_30_2p5_hl2")
    assert one.chosen.settings == {"period": 30, "deviations": 2.5, "source": "hl2"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names no indicator"),
        ("rsix_14", "is not an indicator: choose one of sma,"),
        ("rsi_0", "period cannot be 0"),
        ("rsi_14_close_9", "too many values"),
        ("vwap", "write vwap_day"),
        ("macd,macd_signal", "cannot be"),
        ("ema_" + "1" * 50, "too long"),
        ('rsi_14"; DROP TABLE trades', "cannot be"),
    ],
)
def test_a_bad_name_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        named_indicators(text)


@pytest.mark.parametrize("length", [3, 60, 241])
def test_many_small_batches_keep_no_more_than_the_reach_of_each_phase(length: int) -> None:
    """Rooms are made again and again, and what a calculation needs stays."""
    named = named_indicators("rsi_14,atr_14")
    values, whole = PhaseValues(named, length), PhaseValues(named, length)
    count = length * 2_300
    figures = some_windows(count, length, seed=5, missing=0.05)
    held = len(figures[MINUTE_INDEX])
    expected = whole.add(figures)
    step = 40 * length
    parts = [values.add(rows(figures, slice(begin, begin + step))) for begin in range(0, held, step)]
    for column, one in expected.items():
        assert np.array_equal(np.concatenate([part[column] for part in parts]), one, equal_nan=True), column
    kept = values._history
    assert set(kept.columns) == {"high", "low", "close"}
    assert kept.numbers.shape[1] <= values.reach + 40 + 64
    assert (values.known_rows() == values.reach).all()


def test_the_figures_that_an_indicator_reads_are_noticed() -> None:
    read = {one.name: inputs_of(one) for one in named_indicators("rsi_14,ema_9_hl2,atr_14,volume_average_9,macd,cvd")}
    assert read["rsi_14"] == read["macd"] == {"close"}
    assert read["ema_9_hl2"] == {"high", "low"}
    assert read["atr_14"] == {"high", "low", "close"}
    assert read["volume_average_9"] == {"volume"}
    assert {"volume", "taker_buy_volume"} <= read["cvd"]
