"""
The newest windows of each phase, in place: what a calculation of the next windows begins with.

A column is a matrix with a row for each phase, so that the windows of a phase lie side by side, and the next ones are
written behind them. Nothing moves until the matrix is full; then windows that no calculation needs make room. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_SPARE = 64  # windows of a phase that fit beyond those needed, so that room is rarely made


class PhaseHistory:
    """
    Windows of ``phases`` phases, of each the newest; some ``expected`` of them are needed.

    Attributes:
        counts: how many windows of each phase are here.
        numbers: the number of each window within its phase, rising, a row for each phase; valid as far as ``counts``.
        columns: the figures ``names`` of the windows, in the same places.
    """

    def __init__(self, names: Sequence[str], phases: int, expected: int) -> None:
        self._expected = expected
        self.counts: Ints = np.zeros(phases, np.int64)
        self.numbers: NDArray[np.int32] = np.empty((phases, 0), np.int32)
        self.columns: dict[str, NDArray[np.float64]] = {name: np.empty((phases, 0)) for name in names}

    def add(
        self, phases: Ints, numbers: Ints, columns: Mapping[str, NDArray[Any]], needed_from: Callable[[], Ints]
    ) -> Ints:
        """
        Add windows, given by rising phase and number; return the place of each in its phase's row.

        ``needed_from`` returns the place of the first window that is still needed of each phase; those before may go.
        """
        more = np.bincount(phases, minlength=len(self.counts))
        if (self.counts + more).max(initial=0) > self.numbers.shape[1]:
            self._drop(needed_from())
            self._reserve(int((self.counts + more).max()))
        starts = np.cumsum(more) - more
        places: Ints = self.counts[phases] + np.arange(len(phases)) - starts[phases]
        self.numbers[phases, places] = numbers
        for name, matrix in self.columns.items():
            matrix[phases, places] = columns[name]
        self.counts += more
        return places

    def _drop(self, firsts: Ints) -> None:
        """Move each phase's windows from a place on to its begin."""
        for phase in np.flatnonzero(firsts).tolist():
            first, count = int(firsts[phase]), int(self.counts[phase])
            matrices: list[NDArray[Any]] = [self.numbers, *self.columns.values()]
            for matrix in matrices:
                matrix[phase, : count - first] = matrix[phase, first:count]
        self.counts -= firsts

    def _reserve(self, windows: int) -> None:
        """Have room for so many windows of a phase."""
        before = self.numbers.shape[1]
        if windows <= before:
            return
        room = max(windows, self._expected) + _SPARE
        if before:
            room = max(room, before + before // 4)
        self.numbers = _wider(self.numbers, room)
        for name in self.columns:  # one after another, so that one of them alone is there twice
            self.columns[name] = _wider(self.columns[name], room)


def _wider(matrix: NDArray[Any], room: int) -> NDArray[Any]:
    made = np.empty((len(matrix), room), matrix.dtype)
    made[:, : matrix.shape[1]] = matrix
    return made
