"""
Mouse and keyboard, as movements of the view.

Wheel: zoom at the pointer (a touchpad's sideways part pans). Drag: pan; on the price axis: stretch. Double click: fit;
on the price axis: back to automatic prices. Keys: ← → pan (with Ctrl a screen), + − zoom, Home and End
go to the first and the latest candle.
"""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent, QWheelEvent

from widgets.chart.canvas import ChartCanvas
from widgets.chart.scene import Scene

_NOTCH = 120.0  # angleDelta of one click of a mouse wheel
_ZOOM_PER_NOTCH = 1.15
_PIXELS_PER_NOTCH = 60.0
_STRETCH_PX = 200.0
_KEY_SHARE = 0.1


class Movable(Protocol):
    """What gestures move; each method repaints what it changes."""

    def pan(self, pixels: float) -> None: ...
    def zoom(self, factor: float, x: float | None = None) -> None: ...
    def shift_price(self, share: float) -> None: ...
    def stretch_price(self, factor: float) -> None: ...
    def reset_price(self) -> None: ...
    def fit(self) -> None: ...
    def show_first(self) -> None: ...
    def follow_latest(self) -> None: ...
    def point_at(self, position: QPointF | None) -> None: ...


class Gestures:
    """Translates the canvas's events into movements of ``chart``."""

    def __init__(self, canvas: ChartCanvas, scene: Scene, chart: Movable) -> None:
        self._canvas, self._scene, self._chart = canvas, scene, chart
        self._from: QPointF | None = None
        self._on_axis = False
        canvas.pressed.connect(self._press)
        canvas.dragged.connect(self._drag)
        canvas.released.connect(self._release)
        canvas.hovered.connect(self._hover)
        canvas.left.connect(lambda: chart.point_at(None))
        canvas.double_clicked.connect(self._double_click)
        canvas.wheel_turned.connect(self._wheel)
        canvas.key_pressed.connect(self._key)

    def _over_axis(self, position: QPointF) -> bool:
        return position.x() >= self._scene.layout.price_axis.left()

    def _press(self, position: QPointF) -> None:
        self._from, self._on_axis = position, self._over_axis(position)
        if not self._on_axis:
            self._canvas.setCursor(Qt.CursorShape.ClosedHandCursor)

    def _drag(self, position: QPointF) -> None:
        if self._from is None:
            return
        by, self._from = position - self._from, position
        if self._on_axis:
            self._chart.stretch_price(2 ** (by.y() / _STRETCH_PX))
            return
        self._chart.pan(by.x())
        if not self._scene.price.auto:
            self._chart.shift_price(by.y() / max(self._scene.layout.price.height(), 1.0))

    def _release(self) -> None:
        self._from = None
        self._canvas.setCursor(Qt.CursorShape.CrossCursor)

    def _hover(self, position: QPointF) -> None:
        if self._from is None:
            over_axis = self._over_axis(position)
            self._canvas.setCursor(Qt.CursorShape.SizeVerCursor if over_axis else Qt.CursorShape.CrossCursor)
        inside = self._scene.layout.panes.contains(position)
        self._chart.point_at(position if inside else None)

    def _double_click(self, position: QPointF) -> None:
        if self._over_axis(position):
            self._chart.reset_price()
        else:
            self._chart.fit()

    def _wheel(self, event: QWheelEvent) -> None:
        pixels, angle = event.pixelDelta(), event.angleDelta()
        smooth = not pixels.isNull()
        across = float(pixels.x()) if smooth else angle.x() / _NOTCH * _PIXELS_PER_NOTCH
        notches = pixels.y() / _PIXELS_PER_NOTCH if smooth else angle.y() / _NOTCH
        if abs(across) > abs(pixels.y() if smooth else notches * _PIXELS_PER_NOTCH):
            self._chart.pan(across)
        elif notches and self._over_axis(event.position()):
            self._chart.stretch_price(_ZOOM_PER_NOTCH**-notches)
        elif notches:
            self._chart.zoom(_ZOOM_PER_NOTCH**notches, event.position().x())
        event.accept()

    def _key(self, event: QKeyEvent) -> None:
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        step = self._scene.time.width_px * (1.0 if control else _KEY_SHARE)
        match event.key():
            case Qt.Key.Key_Left:
                self._chart.pan(step)
            case Qt.Key.Key_Right:
                self._chart.pan(-step)
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                self._chart.zoom(_ZOOM_PER_NOTCH)
            case Qt.Key.Key_Minus:
                self._chart.zoom(1 / _ZOOM_PER_NOTCH)
            case Qt.Key.Key_Home:
                self._chart.show_first()
            case Qt.Key.Key_End:
                self._chart.follow_latest()
            case _:
                return
        event.accept()
