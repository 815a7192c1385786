"""
Brings a scene up to date: with a series in each frame, and with the size of the chart.

The value axis is as wide as its labels need. It only grows while a symbol is shown: a width that came and went would
shake the whole chart.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QSize

from app.market.series.series import CandleSeries
from widgets.chart.indicators.axis_labels import AxisLabels
from widgets.chart.model.close_countdown import CloseCountdown
from widgets.chart.painting.axes import LABEL_PADDING_PX
from widgets.chart.painting.scene import Scene, SceneLayout
from widgets.chart.painting.scene_builder import update_scene, value_text
from widgets.chart.panes.pane_set import PaneSet

_TIME_AXIS_PX = 28.0
_LEAST_AXIS_PX = 88.0  # of the value axis


class SceneUpdate:
    """
    Updates one scene. ``widened``: called where the labels need a wider value axis; it must call `lay_out`.

    ``countdown`` has the exchange's time; `countdown_text` is what the scene shows of it.
    """

    def __init__(self, scene: Scene, panes: PaneSet, labels: AxisLabels, widened: Callable[[], object]) -> None:
        self._scene, self._panes, self._labels, self._on_widened = scene, panes, labels, widened
        self._axis_px = 0.0  # 0: not known yet
        self.countdown = CloseCountdown()

    def forget_axis_width(self) -> None:
        """Let the axis have another width from the next frame on: its labels become others."""
        self._axis_px = 0.0

    def update(self, series: CandleSeries | None, pixel_ratio: float) -> None:
        """Bring the scene up to date with the series; ``pixel_ratio``: device pixels per logical pixel."""
        scene = self._scene
        self._fill(series, pixel_ratio)
        if scene.last is None:
            return
        prices = scene.last.close, scene.price.value_scale.high
        widest = max((value_text(scene, scene.price, price) for price in prices), key=len)
        last = scene.styles.small_bold.width(widest) + 2 * LABEL_PADDING_PX
        needed = max(_LEAST_AXIS_PX * scene.styles.scale, last, self._labels.widest())
        if needed > self._axis_px:
            self._axis_px = float(math.ceil(needed))
            self._on_widened()
            self._fill(series, pixel_ratio)

    def lay_out(self, size: QSize) -> None:
        """Give panes and axes their rectangles in a canvas of that size, logical pixels."""
        scene = self._scene
        axis_px = self._axis_px or _LEAST_AXIS_PX * scene.styles.scale
        scene.layout = SceneLayout.of(size.width(), size.height(), axis_px, _TIME_AXIS_PX * scene.styles.scale)
        scene.time_scale.resize(max(scene.layout.panes.width(), 1.0))
        self._panes.lay_out()
        self._labels.invalidate()
        scene.guard.retry()

    def countdown_text(self, series: CandleSeries | None) -> str:
        """Return the time until the last candle closes, as text; empty without one."""
        return self.countdown.text(self._scene.last, series.interval) if series is not None else ""

    def _fill(self, series: CandleSeries | None, pixel_ratio: float) -> None:
        update_scene(self._scene, series, pixel_ratio)
        self._scene.countdown = self.countdown_text(series)
        self._labels.refresh(series)
