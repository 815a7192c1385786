"""Painting of a measure: its area behind the candles, its frame and label above them."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from widgets.chart.model.measuring import Measure
from widgets.chart.painting.device_pixels import DevicePixels, mixed
from widgets.chart.painting.pane import Pane
from widgets.chart.painting.scene import Scene

_PADDING_PX, _DISTANCE_PX, _RADIUS_PX = 8.0, 8.0, 4.0
_REACH_PX = 2.0  # how far a hairline stands out of its rectangle


def measure_rects(scene: Scene, measure: Measure | None) -> list[QRectF]:
    """Return the rectangles that a measure covers, in the view's logical pixels."""
    pane = _pane(scene, measure)
    if measure is None or pane is None:
        return []
    area = _area(scene, pane, measure).adjusted(-_REACH_PX, -_REACH_PX, _REACH_PX, _REACH_PX)
    return [area & pane.rect, label_rect(scene, pane, measure).adjusted(-1, -1, 1, 1)]


def label_rect(scene: Scene, pane: Pane, measure: Measure) -> QRectF:
    """Return the label's rectangle: beyond the measure's end, kept within the pane."""
    style = scene.styles.small
    width = max((style.width(line) for line in measure.lines), default=0.0) + 2 * _PADDING_PX
    height = len(measure.lines) * style.height + _PADDING_PX
    area = _area(scene, pane, measure)
    upwards = measure.is_rising != pane.value_scale.inverted
    top = area.top() - height - _DISTANCE_PX if upwards else area.bottom() + _DISTANCE_PX
    left = area.center().x() - width / 2
    return QRectF(
        min(max(left, pane.rect.left()), pane.rect.right() - width),
        min(max(top, pane.rect.top()), pane.rect.bottom() - height),
        width,
        height,
    )


def paint_ground(painter: QPainter, pixels: DevicePixels, scene: Scene, pane: Pane) -> None:
    """Paint the measured area. It is opaque, and so comes before the grid and the candles."""
    measure = scene.measure
    if measure is not None and measure.pane == pane.key:
        colours = scene.colours
        painter.fillRect(_device_area(scene, pixels, pane, measure), mixed(colours.background, _colour(scene), 0.16))


def paint_measure(painter: QPainter, pixels: DevicePixels, scene: Scene) -> None:
    """Paint frame and label. The painter is in device pixels before and after."""
    measure, pane = scene.measure, _pane(scene, scene.measure)
    if measure is None or pane is None:
        return
    _paint_frame(painter, pixels, scene, pane, measure)
    rect = label_rect(scene, pane, measure)
    if measure.lines and scene.is_exposed(rect):
        pixels.logical()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_colour(scene))
        painter.drawRoundedRect(rect, _RADIUS_PX, _RADIUS_PX)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        style, middle = scene.styles.small, rect.top() + _PADDING_PX / 2 + scene.styles.small.height / 2
        ink = scene.colours.on_rising if measure.is_rising else scene.colours.on_falling
        for line in measure.lines:
            left = rect.center().x() - style.width(line) / 2
            style.draw(painter, pixels, line, left, middle, ink)
            middle += style.height
        pixels.device()


def _paint_frame(painter: QPainter, pixels: DevicePixels, scene: Scene, pane: Pane, measure: Measure) -> None:
    area, line, colour = _device_area(scene, pixels, pane, measure), pixels.line, _colour(scene)
    bounds = pixels.rect(pane.rect)
    start, end = (
        pixels.hairline(pane.y_of(one.value) * pixels.scale + pixels.dy) for one in (measure.start, measure.end)
    )
    for row in (start, end):
        if bounds.top() <= row < bounds.top() + bounds.height():
            painter.fillRect(area.left(), row, area.width(), line, colour)
    for column in (area.left(), area.left() + area.width() - line):
        painter.fillRect(column, area.top(), line, area.height(), colour)


def _pane(scene: Scene, measure: Measure | None) -> Pane | None:
    return next((pane for pane in scene.panes if measure is not None and pane.key == measure.pane), None)


def _colour(scene: Scene) -> QColor:
    rising = scene.measure is None or scene.measure.is_rising
    return scene.colours.rising if rising else scene.colours.falling


def _area(scene: Scene, pane: Pane, measure: Measure) -> QRectF:
    """Return the measured area within the pane, in logical pixels: between the centres of two candles."""
    xs = [scene.time_scale.x_of(slot) for slot in measure.slots]
    corners = QRectF(
        QPointF(xs[0], pane.y_of(measure.start.value)), QPointF(xs[1], pane.y_of(measure.end.value))
    ).normalized()
    return _within(corners, pane.rect)


def _within(area: QRectF, bounds: QRectF) -> QRectF:
    # A pixel beyond the bounds, so that the frame of a measure that reaches outside does not show at the edge.
    left, right = (min(max(x, bounds.left() - 1), bounds.right() + 1) for x in (area.left(), area.right()))
    top, bottom = (min(max(y, bounds.top() - 1), bounds.bottom() + 1) for y in (area.top(), area.bottom()))
    return QRectF(left, top, right - left, bottom - top)


def _device_area(scene: Scene, pixels: DevicePixels, pane: Pane, measure: Measure) -> QRect:
    rect = pixels.rect(_area(scene, pane, measure))
    return rect.adjusted(0, 0, max(0, pixels.line - rect.width()), max(0, pixels.line - rect.height()))
