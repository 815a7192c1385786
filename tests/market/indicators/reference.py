"""
The indicators worked out the slow and obvious way, in decimals of forty digits, from the first candle on.

Written from the formulas of docs/indicators.md, without a look at how the program computes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, getcontext
from itertools import pairwise

from app.market.series.series import Bar

getcontext().prec = 40
Column = list[Decimal | None]


def prices(bars: Sequence[Bar], name: str) -> list[Decimal]:
    return [Decimal(getattr(bar, name)) for bar in bars]


def mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0)) / len(values)


def rolling(values: list[Decimal], period: int, of: Callable[[list[Decimal]], Decimal]) -> Column:
    return [of(values[at + 1 - period : at + 1]) if at + 1 >= period else None for at in range(len(values))]


def smoothed(values: Sequence[Decimal | None], period: int, alpha: Decimal) -> Column:
    """An exponential average that begins with the mean of the first ``period`` values there are."""
    made: Column = []
    seed: list[Decimal] = []
    for value in values:
        if value is None:
            made.append(None)
        elif len(seed) < period:
            seed.append(value)
            made.append(mean(seed) if len(seed) == period else None)
        else:
            assert made[-1] is not None
            made.append(made[-1] + alpha * (value - made[-1]))
    return made


def sma(bars: Sequence[Bar], period: int) -> list[Column]:
    return [rolling(prices(bars, "close"), period, mean)]


def ema(bars: Sequence[Bar], period: int) -> list[Column]:
    return [smoothed(prices(bars, "close"), period, Decimal(2) / (period + 1))]


def wma(bars: Sequence[Bar], period: int) -> list[Column]:
    def weighted(values: list[Decimal]) -> Decimal:
        return sum((at * value for at, value in enumerate(values, 1)), Decimal(0)) / (period * (period + 1) // 2)

    return [rolling(prices(bars, "close"), period, weighted)]


def bollinger(bars: Sequence[Bar], period: int, deviations: Decimal) -> list[Column]:
    def spread(values: list[Decimal]) -> Decimal:
        middle = mean(values)
        return deviations * mean([(value - middle) ** 2 for value in values]).sqrt()

    closes = prices(bars, "close")
    middles, spreads = rolling(closes, period, mean), rolling(closes, period, spread)
    pairs = [(middle, by) for middle, by in zip(middles, spreads, strict=True)]
    above = [None if middle is None or by is None else middle + by for middle, by in pairs]
    below = [None if middle is None or by is None else middle - by for middle, by in pairs]
    return [middles, above, below]


def volume_average(bars: Sequence[Bar], period: int) -> list[Column]:
    return [rolling(prices(bars, "volume"), period, mean)]


def rsi(bars: Sequence[Bar], period: int) -> list[Column]:
    closes = prices(bars, "close")
    moves = [None, *(now - before for before, now in pairwise(closes))]
    gains = smoothed([None if move is None else max(move, Decimal(0)) for move in moves], period, Decimal(1) / period)
    losses = smoothed([None if move is None else max(-move, Decimal(0)) for move in moves], period, Decimal(1) / period)
    return [
        [
            None if up is None or down is None or up + down == 0 else 100 * up / (up + down)
            for up, down in zip(gains, losses, strict=True)
        ]
    ]


def macd(bars: Sequence[Bar], fast: int, slow: int, signal: int) -> list[Column]:
    closes = prices(bars, "close")
    quick, lazy = (smoothed(closes, period, Decimal(2) / (period + 1)) for period in (fast, slow))
    line: Column = [None if a is None or b is None else a - b for a, b in zip(quick, lazy, strict=True)]
    average = smoothed(line, signal, Decimal(2) / (signal + 1))
    rest = [None if a is None or b is None else a - b for a, b in zip(line, average, strict=True)]
    return [line, average, rest]


def atr(bars: Sequence[Bar], period: int) -> list[Column]:
    highs, lows, closes = (prices(bars, name) for name in ("high", "low", "close"))
    ranges: Column = [
        max(high, before) - min(low, before) for high, low, before in zip(highs[1:], lows[1:], closes, strict=False)
    ]
    return [smoothed([None, *ranges], period, Decimal(1) / period)]


def session_of(bar: Bar, session: str) -> tuple[int, ...]:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=bar.open_time_us)
    if session == "week":
        return tuple(moment.isocalendar()[:2])
    return (moment.year, moment.month, moment.day) if session == "day" else (moment.year, moment.month)


def sums(bars: Sequence[Bar], session: str, of: Callable[[Bar], Decimal]) -> list[Decimal]:
    """The sum over the candles of the same session up to each."""
    made: list[Decimal] = []
    for at, bar in enumerate(bars):
        goes_on = at > 0 and session_of(bars[at - 1], session) == session_of(bar, session)
        made.append(of(bar) + (made[-1] if goes_on else 0))
    return made


def vwap(bars: Sequence[Bar], session: str) -> list[Column]:
    paid = sums(bars, session, lambda bar: Decimal(bar.quote_volume))
    bought = sums(bars, session, lambda bar: Decimal(bar.volume))
    return [[spent / amount if amount else None for spent, amount in zip(paid, bought, strict=True)]]


def cvd(bars: Sequence[Bar], session: str) -> list[Column]:
    return [[*sums(bars, session, lambda bar: 2 * Decimal(bar.taker_buy_volume) - Decimal(bar.volume))]]
