"""The slots of an interval (see `app.market.interval`) in which a market is closed from their open to their end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from app.market.calendar.calendar import Calendar
from app.market.interval import Interval

_FARTHEST = 100_000_000  # slots; a calendar that closes for good would have no end

_WEEK_US = 604_800_000_000

SlotRanges = NDArray[np.int64]
"""Ranges of slots, of shape (n, 2): rising, not empty, not touching; the end is exclusive."""

NO_SLOTS: SlotRanges = np.empty((0, 2), np.int64)


def closed_slots(calendar: Calendar, interval: Interval, first: int, end: int) -> SlotRanges:
    """Return the slots from ``first`` to ``end`` (exclusive) in which the market is closed throughout."""
    if first >= end or not calendar.closes:
        return NO_SLOTS
    spans = calendar.closed_spans(interval.slot_open_us(first), interval.slot_open_us(end))
    if interval.months:
        rows = [(interval.slot(start - 1) + 1, interval.slot(stop)) for start, stop in spans.tolist()]
        ranges = np.array(rows, np.int64).reshape(-1, 2)
    else:
        length_us = interval.length_us
        since = spans - interval.origin_us
        ranges = np.column_stack((-(-since[:, 0] // length_us), since[:, 1] // length_us))
    return ranges[ranges[:, 0] < ranges[:, 1]]


def first_of_open(calendar: Calendar | None, interval: Interval, last: int, count: int) -> int:
    """Return the first of the ``count`` slots up to ``last``, inclusive, in which the market is open at some time."""
    if calendar is None or not calendar.closes:
        return last - count + 1
    step = max(1, _WEEK_US // interval.length_us)
    reach = count + step  # slots looked at, until enough of them are open
    while True:
        ranges = closed_slots(calendar, interval, last - reach + 1, last + 1)
        lacking = count - reach + int((ranges[:, 1] - ranges[:, 0]).sum())
        if lacking <= 0:
            break
        if reach > _FARTHEST:
            return last - reach + 1
        reach, step = reach + 2 * lacking + step, 2 * step
    end, wanted = last + 1, count
    for start, stop in ranges[::-1].tolist():
        if end - stop >= wanted:
            break
        end, wanted = start, wanted - (end - stop)
    return end - wanted


def open_slots(calendar: Calendar | None, interval: Interval, first: int, end: int) -> Iterator[int]:
    """Yield the slots from ``first`` to ``end`` (exclusive) in which the market is open at some time."""
    for start, stop in closed_slots(calendar, interval, first, end).tolist() if calendar is not None else ():
        yield from range(first, start)
        first = stop
    yield from range(first, end)
