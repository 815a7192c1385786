"""The labels of many drawings as columns, so that a frame finds those in view with a few operations of numpy. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.market.drawings.drawing import Drawing
from app.market.interval import Interval
from widgets.chart.drawings.figures import View, positions_of
from widgets.chart.drawings.shapes import Label, Shape, Where

LabelRow = tuple[Drawing, Label]


class LabelColumns:
    """
    The labels of drawings, in the order of painting.

    ``in_margin``: those in the right margin. ``at_points``: the others, which move with the candles.
    """

    def __init__(self, drawings: Sequence[Drawing], shapes: Sequence[Shape], interval: Interval) -> None:
        rows = [(drawing, label) for drawing, shape in zip(drawings, shapes, strict=True) for label in shape.labels]
        self.in_margin = _Columns([row for row in rows if row[1].where is Where.MARGIN], interval)
        self.at_points = _Columns([row for row in rows if row[1].where is not Where.MARGIN], interval)


class _Columns:
    def __init__(self, rows: list[LabelRow], interval: Interval) -> None:
        self.rows = rows
        times = np.array([(label.time_us, label.until_us) for _, label in rows], np.float64).reshape(-1, 2)
        self._positions = positions_of(interval, times)
        self._prices = np.array([label.price for _, label in rows], np.float64)
        texts = [label.text.split("\n") for _, label in rows]
        self.lengths = np.array([max(map(len, lines)) for lines in texts], np.float64)  # characters of the longest line
        self.heights = np.array([len(lines) for lines in texts], np.float64)  # lines

    def places(self, view: View) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the x of each, the x of the time until which it counts, and its y; logical pixels."""
        xs = view.xs(view.time_scale.axis.all_at(self._positions))
        return xs[:, 0], xs[:, 1], view.ys(self._prices)
