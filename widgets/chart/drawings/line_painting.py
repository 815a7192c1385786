"""
Painting of the lines of drawings: one call for all lines of a look.

Level and upright ones are whole rectangles of device pixels. Slanted ones cost most, as their antialiased pixels are
painted one by one; a quick paint leaves that out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import shiboken6
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QRect
from PySide6.QtGui import QColor, QPainter, QPen, QRegion

from widgets.chart.drawings.figures import Lines, Look, Projection
from widgets.chart.painting.colours import line_colour
from widgets.chart.painting.device_pixels import DevicePixels, RectBuffer, offsets_of, stroke_pieces
from widgets.theme.palettes import Palette

_REACH_PX = 4.0  # how far a line may stand out of its pieces


def colour_of(palette: Palette, name: str) -> QColor:
    """Return a colour of a drawing: ``#rrggbb``, or ``line:3`` for the theme's third line colour."""
    return line_colour(palette, int(name[5:]) - 1) if name.startswith("line:") else QColor(name)


class LineBrush(NamedTuple):
    """
    What lines are painted with. ``region``: what of the view is painted, logical pixels; None: all of it.

    ``is_quick``: without antialiasing.
    """

    painter: QPainter
    pixels: DevicePixels
    buffer: RectBuffer
    palette: Palette
    region: QRegion | None
    is_quick: bool

    def paint(self, projection: Projection, looks: list[Look]) -> None:
        """Paint the lines in view. Leaves antialiasing on or off."""
        colours = [colour_of(self.palette, look.colour) for look in looks]
        for lines in (projection.levels, projection.uprights):
            is_level = lines is projection.levels
            for number, rows in _by_look(lines, self._exposed_rows(lines)):
                self._paint_straight(looks[number], colours[number], lines, rows, is_level=is_level)
        lines = projection.slants
        for number, rows in _by_look(lines, self._exposed_rows(lines)):
            self._paint_slanted(looks[number], colours[number], lines, rows)

    def _exposed_rows(self, lines: Lines) -> NDArray[np.int64]:
        """Return the rows of the pieces that this paint may show a part of."""
        if self.region is None:
            return np.arange(len(lines.owners))
        shown, pieces = np.zeros(len(lines.owners), np.bool_), lines.pieces
        left, right = np.minimum(pieces[:, 0], pieces[:, 2]), np.maximum(pieces[:, 0], pieces[:, 2])
        top, bottom = np.minimum(pieces[:, 1], pieces[:, 3]), np.maximum(pieces[:, 1], pieces[:, 3])
        rects: Any = self.region
        for rect in rects:
            shown |= _touches(rect, left, top, right, bottom)
        return shown.nonzero()[0]

    def _paint_straight(
        self, look: Look, colour: QColor, lines: Lines, rows: NDArray[np.int64], *, is_level: bool
    ) -> None:
        pixels, pieces = self.pixels, lines.pieces[rows]
        pattern = look.dash.pattern(look.width)
        if pattern is not None:
            pieces = dashes_of(pieces, lines.phases[rows], pattern)
        thick = max(1, round(look.width * pixels.scale))
        corners = pieces * pixels.scale + np.array((pixels.dx, pixels.dy) * 2)
        along, across = (0, 1) if is_level else (1, 0)
        first = np.rint(corners[:, along]).astype(np.int32)
        last = np.maximum(np.rint(corners[:, along + 2]).astype(np.int32) - 1, first)
        begin = np.floor(corners[:, across] - thick / 2 + 0.5).astype(np.int32)
        sides = (first, begin, last, begin + (thick - 1)) if is_level else (begin, first, begin + (thick - 1), last)
        self.buffer.draw(self.painter, colour, *sides, len(pieces))

    def _paint_slanted(self, look: Look, colour: QColor, lines: Lines, rows: NDArray[np.int64]) -> None:
        painter, pixels, pieces = self.painter, self.pixels, lines.pieces[rows]
        pattern = look.dash.pattern(look.width)
        if pattern is not None:
            pieces = dashes_of(pieces, lines.phases[rows], pattern)
        pieces = np.ascontiguousarray(pieces * pixels.scale + np.array((pixels.dx, pixels.dy) * 2))
        width = look.width * pixels.scale
        if not self.is_quick:
            stroke_pieces(painter, colour, pieces, width)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        elif len(pieces):
            painter.setPen(QPen(colour, 1.0 if offsets_of(width) else round(width)))
            first: Any = shiboken6.wrapInstance(pieces.ctypes.data, QLineF)
            painter.drawLines(first, len(pieces))


def _touches(
    rect: QRect,
    left: NDArray[np.float64],
    top: NDArray[np.float64],
    right: NDArray[np.float64],
    bottom: NDArray[np.float64],
) -> NDArray[np.bool_]:
    across = (right >= rect.left() - _REACH_PX) & (left <= rect.right() + _REACH_PX)
    down = (bottom >= rect.top() - _REACH_PX) & (top <= rect.bottom() + _REACH_PX)
    return np.asarray(across & down, np.bool_)


def _by_look(lines: Lines, rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield the numbers of looks, and the rows of each. Lines are sorted by look."""
    looks = lines.looks[rows]
    begins = np.flatnonzero(np.diff(looks, prepend=-1)).tolist()
    for first, end in pairwise([*begins, len(rows)]):
        yield int(looks[first]), rows[first:end]


def dashes_of(
    pieces: NDArray[np.float64], phases: NDArray[np.float64], pattern: tuple[float, float]
) -> NDArray[np.float64]:
    """
    Return the dashes of straight pieces, rows of x1, y1, x2, y2.

    ``phases``: how far from the start of its line each piece begins. ``pattern``: the lengths of a dash and of the gap
    after it.
    """
    period = sum(pattern)
    by = pieces[:, 2:] - pieces[:, :2]
    lengths = np.hypot(by[:, 0], by[:, 1])
    first = np.floor(phases / period)
    counts = np.maximum(np.ceil((phases + lengths) / period) - first, 0).astype(np.int64)
    rows = np.repeat(np.arange(len(pieces)), counts)
    number = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    begins = (first[rows] + number) * period - phases[rows]
    ends = np.minimum(begins + pattern[0], lengths[rows])
    begins = np.maximum(begins, 0.0)
    shown = ends > begins
    rows, begins, ends = rows[shown], begins[shown], ends[shown]
    steps = by[rows] / lengths[rows, None]
    starts = pieces[rows, :2]
    dashes: NDArray[np.float64] = np.column_stack((starts + steps * begins[:, None], starts + steps * ends[:, None]))
    return dashes
