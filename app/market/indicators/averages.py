"""Averages of prices and volume: SMA, EMA, Bollinger bands, volume average. Formulas: docs/indicators.md."""

from __future__ import annotations

import math

from app.market.indicators.catalogue import register
from app.market.indicators.definition import SOURCE, Bars, Indicator, Output, Parameter, Place, Unit, Values
from app.market.indicators.talib import talib

_FADED = 1e-12


def fading(alpha: float) -> int:
    """Return after how many candles nothing but 1e-12 is left of what an average with that weight began with."""
    return math.ceil(math.log(_FADED) / math.log1p(-alpha))


def sma(bars: Bars, *, period: int, source: str) -> Values:
    average: Values = talib().SMA(bars.source(source), period)
    return average


def ema(bars: Bars, *, period: int, source: str) -> Values:
    average: Values = talib().EMA(bars.source(source), period)
    return average


def ema_warm_up(period: int) -> int:
    """Return the warm-up of an exponential average that begins with a plain one, as TA-Lib's does."""
    return period - 1 + fading(2 / (period + 1))


def bollinger(bars: Bars, *, period: int, deviations: float, source: str) -> tuple[Values, ...]:
    """Return middle, upper and lower band."""
    values = bars.source(source)
    # About the first value instead of zero: squares of whole prices would leave no digits for their differences.
    around = values[0] if len(values) else 0.0
    upper, middle, lower = talib().BBANDS(values - around, period, deviations, deviations)
    return middle + around, upper + around, lower + around


def volume_average(bars: Bars, *, period: int) -> Values:
    average: Values = talib().SMA(bars.volume, period)
    return average


register(
    Indicator(
        key="sma",
        name="SMA",
        title="Moving average, simple",
        about="The mean of the last prices",
        compute=sma,
        warm_up=lambda period, **_: period - 1,
        outputs=(Output("sma"),),
        parameters=(Parameter("period", "Period", 20, 2), SOURCE),
        place=Place.PRICE,
        unit=Unit.PRICE,
    )
)
register(
    Indicator(
        key="ema",
        name="EMA",
        title="Moving average, exponential",
        about="A mean of the prices that forgets the older ones",
        compute=ema,
        warm_up=lambda period, **_: ema_warm_up(period),
        outputs=(Output("ema"),),
        parameters=(Parameter("period", "Period", 20, 2), SOURCE),
        place=Place.PRICE,
        unit=Unit.PRICE,
    )
)
register(
    Indicator(
        key="bollinger",
        name="BB",
        title="Bollinger bands",
        about="A moving average, and as many standard deviations above and below it",
        compute=bollinger,
        warm_up=lambda period, **_: period - 1,
        outputs=(Output("middle", "Middle", hue=1), Output("upper", "Upper"), Output("lower", "Lower")),
        parameters=(
            Parameter("period", "Period", 20, 2),
            Parameter("deviations", "Deviations", 2.0, 0.1, 10),
            SOURCE,
        ),
        place=Place.PRICE,
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
        parameters=(Parameter("period", "Period", 20, 2),),
        place=Place.VOLUME,
        unit=Unit.QUANTITY,
    )
)
