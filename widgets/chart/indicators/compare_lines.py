"""
Other symbols beside the series, as lines in percent since the first candle in view.

A line is drawn on the price axis: its closes are scaled so that both have the same price where the percents begin. So
equal heights are equal percents, and the axis needs no second scale.
"""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QColor

from app.market.series.series import CandleSeries
from widgets.chart.indicators.study_layer import paint_level
from widgets.chart.model.derived_bars import DerivedBars, closes_only
from widgets.chart.painting.colours import line_tone
from widgets.chart.painting.pane import VisibleBars
from widgets.chart.painting.pane_brush import PaneBrush
from widgets.chart.painting.scene import NO_BARS, Scene

_LINE_PX = 1.4


class CompareLine:
    """
    The `Layer` of one compared symbol. ``name`` is its for the user, ``number`` that of its colour.

    ``base``: the close from which its percents count; 0 without a candle there.
    """

    def __init__(self, scene: Scene, series: CandleSeries, name: str, number: int) -> None:
        self.series, self.name, self.number = series, name, number
        self.base = 0.0
        self._scene = scene
        self._closes = DerivedBars(closes_only)
        self._bars = NO_BARS

    @property
    def title(self) -> str:
        return self.name

    @property
    def colour(self) -> QColor:
        """The line's colour in the scene's palette."""
        return self._scene.colours.tones[line_tone(self.number)]

    def percent_at(self, slot: int) -> float | None:
        """Return the percents at a slot since the first candle in view; None without a candle at or before either."""
        at = self.series.index_at_slot(slot)
        return None if at < 0 or not self.base else (self.series.bar(at).close / self.base - 1) * 100

    @property
    def last_value(self) -> float | None:
        """The last close, as a price on the axis; None without one."""
        if not len(self.series) or not self.base:
            return None
        return self.series.bar(-1).close * self._factor

    def update(self, series: CandleSeries, visible: VisibleBars, height_px: float) -> None:
        self._bars, self.base = NO_BARS, 0.0
        if not len(self.series) or self.series.interval != series.interval:
            return
        at = max(self.series.index_at_slot(self._first_slot(visible)), 0)
        self.base = self.series.bar(at).close
        self._closes.follow(self.series)
        span = visible.bars.span if len(visible.bars.slot) else 1
        bars = self._closes.bars_between(visible.first_slot - span, visible.last_slot + span, visible.level)
        factor = self._factor
        self._bars = bars._replace(
            open=bars.open * factor, high=bars.high * factor, low=bars.low * factor, close=bars.close * factor
        )

    def extent(self) -> tuple[float, float] | None:
        bars = self._bars
        return (float(bars.low.min()), float(bars.high.max())) if len(bars.slot) else None

    def paint_behind(self, brush: PaneBrush) -> None:
        """Paint nothing: lines lie above the grid."""

    def paint(self, brush: PaneBrush) -> None:
        bars = brush.bars_exposed(self._bars)
        if len(bars.slot):
            brush.line_through(self.colour, bars, _LINE_PX)

    @property
    def _factor(self) -> float:
        return self._scene.price.value_scale.base / self.base if self.base else 0.0

    def _first_slot(self, visible: VisibleBars) -> int:
        """Return the slot of the bar from which the axis counts percents; see `scene_builder`."""
        bars, left = visible.bars, self._scene.time_scale.edges[0]
        if not len(bars.slot):
            return visible.first_slot
        at = int(np.searchsorted(bars.slot + (bars.span - 1) / 2, left))
        return int(bars.slot[min(at, len(bars.slot) - 1)]) + bars.span - 1


class ZeroLine:
    """The `Layer` of the dashed line at 0 %: the price at which all compared lines begin."""

    title = "the line at 0 %"

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def update(self, series: CandleSeries, visible: VisibleBars, height_px: float) -> None:
        """Take nothing: the axis knows where its percents begin."""

    def extent(self) -> tuple[float, float] | None:
        return None

    def paint_behind(self, brush: PaneBrush) -> None:
        """Paint nothing: the line lies above the grid."""

    def paint(self, brush: PaneBrush) -> None:
        scale = self._scene.price.value_scale
        if 0 <= scale.share_of(scale.base) <= 1:
            paint_level(brush, scale.base)


def compare_lines(scene: Scene) -> list[CompareLine]:
    """Return the lines of the compared symbols, in their order."""
    return [layer for layer in scene.price.layers if isinstance(layer, CompareLine)]
