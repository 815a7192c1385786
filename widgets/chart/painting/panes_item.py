"""
The item that paints the panes and the separators between them.

In each pane, from back to front: day shading, a measure's area, what layers paint behind the grid, the grid, what they
paint above it. Axes, titles and the crosshair are items of their own (see `widgets.chart.painting.canvas`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter

from widgets.chart.painting.day_shading import paint_days
from widgets.chart.painting.device_pixels import DevicePixels, RectBuffer
from widgets.chart.painting.measure_painting import paint_ground
from widgets.chart.painting.pane import Layer, Pane
from widgets.chart.painting.pane_brush import PaneBrush
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_item import SceneItem, reset_painter


class PanesItem(SceneItem):
    """One item for all panes, so that adding or removing a pane leaves Qt's scene alone."""

    title = "the panes"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._buffer = RectBuffer()
        self._grids: dict[str, _Grid] = {}  # by pane

    def _draw(self, painter: QPainter, pixels: DevicePixels) -> None:
        scene = self._scene
        for pane in scene.panes:
            if not pane.rect.isEmpty() and scene.is_exposed(pane.rect):
                self._paint_pane(painter, pixels, pane)
        painter.setClipRect(pixels.rect(scene.layout.panes))  # instead of the last pane's
        self._paint_separators(painter, pixels)

    def _paint_pane(self, painter: QPainter, pixels: DevicePixels, pane: Pane) -> None:
        scene = self._scene
        brush = PaneBrush(
            painter,
            pixels,
            self._buffer,
            rect=pane.rect,
            exposed=scene.exposed,
            time_scale=scene.time_scale,
            value_scale=pane.value_scale,
            colours=scene.colours,
        )
        painter.setClipRect(brush.area)
        paint_days(painter, pixels, scene, brush.area)
        paint_ground(painter, pixels, scene, pane)
        layers = pane.layers if len(scene.bars.slot) else ()  # layers may rely on at least one bar
        self._run_guarded(painter, pixels, brush, ((layer, layer.paint_behind) for layer in layers))
        self._paint_grid(painter, pixels, pane, brush.area)
        self._run_guarded(painter, pixels, brush, ((layer, layer.paint) for layer in layers))

    def _run_guarded(
        self,
        painter: QPainter,
        pixels: DevicePixels,
        brush: PaneBrush,
        calls: Iterable[tuple[Layer, Callable[[PaneBrush], None]]],
    ) -> None:
        for layer, paint in calls:
            if not self._scene.guard.run(layer, paint, brush):
                # A layer that failed halfway leaves the painter in any state, without the pane's clipping even.
                reset_painter(painter, pixels)
                painter.setClipRect(brush.area)

    def _paint_grid(self, painter: QPainter, pixels: DevicePixels, pane: Pane, area: QRect) -> None:
        scene, grid = self._scene, self._grids.get(pane.key)
        if grid is None or not grid.is_of(scene, pane, pixels, area):
            grid = self._grids[pane.key] = _Grid(scene, pane, pixels, area)
        self._buffer.fill(painter, scene.colours.grid, grid.lines)
        if scene.breaks:
            line, xs = pixels.line, pixels.hairlines(scene.time_scale.xs_of(np.array(scene.breaks)), area.left())
            colour = scene.colours.closed
            self._buffer.draw(painter, colour, xs, area.top(), xs + (line - 1), area.bottom(), len(xs))

    def _paint_separators(self, painter: QPainter, pixels: DevicePixels) -> None:
        scene = self._scene
        for index, pane in scene.separated:
            is_marked = index == scene.marked_separator
            left, y = pixels.x(pane.rect.left()), pixels.y(pane.rect.bottom())
            width = pixels.x(pane.rect.right()) - left
            thickness = 2 * pixels.line if is_marked else pixels.line
            colour = scene.colours.accent if is_marked else scene.colours.line
            painter.fillRect(left, y - thickness // 2, width, thickness, colour)


class _Grid:
    """A pane's grid as rectangles in device pixels, which stay the same from one trade to the next."""

    def __init__(self, scene: Scene, pane: Pane, pixels: DevicePixels, area: QRect) -> None:
        self._xs, self._ys, self._area, self._at = scene.tick_xs, pane.tick_ys, area, (pixels.scale, pixels.dy)
        xs, ys = pixels.hairlines(self._xs, area.left()), pixels.hairlines(self._ys, pixels.dy)
        self.lines = np.empty((len(xs) + len(ys), 4), np.int32)
        upright, flat, end = self.lines[: len(xs)].T, self.lines[len(xs) :].T, pixels.line - 1
        upright[0], upright[1], upright[2], upright[3] = xs, area.top(), xs + end, area.bottom()
        flat[0], flat[1], flat[2], flat[3] = area.left(), ys, area.right(), ys + end

    def is_of(self, scene: Scene, pane: Pane, pixels: DevicePixels, area: QRect) -> bool:
        """Whether the grid is still where it was."""
        is_same = self._xs is scene.tick_xs and self._ys is pane.tick_ys
        return is_same and self._area == area and self._at == (pixels.scale, pixels.dy)
