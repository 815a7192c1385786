"""
The value axis and the time axis: a hairline, the grid's labels, and over them those of values, crosshair, last price.

The last price's label is drawn last and never covered. A grid label that another label would overlap is left out rather
than cut off. Not pyqtgraph's AxisItem, which lays out all of its texts at every change of range; here a text is laid
out once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPolygonF

from widgets.chart.painting.device_pixels import DevicePixels, stroke
from widgets.chart.painting.pane import AxisLabel, Pane
from widgets.chart.painting.scene import Crosshair, Scene, TimeGuide
from widgets.chart.painting.scene_item import SceneItem
from widgets.chart.painting.text_cache import PlacedText

LABEL_PADDING_PX = 8.0
AUTO_TEXT = "Auto"
_LABEL_MARGIN_PX, _VALUE_MARGIN_PX = 3.0, 2.0
_LABEL_PX, _LAST_PX = 20.0, 38.0  # the height of a label, and of the last price with its countdown
_ARROW_PX = 3.0  # half of the width, and the height, of the arrow on a label whose value is out of view
ARROW_ROOM_PX = 2 * _ARROW_PX + 4.0
_MARK_PX, _LEADER_PX = 5.0, 1.5  # the widths of a tick in the gutter, and of a line there


def last_price_place(scene: Scene) -> QRectF:
    """
    Return where the last price's label is at rest: at the price's height, or at the pane's edge if outside.

    Empty without a last price, and where it is labelled among those of compared symbols.
    """
    axis, styles = scene.layout.value_axis, scene.styles
    if scene.last is None or not scene.last_text or scene.is_compared:
        return QRectF()
    height = max(_LABEL_PX * styles.scale, styles.small_bold.height + 2 * _LABEL_MARGIN_PX)
    above = height / 2
    if scene.countdown:
        height = max(_LAST_PX * styles.scale, height + styles.tiny.height)
    pane = scene.price.rect
    top = min(max(scene.price.y_of(scene.last.close) - above, pane.top()), pane.bottom() - height)
    return QRectF(axis.left(), top, axis.width(), height)


def last_price_rect(scene: Scene) -> QRectF:
    """Return the last price's label, which the crosshair's pushes aside, the shorter way that stays in the pane."""
    place, (cross, _), pane = last_price_place(scene), crosshair_label_rects(scene), scene.price.rect
    if place.isEmpty() or cross.top() >= place.bottom() or cross.bottom() <= place.top():
        return place
    tops = [top for top in (cross.top() - place.height(), cross.bottom()) if top >= pane.top()]
    fitting = [top for top in tops if top + place.height() <= pane.bottom()]
    if fitting:
        place.moveTop(min(fitting, key=lambda top: abs(top - place.top())))
    return place


def value_label_height(scene: Scene) -> float:
    """Return the height of an indicator's label, in logical pixels."""
    return max(_LABEL_PX * scene.styles.scale, scene.styles.small.height + 2 * _VALUE_MARGIN_PX)


def countdown_rect(scene: Scene) -> QRectF:
    """Return the countdown's part of the last price's label: all of it below the price; empty if there is no label."""
    label = last_price_rect(scene)
    return label if label.isEmpty() else label.adjusted(0, _price_line(scene, label).bottom() - label.top(), 0, 0)


def _price_line(scene: Scene, label: QRectF) -> QRectF:
    """Return the line of the price in the last price's label, whose two lines stand in its middle."""
    price_height = scene.styles.small_bold.height
    lines = price_height + (scene.styles.tiny.height if scene.countdown else 0.0)
    return QRectF(label.left(), label.center().y() - lines / 2, label.width(), price_height)


def auto_button_rect(scene: Scene, pane: Pane) -> QRectF:
    """Return the button "Auto" on the axis of a pane stretched by hand; empty if the axis fits or there is no room."""
    if pane.value_scale.auto:
        return QRectF()
    axis, style = scene.layout.value_axis, scene.styles.tiny
    width, height = style.width(AUTO_TEXT) + LABEL_PADDING_PX, style.height + 2 * _VALUE_MARGIN_PX
    if pane.rect.height() < 3 * height or axis.width() < width:
        return QRectF()
    left, inside = axis.right() - LABEL_PADDING_PX / 2 - width, pane.rect.adjusted(0, 4, 0, -4)
    rect = QRectF(left, inside.bottom() - height, width, height)
    if pane is scene.price and last_price_place(scene).adjusted(0, -1, 0, 1).intersects(rect):
        rect.moveTop(inside.top())  # an outside last price has its label at that edge
    return rect


def crosshair_label_rects(scene: Scene) -> tuple[QRectF, QRectF]:
    """Return the crosshair's labels on the value axis and the time axis; empty without a crosshair."""
    cross, styles, layout = scene.crosshair, scene.styles, scene.layout
    if cross is None:
        return QRectF(), QRectF()
    height = styles.small.height + 2 * _LABEL_MARGIN_PX
    value = QRectF(layout.value_axis.left(), cross.y - height / 2, layout.value_axis.width(), height)
    return value, time_label_rect(scene, cross)


def time_label_rect(scene: Scene, at: Crosshair | TimeGuide | None) -> QRectF:
    """Return the label of a crosshair's time, or of a guide's, on the time axis; empty without one."""
    if at is None:
        return QRectF()
    layout = scene.layout
    width = scene.styles.small.width(at.time_text) + 2 * LABEL_PADDING_PX
    left = max(0.0, min(scene.time_scale.x_of(at.slot) - width / 2, layout.panes.width() - width))
    return QRectF(left, layout.time_axis.top(), width, layout.time_axis.height())


class _Axis(SceneItem):
    """One axis in its part of the scene's layout: a hairline, and labels beside it."""

    title = "an axis"

    @property
    @abstractmethod
    def _rect(self) -> QRectF:
        """The axis's area, in the view's logical pixels."""

    def boundingRect(self) -> QRectF:
        return self._rect

    def _draw(self, painter: QPainter, pixels: DevicePixels) -> None:
        if self._rect.isEmpty() or not self._scene.is_exposed(self._rect):
            return
        painter.setClipRect(pixels.rect(self._rect))
        self._paint_line(painter, pixels)
        self._paint_labels(painter, pixels)
        pixels.device()

    @abstractmethod
    def _paint_line(self, painter: QPainter, pixels: DevicePixels) -> None:
        """Paint the hairline between the axis and the panes, in device pixels."""

    @abstractmethod
    def _paint_labels(self, painter: QPainter, pixels: DevicePixels) -> None:
        """Paint the grid's labels, and over them those of last price and crosshair."""


def _fill(painter: QPainter, pixels: DevicePixels, rect: QRectF, colour: QColor) -> None:
    pixels.device()
    painter.fillRect(pixels.rect(rect), colour)
    pixels.logical()


class ValueAxis(_Axis):
    """The panes' value axes, at the right."""

    @property
    def _rect(self) -> QRectF:
        return self._scene.layout.value_axis

    def _paint_line(self, painter: QPainter, pixels: DevicePixels) -> None:
        rect = pixels.rect(self._rect)
        scene, line, colour = self._scene, pixels.line, self._scene.colours.line
        painter.fillRect(rect.left(), rect.top(), line, rect.height(), colour)
        for _, pane in scene.separated:
            painter.fillRect(rect.left(), pixels.y(pane.rect.bottom()) - line // 2, rect.width(), line, colour)

    def _paint_labels(self, painter: QPainter, pixels: DevicePixels) -> None:
        scene = self._scene
        last, (cross, _) = last_price_rect(scene), crosshair_label_rects(scene)
        pixels.logical()
        marks = [mark for pane in scene.panes for mark in self._grid_labels(pane, last, cross)]
        scene.styles.small.draw_all(painter, pixels, marks, scene.colours.dim)
        for pane in scene.panes:
            self._paint_auto_button(painter, pixels, pane)
        self._paint_gutter(painter, pixels)
        self._paint_axis_labels(painter, pixels)
        if scene.alert_lines is not None:
            scene.alert_lines.paint_labels(painter, pixels)
        if scene.crosshair is not None:
            _fill(painter, pixels, cross, scene.colours.label)
            self._draw_right(painter, pixels, scene.crosshair.value_text, cross.center().y(), scene.colours.text)
        if not last.isEmpty():
            self._paint_last(painter, pixels, last)

    def _grid_labels(self, pane: Pane, last: QRectF, cross: QRectF) -> list[PlacedText]:
        """Return the pane's grid labels, except those that would overlap another label."""
        style, right = self._scene.styles.small, self._rect.right() - LABEL_PADDING_PX
        reach, exposed = style.height / 2, self._scene.exposed_part(self._rect)
        first = max(pane.rect.top() + reach, exposed.top() - reach)
        end = min(pane.rect.bottom() - reach, exposed.bottom() + reach)
        labels = (last, cross, auto_button_rect(self._scene, pane), *(label.rect for label in pane.labels))
        if pane is self._scene.price and self._scene.alert_lines is not None:
            labels = (*labels, *self._scene.alert_lines.areas())
        covered = [(rect.top() - reach, rect.bottom() + reach) for rect in labels if not rect.isEmpty()]
        return [
            (tick.text, right - style.width(tick.text), y)
            for tick, y in zip(pane.ticks, pane.tick_ys.tolist(), strict=True)
            if first <= y <= end and not any(above < y < below for above, below in covered)
        ]

    def _paint_auto_button(self, painter: QPainter, pixels: DevicePixels, pane: Pane) -> None:
        rect, scene = auto_button_rect(self._scene, pane), self._scene
        if not rect.isEmpty() and scene.is_exposed(rect):
            _fill(painter, pixels, rect, scene.colours.label)
            x = rect.left() + LABEL_PADDING_PX / 2
            scene.styles.tiny.draw(painter, pixels, AUTO_TEXT, x, rect.center().y(), scene.colours.text)

    def _paint_axis_labels(self, painter: QPainter, pixels: DevicePixels) -> None:
        """Paint the indicators' labels: all backgrounds, then the texts by colour, as switching pens is slow."""
        style, right = self._scene.styles.small, self._rect.right() - LABEL_PADDING_PX
        labels = [label for pane in self._scene.panes for label in pane.labels]
        if not labels:
            return
        pixels.device()
        by_ink: dict[int, tuple[QColor, list[PlacedText]]] = {}
        for label in labels:
            painter.fillRect(pixels.rect(label.rect), label.ground)
            placed = label.text, right - style.width(label.text), label.rect.center().y()
            by_ink.setdefault(label.ink.rgb(), (label.ink, []))[1].append(placed)
        pixels.logical()
        for ink, texts in by_ink.values():
            style.draw_all(painter, pixels, texts, ink)
        for label in labels:
            if label.value_y is None:
                self._paint_arrow(painter, pixels, label)

    def _paint_gutter(self, painter: QPainter, pixels: DevicePixels) -> None:
        """Paint the leaders from values to their labels, and the ticks of values without one."""
        left = self._rect.left()
        for pane in self._scene.panes:
            for label in pane.labels:
                if label.value_y is not None and self._scene.is_exposed(label.area):
                    ends = ((left, label.value_y), (label.rect.left(), label.rect.center().y()))
                    self._stroke(painter, pixels, label.ground, ends)
            for mark in pane.gutter_marks:
                _fill(painter, pixels, QRectF(left, mark.area.top() + 1, _MARK_PX, mark.area.height() - 2), mark.colour)

    def _paint_arrow(self, painter: QPainter, pixels: DevicePixels, label: AxisLabel) -> None:
        """Paint the arrow of a label whose value is out of view: it points to where the value is."""
        middle, size = label.rect.center().y(), _ARROW_PX * (-1 if label.is_high else 1)
        x = label.rect.left() + 3 + _ARROW_PX
        points = ((x - _ARROW_PX, middle - size / 2), (x, middle + size / 2), (x + _ARROW_PX, middle - size / 2))
        self._stroke(painter, pixels, label.ink, points)

    def _stroke(
        self, painter: QPainter, pixels: DevicePixels, colour: QColor, points: Iterable[tuple[float, float]]
    ) -> None:
        scale = pixels.scale
        pixels.device()
        line = QPolygonF([QPointF(x * scale + pixels.dx, y * scale + pixels.dy) for x, y in points])
        stroke(painter, colour, line, _LEADER_PX * scale)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        pixels.logical()

    def _paint_last(self, painter: QPainter, pixels: DevicePixels, rect: QRectF) -> None:
        scene = self._scene
        colours, styles = scene.colours, scene.styles
        rising = scene.last_is_rising
        ground, ink = (colours.rising, colours.on_rising) if rising else (colours.falling, colours.on_falling)
        if not scene.is_live:
            ground, ink = colours.label, colours.dim
        _fill(painter, pixels, rect, ground)
        price_line = _price_line(scene, rect)
        self._draw_right(painter, pixels, scene.last_text, price_line.center().y(), ink, bold=True)
        if scene.countdown:
            y = price_line.bottom() + styles.tiny.height / 2
            x = self._rect.right() - LABEL_PADDING_PX - styles.tiny.width(scene.countdown)
            styles.tiny.draw(painter, pixels, scene.countdown, x, y, ink)

    def _draw_right(
        self, painter: QPainter, pixels: DevicePixels, text: str, y: float, colour: QColor, *, bold: bool = False
    ) -> None:
        style = self._scene.styles.small_bold if bold else self._scene.styles.small
        style.draw(painter, pixels, text, self._rect.right() - LABEL_PADDING_PX - style.width(text), y, colour)


class TimeAxis(_Axis):
    """The time axis, at the bottom."""

    @property
    def _rect(self) -> QRectF:
        return self._scene.layout.time_axis

    def _paint_line(self, painter: QPainter, pixels: DevicePixels) -> None:
        rect, panes = pixels.rect(self._rect), self._scene.layout.panes
        colour, line = self._scene.colours.line, pixels.line
        painter.fillRect(rect.left(), rect.top(), rect.width(), line, colour)
        painter.fillRect(pixels.x(panes.right()), rect.top(), line, rect.height(), colour)

    def _paint_labels(self, painter: QPainter, pixels: DevicePixels) -> None:
        scene, styles = self._scene, self._scene.styles
        at = scene.crosshair or scene.guide
        cross = time_label_rect(scene, at)
        middle, right = self._rect.center().y(), scene.layout.panes.right()
        pixels.logical()
        texts: tuple[list[PlacedText], list[PlacedText]] = [], []
        for tick, x in zip(scene.time_ticks, scene.tick_xs.tolist(), strict=True):
            width = (styles.small_bold if tick.bold else styles.small).width(tick.text)
            left = x - width / 2
            if left >= 0 and left + width <= right and not (left < cross.right() and left + width > cross.left()):
                texts[tick.bold].append((tick.text, left, middle))
        styles.small.draw_all(painter, pixels, texts[False], scene.colours.dim)
        styles.small_bold.draw_all(painter, pixels, texts[True], scene.colours.text)
        if at is not None:
            _fill(painter, pixels, cross, scene.colours.label)
            x = cross.left() + LABEL_PADDING_PX
            styles.small.draw(painter, pixels, at.time_text, x, middle, scene.colours.text)
