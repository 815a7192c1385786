"""Strength and range of price moves: RSI, MACD, ATR. Formulas: docs/indicators.md."""

from __future__ import annotations

import numpy as np

from app.market.indicators.averages import ema_warm_up, fading
from app.market.indicators.catalogue import register
from app.market.indicators.definition import SOURCE, Bars, Indicator, Output, Parameter, Shape, Unit, Values
from app.market.indicators.talib import talib


def rsi(bars: Bars, *, period: int, source: str) -> Values:
    values = bars.source(source)
    index: Values = talib().RSI(values, period)
    # Before the first change there are no gains and no losses. TA-Lib returns 0, as for a price that only falls.
    changed = np.flatnonzero(values != values[:1])
    index[: int(changed[0]) if len(changed) else len(values)] = np.nan
    return index


def macd(bars: Bars, *, fast: int, slow: int, signal: int, source: str) -> tuple[Values, ...]:
    """Return MACD, its signal and their difference."""
    # Not TA-Lib's MACD: it begins the fast average later than it could, and hides the line until the signal begins.
    average, values = talib().EMA, bars.source(source)
    line = average(values, fast) - average(values, slow)
    smooth = average(line, signal)
    return line, smooth, line - smooth


def atr(bars: Bars, *, period: int) -> Values:
    average: Values = talib().ATR(bars.high, bars.low, bars.close, period)
    return average


register(
    Indicator(
        key="rsi",
        name="RSI",
        title="Relative strength index",
        about="Gains as a share of gains and losses, 0 to 100",
        compute=rsi,
        warm_up=lambda period, **_: period + fading(1 / period),
        outputs=(Output("rsi"),),
        parameters=(Parameter("period", "Period", 14, 2), SOURCE),
        levels=(30.0, 70.0),
        settled_only=True,
    )
)
register(
    Indicator(
        key="macd",
        name="MACD",
        title="Moving average convergence/divergence",
        about="A fast exponential average less a slow one, and the average of that",
        compute=macd,
        warm_up=lambda fast, slow, signal, **_: ema_warm_up(max(fast, slow)) + ema_warm_up(signal),
        outputs=(
            Output("macd", "MACD"),
            Output("signal", "Signal", hue=1),
            Output("histogram", "Histogram", Shape.COLUMNS),
        ),
        parameters=(
            Parameter("fast", "Fast period", 12, 2),
            Parameter("slow", "Slow period", 26, 2),
            Parameter("signal", "Signal period", 9, 2),
            SOURCE,
        ),
        unit=Unit.PRICE,
    )
)
register(
    Indicator(
        key="atr",
        name="ATR",
        title="Average true range",
        about="How far prices move in a candle, with the jump from the one before",
        compute=atr,
        warm_up=lambda period: period + fading(1 / period) if period > 1 else 1,
        outputs=(Output("atr"),),
        parameters=(Parameter("period", "Period", 14, 1),),
        unit=Unit.PRICE,
    )
)
