"""
Named numpy columns of equal length that grow at both ends.

Rows move only where a row is put between others, and then the shorter side moves; at both ends there is room in
reserve, doubled when it runs out, so adding n rows one by one costs O(n) in all. Long columns move to larger arrays one
by one, a column each time that rows are added, while there still is room: a million rows moved at once would hold up a
frame for as long as ten take.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIRST_CAPACITY = 1024
_LONG = 1 << 16  # rows, which are moved in a few milliseconds


class SeriesColumns:
    """
    Rows ``start`` to ``end`` (exclusive) of ``arrays`` are the data; what lies outside is room in reserve.

    The arrays are equally long, whichever of them have moved already: those show of theirs what the others have, too.
    """

    __slots__ = ("_kinds", "_larger", "_more", "arrays", "end", "start")

    def __init__(self, kinds: Mapping[str, type]) -> None:
        self._kinds = kinds
        self.clear()

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a view of one column's data; valid until the next `splice` or `clear`."""
        return self.arrays[name][self.start : self.end]

    def clear(self, room: int = 0) -> None:
        """Drop all rows and make room for that many at the end; rows put there first hold zeros."""
        capacity = max(_FIRST_CAPACITY, room)
        # Zeros cost nothing until they are written over: the system hands them out page by page.
        self.arrays: dict[str, NDArray[Any]] = {name: np.zeros(capacity, kind) for name, kind in self._kinds.items()}
        self.start = self.end = 0
        self._larger: dict[str, NDArray[Any]] = {}  # of the columns that have moved, all they have room for
        self._more = 0, 0  # by how much that is more than ``arrays`` show, before them and behind

    def splice(self, at: int, removed: int, inserted: int) -> None:
        """
        Put ``inserted`` rows in the place of the ``removed`` ones at row ``at``.

        The caller writes the inserted rows next: until then they hold anything.
        """
        grown = inserted - removed
        if grown == 0:
            return
        if at < len(self) - at - removed:
            self._make_room(grown, 0)
            self._move(slice(self.start, self.start + at), -grown)
            self.start -= grown
        else:
            self._make_room(0, grown)
            self._move(slice(self.start + at + removed, self.end), grown)
            self.end += grown

    def _move(self, rows: slice, by: int) -> None:
        if rows.start == rows.stop:
            return
        for column in self.arrays.values():
            column[rows.start + by : rows.stop + by] = column[rows].copy()

    def _make_room(self, front: int, back: int) -> None:
        """Have room for so many rows, and begin early to have more."""
        turns = len(self._kinds) + 1
        if not self._has_room(front, back):
            self._enlarge(turns, front, back)
            if not self._has_room(front, back):  # what was under way was room at the other end
                self._enlarge(turns, front, back)
        elif self._larger or (len(self) > _LONG and not self._has_room(turns * front, turns * back)):
            self._enlarge(1, front, back)

    def _has_room(self, front: int, back: int) -> bool:
        return front <= self.start and self.end + back <= len(next(iter(self.arrays.values())))

    def _enlarge(self, columns: int, front: int, back: int) -> None:
        """Move so many columns to larger arrays; once all have, that room is there."""
        if not self._larger:
            doubled = max(_FIRST_CAPACITY, len(self))
            self._more = front + doubled if front > 0 else 0, back + doubled if back > 0 else 0
        before, behind = self._more
        for name in [name for name in self._kinds if name not in self._larger][:columns]:
            column = self.arrays[name]
            larger = self._larger[name] = np.zeros(before + len(column) + behind, self._kinds[name])
            self.arrays[name] = larger[before : before + len(column)]
            self.arrays[name][self.start : self.end] = column[self.start : self.end]
        if len(self._larger) == len(self._kinds):
            self.arrays, self._larger = self._larger, {}
            self.start, self.end = self.start + before, self.end + before
