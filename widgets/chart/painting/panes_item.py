"""The item that paints the panes: in each its layers, below and above the grid; between them the separators."""

from __future__ import annotations

from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter

from widgets.chart.painting.day_shading import paint_days
from widgets.chart.painting.device_pixels import DevicePixels, RectBuffer
from widgets.chart.painting.measure_painting import paint_ground
from widgets.chart.painting.pane import Pane
from widgets.chart.painting.pane_brush import PaneBrush
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_item import SceneItem, reset_painter


class PanesItem(SceneItem):
    """One item for all panes, so that adding or removing a pane leaves Qt's scene alone."""

    title = "the panes"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._buffer = RectBuffer()

    def _draw(self, painter: QPainter, pixels: DevicePixels) -> None:
        scene = self._scene
        for pane in scene.panes:
            if not pane.rect.isEmpty() and scene.is_exposed(pane.rect):
                self._paint_pane(painter, pixels, pane)
        painter.setClipRect(pixels.rect(scene.layout.panes))
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
        area = brush.area
        painter.setClipRect(area)
        paint_days(painter, pixels, scene, area)
        paint_ground(painter, pixels, scene, pane)
        has_bars = len(scene.bars.slot) > 0
        layers, run = (pane.layers if has_bars else ()), scene.guard.run
        for layer in layers:
            if not run(layer, layer.paint_behind, brush):
                reset_painter(painter, pixels)
                painter.setClipRect(area)
        self._paint_grid(painter, pixels, pane, area)
        for layer in layers:
            if not run(layer, layer.paint, brush):
                reset_painter(painter, pixels)
                painter.setClipRect(area)

    def _paint_grid(self, painter: QPainter, pixels: DevicePixels, pane: Pane, area: QRect) -> None:
        scene, line, colour = self._scene, pixels.line, self._scene.colours.grid
        top, bottom, left, right = area.top(), area.bottom(), area.left(), area.right()
        xs, ys = pixels.hairlines(scene.tick_xs, left), pixels.hairlines(pane.tick_ys, pixels.dy)
        self._buffer.draw(painter, colour, xs, top, xs + (line - 1), bottom, len(xs))
        self._buffer.draw(painter, colour, left, ys, right, ys + (line - 1), len(ys))

    def _paint_separators(self, painter: QPainter, pixels: DevicePixels) -> None:
        scene = self._scene
        for at, pane in enumerate(scene.panes[:-1]):
            marked = at == scene.marked_separator
            left, y = pixels.x(pane.rect.left()), pixels.y(pane.rect.bottom())
            width = pixels.x(pane.rect.right()) - left
            thick = 2 * pixels.line if marked else pixels.line
            painter.fillRect(left, y - thick // 2, width, thick, scene.colours.accent if marked else scene.colours.line)
