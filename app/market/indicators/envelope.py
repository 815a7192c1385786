"""
Keeps an indicator's values at coarse levels of detail: first, lowest, highest and last value of each block.

Blocks belong to slots, as in `app.market.series.detail_levels`. Only every fourth power of two is stored, so a million
values need about a fifth more memory. Levels in between are folded on request, at most eight blocks into one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.series.columns import SeriesColumns
from app.market.series.detail_levels import add_span
from app.market.series.series import BarColumns

Values = NDArray[np.float64]
_STEP = 4
_NONE, _NO_FLAGS = np.empty(0), np.empty(0, np.uint8)
_PARTS = ("open", "high", "low", "close")


class Envelope:
    """The levels above the columns ``names`` of ``base``. A block is NaN only if all its values are."""

    def __init__(self, base: SeriesColumns, names: tuple[str, ...]) -> None:
        self._base, self._names = base, names
        self._kinds: dict[str, type] = {"slot": np.int64}
        self._kinds |= {f"{name}.{part}": np.float64 for name in names for part in _PARTS}
        self._levels: list[SeriesColumns] = []
        self._stale: list[list[tuple[int, int]]] = []

    def reset(self) -> None:
        """Drop all levels, because the base was replaced."""
        self._levels.clear()
        self._stale.clear()

    def touch(self, first_slot: int, last_slot: int) -> None:
        """Mark the values between these slots, inclusive, as changed or new."""
        for spans in self._stale:
            add_span(spans, first_slot, last_slot)

    def between(
        self, name: str, slots: NDArray[np.int64], first_slot: int, last_slot: int, level: int = 0
    ) -> BarColumns:
        """Return the values of the blocks that touch these slots, inclusive; ``slots``: those of the base's rows."""
        stored = min(level // _STEP, 8)
        blocks, parts = self._source(name, slots, stored)
        shift = level - stored * _STEP
        first, last = first_slot >> level << shift, ((last_slot >> level) + 1 << shift) - 1
        rows = slice(int(np.searchsorted(blocks, first)), int(np.searchsorted(blocks, last, side="right")))
        if not shift:
            shown = [part[rows] for part in parts]
            return _bars(1 << level, blocks[rows] << level, shown)
        blocks = blocks[rows] >> shift
        starts = _starts(blocks)
        return _bars(1 << level, blocks[starts] << level, _folded([part[rows] for part in parts], starts))

    def _source(self, name: str, slots: NDArray[np.int64], stored: int) -> tuple[NDArray[np.int64], list[Values]]:
        """Return the block numbers and the parts of a stored level, up to date."""
        for at in range(stored):
            if at == len(self._levels):
                self._levels.append(SeriesColumns(self._kinds))
                self._stale.append([(int(slots[0]), int(slots[-1]))] if len(slots) else [])
            spans, self._stale[at] = self._stale[at], []
            for first_slot, last_slot in spans:
                self._refold(at, slots, first_slot >> _STEP * (at + 1), last_slot >> _STEP * (at + 1))
        if not stored:
            return slots, [self._base[name]] * 4
        level = self._levels[stored - 1]
        return level["slot"], [level[f"{name}.{part}"] for part in _PARTS]

    def _refold(self, at: int, slots: NDArray[np.int64], first_block: int, last_block: int) -> None:
        """Build the blocks ``first_block`` to ``last_block`` of a level from the one below."""
        level = self._levels[at]
        below: Any = slots if at == 0 else self._levels[at - 1]["slot"]
        rows = slice(*np.searchsorted(below, (first_block << _STEP, last_block + 1 << _STEP)).tolist())
        blocks = below[rows] >> _STEP
        starts = _starts(blocks)
        first = int(np.searchsorted(level["slot"], first_block))
        stop = int(np.searchsorted(level["slot"], last_block, side="right"))
        level.splice(first, stop - first, len(starts))
        made = slice(first, first + len(starts))
        level["slot"][made] = blocks[starts]
        for name in self._names:
            parts = [self._base[name]] * 4
            if at:
                parts = [self._levels[at - 1][f"{name}.{part}"] for part in _PARTS]
            for part, column in zip(_PARTS, _folded([one[rows] for one in parts], starts), strict=True):
                level[f"{name}.{part}"][made] = column


def _starts(blocks: NDArray[np.int64]) -> NDArray[np.intp]:
    if not len(blocks):
        return np.empty(0, np.intp)
    return np.flatnonzero(np.concatenate(([True], blocks[1:] != blocks[:-1])))


def _folded(parts: list[Values], starts: NDArray[np.intp]) -> list[Values]:
    """Return the first, highest, lowest and last values of the blocks that begin at these rows."""
    open_, high, low, close = parts
    if not len(starts):
        return [_NONE] * 4
    ends = np.concatenate((starts[1:], [len(close)])) - 1
    highest, lowest = np.fmax.reduceat(high, starts), np.fmin.reduceat(low, starts)
    first, last = open_[starts], close[ends]
    # A block whose first or last value is NaN is drawn from its lowest or to its highest.
    return [np.where(np.isnan(first), lowest, first), highest, lowest, np.where(np.isnan(last), highest, last)]


def _bars(span: int, slots: NDArray[np.int64], parts: list[Values]) -> BarColumns:
    open_, high, low, close = parts
    return BarColumns(span, slots, open_, high, low, close, _NONE, _NO_FLAGS, _NONE)
