"""
An axis of time without closed time: slot positions to axis positions and back.

Slots number all time (see `app.market.interval`). The axis counts the slots that are left once closed ones are taken
out: between two of them both numbers run alike, and all of a closed range is one position on the axis, a *break*. A
chart places its candles by it, and an indicator counts by it how many candles lie between two.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.calendar.closed_slots import NO_SLOTS, SlotRanges


class OpenAxis:
    """
    An axis without ``ranges`` of slots, which must rise and not touch.

    Slot s covers the positions s - 0.5 to s + 0.5. Two axes are the same only if they are one object, so that what
    depends on one can be kept by it.
    """

    def __init__(self, ranges: SlotRanges) -> None:
        lengths = ranges[:, 1] - ranges[:, 0]
        removed = np.cumsum(lengths)
        self._starts, self._ends = ranges[:, 0] - 0.5, ranges[:, 1] - 0.5
        self._removed = np.concatenate(([0], removed))
        breaks = self._starts - self._removed[:-1]
        # By how many ranges have begun: where the last of them began, and where it ends.
        self._began, self._until = np.append(np.inf, self._starts), np.append(-np.inf, self._ends)
        # A search in a list is ten times faster than numpy's for one number.
        self._start_list: list[float] = self._starts.tolist()
        self._end_list: list[float] = self._ends.tolist()
        self._removed_list: list[int] = self._removed.tolist()
        self._break_list: list[float] = breaks.tolist()
        self.usual_distance = float(np.median(np.diff(breaks))) if len(breaks) > 1 else 0.0
        """How far breaks are apart in the middle of all; 0 where there are fewer than two."""

    @property
    def is_plain(self) -> bool:
        """Whether nothing is taken out: axis positions are slot positions."""
        return not self._start_list

    @property
    def slots_per_position(self) -> float:
        """How many slots of all time there are for one on the axis, from the first closed range to the last."""
        if len(self._start_list) < 2:
            return 1.0
        on_axis = self._break_list[-1] - self._break_list[0]
        return (self._start_list[-1] - self._start_list[0]) / on_axis

    def at(self, position: float) -> float:
        """Return the axis position of a slot position; within a closed range, its break."""
        number = bisect_right(self._start_list, position)
        if not number:
            return position
        if position < self._end_list[number - 1]:
            return self._break_list[number - 1]
        return position - self._removed_list[number]

    def all_at(self, positions: NDArray[Any]) -> NDArray[Any]:
        """Return the axis positions of many slot positions."""
        if self.is_plain:
            return positions
        number = np.searchsorted(self._starts, positions, side="right")
        inside = positions < self._until[number]
        return np.where(inside, self._began[number], positions) - self._removed[number - inside]

    def slot_position(self, at: float) -> float:
        """Return the slot position of an axis position; at a break, where time goes on after it."""
        return at + self._removed_list[bisect_right(self._break_list, at)]

    def beside(self, slot: int, by: int) -> int:
        """Return the slot so many places on the axis after a slot, or before it; of one left out, after the next."""
        return int(self.slot_position(round(self.at(self.next_on_axis(slot))) + by))

    def next_on_axis(self, slot: int) -> int:
        """Return the slot itself, or the first after it if it is left out."""
        number = bisect_right(self._start_list, slot)
        return round(self._end_list[number - 1] + 0.5) if number and slot < self._end_list[number - 1] else slot

    def closed_between(self, left: float, right: float) -> list[tuple[float, float]]:
        """Return the ranges left out between two slot positions, as slot positions of start and end."""
        first, last = bisect_left(self._start_list, left), bisect_right(self._start_list, right)
        return list(zip(self._start_list[first:last], self._end_list[first:last], strict=True))


class _PlainAxis(OpenAxis):
    """An axis with all time. It searches nothing: a chart asks for some twenty positions in every frame."""

    is_plain = True

    def at(self, position: float) -> float:
        return position

    def slot_position(self, at: float) -> float:
        return at


PLAIN_AXIS: OpenAxis = _PlainAxis(NO_SLOTS)
"""The axis with all time: of a market that never closes, and where closed time is shown."""
