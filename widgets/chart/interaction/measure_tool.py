"""
The measure tool: a measure begins at a point, its end follows the crosshair until it is fixed, and it stays until
it is cleared.

Shift+drag begins and fixes it with the mouse; Alt+M does at the crosshair, which keys can move too.
"""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPointF, QRectF

from app.market.series.series import CandleSeries
from widgets.chart.interaction.price_snap import snap_to_prices
from widgets.chart.model.measuring import Measure, Point, measured
from widgets.chart.painting.measure_painting import measure_rects
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_builder import difference_text


class MeasureTool:
    """Sets ``scene.measure``. The next frame repaints the change."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._follows = False
        self._dirty: list[QRectF] = []

    @property
    def follows(self) -> bool:
        """Whether the end moves with the crosshair."""
        return self._follows

    def begin(self, series: CandleSeries | None, position: QPointF) -> bool:
        """Begin a measure at a position in the view; False where there are no candles or no pane."""
        pane = self._scene.pane_at(position.y())
        if series is None or not len(series) or pane is None or not self._scene.layout.panes.contains(position):
            return False
        position = snap_to_prices(self._scene, series, position)
        start = Point(self._scene.time_scale.slot_at(position.x()), pane.value_at(position.y()))
        self._replace(Measure(pane.key, start, start))
        self._follows = True
        return True

    def fix(self) -> None:
        """Stop following the crosshair; a measure without size is removed."""
        measure, self._follows = self._scene.measure, False
        if measure is not None and measure.start == measure.end:
            self.clear()

    def clear(self) -> bool:
        """Remove the measure; False where there is none."""
        existed, self._follows = self._scene.measure is not None, False
        self._replace(None)
        return existed

    def follow(self, series: CandleSeries | None) -> list[QRectF]:
        """Move the end to the crosshair while that is in the measure's pane; return the rectangles to repaint."""
        scene, measure, cross = self._scene, self._scene.measure, self._scene.crosshair
        if self._follows and measure is not None and cross is not None and series is not None:
            pane = scene.pane_at(cross.y)
            if pane is not None and pane.key == measure.pane:
                end = Point(cross.slot, pane.value_at(cross.y))
                if end != measure.end:
                    self._replace(replace(measure, end=end))
                    self.refresh(series)
        dirty, self._dirty = self._dirty, []
        return dirty

    def refresh(self, series: CandleSeries | None) -> list[QRectF]:
        """Update the measure's lines, as its candles may have changed; return the rectangles to repaint."""
        scene, measure = self._scene, self._scene.measure
        if measure is None or series is None or measure.pane not in [pane.key for pane in scene.panes]:
            return []
        difference = difference_text(scene, scene.pane(measure.pane), abs(measure.end.value - measure.start.value))
        first, last = measure.slots
        bars = (scene.time_scale.count(first, last) - 1) * (1 if measure.end.slot >= measure.start.slot else -1)
        lines = measured(measure, series, scene.symbol, difference, bars)
        if lines == measure.lines:
            return []
        before = measure_rects(scene, measure)
        scene.measure = replace(measure, lines=lines)
        changed = before + measure_rects(scene, scene.measure)
        self._dirty += changed
        return changed

    def _replace(self, measure: Measure | None) -> None:
        self._dirty += measure_rects(self._scene, self._scene.measure)
        self._scene.measure = measure
        self._dirty += measure_rects(self._scene, measure)
