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

_FRAGMENT_FIELDS = 10  # of QPainter.PixmapFragment: x and y of its middle, its source rectangle, scales, turn, opacity


@dataclass(slots=True, eq=False)
class Pictures:
    """
    Fills and lines in device pixels, from ``reach`` pixels before the pane on, for the axis position ``left``.

    ``ends``: of the value scale, as `ValueScale.ends` are. ``fills``: None where nothing is filled. ``is_quick``: lines
    are without antialiasing. ``ground``: the fills on the background, once `ground_on` was asked for it.
    """

    key: tuple[object, ...]
    left: float
    ends: tuple[float, float]
    reach: int
    fills: QPixmap | None
    lines: QPixmap
    is_quick: bool
    ground: QPixmap | None = None

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


class Shift(NamedTuple):
    """
    Where pictures go in a pane: ``left`` is the column of the picture at the pane's left edge.

    ``bands``: see `bands_of`.
    """

    pictures: Pictures
    left: int
    bands: NDArray[np.int64]

    def covers(self, area: QRect) -> bool:
        """Whether the pictures reach over all of the pane ``area``, in device pixels."""
        if not len(self.bands) or self.left < 0 or self.left + area.width() > self.pictures.lines.width():
            return False
        last_top, _, rows = self.bands[-1].tolist()
        return int(self.bands[0, 0]) == 0 and last_top + rows == area.height()

    def paint(self, painter: QPainter, area: QRect, picture: QPixmap | None) -> None:
        """Paint one of the pictures into the pane ``area``, in device pixels."""
        if picture is None or not len(self.bands):
            return
        if len(self.bands) == 1:
            ((top, source, rows),) = self.bands.tolist()
            painter.drawPixmap(area.left(), area.top() + top, picture, self.left, source, area.width(), rows)
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
