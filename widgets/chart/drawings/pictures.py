"""
Pictures of many drawings, which a pan moves and a change of the axis stretches, without painting the drawings again.

Qt's own stretching goes pixel by pixel. A stretch by some percent leaves most rows beside the rows that they stood
beside, so the picture is copied in bands instead: as fast as a whole copy, and with the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter, QPixmap


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


class Band(NamedTuple):
    """Rows of a picture that stay beside each other: where they go, where they are in the picture, how many."""

    top: int
    source: int
    rows: int


class Shift(NamedTuple):
    """Where pictures go in a pane: ``left`` is the column of the picture at the pane's left edge."""

    pictures: Pictures
    left: int
    bands: list[Band]

    def paint(self, painter: QPainter, area: QRect, picture: QPixmap | None) -> None:
        """Paint one of the pictures into the pane ``area``, in device pixels."""
        if picture is not None:
            for top, source, rows in self.bands:
                painter.drawPixmap(area.left(), area.top() + top, picture, self.left, source, area.width(), rows)


def bands_of(height: int, stretch: float, down: float) -> list[Band]:
    """
    Return the bands of a picture as high as its pane, stretched by a factor, and moved down by a share of its height.

    Only what is in the pane; each row is the nearest one of the picture.
    """
    moved = round(down * height)
    rows = np.arange(max(moved, 0), min(moved + max(round(stretch * height), 1), height))
    if not len(rows):
        return []
    sources = np.minimum(((rows - moved + 0.5) / stretch).astype(np.int64), height - 1)
    begins = np.flatnonzero(np.diff(sources, prepend=-2) != 1)
    counts = np.diff(begins, append=len(rows))
    return list(map(Band, rows[begins].tolist(), sources[begins].tolist(), counts.tolist()))


def stretched(before: tuple[float, float], now: tuple[float, float], *, inverted: bool) -> tuple[float, float]:
    """Return by how much values are higher now than on an axis of other ends, and how far down, as shares of it."""
    span = now[1] - now[0]
    down = (before[0] - now[0] if inverted else now[1] - before[1]) / span
    return (before[1] - before[0]) / span, down
