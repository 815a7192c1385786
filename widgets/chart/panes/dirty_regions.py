"""
The dirty regions of a frame: everything where bars are drawn elsewhere, else only the strip of the last bars.

A trade changes the last candle alone, and a paint of two candles' width costs a fraction of a whole one.
"""

from __future__ import annotations

from PySide6.QtCore import QRectF

from app.market.series.series import CandleSeries
from widgets.chart.painting.axes import auto_button_rect, countdown_rect, last_price_rect
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.painting.pane import AxisMark
from widgets.chart.painting.scene import SEPARATOR_REACH_PX, Crosshair, Scene, TimeGuide
from widgets.chart.painting.scene_builder import mark_time_axis, mark_value_axes, view_key

_REACH_PX = 2.0  # that a hairline, or the end of a slanted line, stands out


class DirtyRegions:
    """Compares a scene with the last frame's, and marks the differences on the canvas for painting."""

    def __init__(self, scene: Scene, canvas: ChartCanvas) -> None:
        self._scene, self._canvas = scene, canvas
        self._drawn: tuple[object, ...] = ()
        self._value_axis: tuple[object, ...] = ()
        self._revision = -1
        self._countdown = ""
        self._live: list[QRectF] = []
        self._marks: list[AxisMark] = []
        self._all_dirty = True

    def mark_all(self) -> None:
        """Mark everything in the next frame."""
        self._all_dirty = True

    def mark(self, series: CandleSeries | None, dirty: list[QRectF]) -> tuple[bool, bool]:
        """
        Mark the differences from the last frame, and the rectangles ``dirty``.

        Returns whether the view has moved, and whether the series has changed.
        """
        scene, canvas = self._scene, self._canvas
        revision, shape = (series.revision, series.shape_revision) if series is not None else (-1, -1)
        drawn = (series, shape, *view_key(scene), scene.guard.changes, scene.time_scale.axis)
        live, marks = live_rects(scene), [mark for pane in scene.panes for mark in pane.axis_marks]
        cross = scene.crosshair
        countdown = scene.countdown
        value_axis = (revision, countdown, *drawn[:2], *drawn[5:], cross and (cross.y, cross.value_text))
        if self._all_dirty or drawn != self._drawn:
            mark_time_axis(scene, series.interval if series is not None else None)
            canvas.show_ranges()
            if self._all_dirty or value_axis != self._value_axis:
                mark_value_axes(scene)
                canvas.repaint_all()
            else:
                # A pan that leaves the values where they are. Sparing the corner spares its button a paint, too.
                panes, times = scene.layout.panes, scene.layout.time_axis
                canvas.repaint_rects([panes, QRectF(panes.left(), times.top(), panes.width(), times.height())])
        elif revision != self._revision or bool(countdown) != bool(self._countdown):
            # Where the countdown comes or goes, the last price's label has another height.
            canvas.repaint_rects(dirty + self._live + live + self._changed(marks))
        else:
            ticked = [countdown_rect(scene)] if countdown != self._countdown else []
            canvas.repaint_rects(dirty + ticked + self._changed(marks))
        moved = drawn[2:5] != self._drawn[2:5] or drawn[-1:] != self._drawn[-1:]
        changed = revision != self._revision
        self._drawn, self._value_axis, self._revision, self._all_dirty = drawn, value_axis, revision, False
        self._countdown, self._live, self._marks = countdown, live, marks
        return moved, changed

    def mark_axis_labels(self) -> None:
        """Mark the labels on the axes that changed since the last frame."""
        marks = [mark for pane in self._scene.panes for mark in pane.axis_marks]
        self._canvas.repaint_rects(self._changed(marks))
        self._marks = marks

    def _changed(self, marks: list[AxisMark]) -> list[QRectF]:
        """Return the rectangles to repaint when these marks replace the last frame's."""
        before = self._marks
        if marks == before:
            return []
        changed = [one for one in before if one not in marks] + [one for one in marks if one not in before]
        room = self._scene.styles.small.height  # the grid's labels that one would cut come and go with it
        return [one.area.adjusted(0, -room, 0, room) for one in changed]


def live_rects(scene: Scene) -> list[QRectF]:
    """Return the rectangles of the last bar: its strip and that of the bar before, the last price's line and label."""
    if scene.last is None:
        return []
    panes, price = scene.layout.panes, scene.price
    y = price.y_of(scene.last.close)
    # A line chart draws a line from the bar before to the last one.
    first = int(scene.bars.slot[-2:][0]) if len(scene.bars.slot) else scene.last.slot
    left = scene.time_scale.x_of(first - 0.5) - _REACH_PX
    right = scene.time_scale.x_of(scene.last.slot + 0.5) + _REACH_PX
    room = 2 * scene.styles.small.height  # grid labels that the block cuts come and go with it
    return [
        QRectF(left, panes.top(), right - left, panes.height()) & panes,
        QRectF(panes.left(), y - _REACH_PX, panes.width(), 2 * _REACH_PX) & price.rect,
        last_price_rect(scene).adjusted(0, -room, 0, room),
        auto_button_rect(scene, price).adjusted(0, -room, 0, room),
    ]


def crosshair_rects(scene: Scene, cross: Crosshair | None) -> list[QRectF]:
    """Return the rectangles of a crosshair: its hairlines, and the axes with its labels."""
    if cross is None:
        return []
    panes, layout = scene.layout.panes, scene.layout
    x = scene.time_scale.x_of(cross.slot)
    return [
        QRectF(x - _REACH_PX, panes.top(), 2 * _REACH_PX, panes.height()),
        QRectF(panes.left(), cross.y - _REACH_PX, panes.width(), 2 * _REACH_PX),
        layout.value_axis,
        layout.time_axis,
    ]


def guide_rects(scene: Scene, guide: TimeGuide | None) -> list[QRectF]:
    """Return the rectangles of a linked chart's time: its line, and the axis with its label."""
    if guide is None:
        return []
    panes, x = scene.layout.panes, scene.time_scale.x_of(guide.slot)
    return [QRectF(x - _REACH_PX, panes.top(), 2 * _REACH_PX, panes.height()), scene.layout.time_axis]


def separator_rects(scene: Scene) -> list[QRectF]:
    """Return the rectangles of all separators, as wide as the pointer reaches them."""
    panes = scene.layout.panes
    return [
        QRectF(panes.left(), pane.rect.bottom() - SEPARATOR_REACH_PX, panes.width(), 2 * SEPARATOR_REACH_PX)
        for _, pane in scene.separated
    ]
