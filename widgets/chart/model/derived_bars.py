"""
Bars computed from a series: other prices over the same slots, with detail levels of their own. Pure.

A rule maps columns of prices to other prices and may use the derived bar before. After a change only the changed bars
and a few bars after them are computed again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.market.series.change_log import Span
from app.market.series.columns import SeriesColumns
from app.market.series.detail_levels import DetailLevels
from app.market.series.series import BarColumns, CandleSeries

Values = NDArray[np.float64]
_REACH = 64  # bars. A change halves from bar to bar; after 53 halvings a double has nothing left of it
_PRICES = ("open", "high", "low", "close")
_COPIED = ("slot", "volume", "flags", "taker_buy_volume")
_COLUMNS: dict[str, type] = {
    "slot": np.int64,
    **dict.fromkeys((*_PRICES, "volume", "taker_buy_volume"), np.float64),
    "flags": np.uint8,
}


class Prices(NamedTuple):
    """Columns of prices, oldest first."""

    open: Values
    high: Values
    low: Values
    close: Values


# Takes the series' prices, and the derived open and close of the bar before the first (None: the series begins there).
Rule = Callable[[Prices, tuple[float, float] | None], Prices]


def closes_only(prices: Prices, before: tuple[float, float] | None) -> Prices:
    """Return bars whose four prices are the close, for a line."""
    return Prices(prices.close, prices.close, prices.close, prices.close)


def heikin_ashi(prices: Prices, before: tuple[float, float] | None) -> Prices:
    """
    Return Heikin-Ashi bars: close = (o + h + l + c) / 4; open = the mean of the previous bar's open and close, for the
    first bar its own (o + c) / 2. High and low include both.

    Source: the usual definition, as in "The Heikin-Ashi Technique" (D. Valcu, 2004).
    """
    close = (prices.open + prices.high + prices.low + prices.close) / 4
    if not len(close):
        return Prices(close, close, close, close)
    open_ = np.empty_like(close)
    open_[0] = (prices.open[0] + prices.close[0]) / 2 if before is None else (before[0] + before[1]) / 2
    open_[1:] = close[:-1] / 2
    # open[t] = open[t-1]/2 + close[t-1]/2 is a recursion, which numpy cannot run. Unrolled, it is a sum over all bars
    # before with weights 1/2, 1/4, …; each pass doubles the bars that the sum includes, until the weights vanish.
    reach = 1
    while reach < min(len(open_), _REACH):
        open_[reach:] += open_[:-reach] * 0.5**reach
        reach *= 2
    return Prices(open_, np.maximum(prices.high, np.maximum(open_, close)), _lowest(prices.low, open_, close), close)


def _lowest(low: Values, open_: Values, close: Values) -> Values:
    return np.minimum(low, np.minimum(open_, close))


class DerivedBars:
    """The bars that ``rule`` computes from a series. Call `follow` before `bars_between`."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._columns = SeriesColumns(_COLUMNS)
        self._levels = DetailLevels(self._columns)
        self._series: CandleSeries | None = None
        self._revision = -1

    def follow(self, series: CandleSeries) -> None:
        """Update the bars from ``series``: all of them for another series, else those that changed."""
        spans = series.changed_since(self._revision) if series is self._series else None
        if spans is None:
            self._columns.clear(len(series) + len(series) // 8)  # with room for candles to come
            self._columns.splice(0, 0, len(series))
            self._levels.reset()
            self._compute(series, 0, len(series))
        else:
            self._update(series, spans)
        self._series, self._revision = series, series.revision

    def bars_between(self, first_slot: int, last_slot: int, level: int = 0) -> BarColumns:
        """Return bars as `CandleSeries.bars_between` does; valid until the next `follow`."""
        columns = self._levels.level(level)
        blocks = columns["slot"]
        first, last = np.searchsorted(blocks, first_slot >> level), np.searchsorted(blocks, last_slot >> level, "right")
        rows = slice(int(first), int(last))
        slots = blocks[rows] << level if level else blocks[rows]
        return BarColumns(1 << level, slots, *(columns[name][rows] for name in BarColumns._fields[2:]))

    def _update(self, series: CandleSeries, spans: list[Span]) -> None:
        # Rows first, values second: a value may depend on a row that a later span still has to move.
        for span in spans:
            at, end = np.searchsorted(series.slots, (span.first, span.last + 1)).tolist()
            self._columns.splice(at, end - at - span.grown, end - at)
        for span in spans:
            at, end = np.searchsorted(series.slots, (span.first, span.last + 1)).tolist()
            self._compute(series, at, min(end + _REACH, len(series)))

    def _compute(self, series: CandleSeries, first: int, end: int) -> None:
        """Compute the bars of the rows ``first`` to ``end`` (exclusive)."""
        columns = self._columns
        if first >= end:
            return
        before = None
        if first:
            before = float(columns["open"][first - 1]), float(columns["close"][first - 1])
        prices = self._rule(Prices(*(series.column(name)[first:end] for name in _PRICES)), before)
        for name, values in zip(_PRICES, prices, strict=True):
            columns[name][first:end] = values
        for name in _COPIED:
            columns[name][first:end] = series.column(name)[first:end]
        self._levels.touch(int(columns["slot"][first]), int(columns["slot"][end - 1]))
