"""Painting of the texts of drawings. The painter is in logical pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap

from app.market.drawings.drawing import DrawingKind
from widgets.chart.drawings.figures import View
from widgets.chart.drawings.label_layout import (
    BOX_PADDING_PX,
    MARGIN_PX,
    MarginRow,
    PlacedLabel,
    placed_in_margin,
    style_of,
)
from widgets.chart.drawings.line_painting import colour_of
from widgets.chart.drawings.shapes import Where
from widgets.chart.painting.colours import text_on
from widgets.chart.painting.day_shading import fill_ground
from widgets.chart.painting.device_pixels import DevicePixels
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.text_cache import PlacedText

_RADIUS_PX, _DOT_PX, _LEADER_INSET_PX = 4.0, 2.5, 12.0
_GROUND_LEFT_PX, _GROUND_RIGHT_PX = 4.0, 6.0  # of a label in the margin, beside its text
_MOST_PICTURES = 1024
_BOXED = (Where.NOTE, Where.RANGE)


def paint_labels(painter: QPainter, pixels: DevicePixels, scene: Scene, labels: Iterable[PlacedLabel]) -> None:
    """Paint labels, each over those before it."""
    colours: dict[str, QColor] = {}
    for placed in labels:
        where, rect = placed.label.where, placed.rect
        if placed.colour not in colours:
            colours[placed.colour] = colour_of(scene.palette, placed.colour)
        colour = colours[placed.colour]
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


class MarginPictures:
    """The labels in the right margin, which overlap no other: each text is painted once, and then copied."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._pictures: dict[tuple[str, str, DrawingKind], QPixmap] = {}

    def paint(
        self, painter: QPainter, pixels: DevicePixels, scene: Scene, rows: Sequence[MarginRow], view: View
    ) -> None:
        """Paint labels. The painter is in device pixels before and after."""
        is_shaded = _shading(scene, rows) if scene.day_bands else False
        if is_shaded is None:
            pixels.logical()
            _paint_margin_labels(painter, pixels, scene, placed_in_margin(scene, rows, view))
            pixels.device()
            return
        key = scene.palette, scene.styles, pixels.scale, is_shaded
        if key != self._key or len(self._pictures) > _MOST_PICTURES:
            self._key = key
            self._pictures.clear()
        right = pixels.x(scene.price.rect.left() + view.width - MARGIN_PX + _GROUND_RIGHT_PX)
        above = scene.styles.tiny.height / 2
        for row in rows:
            (drawing, label), y = row
            name = label.text, drawing.style.colour, drawing.kind
            picture = self._pictures.get(name)
            if picture is None:
                (placed,) = placed_in_margin(scene, [row], view)
                picture = self._pictures[name] = _label_picture(placed, pixels.scale, scene, is_shaded=is_shaded)
            painter.drawPixmap(right - picture.width(), pixels.y(y - above), picture)


def _shading(scene: Scene, rows: Sequence[MarginRow]) -> bool | None:
    """Return whether days are shaded behind these labels in the right margin; None: behind parts of them."""
    right, is_shaded = scene.price.rect.right(), False
    widest = max((scene.styles.tiny.width(label.text) for (_, label), _ in rows), default=0.0)
    left = right - MARGIN_PX - widest - _GROUND_LEFT_PX
    for start, end in scene.day_bands:
        first, last = scene.time_scale.x_of(start), scene.time_scale.x_of(end)
        if first < right and last > left:
            if first > left or last < right:
                return None
            is_shaded = True
    return is_shaded


def _label_picture(placed: PlacedLabel, scale: float, scene: Scene, *, is_shaded: bool) -> QPixmap:
    rect, style = placed.rect, style_of(scene, Where.MARGIN)
    width = rect.width() + _GROUND_LEFT_PX + _GROUND_RIGHT_PX
    picture = QPixmap(ceil(width * scale), ceil(rect.height() * scale))
    picture.setDevicePixelRatio(scale)
    picture.fill(scene.colours.shade if is_shaded else scene.colours.background)
    painter = QPainter(picture)
    pixels = DevicePixels(painter)
    pixels.logical()
    text = placed.label.text, _GROUND_LEFT_PX, rect.height() / 2
    style.draw_all(painter, pixels, [text], colour_of(scene.palette, placed.colour))
    painter.end()
    picture.setDevicePixelRatio(1.0)  # it is placed in device pixels
    return picture


def _paint_margin_labels(painter: QPainter, pixels: DevicePixels, scene: Scene, labels: Sequence[PlacedLabel]) -> None:
    """Paint labels that overlap no other: all their grounds, then the texts by colour, as switching pens is slow."""
    by_colour: dict[str, list[PlacedText]] = {}
    for placed in labels:
        rect = placed.rect
        fill_ground(painter, scene, rect.adjusted(-_GROUND_LEFT_PX, 0, _GROUND_RIGHT_PX, 0))
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
