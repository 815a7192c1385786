"""Where the bells of drawings stand that alerts wait for: on a line of each, inside the pane."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF

from widgets.chart.drawings.drawing_set import Group
from widgets.chart.drawings.figures import View, inside_box
from widgets.chart.drawings.shapes import Where

BELL_PX = 9.0
"""A bell's height, and the radius of the disc that it stands on."""
_GAP_PX = 6.0  # to the pane's edges


def bell_places(group: Group, view: View, size: float) -> list[QPointF]:
    """
    Return the middle of a drawing's bell, for each of the group that is in view; logical pixels.

    It stands where the drawing ends, or leaves the pane, at the right; at the left for one with labels at the right.
    """
    projected = group.figures.project(view)
    inset = size + _GAP_PX
    box = (inset, view.top + inset, max(view.width - inset, inset), max(view.top + view.height - inset, inset))
    parts = (projected.slants, projected.levels, projected.uprights)
    pieces = np.concatenate([lines.pieces for lines in parts])
    owners = np.concatenate([lines.owners for lines in parts])
    x, y, dx, dy = pieces[:, 0], pieces[:, 1], pieces[:, 2] - pieces[:, 0], pieces[:, 3] - pieces[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = inside_box(x, y, dx, dy, np.zeros(len(x)), np.ones(len(x)), box)
    found = list[QPointF]()
    for owner, shape in enumerate(group.shapes):
        own = np.flatnonzero((owners == owner) & (low <= high))
        if not len(own):
            continue
        is_left = any(label.where is Where.MARGIN for label in shape.labels)
        shares = np.concatenate((low[own], high[own]))
        ends = np.tile(x[own], 2) + np.tile(dx[own], 2) * shares
        heights = np.tile(y[own], 2) + np.tile(dy[own], 2) * shares
        # Of several that far, the lowest: the legend is at the top.
        at = int(np.lexsort((-heights, ends if is_left else -ends))[0])
        found.append(QPointF(float(ends[at]), float(heights[at])))
    return found
