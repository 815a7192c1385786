"""Finds the study whose line, columns or dots are under a position, as a click on the chart needs."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF

from app.market.indicators import Shape
from app.market.series.series import BarColumns
from widgets.chart.indicators.study import Study
from widgets.chart.indicators.study_layer import StudyLayer
from widgets.chart.painting.pane import Pane
from widgets.chart.painting.scene import Scene

_REACH_PX = 5.0  # how far from a line a click may be


def study_drawn_at(scene: Scene, position: QPointF) -> Study | None:
    """Return the study drawn at a position in the view's logical pixels, the topmost of several; None without one."""
    pane = scene.pane_at(position.y())
    if pane is None or not scene.layout.panes.contains(position):
        return None
    for layer in reversed(pane.layers):
        if isinstance(layer, StudyLayer) and any(
            _is_at(scene, pane, layer, bars, shape, position) for shape, bars in layer.figures()
        ):
            return layer.study
    return None


def _is_at(scene: Scene, pane: Pane, layer: StudyLayer, bars: BarColumns, shape: Shape, position: QPointF) -> bool:
    time_scale = scene.time_scale
    middles = time_scale.xs_of(bars.slot + (bars.span - 1) / 2)
    known = np.isfinite(bars.close)
    if not known.any():
        return False
    middles, low, high, close = middles[known], bars.low[known], bars.high[known], bars.close[known]
    half = max(bars.span * time_scale.bar_px / 2, _REACH_PX)
    x, y = position.x(), position.y()
    if x < middles[0] - half or x > middles[-1] + half:
        return False
    scale, rect = layer.value_scale or pane.value_scale, pane.rect

    def heights(values: np.ndarray) -> np.ndarray:
        tops: np.ndarray = rect.top() + scale.shares_of(values) * rect.height()
        return tops

    if shape is Shape.LINE and bars.span == 1:
        # The line is slanted: take its heights as far to the left and right as a click may be off.
        around = np.interp((x - _REACH_PX, x, x + _REACH_PX), middles, heights(close))
        return bool(around.min() - _REACH_PX <= y <= around.max() + _REACH_PX)
    nearest = int(np.abs(middles - x).argmin())
    ends = [float(low[nearest]), float(high[nearest])] + ([0.0] if shape is Shape.COLUMNS else [])
    tops = heights(np.array(ends))
    return bool(abs(middles[nearest] - x) <= half and tops.min() - _REACH_PX <= y <= tops.max() + _REACH_PX)
