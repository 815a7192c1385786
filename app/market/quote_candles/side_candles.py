"""
From candles of ticks, which have bid, ask and mid side by side, to the candles of one of these prices.

Such a candle's volume counts ticks. It is complete if every microsecond of it is known: fetched from the source or
watched on its stream, or closed by the market's calendar. Between two candles, a slot without a tick is an empty candle
where that is known, as with trades; where nobody watched there is none, and in closed time there is none either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from app.market.calendar.calendar import Calendar
from app.market.calendar.closed_slots import closed_slots
from app.market.calendar.spans import without
from app.market.candle import Candle, CandleSource, empty_candle
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide
from app.market.quotes.tick_candle import SideBar, TickCandle
from app.market.units import E8

_TICKS = CandleSource.TICKS


def side_candle(candle: TickCandle, side: PriceSide) -> Candle:
    """Return the candle of one price; ``closed`` and ``complete`` mean nothing yet, `finish_side` sets both."""
    return Candle(
        candle.open_time_us,
        *candle.bar(side),
        candle.ticks * E8,
        0,
        candle.ticks,
        0,
        0,
        closed=False,
        complete=False,
        source=CandleSource.TICKS,
    )


def known_times(calendar: Calendar | None, fetched: IdRanges, start_us: int, end_us: int) -> IdRanges:
    """Return the microseconds of ``[start_us, end_us)`` whose ticks are all stored or in which the market is closed."""
    known = IdRanges(fetched.within(start_us, end_us - 1))
    if calendar is not None and calendar.closes:
        for from_us, until_us in calendar.closed_spans(start_us, end_us).tolist():
            known.add_range(from_us, until_us - 1)
    return known


def finish_side(
    candles: Sequence[Candle], interval: Interval, fetched: IdRanges, calendar: Calendar | None
) -> list[Candle]:
    """
    Return the candles with ``closed`` and ``complete`` set and the empty ones inserted, oldest first.

    ``candles``: of one symbol and price, oldest first, each open time once. ``fetched``: the microseconds (UTC) of
    which all ticks are stored. A candle is closed if a later one follows, or something after it is known.
    """
    if not candles:
        return []
    states = _States([one.open_time_us for one in candles], interval, fetched, calendar)
    each = zip(candles, states.closed, states.complete, strict=True)
    return states.filled([one._replace(closed=closed, complete=complete) for one, closed, complete in each])


def finished_bars(
    bars: Sequence[SideBar], interval: Interval, fetched: IdRanges, calendar: Calendar | None, most: int | None = None
) -> list[Candle]:
    """Return the same of bars, oldest first, each open time once; with ``most`` the newest of them."""
    if not bars:
        return []
    states = _States([bar[0] for bar in bars], interval, fetched, calendar)
    # By place, and all at once: a chart that scrolls reads ten thousands a second, beside the thread that paints.
    candles = [
        Candle(open_us, open_, high, low, close, ticks * E8, 0, ticks, 0, 0, None, None, closed, complete, _TICKS)
        for (open_us, open_, high, low, close, ticks), closed, complete in zip(
            bars, states.closed, states.complete, strict=True
        )
    ]
    return states.filled(candles, most)


class _States:
    """
    What is known of candles with ticks that open at these times, rising, and of the time between them.

    Attributes:
        closed: of each, whether it is over.
        complete: of each, whether all of its time is known.
    """

    def __init__(
        self, opens_us: Sequence[int], interval: Interval, fetched: IdRanges, calendar: Calendar | None
    ) -> None:
        self._interval = interval
        self._calendar = calendar
        self._opens = np.array(opens_us, np.int64)
        if interval.months:
            self._ends = np.array([interval.next_open_us(open_us) for open_us in opens_us], np.int64)
        else:
            self._ends = self._opens + interval.length_us
        self._known = known_times(calendar, fetched, opens_us[0], int(self._ends[-1]))
        is_last_closed = fetched.last is not None and fetched.last >= int(self._ends[-1]) - 1
        self.closed = [True] * (len(opens_us) - 1) + [is_last_closed]
        firsts, lasts = self._known.columns()
        reached = np.concatenate(([self._opens[0] - 1], lasts))[np.searchsorted(firsts, self._opens, side="right")]
        self.complete: list[bool] = ((reached >= self._ends - 1) & self.closed).tolist()

    def filled(self, candles: Sequence[Candle], most: int | None = None) -> list[Candle]:
        """Return the candles, one for each time, with the empty ones between them; with ``most`` the newest."""
        found: list[Candle] = []  # newest first
        end = len(candles)
        for at, first, stop in self._gaps():
            found += candles[at + 1 : end][::-1]
            if most is not None and len(found) >= most:
                break
            empty = self._empty(first, stop, candles[at].close_e8)
            found += empty if most is None else islice(empty, most - len(found))
            end = at + 1
        else:
            found += candles[:end][::-1]
        return (found if most is None else found[:most])[::-1]

    def _gaps(self) -> Iterator[tuple[int, int, int]]:
        """Yield the slots between candles in which the market is open, newest first: the candle before, first, end."""
        before = np.flatnonzero(self._opens[1:] > self._ends[:-1])
        if not len(before):
            return
        slot = self._interval.slot
        edges = zip(self._ends[before].tolist(), self._opens[before + 1].tolist(), strict=True)
        gaps = np.array([(slot(end_us), slot(open_us)) for end_us, open_us in edges], np.int64)
        spans = gaps
        if self._calendar is not None:
            # Of all the time at once: a page of half days has a hundred weekends.
            closed = closed_slots(self._calendar, self._interval, int(gaps[0, 0]), int(gaps[-1, 1]))
            spans = without(gaps, closed)
        owners = before[np.searchsorted(gaps[:, 0], spans[:, 0], side="right") - 1]
        for at, (first, stop) in zip(owners[::-1].tolist(), spans[::-1].tolist(), strict=True):
            yield at, first, stop

    def _empty(self, first: int, stop: int, close_e8: int) -> Iterator[Candle]:
        """Yield the empty candles of open slots, newest first: of those whose time is known."""
        slot, open_us = self._interval.slot, self._interval.slot_open_us
        for first_us, last_us in reversed(self._known.within(open_us(first), open_us(stop) - 1)):
            for at in range(slot(last_us + 1) - 1, slot(first_us - 1), -1):
                yield empty_candle(open_us(at), close_e8)._replace(source=_TICKS)
