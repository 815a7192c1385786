"""Base of the chart's items: painted by the canvas itself, or by Qt's scene while foreign items are on the chart."""

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
    Paints a part of a `Scene`, within the panes unless a subclass overrides `boundingRect`.

    ``title``: its name for the user in case it fails; see `paint_guard`.
    """

    title = ""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene

    def boundingRect(self) -> QRectF:
        return self._scene.layout.panes

    def draw(self, painter: QPainter, pixels: DevicePixels) -> None:
        """Paint the item, or nothing if it fails. The painter is in device pixels before and after."""
        if not self._scene.guard.run(self, self._draw, painter, pixels):
            reset_painter(painter, pixels)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        pixels = DevicePixels(painter)
        self.draw(painter, pixels)
        pixels.logical()

    @abstractmethod
    def _draw(self, painter: QPainter, pixels: DevicePixels) -> None:
        """Paint the item; may raise. The painter is in device pixels before and after."""


def reset_painter(painter: QPainter, pixels: DevicePixels) -> None:
    """Reset the painter to the state each part starts from, after a part has failed halfway."""
    painter.setOpacity(1.0)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setClipping(False)
    pixels.device()
