"""
How a line is drawn: its width, solid or in dashes, and where along it the dashes are. Pure.

Dashes must stay where they are while the chart pans and while only a strip of it is painted. So they are counted from
slots: each block of slots has a whole number of dashes, and they stretch a little to make it one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTHS = (1.0, 1.5, 2.0, 3.0, 4.0)
"""The widths that the user can choose, in logical pixels."""
_USUAL_WIDTH = 1.5
_BLOCK_BITS = 5  # 32 slots: long enough for some dashes at any zoom, short enough to have some whole blocks in view


class LineDash(Enum):
    """Whether a line is solid; the values are stored on disk."""

    SOLID = "solid"
    DASHED = "dashed"
    DOTTED = "dotted"

    def pattern(self, width: float) -> tuple[float, float] | None:
        """Return the lengths of a dash and of the gap after it for a line ``width`` wide; None for a solid line."""
        if self is LineDash.DASHED:
            return 3 + 2 * width, 2 + 1.4 * width
        return (max(width, 1.0), 1.5 + 1.5 * width) if self is LineDash.DOTTED else None


@dataclass(frozen=True, slots=True)
class LineStyle:
    """``width``: in logical pixels, one of `WIDTHS`."""

    width: float = _USUAL_WIDTH
    dash: LineDash = LineDash.SOLID

    def to_values(self) -> dict[str, Any]:
        """Return plain values for a file."""
        return {"width": self.width, "dash": self.dash.value}

    @classmethod
    def from_values(cls, values: object, usual: LineStyle) -> LineStyle:
        """Restore the values of `to_values`; invalid ones become those of ``usual``."""
        known: Mapping[Any, Any] = values if isinstance(values, Mapping) else {}
        width, dash = known.get("width"), known.get("dash")
        dashes = {one.value: one for one in LineDash}
        is_known = isinstance(width, int | float) and not isinstance(width, bool) and width in WIDTHS
        return cls(
            float(width) if is_known and width is not None else usual.width,
            dashes.get(dash, usual.dash) if isinstance(dash, str) else usual.dash,
        )


SOLID_LINE = LineStyle()
DASHED_LINE = LineStyle(dash=LineDash.DASHED)


def dash_segments(
    xs: NDArray[np.float64], ys: NDArray[np.float64], slots: NDArray[np.int64], pattern: tuple[float, float]
) -> NDArray[np.float64]:
    """
    Return the dashes of the line through these points as straight pieces: rows of x1, y1, x2, y2, from left to right.

    ``slots``: one for each point, rising. ``pattern``: the lengths of a dash and of the gap after it, in the points'
    unit.
    """
    along = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(xs), np.diff(ys)))))
    if len(xs) < 2 or along[-1] <= 0:
        return np.empty((0, 4))
    share, period = pattern[0] / sum(pattern), sum(pattern)
    anchors, phases = _phases(along, slots, period)
    first, last = phases[0], phases[-1]
    whole = np.arange(np.floor(first), np.ceil(last) + 1)
    edges = np.concatenate((whole, whole + share))
    cuts = np.interp(edges[(edges > first) & (edges < last)], phases, anchors)
    at = np.sort(np.concatenate((along, cuts)))
    middles = np.interp((at[1:] + at[:-1]) / 2, anchors, phases)
    shown = (np.diff(at) > 1e-9) & (middles - np.floor(middles) < share)
    x, y = np.interp(at, along, xs), np.interp(at, along, ys)
    segments: NDArray[np.float64] = np.column_stack((x[:-1], y[:-1], x[1:], y[1:]))[shown]
    return segments


def _phases(
    along: NDArray[np.float64], slots: NDArray[np.int64], period: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lengths along a line and the number of dashes begun at each: linear in between, whole at blocks."""
    blocks = slots >> _BLOCK_BITS
    begins = np.flatnonzero(np.diff(blocks)) + 1
    if slots[0] == blocks[0] << _BLOCK_BITS:
        begins = np.concatenate(([0], begins))
    if not len(begins):
        return along[[0, -1]], np.array([0.0, along[-1] / period])
    anchors = along[begins]
    counts = np.maximum(np.rint(np.diff(anchors) / period), 1.0)
    phases = np.concatenate(([0.0], np.cumsum(counts)))
    if begins[0] > 0:
        anchors, phases = np.append(along[:1], anchors), np.append(-(anchors[0] - along[0]) / period, phases)
    if begins[-1] < len(along) - 1:
        anchors = np.append(anchors, along[-1])
        phases = np.append(phases, phases[-1] + (along[-1] - anchors[-2]) / period)
    return anchors, phases


def dash_bars(slots: NDArray[np.int64], span: int, bar_px: float, pattern: tuple[float, float]) -> NDArray[np.bool_]:
    """Return which bars of ``span`` slots, each ``bar_px`` wide, are in a dash, where bars are too many for a line."""
    shown: NDArray[np.bool_] = (slots // span * bar_px) % sum(pattern) < pattern[0]
    return shown
