"""
Where bars stand, in device pixels. Pure.

Wicks are one logical pixel wide and centred on bodies of odd width; all bodies of a frame are equally wide. Where a bar
is too narrow for that, or stands for several slots, bars touch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect

from app.market.series.series import BarColumns
from widgets.chart.scales.value_scale import ValueScale

Pixels = NDArray[np.int32]
_TOUCHING_PX = 2.0
_BODY_SHARE = 0.82
_OUTSIDE_PX = 4


class BarEdges(NamedTuple):
    """Where bars stand, both ends inclusive."""

    body_left: Pixels
    body_right: Pixels
    wick_left: Pixels
    wick_right: Pixels

    @property
    def are_narrow(self) -> bool:
        """Whether bars are only wicks."""
        return self.body_left is self.wick_left


def bar_edges(bars: BarColumns, left: float, pane: QRect, slot_px: float, line_px: int) -> BarEdges:
    """Return the columns of ``bars`` in a pane that begins at slot position ``left``, with ``slot_px`` to a slot."""
    start = pane.left() + (bars.slot - (left + 0.5)) * slot_px
    if bars.span > 1 or slot_px < _TOUCHING_PX:
        first = np.floor(start).astype(np.int32)
        end = np.maximum(np.floor(start + bars.span * slot_px).astype(np.int32) - 1, first)
        return BarEdges(first, end, first, end)
    wick_px = min(line_px, max(1, int(slot_px / 4)))
    beside = max(0, int((slot_px * _BODY_SHARE - wick_px) / 2))
    wick_left = np.floor(start + (slot_px - wick_px) / 2 + 0.5).astype(np.int32)
    wick_right = wick_left + np.int32(wick_px - 1)
    return BarEdges(wick_left - np.int32(beside), wick_right + np.int32(beside), wick_left, wick_right)


def middles(edges: BarEdges) -> NDArray[np.float64]:
    """Return the bars' middles, as positions between pixels."""
    return (edges.wick_left + edges.wick_right + 1) / 2.0


def rows_of(values: NDArray[np.float64], value_scale: ValueScale, pane: QRect) -> Pixels:
    """Return the rows of values; kept close to the pane. NaN has none: do not ask."""
    rows = value_scale.shares_of(values)
    rows *= pane.height()
    rows += pane.top()
    np.clip(rows, pane.top() - _OUTSIDE_PX, pane.top() + pane.height() + _OUTSIDE_PX, out=rows)
    return np.rint(rows, out=rows).astype(np.int32)
