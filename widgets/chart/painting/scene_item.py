"""One part of the chart's picture: painted by the canvas itself, or by Qt's scene while that shows items of others."""

from __future__ import annotations

from abc import abstractmethod

from pyqtgraph import GraphicsObject
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from widgets.chart.painting.device_pixels import DevicePixels
from widgets.chart.painting.scene import Scene


class SceneItem(GraphicsObject):  # type: ignore[misc]  # because pyqtgraph has no types
    """
    Paints some of a `Scene`, over the panes where a subclass says nothing else.

    ``title``: the name the user reads where it fails; see `paint_guard`.
    """

    title = ""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene

    def boundingRect(self) -> QRectF:
        return self._scene.layout.panes

    def draw(self, painter: QPainter, pixels: DevicePixels) -> None:
        """Paint it, or nothing where that fails; the painter is in device pixels, and so again when this returns."""
        if not self._scene.guard.run(self, self._draw, painter, pixels):
            reset_painter(painter, pixels)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        pixels = DevicePixels(painter)
        self.draw(painter, pixels)
        pixels.logical()

    @abstractmethod
    def _draw(self, painter: QPainter, pixels: DevicePixels) -> None:
        """Paint; see `draw`."""


def reset_painter(painter: QPainter, pixels: DevicePixels) -> None:
    """Have the painter as a part finds it, whatever a failing one left it as."""
    painter.setOpacity(1.0)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setClipping(False)
    pixels.device()
