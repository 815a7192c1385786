"""Which drawing a position in the view is on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF

from app.market.drawings.drawing import Drawing
from widgets.chart.drawings.drawing_set import Group
from widgets.chart.drawings.figures import Lines, Projection
from widgets.chart.drawings.label_layout import PlacedLabel

REACH_PX = 6.0


def drawing_at(
    projections: Sequence[tuple[Group, Projection]], labels: Sequence[PlacedLabel], position: QPointF
) -> Drawing | None:
    """
    Return the drawing whose text or line is at a position in the view, the nearest within reach; None: there is none.

    Of several as near, it is the topmost. The inside of an area is no part of it: there, the chart can be dragged.
    """
    for placed in reversed(labels):
        if placed.rect.contains(position):
            return placed.drawing
    best, nearest = REACH_PX, None
    for group, projection in projections:
        for lines in (projection.slants, projection.levels, projection.uprights):
            away = distances(lines, position)
            if len(away) and away.min() <= best:
                best = float(away.min())
                owner = int(lines.owners[away <= best + 1e-9].max())
                nearest = group.drawings[owner]
    return nearest


def distances(lines: Lines, position: QPointF) -> NDArray[np.float64]:
    """Return how far each piece is from a position, in logical pixels."""
    start, by = lines.pieces[:, :2], lines.pieces[:, 2:] - lines.pieces[:, :2]
    away = np.array((position.x(), position.y())) - start
    lengths = (by * by).sum(axis=1)
    shares = np.clip((away * by).sum(axis=1) / np.maximum(lengths, 1e-12), 0.0, 1.0)
    missed = away - by * shares[:, None]
    return np.asarray(np.hypot(missed[:, 0], missed[:, 1]), np.float64)
