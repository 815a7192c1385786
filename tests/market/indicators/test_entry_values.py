"""An entry with several periods: each line is the same as alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.errors import UsageError
from app.market.indicators import find
from app.market.indicators.entry_values import EntryValues
from app.market.indicators.values import IndicatorValues
from tests.depth import examples
from tests.market.indicators.helpers import MIDNIGHT, last_of, series_of, walk


def entry(key: str, **given_settings: object) -> EntryValues:
    indicator = find(key)
    assert indicator is not None
    return EntryValues(indicator, given_settings)


@given(
    st.sampled_from(["sma", "ema", "wma", "volume-average"]),
    st.lists(st.integers(2, 300), min_size=1, max_size=4, unique=True),
    st.integers(50, 600),
)
@settings(max_examples=examples(25))
def test_each_line_of_several_is_to_the_last_bit_what_it_is_alone(key: str, periods: list[int], count: int) -> None:
    series = series_of(last_of(walk(600), count), MIDNIGHT - 250, begins=False)
    several = entry(key, period=periods)
    several.follow(series)
    assert [output.hue for output in several.outputs] == list(range(len(periods)))
    for period, output in zip(periods, several.outputs, strict=True):
        alone = IndicatorValues(several.indicator, {"period": period})
        alone.follow(series)
        np.testing.assert_array_equal(several.column(output.name), alone.column(several.indicator.outputs[0].name))


def test_a_single_period_is_kept_and_named_as_before() -> None:
    for given_period in (20, [20], (20,)):
        single = entry("ema", period=given_period)
        assert single.settings == {"period": 20, "source": "close"}
        assert [output.name for output in single.outputs] == ["ema"]


def test_several_periods_are_named_in_the_label_and_in_their_lines() -> None:
    several = entry("ema", period=[20, 200])
    assert several.settings == {"period": (20, 200), "source": "close"}
    assert several.indicator.label(several.settings) == "EMA 20 200"
    assert [(output.name, output.title) for output in several.outputs] == [("ema", "20"), ("ema.2", "200")]
    assert several.hues == 2


@pytest.mark.parametrize(
    ("key", "given_settings", "sentence"),
    [
        ("ema", {"period": [20, 20]}, "each period can be there only once"),
        ("ema", {"period": []}, "give 1 to 8 values for period"),
        ("ema", {"period": list(range(2, 11))}, "give 1 to 8 values for period"),
        ("ema", {"period": [20, 1]}, "period cannot be 1; give a number from 2 to 1000"),
        ("rsi", {"period": [7, 14]}, r"period cannot be \[7, 14\]"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(key: str, given_settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        entry(key, **given_settings)


@pytest.mark.parametrize(
    ("stored", "period"),
    [(20, 20), ([20, 200], (20, 200)), ([20, -1, "x", None, [3], 20], 20), ([], 20), ("many", 20), ({}, 20)],
)
def test_stored_periods_are_mended(stored: object, period: object) -> None:
    indicator = find("ema")
    assert indicator is not None
    assert indicator.mended({"period": stored})["period"] == period
