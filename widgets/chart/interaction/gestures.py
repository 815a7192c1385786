"""
Mouse, touchpad and touch screen: from the canvas's events to movements of the view.

- Wheel: zooms at the pointer, or about the latest candle while the view follows it; with Ctrl always at the pointer,
  with Shift pans. Two fingers on a touchpad: sideways pans, up and down zooms. Pinch: zooms between the fingers.
- Drag: pans, and scrolls on where it was thrown. On the value axis it stretches, on a separator it resizes panes.
- Ctrl+drag: draws a band to zoom to. Shift+drag: measures.
- On a drawing, or with a drawing tool chosen, a press and a drag are about drawings (see `drawing_tool`).
- Double click: fits; on the value axis it makes the axis automatic, as a click on the “Auto” shown there does.
- What stands over the chart, such as the line of an alert, may take the pointer first (`grabs`).
- The back and forward buttons go through the view history.

Keys are `keyboard`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QNativeGestureEvent, QWheelEvent
from PySide6.QtWidgets import QGestureEvent, QPinchGesture, QWidget

from widgets.chart.interaction.completeness_hint import CompletenessHint
from widgets.chart.interaction.navigator import Navigator
from widgets.chart.interaction.reading_tools import ReadingTools
from widgets.chart.interaction.rubber_band import RubberBand, band_of
from widgets.chart.painting.axes import auto_button_rect
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.painting.scene import Scene
from widgets.chart.panes.dirty_regions import separator_rects
from widgets.chart.panes.pane_set import PaneSet

_MIN_FACTOR, _MAX_FACTOR = 0.5, 2.0  # per event: some devices jump, and the chart should not jump with them


class PinchFilter(QObject):
    """
    Watches ``viewport`` for pinches on touchpads and touch screens.

    ``zoom``: called with a factor and the distance from the left edge in logical pixels. ``fit``: called for a tap with
    two fingers.
    """

    def __init__(self, viewport: QWidget, zoom: Callable[[float, float], object], fit: Callable[[], object]) -> None:
        super().__init__(viewport)
        self._viewport, self._zoom, self._fit = viewport, zoom, fit
        viewport.grabGesture(Qt.GestureType.PinchGesture)
        viewport.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent):
            return self._handle_touchpad(event)
        if isinstance(event, QGestureEvent):
            return self._handle_touch(event)
        return False

    def _handle_touchpad(self, event: QNativeGestureEvent) -> bool:
        if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self._zoom_by(1 + event.value(), event.position().x())
        elif event.gestureType() == Qt.NativeGestureType.SmartZoomNativeGesture:
            self._fit()
        else:
            return False
        event.accept()
        return True

    def _handle_touch(self, event: QGestureEvent) -> bool:
        gesture = event.gesture(Qt.GestureType.PinchGesture)
        if not isinstance(gesture, QPinchGesture):
            return False
        if gesture.changeFlags() & QPinchGesture.ChangeFlag.ScaleFactorChanged:
            centre = self._viewport.mapFromGlobal(gesture.centerPoint())
            self._zoom_by(gesture.scaleFactor(), centre.x())
        event.accept(gesture)
        return True

    def _zoom_by(self, factor: float, x: float) -> None:
        self._zoom(min(max(factor, _MIN_FACTOR), _MAX_FACTOR), x)


_NOTCH = 120.0  # angleDelta of one click of a mouse wheel
PIXELS_PER_NOTCH = 60.0


@dataclass(slots=True)
class ScrollGesture:
    """One scroll with two fingers. ``pans``: whether its first movement was sideways; None before it."""

    pans: bool | None = None


def read_wheel(event: QWheelEvent, gesture: ScrollGesture) -> tuple[float, float]:
    """
    Return logical pixels to pan to the right, and notches to zoom in by; one of them is 0.

    ``gesture``: the caller's, the same for each event: a scroll goes on as it began, however the fingers stray.
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
    pans = _pans(event.phase(), x, y, gesture)
    return (x, 0.0) if pans else (0.0, y / PIXELS_PER_NOTCH)


def _pans(phase: Qt.ScrollPhase, x: float, y: float, gesture: ScrollGesture) -> bool:
    sideways = abs(x) > abs(y)
    if phase == Qt.ScrollPhase.NoScrollPhase:
        return sideways
    if phase == Qt.ScrollPhase.ScrollBegin:
        gesture.pans = None
    if gesture.pans is None and (x or y):
        gesture.pans = sideways
    return bool(gesture.pans)


class Grab(Protocol):
    """A part that may take the pointer. Positions are logical pixels of the view."""

    def press(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> bool:
        """Take a press of the left button; until the release, the pointer is this part's. False: not wanted."""

    def drag(self, position: QPointF) -> None:
        """Follow the pointer."""

    def release(self, position: QPointF) -> None:
        """Let go."""

    def double_click(self, position: QPointF) -> bool:
        """Take a double click; False: not wanted."""

    def hover(self, position: QPointF | None) -> Qt.CursorShape | None:
        """Take note of the pointer, None once it has left; return its shape here, None: the usual one."""

    def cancel(self) -> bool:
        """Give up what is under way; False where nothing is."""


_ZOOM_PER_NOTCH = 1.15
_STRETCH_PX = 200.0  # a drag of this length on the value axis doubles or halves the range
_BACK, _FORWARD = Qt.MouseButton.BackButton, Qt.MouseButton.ForwardButton


class Gestures:
    """Turns the canvas's events into calls of the navigator, the reading tools and the pane set."""

    def __init__(
        self,
        canvas: ChartCanvas,
        scene: Scene,
        panes: PaneSet,
        navigator: Navigator,
        tools: ReadingTools,
        hint: CompletenessHint,
    ) -> None:
        self._canvas, self._scene, self._panes = canvas, scene, panes
        self._navigator, self._tools, self._hint = navigator, tools, hint
        self._grabs: list[Grab] = []
        self._grabbed: Grab | None = None
        self._drag_from: QPointF | None = None  # the last position of a drag that moves something
        self._is_on_axis = False  # where the drag began
        self._pane = ""  # where the drag began
        self._separator: int | None = None
        self._band_from: QPointF | None = None
        self._band = RubberBand(canvas)
        self._scroll_gesture = ScrollGesture()
        self._pinch_filter = PinchFilter(canvas.viewport(), self._pinch, navigator.fit)
        canvas.pressed.connect(self._press)
        canvas.dragged.connect(self._drag)
        canvas.released.connect(self._release)
        canvas.side_button_pressed.connect(self._press_side_button)
        canvas.hovered.connect(self._hover)
        canvas.left.connect(self._leave)
        canvas.double_clicked.connect(self._double_click)
        canvas.wheel_turned.connect(self._wheel)

    def add_grab(self, grab: Grab) -> None:
        """Let a part take the pointer, before those that were added earlier."""
        self._grabs.insert(0, grab)

    def cancel(self) -> bool:
        """Give up the band that is being drawn; False where there is none."""
        was_drawn, self._band_from, self._drag_from = self._band_from is not None, None, None
        self._band.hide()
        return was_drawn

    def _is_over_axis(self, position: QPointF) -> bool:
        return position.x() >= self._scene.layout.value_axis.left()

    def _pane_at(self, position: QPointF) -> str:
        pane = self._scene.pane_at(position.y())
        below = self._scene.panes[-1] if self._scene.maximised_pane is None else self._scene.leading
        return (pane or below).key

    def _is_over_auto_button(self, position: QPointF) -> bool:
        return auto_button_rect(self._scene, self._scene.pane(self._pane_at(position))).contains(position)

    def _press(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        self._navigator.stop()
        self._grabbed = next((one for one in self._grabs if one.press(position, modifiers)), None)
        if self._grabbed is not None:
            return
        self._hint.press_at(position)
        self._drag_from, self._is_on_axis = position, self._is_over_axis(position)
        self._pane, self._separator = self._pane_at(position), self._scene.separator_at(position.y())
        if self._is_over_auto_button(position):
            self._drag_from = None
            self._navigator.reset(self._pane)
        if self._separator is not None or self._is_on_axis:
            return
        if self._tools.press_measure(position, begins=bool(modifiers & Qt.KeyboardModifier.ShiftModifier)):
            self._drag_from = None
        elif modifiers & Qt.KeyboardModifier.ControlModifier:
            self._band_from = position
        else:
            self._canvas.setCursor(Qt.CursorShape.ClosedHandCursor)

    def _drag(self, position: QPointF) -> None:
        if self._grabbed is not None:
            self._grabbed.drag(position)
        if self._drag_from is None:
            return
        by, self._drag_from = position - self._drag_from, position
        if self._band_from is not None:
            pane_rect = self._scene.pane(self._pane).rect
            self._band.show_at(band_of(self._band_from, position, pane_rect), self._scene.colours.accent)
        elif self._separator is not None:
            # Relative to the edge rather than to the last position: after a limit it comes back with the pointer.
            edge = self._scene.panes[self._separator].rect.bottom()
            self._panes.drag(self._separator, position.y() - edge)
        elif self._is_on_axis:
            self._navigator.stretch(self._pane, 2 ** (by.y() / _STRETCH_PX))
        else:
            self._navigator.drag_by(by.x(), monotonic())
            pane = self._scene.pane(self._pane)
            if not pane.value_scale.auto:
                self._navigator.shift(self._pane, by.y() / max(pane.rect.height(), 1.0))

    def _release(self, position: QPointF) -> None:
        grabbed, self._grabbed = self._grabbed, None
        if grabbed is not None:
            grabbed.release(position)
            return
        start, was_dragging, self._drag_from = self._band_from, self._drag_from is not None, None
        if start is not None:
            self.cancel()
            self._navigator.zoom_to(band_of(start, position, self._scene.pane(self._pane).rect), self._pane)
        elif was_dragging and self._separator is None and not self._is_on_axis:
            self._navigator.end_drag(monotonic())
        self._hint.release_at(position)
        self._tools.release_measure()
        self._separator = None
        self._canvas.setCursor(Qt.CursorShape.CrossCursor)

    def _pinch(self, factor: float, x: float) -> None:
        self.cancel()  # Qt sent the first finger as a mouse press, which began to drag
        self._navigator.zoom(factor, x)

    def _press_side_button(self, button: Qt.MouseButton) -> None:
        if button == _BACK:
            self._navigator.go_back()
        elif button == _FORWARD:
            self._navigator.go_forward()

    def _hover(self, position: QPointF) -> None:
        inside = self._scene.layout.panes.contains(position)
        if self._drag_from is None and (shape := self._shape_of_grabs(position)) is not None:
            self._canvas.setCursor(shape)
        elif self._drag_from is None:
            separator, over_axis = self._scene.separator_at(position.y()), self._is_over_axis(position)
            shape = Qt.CursorShape.SizeVerCursor if over_axis else Qt.CursorShape.CrossCursor
            if over_axis and self._is_over_auto_button(position):
                shape = Qt.CursorShape.PointingHandCursor
            self._canvas.setCursor(shape if separator is None else Qt.CursorShape.SplitVCursor)
            self._mark_separator(separator)
            self._name_values(position if separator is None else None)
        if self._drag_from is None and self._hint.point_at(position):
            return  # the crosshair stays: the words are about its candle
        self._tools.point_at(position if inside and self._scene.marked_separator is None else None)

    def _shape_of_grabs(self, position: QPointF) -> Qt.CursorShape | None:
        if self._grabbed is not None:
            held: Qt.CursorShape = self._canvas.cursor().shape()
            return held
        shapes = [one.hover(position) for one in self._grabs]
        return next((shape for shape in shapes if shape is not None), None)

    def _mark_separator(self, separator: int | None) -> None:
        if separator != self._scene.marked_separator:
            self._scene.marked_separator = separator
            self._canvas.repaint_rects(separator_rects(self._scene))

    def _name_values(self, position: QPointF | None) -> None:
        """Show the names of a pane's values while the pointer is on its axis."""
        is_on_axis = position is not None and self._scene.layout.value_axis.contains(position)
        named = self._pane_at(position) if is_on_axis and position is not None else None
        if named != self._scene.named_pane:
            self._scene.named_pane = named
            self._tools.point_at(None)

    def _leave(self) -> None:
        for one in self._grabs:
            one.hover(None)
        self._scene.named_pane = None
        self._tools.point_at(None)
        self._mark_separator(None)

    def _double_click(self, position: QPointF) -> None:
        if any(one.double_click(position) for one in self._grabs):
            return
        if self._is_over_axis(position):
            self._navigator.reset(self._pane_at(position))
        elif self._scene.separator_at(position.y()) is None:
            self._navigator.fit()

    def _wheel(self, event: QWheelEvent) -> None:
        across, notches = read_wheel(event, self._scroll_gesture)
        if across:
            self._navigator.step(across)
        elif notches and self._is_over_axis(event.position()):
            self._navigator.stretch(self._pane_at(event.position()), _ZOOM_PER_NOTCH**-notches)
        elif notches:
            # At the live edge zooming at the pointer would push the candle that one watches about.
            holds_latest = self._navigator.is_following and not event.modifiers() & Qt.KeyboardModifier.ControlModifier
            self._navigator.zoom(_ZOOM_PER_NOTCH**notches, None if holds_latest else event.position().x())
        event.accept()
