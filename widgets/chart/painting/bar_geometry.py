"""
Columns and rows of bars, in device pixels. Computes with arrays and paints nothing.

Wicks are a hairline wide and exactly centred on their bodies, and all bodies of a frame are equally wide: the eye sees
a pixel's difference between neighbours. Bars too narrow for that, or standing for several slots, touch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect

from app.market.series.series import BarColumns
from widgets.chart.scales.time_scale import TimeScale
from widgets.chart.scales.value_scale import ValueScale

Pixels = NDArray[np.int32]
_TOUCHING_PX = 2.0  # device pixels per slot below which bars have no body
_BODY_SHARE = 0.82  # of the slot's width
_OUTSIDE_PX = 4  # the furthest row outside of a pane: int32 must hold it, and a hairline there must not show


class BarEdges(NamedTuple):
    """The first and last columns of bodies and wicks, both inclusive, in device pixels."""

    body_left: Pixels
    body_right: Pixels
    wick_left: Pixels
    wick_right: Pixels

    @property
    def are_narrow(self) -> bool:
        """Whether the bars are wicks without a body."""
        return self.body_left is self.wick_left


def bar_edges(bars: BarColumns, time_scale: TimeScale, pane: QRect, scale: float, line_px: int) -> BarEdges:
    """
    Return the edges of ``bars`` in ``pane``, device pixels.

    ``scale``: device pixels per logical pixel. ``line_px``: the width of a hairline.
    """
    axis, slot_px = time_scale.axis, time_scale.bar_px * scale
    start: NDArray[np.floating[Any]]
    width: float | NDArray[np.floating[Any]]
    if axis.is_plain:
        start, width = pane.left() + (bars.slot - (time_scale.left + 0.5)) * slot_px, bars.span * slot_px
    else:
        # A bar of several slots is as wide as those that are left on the axis.
        begin, end_at = (axis.all_at(bars.slot + (beyond - 0.5)) for beyond in (0, bars.span))
        start, width = pane.left() + (begin - time_scale.left) * slot_px, (end_at - begin) * slot_px
    if bars.span > 1 or slot_px < _TOUCHING_PX:
        first = np.floor(start).astype(np.int32)
        end = np.maximum(np.floor(start + width).astype(np.int32) - 1, first)
        return BarEdges(first, end, first, end)
    wick_px = min(line_px, max(1, int(slot_px / 4)))
    beside = max(0, int((slot_px * _BODY_SHARE - wick_px) / 2))
    wick_left = np.floor(start + (slot_px - wick_px) / 2 + 0.5).astype(np.int32)
    wick_right = wick_left + np.int32(wick_px - 1)
    return BarEdges(wick_left - np.int32(beside), wick_right + np.int32(beside), wick_left, wick_right)


def middles(edges: BarEdges) -> NDArray[np.float64]:
    """Return the bars' centres as x coordinates, where 0.5 is the centre of the first pixel."""
    return (edges.wick_left + edges.wick_right + 1) / 2.0


def rows_of(values: NDArray[np.float64], value_scale: ValueScale, pane: QRect) -> Pixels:
    """Return the rows of values in device pixels, clipped close to the pane. Values must not be NaN."""
    rows = value_scale.shares_of(values)
    rows *= pane.height()
    rows += pane.top()
    np.clip(rows, pane.top() - _OUTSIDE_PX, pane.top() + pane.height() + _OUTSIDE_PX, out=rows)
    return np.rint(rows, out=rows).astype(np.int32)
