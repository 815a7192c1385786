"""Painting of the texts of drawings. The painter is in logical pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from widgets.chart.drawings.label_layout import BOX_PADDING_PX, PlacedLabel, style_of
from widgets.chart.drawings.line_painting import colour_of
from widgets.chart.drawings.shapes import Where
from widgets.chart.painting.colours import text_on
from widgets.chart.painting.day_shading import fill_ground
from widgets.chart.painting.device_pixels import DevicePixels
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.text_cache import PlacedText

_RADIUS_PX, _DOT_PX, _LEADER_INSET_PX = 4.0, 2.5, 12.0
_BOXED = (Where.NOTE, Where.RANGE)


def paint_labels(painter: QPainter, pixels: DevicePixels, scene: Scene, labels: Iterable[PlacedLabel]) -> None:
    """Paint labels, each over those before it."""
    for placed in labels:
        where, rect = placed.label.where, placed.rect
        colour = colour_of(scene.palette, placed.colour)
        if where is Where.NOTE:
            _paint_leader(painter, placed, colour)
            _paint_box(painter, rect, QColor(scene.palette.raised), colour)
            colour = scene.colours.text
        elif where is Where.RANGE:
            _paint_box(painter, rect, colour, colour)
            colour = text_on(colour)
        style, inset = style_of(scene, where), BOX_PADDING_PX if where in _BOXED else 0.0
        left, middle = rect.left() + inset, rect.top() + style.height / 2 + inset / 2
        texts = [(line, left, middle + number * style.height) for number, line in enumerate(placed.lines)]
        style.draw_all(painter, pixels, texts, colour)


def paint_margin_labels(painter: QPainter, pixels: DevicePixels, scene: Scene, labels: Sequence[PlacedLabel]) -> None:
    """Paint labels that overlap no other: all their grounds, then the texts by colour, as switching pens is slow."""
    by_colour: dict[str, list[PlacedText]] = {}
    for placed in labels:
        rect = placed.rect
        fill_ground(painter, scene, rect.adjusted(-4, 0, 6, 0))
        by_colour.setdefault(placed.colour, []).append((placed.label.text, rect.left(), rect.center().y()))
    for name, texts in by_colour.items():
        style_of(scene, Where.MARGIN).draw_all(painter, pixels, texts, colour_of(scene.palette, name))


def _paint_leader(painter: QPainter, placed: PlacedLabel, colour: QColor) -> None:
    """Paint a note's point, and the line from there to its box."""
    rect, point = placed.rect, placed.point
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(colour, 1.0))
    edge = rect.bottom() if rect.center().y() < point.y() else rect.top()
    x = min(max(point.x(), rect.left() + _LEADER_INSET_PX), rect.right() - _LEADER_INSET_PX)
    painter.drawLine(QPointF(x, edge), point)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawEllipse(point, _DOT_PX, _DOT_PX)


def _paint_box(painter: QPainter, rect: QRectF, ground: QColor, frame: QColor) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(frame, 1.0))
    painter.setBrush(ground)
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS_PX, _RADIUS_PX)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
