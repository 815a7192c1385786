"""Each indicator against its formula, worked out in decimals, to a billionth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pytest

from app.market.indicators import find, indicators
from app.market.indicators.values import IndicatorValues
from app.market.interval import Interval
from app.market.series.series import Bar
from tests.market.indicators import reference
from tests.market.indicators.helpers import MIDNIGHT, followed, series_of, walk

Reference = Callable[[Sequence[Bar]], list[reference.Column]]
CASES: list[tuple[str, dict[str, Any], Reference]] = [
    ("sma", {"period": 20}, partial(reference.sma, period=20)),
    ("sma", {"period": 7}, partial(reference.sma, period=7)),
    ("ema", {"period": 20}, partial(reference.ema, period=20)),
    ("ema", {"period": 50}, partial(reference.ema, period=50)),
    ("wma", {"period": 20}, partial(reference.wma, period=20)),
    ("wma", {"period": 2}, partial(reference.wma, period=2)),
    ("bollinger", {"period": 20, "deviations": 2.0}, partial(reference.bollinger, period=20, deviations=Decimal(2))),
    ("volume-average", {"period": 20}, partial(reference.volume_average, period=20)),
    ("rsi", {"period": 14}, partial(reference.rsi, period=14)),
    ("macd", {}, partial(reference.macd, fast=12, slow=26, signal=9)),
    ("atr", {"period": 14}, partial(reference.atr, period=14)),
    ("atr", {"period": 1}, partial(reference.atr, period=1)),
    ("vwap", {}, partial(reference.vwap, session="day")),
    ("vwap", {"session": "week"}, partial(reference.vwap, session="week")),
    ("vwap", {"session": "month"}, partial(reference.vwap, session="month")),
    ("cvd", {}, partial(reference.cvd, session="day")),
]


@pytest.mark.parametrize(("key", "settings", "formula"), CASES, ids=lambda value: str(value)[:24])
def test_an_indicator_is_its_formula(key: str, settings: dict[str, Any], formula: Reference) -> None:
    # With a new block, in which a calculation begins that is not the reference's.
    interval = Interval.parse("5m" if key in ("vwap", "cvd") else "1m")
    series = series_of(walk(2600), interval.slot(1_723_060_000_000_000) // 4096 * 4096 - 1600, interval=interval)
    indicator = find(key)
    assert indicator is not None
    computed = followed(IndicatorValues(indicator, settings), series)
    bars = [series.bar(at) for at in range(len(series))]
    for output, expected in zip(indicator.outputs, formula(bars), strict=True):
        known = np.array([np.nan if value is None else float(value) for value in expected])
        scale = np.nanmax(np.abs(known))
        np.testing.assert_allclose(computed[output.name], known, rtol=1e-9, atol=scale * 1e-12, err_msg=output.name)


def test_every_indicator_is_checked() -> None:
    assert {key for key, _, _ in CASES} == {indicator.key for indicator in indicators()}


def test_sources_are_means_of_prices() -> None:
    series = series_of(walk(40), MIDNIGHT)
    indicator = find("sma")
    assert indicator is not None
    bar = [series.bar(at) for at in (38, 39)]
    for source, price in [
        ("hl2", lambda one: (one.high + one.low) / 2),
        ("hlc3", lambda one: (one.high + one.low + one.close) / 3),
        ("ohlc4", lambda one: (one.open + one.high + one.low + one.close) / 4),
        ("open", lambda one: one.open),
    ]:
        computed = followed(IndicatorValues(indicator, {"period": 2, "source": source}), series)["sma"]
        assert computed[-1] == pytest.approx((price(bar[0]) + price(bar[1])) / 2, rel=1e-12)
