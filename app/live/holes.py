"""Which candles of a stretch a chart has neither got nor asked for yet. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.market.coverage import IdRanges


class Holes:
    """Remembers which slots were asked for: what an outage left out is not asked for again and again."""

    def __init__(self) -> None:
        self._asked = IdRanges()

    def forget(self) -> None:
        """Let everything be asked for again."""
        self._asked = IdRanges()

    def note_asked(self, first: int, last: int) -> None:
        """Note that all there is from slot ``first`` to ``last`` is there."""
        self._asked.add_range(first, last)

    def last(self, slots: NDArray[np.int64], first: int, last: int) -> tuple[int, int] | None:
        """
        Return the newest run of slots in ``first``..``last``, inclusive, that is neither in ``slots`` nor asked for.

        ``slots`` rise. None: there is no such run.
        """
        if last < first:
            return None
        low, high = np.searchsorted(slots, [first, last + 1])
        present = slots[low:high]
        if len(present) == last - first + 1:
            return None
        edges = np.concatenate(([first - 1], present, [last + 1]))
        for at in np.flatnonzero(np.diff(edges) > 1)[::-1].tolist():
            unasked = self._asked.missing(int(edges[at]) + 1, int(edges[at + 1]) - 1)
            if unasked:
                return unasked[-1]
        return None
