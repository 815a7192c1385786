"""
Mouse and keyboard, as movements of the view.

Wheel: zoom at the pointer (a touchpad's sideways part pans). Drag: pan; on the value axis: stretch; on a line between
panes: make them higher and lower. Double click: fit; on the value axis: back to an automatic one. Keys: ← → pan (with
Ctrl a screen), + − zoom, Home and End go to the first and the latest candle. F6 chooses a pane; the chosen one grows
and shrinks by Ctrl+↑ ↓, moves by Ctrl+Shift+↑ ↓ and is closed by Delete; Escape ends the choice. Alt+L: a logarithmic
price axis, Alt+P: percents, Alt+I: inverted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent, QWheelEvent

from widgets.chart.canvas import ChartCanvas
from widgets.chart.pane_set import PaneSet
from widgets.chart.scene import Scene
from widgets.chart.value_view import Scale

_NOTCH = 120.0  # angleDelta of one click of a mouse wheel
_ZOOM_PER_NOTCH = 1.15
_PIXELS_PER_NOTCH = 60.0
_STRETCH_PX = 200.0
_KEY_SHARE = 0.1
_CONTROL, _SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


class Movable(Protocol):
    """What gestures move; each method repaints what it changes. ``pane``: a pane's key."""

    def pan(self, pixels: float) -> None: ...
    def zoom(self, factor: float, x: float | None = None) -> None: ...
    def shift(self, pane: str, share: float) -> None: ...
    def stretch(self, pane: str, factor: float) -> None: ...
    def reset(self, pane: str) -> None: ...
    def fit(self) -> None: ...
    def show_first(self) -> None: ...
    def follow_latest(self) -> None: ...
    def point_at(self, position: QPointF | None) -> None: ...
    def mark_separator(self, separator: int | None) -> None: ...


class Gestures:
    """Translates the canvas's events into movements of ``chart`` and of its panes."""

    def __init__(self, canvas: ChartCanvas, scene: Scene, panes: PaneSet, chart: Movable) -> None:
        self._canvas, self._scene, self._panes, self._chart = canvas, scene, panes, chart
        self._from: QPointF | None = None
        self._on_axis = False
        self._pane = ""  # where the drag began
        self._separator: int | None = None
        canvas.pressed.connect(self._press)
        canvas.dragged.connect(self._drag)
        canvas.released.connect(self._release)
        canvas.hovered.connect(self._hover)
        canvas.left.connect(self._leave)
        canvas.double_clicked.connect(self._double_click)
        canvas.wheel_turned.connect(self._wheel)
        canvas.key_pressed.connect(self._key)

    def _over_axis(self, position: QPointF) -> bool:
        return position.x() >= self._scene.layout.value_axis.left()

    def _pane_at(self, position: QPointF) -> str:
        pane = self._scene.pane_at(position.y())
        return (pane or self._scene.panes[-1]).key

    def _press(self, position: QPointF) -> None:
        self._from, self._on_axis = position, self._over_axis(position)
        self._pane, self._separator = self._pane_at(position), self._scene.separator_at(position.y())
        if self._separator is None and not self._on_axis:
            self._canvas.setCursor(Qt.CursorShape.ClosedHandCursor)

    def _drag(self, position: QPointF) -> None:
        if self._from is None:
            return
        by, self._from = position - self._from, position
        if self._separator is not None:
            # From where the edge is, so that it comes back with the pointer after a limit.
            edge = self._scene.panes[self._separator].rect.bottom()
            self._panes.drag(self._separator, position.y() - edge)
        elif self._on_axis:
            self._chart.stretch(self._pane, 2 ** (by.y() / _STRETCH_PX))
        else:
            self._chart.pan(by.x())
            pane = self._scene.pane(self._pane)
            if not pane.view.auto:
                self._chart.shift(self._pane, by.y() / max(pane.rect.height(), 1.0))

    def _release(self) -> None:
        self._from = self._separator = None
        self._canvas.setCursor(Qt.CursorShape.CrossCursor)

    def _hover(self, position: QPointF) -> None:
        inside = self._scene.layout.panes.contains(position)
        if self._from is None:
            separator = self._scene.separator_at(position.y())
            over_axis = self._over_axis(position)
            shape = Qt.CursorShape.SizeVerCursor if over_axis else Qt.CursorShape.CrossCursor
            self._canvas.setCursor(shape if separator is None else Qt.CursorShape.SplitVCursor)
            self._chart.mark_separator(separator)
        self._chart.point_at(position if inside and self._scene.marked is None else None)

    def _leave(self) -> None:
        self._chart.point_at(None)
        self._chart.mark_separator(None)

    def _double_click(self, position: QPointF) -> None:
        if self._over_axis(position):
            self._chart.reset(self._pane_at(position))
        elif self._scene.separator_at(position.y()) is None:
            self._chart.fit()

    def _wheel(self, event: QWheelEvent) -> None:
        pixels, angle = event.pixelDelta(), event.angleDelta()
        smooth = not pixels.isNull()
        across = float(pixels.x()) if smooth else angle.x() / _NOTCH * _PIXELS_PER_NOTCH
        notches = pixels.y() / _PIXELS_PER_NOTCH if smooth else angle.y() / _NOTCH
        if abs(across) > abs(pixels.y() if smooth else notches * _PIXELS_PER_NOTCH):
            self._chart.pan(across)
        elif notches and self._over_axis(event.position()):
            self._chart.stretch(self._pane_at(event.position()), _ZOOM_PER_NOTCH**-notches)
        elif notches:
            self._chart.zoom(_ZOOM_PER_NOTCH**notches, event.position().x())
        event.accept()

    def _key(self, event: QKeyEvent) -> None:
        if self._rescale_by_key(event) or self._move_by_key(event) or self._change_panes_by_key(event):
            event.accept()

    def _rescale_by_key(self, event: QKeyEvent) -> bool:
        style = self._panes.style
        scale = {Qt.Key.Key_L: Scale.LOG, Qt.Key.Key_P: Scale.PERCENT}.get(Qt.Key(event.key()))
        if event.modifiers() != Qt.KeyboardModifier.AltModifier:
            return False
        if scale is not None:
            style = replace(style, scale=Scale.LINEAR if style.scale is scale else scale)
        elif event.key() == Qt.Key.Key_I:
            style = replace(style, inverted=not style.inverted)
        else:
            return False
        self._panes.change_style(style)
        return True

    def _move_by_key(self, event: QKeyEvent) -> bool:
        step = self._scene.time.width_px * (1.0 if event.modifiers() & _CONTROL else _KEY_SHARE)
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
                return False
        return True

    def _change_panes_by_key(self, event: QKeyEvent) -> bool:
        key, panes, chosen = event.key(), self._panes, self._scene.chosen
        control, shift = bool(event.modifiers() & _CONTROL), bool(event.modifiers() & _SHIFT)
        down = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(key))
        if key == Qt.Key.Key_F6:
            panes.choose_next(-1 if shift else 1)
        elif chosen is None:
            return False
        elif key == Qt.Key.Key_Escape:
            panes.choose(None)
        elif key == Qt.Key.Key_Delete:
            panes.close(chosen)
        elif down is not None and control and shift:
            panes.move(chosen, down)
        elif down is not None and control:
            panes.grow(chosen, -down)
        else:
            return False
        return True
