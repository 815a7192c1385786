"""Draws a study: lines, columns, dots and bands of its values in view, at the detail level that the pixels allow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.market.indicators import Shape
from app.market.series.series import BarColumns, CandleSeries
from widgets.chart.indicators.study import Study
from widgets.chart.model.line_style import LineDash
from widgets.chart.painting.device_pixels import mixed
from widgets.chart.painting.pane import VisibleBars
from widgets.chart.painting.pane_brush import PaneBrush
from widgets.chart.scales.value_scale import ValueScale

_BAND_SHARE = 0.07


class StudyLayer:
    """
    The `Layer` of one study.

    ``value_scale``: the scale to draw on if it is not the pane's. ``is_fitted``: whether the pane's automatic axis
    follows its values.
    """

    def __init__(self, study: Study, value_scale: ValueScale | None = None, *, is_fitted: bool = True) -> None:
        self.study = study
        self._is_fitted = is_fitted
        self._value_scale = value_scale
        self._bars: dict[str, BarColumns] = {}
        self._begins: NDArray[np.bool_] | None = None

    @property
    def title(self) -> str:
        return self.study.label

    @property
    def value_scale(self) -> ValueScale | None:
        """The scale it is drawn on if it is not the pane's."""
        return self._value_scale

    def figures(self) -> list[tuple[Shape, BarColumns]]:
        """Return what is in view: the shape and the bars of each output; empty while hidden."""
        return [(one.shape, self._bars[one.name]) for one in self.study.outputs if one.name in self._bars]

    @property
    def is_on_axis(self) -> bool:
        """Whether its values can be read off the pane's axis."""
        return self._value_scale is None

    def update(self, series: CandleSeries, visible: VisibleBars, height_px: float) -> None:
        values = self.study.values
        if not self.study.is_hidden:
            values.follow(series, visible.axis)
        # One more bar at either side: lines cross the edges of the view.
        first, last = visible.first_slot - visible.bars.span, visible.last_slot + visible.bars.span
        names = () if self.study.is_hidden else (output.name for output in self.study.outputs)
        self._bars = {name: values.between(name, first, last, visible.level) for name in names}
        shown = next(iter(self._bars.values()), None)
        # At coarser levels the break at a session's start is below a pixel.
        self._begins = values.beginnings(shown.slot) if shown is not None and visible.level == 0 else None

    def extent(self) -> tuple[float, float] | None:
        if self._value_scale is not None or not self._is_fitted:
            return None
        ends = list(self.study.indicator.levels)
        for output in self.study.outputs:
            bars = self._bars.get(output.name)
            if bars is not None and np.isfinite(bars.close).any():
                ends += [float(np.fmin.reduce(bars.low)), float(np.fmax.reduce(bars.high))]
                ends += [0.0] if output.shape is Shape.COLUMNS else []
        return (min(ends), max(ends)) if ends else None

    def paint_behind(self, brush: PaneBrush) -> None:
        for low, high in self.study.indicator.bands:
            if low in self._bars and high in self._bars:
                rows = brush.rows_exposed(self._bars[low])
                under, over = _cut(self._bars[low], rows), _cut(self._bars[high], rows)
                own = self.study.colour_of(brush.colours.palette, high)
                brush.band_between(mixed(brush.colours.background, own, _BAND_SHARE), under, under.low, over.high)

    def paint(self, brush: PaneBrush) -> None:
        for level in self.study.indicator.levels if self._bars else ():
            paint_level(brush, level)
        # Columns first: a line above its columns stays visible, columns above a line would hide it.
        for output in sorted(self.study.outputs, key=lambda one: one.shape is not Shape.COLUMNS):
            bars = self._bars.get(output.name)
            if bars is None or not len(bars.slot):
                continue
            style, begins = self.study.style_of(output), self._begins
            # Where a dash begins depends on the points before it: a dashed line is cut only as it is painted.
            if output.shape is not Shape.LINE or style.dash is LineDash.SOLID:
                rows = brush.rows_exposed(bars)
                bars, begins = _cut(bars, rows), begins[rows] if begins is not None else None
            colour = self.study.colour_of(brush.colours.palette, output.name)
            if output.shape is Shape.COLUMNS:
                self._paint_columns(brush, bars, is_own=output.name in self.study.colours)
            elif output.shape is Shape.DOTS:
                brush.dots_at(colour, bars, bars.close)
            else:
                brush.line_through(
                    colour, bars, style.width, value_scale=self._value_scale, begins=begins, dash=style.dash
                )

    def _paint_columns(self, brush: PaneBrush, bars: BarColumns, *, is_own: bool) -> None:
        name = next(one.name for one in self.study.outputs if one.shape is Shape.COLUMNS)
        own = self.study.colour_of(brush.colours.palette, name)
        up, down = (own, own) if is_own else (brush.colours.volumes[True][True], brush.colours.volumes[False][True])
        known = np.isfinite(bars.close)
        brush.columns_from(up, bars, bars.high, where=known & (bars.high > 0))
        brush.columns_from(down, bars, bars.low, where=known & (bars.low < 0))


def paint_level(brush: PaneBrush, level: float) -> None:
    """Paint a dashed line across the pane at a value."""
    row = int(brush.rows(np.array([level]))[0])
    dash, step = 3 * brush.line, 6 * brush.line
    starts = np.arange(brush.area.left(), brush.area.left() + brush.area.width(), step, dtype=np.int32)
    brush.rects(brush.colours.level, starts, row, starts + (dash - 1), row + brush.line - 1, len(starts))


def _cut(bars: BarColumns, rows: slice) -> BarColumns:
    """Return rows of the bars. Columns that are no values, such as volume, are not cut: nothing here reads them."""
    open_, high, low, close = (part[rows] for part in (bars.open, bars.high, bars.low, bars.close))
    return bars._replace(slot=bars.slot[rows], open=open_, high=high, low=low, close=close)
