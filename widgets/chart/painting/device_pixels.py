"""
Primitives for painting in device pixels.

Everything sharp on the chart is a rectangle of whole device pixels: no antialiasing, no pens, no rounding by Qt, which
would blur or shift lines at fractional scales. A `RectBuffer` passes rectangles from numpy to Qt without a Python loop:
a preallocated int32 array has the memory layout of QRects (x1, y1, x2, y2, inclusive) and is wrapped as a QRect once;
drawRects() then takes the pointer and a count.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import shiboken6
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPixmap, QPolygonF, QTransform

# Device pixels. For lines up to 1 px Qt has a fast cosmetic stroker; wider ones become filled outlines, several times
# slower. So up to these widths a line is composed of three or five thin ones.
_WIDEST_OF_THREE, _WIDEST_OF_FIVE = 1.7, 3.3


def stroke(painter: QPainter, colour: QColor, line: QPolygonF, width: float) -> None:
    """
    Draw a line through points, ``width`` device pixels wide; a single point becomes a dot.

    Leaves antialiasing on, as several strokes usually follow each other, and may leave ``line`` translated.
    """
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    offsets = offsets_of(width) if line.count() > 1 else ()
    if not offsets:
        pen = QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        if line.count() > 1:
            painter.drawPolyline(line)
        else:
            painter.drawPoints(line)
        return
    painter.setPen(QPen(colour, 1.0))
    before = QPointF()
    for offset in offsets:
        line.translate(offset - before)
        painter.drawPolyline(line)
        before = offset


def stroke_pieces(painter: QPainter, colour: QColor, pieces: NDArray[np.float64], width: float) -> None:
    """Draw straight pieces, rows of x1, y1, x2, y2, as `stroke` draws a line."""
    if not len(pieces):
        return
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    offsets = offsets_of(width)
    # Flat ends where a dash is one piece of several; round ones close the corners between pieces of wide lines.
    cap = Qt.PenCapStyle.FlatCap if offsets else Qt.PenCapStyle.RoundCap
    painter.setPen(QPen(colour, 1.0 if offsets else width, Qt.PenStyle.SolidLine, cap))
    for offset in offsets or (QPointF(),):
        moved = np.ascontiguousarray(pieces + np.array((offset.x(), offset.y()) * 2))
        first: Any = shiboken6.wrapInstance(moved.ctypes.data, QLineF)
        painter.drawLines(first, len(moved))


@lru_cache(maxsize=32)
def offsets_of(width: float) -> tuple[QPointF, ...]:
    """Return offsets at which 1 px lines together look ``width`` px wide; empty if Qt has to draw the line itself."""
    if width <= 1.05:
        return (QPointF(),)
    if width <= _WIDEST_OF_THREE:
        # The divisors were chosen to give as much colour as Qt's own lines, on average over all slopes.
        return tuple(_on_circle((width - 1) / 1.6, turn / 3 + 0.25) for turn in range(3))
    if width <= _WIDEST_OF_FIVE:
        return (QPointF(), *(_on_circle((width - 1) / 1.8, turn / 4) for turn in range(4)))
    return ()


def _on_circle(radius: float, turn: float) -> QPointF:
    return QPointF(radius * math.cos(turn * math.tau), radius * math.sin(turn * math.tau))


_FIRST_CAPACITY = 4096
_MOST_STRIPS = 16


class RectBuffer:
    """Draws many rectangles of one colour with one call. Keep it between paints: its array is reused."""

    def __init__(self) -> None:
        self._allocate(_FIRST_CAPACITY)

    def draw(
        self,
        painter: QPainter,
        colour: QColor | QBrush,
        x1: ArrayLike,
        y1: ArrayLike,
        x2: ArrayLike,
        y2: ArrayLike,
        count: int,
    ) -> None:
        """Fill ``count`` rectangles, corners inclusive, in the painter's coordinates. Each side: array or scalar."""
        if count > 0:
            rects = self._room(count)
            rects[:, 0], rects[:, 1], rects[:, 2], rects[:, 3] = x1, y1, x2, y2
            self._paint(painter, colour, count)

    def fill(self, painter: QPainter, colour: QColor | QBrush, rects: NDArray[np.int32]) -> None:
        """Fill rectangles given as rows of left, top, right, bottom, corners inclusive."""
        if len(rects):
            self._room(len(rects))[:] = rects
            self._paint(painter, colour, len(rects))

    def _room(self, count: int) -> NDArray[np.int32]:
        if count > len(self._rects):
            self._allocate(2 * count)
        return self._rects[:count]

    def _paint(self, painter: QPainter, colour: QColor | QBrush, count: int) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRects(self._first, count)

    def _allocate(self, capacity: int) -> None:
        self._rects = np.zeros((capacity, 4), np.int32)
        self._first: Any = shiboken6.wrapInstance(self._rects.ctypes.data, QRect)


class Dashes:
    """Dashed hairlines as cached pixmaps: copying one is several times faster than filling every dash."""

    def __init__(self) -> None:
        self._strips: dict[tuple[int, int, int, int, bool], QPixmap] = {}

    def across(self, colour: QColor, dash: tuple[int, int], line: int, length: int) -> QPixmap:
        """Return a horizontal line, ``line`` thick. ``dash``: the length of a dash, and the distance between starts."""
        return self._strip(colour, dash, line, length, upright=False)

    def down(self, colour: QColor, dash: tuple[int, int], line: int, length: int) -> QPixmap:
        """Return a vertical line; see `across`."""
        return self._strip(colour, dash, line, length, upright=True)

    def _strip(self, colour: QColor, dash: tuple[int, int], line: int, length: int, *, upright: bool) -> QPixmap:
        key = colour.rgba(), dash[0], line, length, upright
        strip = self._strips.get(key)
        if strip is None:
            if len(self._strips) >= _MOST_STRIPS:
                self._strips.clear()
            strip = self._strips[key] = _dashed(colour, dash, line, length, upright=upright)
        return strip


def _dashed(colour: QColor, dash: tuple[int, int], line: int, length: int, *, upright: bool) -> QPixmap:
    strip = QPixmap(*((line, length) if upright else (length, line)))
    strip.fill(Qt.GlobalColor.transparent)
    painter = QPainter(strip)
    for start in range(0, length, dash[1]):
        painter.fillRect(*((0, start, line, dash[0]) if upright else (start, 0, dash[0], line)), colour)
    painter.end()
    return strip


class DevicePixels:
    """
    Converts the view's logical pixels to device pixels during one paint.

    Creating one switches the painter to device pixels; `logical` switches back, for text, which Qt places in logical
    pixels.
    """

    def __init__(self, painter: QPainter) -> None:
        self._painter = painter
        self._world = painter.worldTransform()
        device = painter.deviceTransform()
        self.scale, self.dx, self.dy = device.m11(), device.dx(), device.dy()
        # world * rest = device, so world' = device⁻¹ * world makes world' * rest the identity.
        inverse, _ = device.inverted()
        self._identity: QTransform = inverse * self._world
        self.line = max(1, int(self.scale))  # a hairline, in device pixels
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setWorldTransform(self._identity)

    def x(self, x: float) -> int:
        return round(x * self.scale + self.dx)

    def y(self, y: float) -> int:
        return round(y * self.scale + self.dy)

    def hairline(self, centre: float) -> int:
        """Return the first row or column of a hairline centred on ``centre``, in device pixels."""
        return math.floor(centre - self.line / 2 + 0.5)

    def hairlines(self, centres: NDArray[np.float64], origin: float) -> NDArray[np.int32]:
        """Return the first pixels of hairlines at ``centres``, logical pixels from the device pixel ``origin``."""
        return np.floor(centres * self.scale + (origin - self.line / 2 + 0.5)).astype(np.int32)

    def rect(self, rect: QRectF) -> QRect:
        left, top = self.x(rect.left()), self.y(rect.top())
        return QRect(left, top, self.x(rect.right()) - left, self.y(rect.bottom()) - top)

    def logical(self) -> None:
        self._painter.setWorldTransform(self._world)

    def device(self) -> None:
        self._painter.setWorldTransform(self._identity)


def mixed(base: str | QColor, over: str | QColor, share: float) -> QColor:
    """Return ``over`` on ``base`` with opacity ``share``, as an opaque colour, which fills several times faster."""
    low, high = QColor(base), QColor(over)
    parts = ((low.red(), high.red()), (low.green(), high.green()), (low.blue(), high.blue()))
    return QColor(*(round(under + (top - under) * share) for under, top in parts))


def contrast(one: QColor, other: QColor) -> float:
    """Return the contrast ratio of two colours, from 1 to 21, as defined by WCAG 2."""
    lower, higher = sorted(_luminance(colour) for colour in (one, other))
    return (higher + 0.05) / (lower + 0.05)


def _luminance(colour: QColor) -> float:
    parts = (colour.redF(), colour.greenF(), colour.blueF())
    linear = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
