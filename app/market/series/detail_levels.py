"""
Keeps a series at every power of two, so that a million bars are drawn as fast as a hundred.

A block of level n covers the 2**n slots that share all but their last n bits: first open, highest high, lowest low,
last close, summed volume. Blocks belong to slots, not to rows, so prepending moves none of them. A level is built when
it is first requested. Changes only mark slots as stale; the next request updates them, which for a new last price is
one block per level.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.series.columns import SeriesColumns

_LEVEL_COLUMNS: dict[str, type] = {
    "slot": np.int64,
    "open": np.float64,
    "high": np.float64,
    "low": np.float64,
    "close": np.float64,
    "volume": np.float64,
    "flags": np.uint8,
    "taker_buy_volume": np.float64,
}
_MOST_STALE_SPANS = 8


class DetailLevels:
    """
    The levels above ``base``, which must have all columns of a level.

    In a level, the column ``slot`` holds block numbers (slot >> level), and ``flags`` those set for every bar.
    """

    def __init__(self, base: SeriesColumns) -> None:
        self._levels = [base]
        self._stale: list[list[tuple[int, int]]] = [[]]

    def reset(self) -> None:
        """Drop all levels, because the base was replaced."""
        del self._levels[1:], self._stale[1:]

    def touch(self, first_slot: int, last_slot: int) -> None:
        """Mark the bars between these slots, inclusive, as changed or new."""
        if len(self._levels) > 1:
            add_span(self._stale[1], first_slot, last_slot)

    def level(self, number: int) -> SeriesColumns:
        """Return the level, up to date; level 0 is the base. Valid until the series' next change."""
        for at in range(1, number + 1):
            if at == len(self._levels):
                self._levels.append(SeriesColumns(_LEVEL_COLUMNS))
                self._stale.append([])
                slots = self._levels[0]["slot"]
                if len(slots):
                    self._stale[at].append((int(slots[0]), int(slots[-1])))
            self._bring_up_to_date(at)
        return self._levels[number]

    def _bring_up_to_date(self, at: int) -> None:
        spans, self._stale[at] = self._stale[at], []
        for first_slot, last_slot in spans:
            _refold(self._levels[at - 1], self._levels[at], first_slot >> at, last_slot >> at)
            if at + 1 < len(self._levels):
                add_span(self._stale[at + 1], first_slot, last_slot)


def add_span(spans: list[tuple[int, int]], first: int, last: int) -> None:
    """Add slots ``first`` to ``last``, inclusive, to a short list of stale spans; too many become one."""
    if spans and first <= spans[-1][1] + 1 and last >= spans[-1][0] - 1:
        spans[-1] = (min(first, spans[-1][0]), max(last, spans[-1][1]))
    else:
        spans.append((first, last))
    if len(spans) > _MOST_STALE_SPANS:
        spans[:] = [(min(span[0] for span in spans), max(span[1] for span in spans))]


def _refold(below: SeriesColumns, level: SeriesColumns, first_block: int, last_block: int) -> None:
    """Build the blocks ``first_block`` to ``last_block`` of ``level`` from the level below."""
    below_slots = below["slot"]
    rows = slice(*np.searchsorted(below_slots, (2 * first_block, 2 * last_block + 2)).tolist())
    blocks = below_slots[rows] >> 1
    if not len(blocks):
        return
    starts = np.flatnonzero(np.concatenate(([True], blocks[1:] != blocks[:-1])))
    ends = np.concatenate((starts[1:] - 1, [len(blocks) - 1]))
    at = int(np.searchsorted(level["slot"], first_block))
    stop = int(np.searchsorted(level["slot"], last_block, side="right"))
    level.splice(at, stop - at, len(starts))
    for name, column in _folded(below, rows, starts, ends).items():
        level[name][at : at + len(starts)] = column
    level["slot"][at : at + len(starts)] = blocks[starts]


def _folded(
    below: SeriesColumns, rows: slice, starts: NDArray[np.intp], ends: NDArray[np.intp]
) -> dict[str, NDArray[Any]]:
    # A block has one or two bars, its first and its last: picking those is several times faster than reduceat.
    part = {name: below[name][rows] for name in _LEVEL_COLUMNS if name != "slot"}
    single = starts == ends

    def summed(name: str) -> NDArray[Any]:
        values: NDArray[Any] = part[name]
        return values[starts] + np.where(single, 0.0, values[ends])

    return {
        "open": part["open"][starts],
        "high": np.maximum(part["high"][starts], part["high"][ends]),
        "low": np.minimum(part["low"][starts], part["low"][ends]),
        "close": part["close"][ends],
        "volume": summed("volume"),
        "flags": part["flags"][starts] & part["flags"][ends],
        "taker_buy_volume": summed("taker_buy_volume"),
    }
