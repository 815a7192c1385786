"""Averages of prices and volume: SMA, EMA, WMA, Bollinger bands, volume average. Formulas: docs/indicators.md."""

from __future__ import annotations

import math
from collections.abc import Callable

from app.market.indicators.catalogue import register
from app.market.indicators.definition import (
    SOURCE,
    Bars,
    Compute,
    Indicator,
    Output,
    Parameter,
    Placement,
    Unit,
    Values,
)
from app.market.indicators.talib import talib

# The share of an average's first value that may remain after the warm-up: below float64's digits on a chart.
_FADED = 1e-12
_PERIOD = Parameter("period", "Period", 20, 2)


def fading(alpha: float) -> int:
    """Return the number of candles after which an average with that weight keeps 1e-12 of its first value."""
    return math.ceil(math.log(_FADED) / math.log1p(-alpha))


def sma(bars: Bars, *, period: int, source: str) -> Values:
    average: Values = talib().SMA(bars.source(source), period)
    return average


def ema(bars: Bars, *, period: int, source: str) -> Values:
    average: Values = talib().EMA(bars.source(source), period)
    return average


def wma(bars: Bars, *, period: int, source: str) -> Values:
    average: Values = talib().WMA(bars.source(source), period)
    return average


def ema_warm_up(period: int) -> int:
    """Return the warm-up of an exponential average that begins with a simple one, as TA-Lib's does."""
    return period - 1 + fading(2 / (period + 1))


def bollinger(bars: Bars, *, period: int, deviations: float, source: str) -> tuple[Values, ...]:
    """Return the middle, upper and lower band."""
    values = bars.source(source)
    # TA-Lib sums squares. Taken around the first value instead of zero, they keep the digits of small differences.
    around = values[0] if len(values) else 0.0
    upper, middle, lower = talib().BBANDS(values - around, period, deviations, deviations)
    return middle + around, upper + around, lower + around


def volume_average(bars: Bars, *, period: int) -> Values:
    average: Values = talib().SMA(bars.volume, period)
    return average


def _of_prices(key: str, *, title: str, about: str, compute: Compute, warm_up: Callable[[int], int]) -> Indicator:
    """Return an average of prices over a period, drawn over them."""
    return Indicator(
        key=key,
        name=key.upper(),
        title=title,
        about=about,
        compute=compute,
        warm_up=lambda period, **_: warm_up(period),
        outputs=(Output(key),),
        parameters=(_PERIOD, SOURCE),
        placement=Placement.PRICE,
        unit=Unit.PRICE,
        repeated=_PERIOD.name,
    )


register(
    _of_prices(
        "sma",
        title="Moving average, simple",
        about="The mean of the last prices",
        compute=sma,
        warm_up=lambda period: period - 1,
    )
)
register(
    _of_prices(
        "ema",
        title="Moving average, exponential",
        about="A mean of the prices that forgets the older ones",
        compute=ema,
        warm_up=ema_warm_up,
    )
)
register(
    _of_prices(
        "wma",
        title="Moving average, weighted",
        about="A mean of the last prices that counts the newest most",
        compute=wma,
        warm_up=lambda period: period - 1,
    )
)
register(
    Indicator(
        key="bollinger",
        name="BB",
        title="Bollinger bands",
        about="A moving average, and bands some standard deviations off it",
        compute=bollinger,
        warm_up=lambda period, **_: period - 1,
        outputs=(Output("middle", "Middle", dashed=True), Output("upper", "Upper"), Output("lower", "Lower")),
        parameters=(
            _PERIOD,
            Parameter("deviations", "Deviations", 2.0, 0.1, 10),
            SOURCE,
        ),
        placement=Placement.PRICE,
        unit=Unit.PRICE,
        bands=(("lower", "upper"),),
    )
)
register(
    Indicator(
        key="volume-average",
        name="Volume SMA",
        title="Volume average",
        about="The mean of the last candles' volume",
        compute=volume_average,
        warm_up=lambda period: period - 1,
        outputs=(Output("average"),),
        parameters=(_PERIOD,),
        placement=Placement.VOLUME,
        unit=Unit.QUANTITY,
        repeated=_PERIOD.name,
    )
)
