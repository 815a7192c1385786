"""
The mouse, as movements of the view.

Wheel: zoom at the pointer; with Shift pan. Two fingers on a touchpad: sideways pan, up and down zoom; with Ctrl zoom
alone. Drag: pan, and glide on where it was thrown; on the value axis: stretch; on a line between panes: make them
higher and lower. Ctrl+drag: a band to zoom to; Shift+drag: measure. Double click: fit; on the value axis: back to an
automatic one, as a click on “Auto” does, which stands there meanwhile. The buttons back and
forward: the view before, and again the one after. Keys are `keyboard`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QNativeGestureEvent, QWheelEvent
from PySide6.QtWidgets import QGestureEvent, QPinchGesture, QWidget

from widgets.chart.interaction.navigator import Navigator
from widgets.chart.interaction.reading_tools import ReadingTools
from widgets.chart.interaction.rubber_band import RubberBand, band_of
from widgets.chart.painting.axes import auto_button_rect
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.painting.scene import Scene
from widgets.chart.panes.dirty_regions import separator_rects
from widgets.chart.panes.pane_set import PaneSet

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


_NOTCH = 120.0  # angleDelta of one click of a mouse wheel
PIXELS_PER_NOTCH = 60.0


@dataclass(slots=True)
class WheelTurn:
    """What two fingers are doing; ``pans`` is None before they have moved."""

    pans: bool | None = None


def read_wheel(event: QWheelEvent, turn: WheelTurn) -> tuple[float, float]:
    """
    Return logical pixels to pan to the right, and notches to zoom in by; one of them is 0.

    ``turn`` is kept from event to event.
    """
    pixels = event.pixelDelta()
    x, y = float(pixels.x()), float(pixels.y())
    if pixels.isNull():
        angle = event.angleDelta()
        x, y = angle.x() / _NOTCH * PIXELS_PER_NOTCH, angle.y() / _NOTCH * PIXELS_PER_NOTCH
    if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
        return 0.0, (y or x) / PIXELS_PER_NOTCH  # with Alt, or by itself, some systems turn y into x
    if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
        return x or y, 0.0
    pans = _pans(event.phase(), x, y, turn)
    return (x, 0.0) if pans else (0.0, y / PIXELS_PER_NOTCH)


def _pans(phase: Qt.ScrollPhase, x: float, y: float, turn: WheelTurn) -> bool:
    sideways = abs(x) > abs(y)
    if phase == Qt.ScrollPhase.NoScrollPhase:
        return sideways
    if phase == Qt.ScrollPhase.ScrollBegin:
        turn.pans = None
    if turn.pans is None and (x or y):
        turn.pans = sideways
    return bool(turn.pans)


_ZOOM_PER_NOTCH = 1.15
_STRETCH_PX = 200.0
_BACK, _FORWARD = Qt.MouseButton.BackButton, Qt.MouseButton.ForwardButton


class Gestures:
    """Turns the canvas's events into calls of the navigator, the reading tools and the pane set."""

    def __init__(
        self, canvas: ChartCanvas, scene: Scene, panes: PaneSet, navigator: Navigator, tools: ReadingTools
    ) -> None:
        self._canvas, self._scene, self._panes = canvas, scene, panes
        self._navigator, self._tools = navigator, tools
        self._from: QPointF | None = None
        self._on_axis = False
        self._pane = ""  # where the drag began
        self._separator: int | None = None
        self._band_from: QPointF | None = None
        self._band = RubberBand(canvas)
        self._turn = WheelTurn()
        self._pinching = Pinching(canvas.viewport(), self._pinch, navigator.fit)
        canvas.pressed.connect(self._press)
        canvas.dragged.connect(self._drag)
        canvas.released.connect(self._release)
        canvas.side_button_pressed.connect(self._press_side_button)
        canvas.hovered.connect(self._hover)
        canvas.left.connect(self._leave)
        canvas.double_clicked.connect(self._double_click)
        canvas.wheel_turned.connect(self._wheel)

    def cancel(self) -> bool:
        """Give up the band that is being drawn; False where there is none."""
        drawn, self._band_from, self._from = self._band_from is not None, None, None
        self._band.hide()
        return drawn

    def _over_axis(self, position: QPointF) -> bool:
        return position.x() >= self._scene.layout.value_axis.left()

    def _pane_at(self, position: QPointF) -> str:
        pane = self._scene.pane_at(position.y())
        return (pane or self._scene.panes[-1]).key

    def _automatic_at(self, position: QPointF) -> bool:
        return auto_button_rect(self._scene, self._scene.pane(self._pane_at(position))).contains(position)

    def _press(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        self._navigator.stop()
        self._from, self._on_axis = position, self._over_axis(position)
        self._pane, self._separator = self._pane_at(position), self._scene.separator_at(position.y())
        if self._automatic_at(position):
            self._from = None
            self._navigator.reset(self._pane)
        if self._separator is not None or self._on_axis:
            return
        if self._tools.press_measure(position, begins=bool(modifiers & Qt.KeyboardModifier.ShiftModifier)):
            self._from = None
        elif modifiers & Qt.KeyboardModifier.ControlModifier:
            self._band_from = position
        else:
            self._canvas.setCursor(Qt.CursorShape.ClosedHandCursor)

    def _drag(self, position: QPointF) -> None:
        if self._from is None:
            return
        by, self._from = position - self._from, position
        if self._band_from is not None:
            pane = self._scene.pane(self._pane).rect
            self._band.show_at(band_of(self._band_from, position, pane), self._scene.colours.accent)
        elif self._separator is not None:
            # From where the edge is, so that it comes back with the pointer after a limit.
            edge = self._scene.panes[self._separator].rect.bottom()
            self._panes.drag(self._separator, position.y() - edge)
        elif self._on_axis:
            self._navigator.stretch(self._pane, 2 ** (by.y() / _STRETCH_PX))
        else:
            self._navigator.drag_by(by.x(), monotonic())
            pane_view = self._scene.pane(self._pane)
            if not pane_view.value_scale.auto:
                self._navigator.shift(self._pane, by.y() / max(pane_view.rect.height(), 1.0))

    def _release(self, position: QPointF) -> None:
        start, was_held, self._from = self._band_from, self._from is not None, None
        if start is not None:
            self.cancel()
            self._navigator.zoom_to(band_of(start, position, self._scene.pane(self._pane).rect), self._pane)
        elif was_held and self._separator is None and not self._on_axis:
            self._navigator.end_drag(monotonic())
        self._tools.release_measure()
        self._separator = None
        self._canvas.setCursor(Qt.CursorShape.CrossCursor)

    def _pinch(self, factor: float, x: float) -> None:
        self.cancel()  # the first finger had begun to drag
        self._navigator.zoom(factor, x)

    def _press_side_button(self, button: Qt.MouseButton) -> None:
        if button == _BACK:
            self._navigator.go_back()
        elif button == _FORWARD:
            self._navigator.go_forward()

    def _hover(self, position: QPointF) -> None:
        inside = self._scene.layout.panes.contains(position)
        if self._from is None:
            separator = self._scene.separator_at(position.y())
            over_axis = self._over_axis(position)
            shape = Qt.CursorShape.SizeVerCursor if over_axis else Qt.CursorShape.CrossCursor
            if over_axis and self._automatic_at(position):
                shape = Qt.CursorShape.PointingHandCursor
            self._canvas.setCursor(shape if separator is None else Qt.CursorShape.SplitVCursor)
            self._mark_separator(separator)
        self._tools.point_at(position if inside and self._scene.marked_separator is None else None)

    def _mark_separator(self, separator: int | None) -> None:
        if separator != self._scene.marked_separator:
            self._scene.marked_separator = separator
            self._canvas.repaint_rects(separator_rects(self._scene))

    def _leave(self) -> None:
        self._tools.point_at(None)
        self._mark_separator(None)

    def _double_click(self, position: QPointF) -> None:
        if self._over_axis(position):
            self._navigator.reset(self._pane_at(position))
        elif self._scene.separator_at(position.y()) is None:
            self._navigator.fit()

    def _wheel(self, event: QWheelEvent) -> None:
        across, notches = read_wheel(event, self._turn)
        if across:
            self._navigator.step(across)
        elif notches and self._over_axis(event.position()):
            self._navigator.stretch(self._pane_at(event.position()), _ZOOM_PER_NOTCH**-notches)
        elif notches:
            self._navigator.zoom(_ZOOM_PER_NOTCH**notches, event.position().x())
        event.accept()
