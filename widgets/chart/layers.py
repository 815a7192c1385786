"""What is drawn of the series itself: candles, and volume."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from app.market.series import COMPLETE, BarColumns, CandleSeries
from widgets.chart.brush import PaneBrush
from widgets.chart.pane import Window
from widgets.chart.scene import NO_BARS
from widgets.chart.value_view import volume_top


class Candles:
    """Candles in the colours of their direction, those with missing trades faded."""

    def __init__(self) -> None:
        self._bars = NO_BARS

    def look(self, series: CandleSeries, window: Window, height_px: float) -> None:
        self._bars = window.bars

    def extent(self) -> tuple[float, float] | None:
        return price_extent(self._bars)

    def paint_behind(self, brush: PaneBrush) -> None:
        """Nothing: candles stand on the grid."""

    def paint(self, brush: PaneBrush) -> None:
        bars = self._bars
        columns = brush.columns(bars)
        top, bottom, open_, close = (brush.rows(values) for values in (bars.high, bars.low, bars.open, bars.close))
        body_top = np.minimum(open_, close)
        body_bottom = np.maximum(np.maximum(open_, close) - 1, body_top)
        wick_bottom = np.maximum(bottom - 1, body_bottom)
        for rising, complete, rows in groups(bars):
            colour = brush.colours.candles[rising][complete]
            count = int(rows.sum())
            brush.rects(colour, columns.wick_left[rows], top[rows], columns.wick_right[rows], wick_bottom[rows], count)
            if not columns.are_narrow:
                left, right = columns.body_left[rows], columns.body_right[rows]
                brush.rects(colour, left, body_top[rows], right, body_bottom[rows], count)


class Volume:
    """Volume as columns, faint, in the colours of their candles' direction."""

    def __init__(self) -> None:
        self._bars = NO_BARS

    def look(self, series: CandleSeries, window: Window, height_px: float) -> None:
        self._bars = window.bars

    def extent(self) -> tuple[float, float] | None:
        return 0.0, volume_top(self._bars)

    def paint_behind(self, brush: PaneBrush) -> None:
        """Nothing: columns stand on the grid."""

    def paint(self, brush: PaneBrush) -> None:
        for rising, complete, rows in groups(self._bars):
            brush.columns_from(brush.colours.volumes[rising][complete], self._bars, self._bars.volume, where=rows)


def price_extent(bars: BarColumns) -> tuple[float, float] | None:
    """Return the lowest and highest price of bars."""
    return (float(bars.low.min()), float(bars.high.max())) if len(bars.slot) else None


def groups(bars: BarColumns) -> Iterator[tuple[bool, bool, NDArray[np.bool_]]]:
    """Yield which bars rise or fall, and are complete or not: as (rising, complete, rows)."""
    rising, complete = bars.close >= bars.open, (bars.flags & COMPLETE) > 0
    whole = bool(complete.all())
    for rows, is_rising in ((rising, True), (~rising, False)):
        yield is_rising, True, rows if whole else rows & complete
        if not whole:
            yield is_rising, False, rows & ~complete
