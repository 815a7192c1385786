"""Which slots an axis leaves out for a series: those in which the market is closed and that have no candle. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.market.calendar.calendar import Calendar
from app.market.calendar.closed_slots import SlotRanges, closed_slots
from app.market.calendar.open_axis import PLAIN_AXIS, OpenAxis
from app.market.interval import Interval
from app.market.series.series import CandleSeries

_FIRST_US, _END_US = 631_152_000_000_000, 2_840_140_800_000_000  # 1990 to 2060


class ClosedTime:
    """
    Makes the axis of one chart.

    A candle in closed time keeps its place on the axis: the calendar may be wrong, and a candle must be seen.
    """

    def __init__(self) -> None:
        self._ranges: tuple[Calendar, Interval, SlotRanges] | None = None
        self._seen: tuple[object, ...] = ()
        self._basis: tuple[object, ...] = ()
        self._axis = PLAIN_AXIS

    def axis_for(self, series: CandleSeries, calendar: Calendar | None) -> OpenAxis:
        """
        Return the axis for a series without the time in which ``calendar`` is closed; None: with all time.

        It is the same object as before unless it differs. Cheap: call it in every frame.
        """
        if calendar is None or not calendar.closes:
            return PLAIN_AXIS
        seen = (calendar, series, series.shape_revision, len(series))
        if seen != self._seen:
            self._seen = seen
            ranges = self._closed_ranges(calendar, series.interval)
            inside = _slots_inside(ranges, series.slots)
            basis = calendar, series.interval, inside.tobytes()
            if basis != self._basis:
                self._basis, self._axis = basis, OpenAxis(_without(ranges, inside))
        return self._axis

    def _closed_ranges(self, calendar: Calendar, interval: Interval) -> SlotRanges:
        if self._ranges is None or self._ranges[:2] != (calendar, interval):
            first, end = interval.slot(_FIRST_US), interval.slot(_END_US)
            self._ranges = calendar, interval, closed_slots(calendar, interval, first, end)
        return self._ranges[2]


def _slots_inside(ranges: SlotRanges, slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which of rising slots lie in the ranges."""
    first, end = np.searchsorted(slots, ranges[:, 0]), np.searchsorted(slots, ranges[:, 1])
    filled = (end > first).nonzero()[0].tolist()
    parts = [slots[first[at] : end[at]] for at in filled]
    return np.concatenate(parts) if parts else slots[:0]


def _without(ranges: SlotRanges, slots: NDArray[np.int64]) -> SlotRanges:
    """Return the ranges without these of their slots."""
    if not len(slots):
        return ranges
    starts = np.sort(np.concatenate((ranges[:, 0], slots + 1)))
    ends = np.sort(np.concatenate((ranges[:, 1], slots)))
    return np.column_stack((starts, ends))[starts < ends]
