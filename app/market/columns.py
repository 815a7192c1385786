"""
Named numpy columns of equal length that grow at both ends.

Rows move only where a row is put between others, and then the shorter side moves; at both ends there is room in
reserve, doubled when it runs out, so adding n rows one by one costs O(n) in all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIRST_CAPACITY = 1024


class Columns:
    """Rows ``start`` to ``end`` (exclusive) of ``arrays`` are the data; what lies outside is room in reserve."""

    __slots__ = ("_kinds", "arrays", "end", "start")

    def __init__(self, kinds: Mapping[str, type]) -> None:
        self._kinds = kinds
        self.start = self.end = 0
        self.arrays: dict[str, NDArray[Any]] = self._allocate(_FIRST_CAPACITY)

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a view of one column's data; valid until the next `splice` or `clear`."""
        return self.arrays[name][self.start : self.end]

    def clear(self, room: int = 0) -> None:
        """Drop all rows and make room for that many at the end; rows put there first hold zeros."""
        self.arrays = self._allocate(max(_FIRST_CAPACITY, room))
        self.start = self.end = 0

    def splice(self, at: int, removed: int, inserted: int) -> None:
        """
        Put ``inserted`` rows in the place of the ``removed`` ones at row ``at``.

        The caller writes the inserted rows next: until then they hold anything.
        """
        grown = inserted - removed
        if grown == 0:
            return
        if at < len(self) - at - removed:
            if self.start < grown:
                self._grow(front=grown + len(self), back=0)
            self._move(slice(self.start, self.start + at), -grown)
            self.start -= grown
        else:
            if self.end + grown > len(next(iter(self.arrays.values()))):
                self._grow(front=0, back=grown + max(_FIRST_CAPACITY, len(self)))
            self._move(slice(self.start + at + removed, self.end), grown)
            self.end += grown

    def _move(self, rows: slice, by: int) -> None:
        if rows.start == rows.stop:
            return
        for column in self.arrays.values():
            column[rows.start + by : rows.stop + by] = column[rows].copy()

    def _grow(self, *, front: int, back: int) -> None:
        length, back = len(self), back or len(next(iter(self.arrays.values()))) - self.end
        front = front or self.start
        grown = self._allocate(front + length + back)
        for name, column in self.arrays.items():
            grown[name][front : front + length] = column[self.start : self.end]
        self.arrays = grown
        self.start, self.end = front, front + length

    def _allocate(self, capacity: int) -> dict[str, NDArray[Any]]:
        # Zeros cost nothing until they are written over: the system hands them out page by page.
        return {name: np.zeros(capacity, kind) for name, kind in self._kinds.items()}
