"""
Pictures of many drawings, which a pan moves and a change of the axis stretches, without painting the drawings again.

Qt's own stretching goes pixel by pixel. A stretch by some percent leaves most rows beside the rows that they stood
beside, so the picture is copied in bands instead, all with one call: as fast as a whole copy, and with the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import shiboken6
from numpy.typing import NDArray
from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter, QPixmap

_FRAGMENT_FIELDS = 10  # of QPainter.PixmapFragment: x and y of its middle, its source rectangle, scales, turn, opacity


@dataclass(slots=True, eq=False)
class Pictures:
    """
    Fills and lines in device pixels, from ``reach`` pixels before the pane on, for the axis position ``left``.

    ``ends``: of the value scale, as `ValueScale.ends` are. ``fills``: None where nothing is filled. ``is_quick``: lines
    are without antialiasing.
    """

    key: tuple[object, ...]
    left: float
    ends: tuple[float, float]
    reach: int
    fills: QPixmap | None
    lines: QPixmap
    is_quick: bool


class Shift(NamedTuple):
    """
    Where pictures go in a pane: ``left`` is the column of the picture at the pane's left edge.

    ``bands``: see `bands_of`.
    """

    pictures: Pictures
    left: int
    bands: NDArray[np.int64]

    def paint(self, painter: QPainter, area: QRect, picture: QPixmap | None) -> None:
        """Paint one of the pictures into the pane ``area``, in device pixels."""
        if picture is None or not len(self.bands):
            return
        fragments = np.ones((len(self.bands), _FRAGMENT_FIELDS))
        tops, sources, rows = self.bands.T
        fragments[:, 0], fragments[:, 1] = area.left() + area.width() / 2, area.top() + tops + rows / 2
        fragments[:, 2], fragments[:, 3], fragments[:, 4], fragments[:, 5] = self.left, sources, area.width(), rows
        fragments[:, 8] = 0.0  # turned by
        # A list of fragments would take Python longer to make than Qt takes to paint them.
        first: Any = shiboken6.wrapInstance(fragments.ctypes.data, QPainter.PixmapFragment)
        painter.drawPixmapFragments(first, len(fragments), picture)


def bands_of(height: int, stretch: float, down: float) -> NDArray[np.int64]:
    """
    Return the bands of a picture as high as its pane, stretched by a factor, and moved down by a share of its height.

    A band is rows of the picture that stay beside each other: where they go, where they are in the picture, how many.
    Only what is in the pane; each row is the nearest one of the picture.
    """
    moved = round(down * height)
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
