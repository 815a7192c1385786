"""
Pinching: two fingers on a touchpad or a screen zoom the chart at the point between them.

macOS and Wayland report a touchpad's pinch as native gestures; a touch screen's is recognised by Qt from its touches.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QNativeGestureEvent
from PySide6.QtWidgets import QGestureEvent, QPinchGesture, QWidget

_LEAST, _MOST = 0.5, 2.0  # of one step: a device that jumps does not make the chart jump


class Pinching(QObject):
    """
    Watches ``viewport`` and calls ``zoom`` with a factor and the distance from the left edge, logical pixels, and
    ``fit`` for a tap of two fingers.
    """

    def __init__(self, viewport: QWidget, zoom: Callable[[float, float], object], fit: Callable[[], object]) -> None:
        super().__init__(viewport)
        self._viewport, self._zoom, self._fit = viewport, zoom, fit
        viewport.grabGesture(Qt.GestureType.PinchGesture)
        viewport.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent):
            return self._native(event)
        if isinstance(event, QGestureEvent):
            return self._recognised(event)
        return False

    def _native(self, event: QNativeGestureEvent) -> bool:
        if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self._step(1 + event.value(), event.position().x())
        elif event.gestureType() == Qt.NativeGestureType.SmartZoomNativeGesture:
            self._fit()
        else:
            return False
        event.accept()
        return True

    def _recognised(self, event: QGestureEvent) -> bool:
        gesture = event.gesture(Qt.GestureType.PinchGesture)
        if not isinstance(gesture, QPinchGesture):
            return False
        if gesture.changeFlags() & QPinchGesture.ChangeFlag.ScaleFactorChanged:
            centre = self._viewport.mapFromGlobal(gesture.centerPoint())
            self._step(gesture.scaleFactor(), centre.x())
        event.accept(gesture)
        return True

    def _step(self, factor: float, x: float) -> None:
        self._zoom(min(max(factor, _LEAST), _MOST), x)
