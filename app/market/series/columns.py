"""
Named numpy columns of equal length that grow at both ends.

Both ends have room in reserve, doubled when it runs out, so adding n rows one by one costs O(n) in all. A row between
others moves the shorter side. Long columns move to larger arrays early, one column per addition, while there still is
room: moving a million rows of all columns at once would take the time of ten frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIRST_CAPACITY = 1024
_LONG = 1 << 16  # rows; fewer are moved in a few milliseconds, all columns at once


class SeriesColumns:
    """
    The data are rows ``start`` to ``end`` (exclusive) of ``arrays``; the rows outside are room in reserve.

    All arrays have one length. A column that has moved to a larger array shows only the part that matches the others
    until they all have moved.
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
        """Drop all rows and make room for ``room`` rows at the end; they hold zeros."""
        capacity = max(_FIRST_CAPACITY, room)
        # np.zeros costs nothing until the memory is written: the system hands it out page by page.
        self.arrays: dict[str, NDArray[Any]] = {name: np.zeros(capacity, kind) for name, kind in self._kinds.items()}
        self.start = self.end = 0
        self._larger: dict[str, NDArray[Any]] = {}  # whole arrays of the columns that have moved
        self._more = 0, 0  # rows that these have more than ``arrays`` show, before and behind

    def splice(self, at: int, removed: int, inserted: int) -> None:
        """
        Replace ``removed`` rows at row ``at`` by ``inserted`` rows.

        The content of the inserted rows is undefined; write them next.
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
        """Ensure room for that many rows at each end, and begin early to get more."""
        turns = len(self._kinds) + 1
        if not self._has_room(front, back):
            self._enlarge(turns, front, back)
            if not self._has_room(front, back):  # the move under way made room at the other end
                self._enlarge(turns, front, back)
        elif self._larger or (len(self) > _LONG and not self._has_room(turns * front, turns * back)):
            self._enlarge(1, front, back)

    def _has_room(self, front: int, back: int) -> bool:
        return front <= self.start and self.end + back <= len(next(iter(self.arrays.values())))

    def _enlarge(self, columns: int, front: int, back: int) -> None:
        """Move up to ``columns`` columns to larger arrays; the room is there once all have moved."""
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
