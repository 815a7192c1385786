"""
Pictures of many drawings, which a pan moves and a change of the axis stretches, without painting the drawings again.

Qt's own stretching goes pixel by pixel. A stretch by some percent leaves most rows beside the rows that they stood
beside, so the picture is copied in bands instead, all with one call: as fast as a whole copy, and with the same rows.

The copies wait for memory more than for the processor. So the fills are also kept on the background, as an opaque
picture: its copy stands for the pane's background and fills at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import shiboken6
from numpy.typing import NDArray
from PySide6.QtCore import QRect
from PySide6.QtGui import QColor, QImage, QPainter, QPixmap

from widgets.chart.drawings.figures import Figures
from widgets.chart.painting.text_cache import TextStyles
from widgets.theme.palettes import Palette

_FRAGMENT_FIELDS = 10  # of QPainter.PixmapFragment: x and y of its middle, its source rectangle, scales, turn, opacity


class PictureKey(NamedTuple):
    """What pictures are made for; ``place``: see `DrawingSet.place_key`."""

    figures: Figures
    place: tuple[object, ...]
    palette: Palette
    styles: TextStyles
    scale: float


@dataclass(slots=True, eq=False)
class Pictures:
    """
    Fills and lines in device pixels, from ``reach`` pixels before the pane on, for the axis position ``left``.

    ``ends``: of the value scale, as `ValueScale.ends` are. ``fills``: None where nothing is filled. ``is_quick``: lines
    are without antialiasing. ``ground``: the fills on the background, once `ground_on` was asked for it.
    """

    key: PictureKey
    left: float
    ends: tuple[float, float]
    reach: int
    fills: QPixmap | None
    lines: QPixmap
    is_quick: bool
    ground: QPixmap | None = None

    def is_same_but_for_place(self, key: PictureKey) -> bool:
        """Whether pictures for ``key`` have the same drawings in the same colours elsewhere, as after a zoom."""
        return self.key.place != key.place and self.key == key._replace(place=self.key.place)

    def ground_on(self, background: QColor) -> QPixmap | None:
        """Return the fills on a background, which is the same in each call; None where nothing is filled."""
        if self.ground is None and self.fills is not None:
            # Without an alpha channel, so that it is copied and not blended.
            image = QImage(self.fills.size(), QImage.Format.Format_RGB32)
            image.fill(background)
            painter = QPainter(image)
            painter.drawPixmap(0, 0, self.fills)
            painter.end()
            self.ground = QPixmap.fromImage(image)
        return self.ground


class Shift:
    """
    Where pictures go in a pane: ``left`` is the column of the picture at the left edge of the pane ``area``.

    ``bands``: see `bands_of`. All in device pixels.
    """

    def __init__(self, pictures: Pictures, left: int, bands: NDArray[np.int64], area: QRect) -> None:
        self.pictures, self._left, self._bands, self._area = pictures, left, bands, area
        self._fragments: NDArray[np.float64] | None = None  # the same for each of the pictures

    @property
    def rect(self) -> QRect:
        """The part of the pane that the pictures cover: all of it, or fewer rows where the axis shows more."""
        area, bands = self._area, self._bands
        if not len(bands) or self._left < 0 or self._left + area.width() > self.pictures.lines.width():
            return QRect()
        first, (last, _, rows) = int(bands[0, 0]), bands[-1].tolist()
        return QRect(area.left(), area.top() + first, area.width(), last + rows - first)

    def paint(self, painter: QPainter, picture: QPixmap | None) -> None:
        """Paint one of the pictures into the pane."""
        bands, area = self._bands, self._area
        if picture is None or not len(bands):
            return
        if len(bands) == 1:
            ((top, source, rows),) = bands.tolist()
            painter.drawPixmap(area.left(), area.top() + top, picture, self._left, source, area.width(), rows)
            return
        if self._fragments is None:
            self._fragments = _fragments_of(bands, self._left, area)
        # A list of fragments would take Python longer to make than Qt takes to paint them.
        first: Any = shiboken6.wrapInstance(self._fragments.ctypes.data, QPainter.PixmapFragment)
        painter.drawPixmapFragments(first, len(self._fragments), picture)


def _fragments_of(bands: NDArray[np.int64], left: int, area: QRect) -> NDArray[np.float64]:
    """Return rows of the fields of `QPainter.PixmapFragment`."""
    fragments = np.ones((len(bands), _FRAGMENT_FIELDS))
    tops, sources, rows = bands.T
    fragments[:, 0], fragments[:, 1] = area.left() + area.width() / 2, area.top() + tops + rows / 2
    fragments[:, 2], fragments[:, 3], fragments[:, 4], fragments[:, 5] = left, sources, area.width(), rows
    fragments[:, 8] = 0.0  # turned by
    return fragments


def bands_of(height: int, stretch: float, down: float) -> NDArray[np.int64]:
    """
    Return the bands of a picture as high as its pane, stretched by a factor, and moved down by a share of its height.

    A band is rows of the picture that stay beside each other: where they go, where they are in the picture, how many.
    Only what is in the pane; each row is the nearest one of the picture.
    """
    moved = round(down * height)
    if stretch == 1.0:
        top, end = max(moved, 0), min(moved + height, height)
        return np.array([(top, top - moved, end - top)] if top < end else [], np.int64).reshape(-1, 3)
    rows = np.arange(max(moved, 0), min(moved + max(round(stretch * height), 1), height))
    sources = np.minimum(((rows - moved + 0.5) / stretch).astype(np.int64), height - 1)
    begins = np.flatnonzero(np.diff(sources, prepend=-2) != 1)
    counts = np.diff(begins, append=len(rows))
    return np.stack((rows[begins], sources[begins], counts), axis=1)


def stretched(before: tuple[float, float], now: tuple[float, float], *, inverted: bool) -> tuple[float, float]:
    """Return by how much values are higher now than on an axis of other ends, and how far down, as shares of it."""
    span = now[1] - now[0]
    down = (before[0] - now[0] if inverted else now[1] - before[1]) / span
    return (before[1] - before[0]) / span, down
