"""
What of a range is stored, what can be fetched, and what is not to be had. Pure, and fast for a range of any length.

It is a forecast, made of when trades are held without a gap and which klines are known, for somebody who is choosing a
range. What an export really delivered, its report says.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from app.market.candle_request import CandleRequest
from app.market.coverage import IdRanges
from app.market.interval import Interval

if TYPE_CHECKING:
    from app.market.calendar.calendar import Calendar


class Origin(Enum):
    """Where a candle comes from."""

    TRADES = auto()  # stored trades, or quotes
    KLINES = auto()  # the exchange's candles that are stored
    FETCH = auto()  # the exchange, which is asked for it
    NOWHERE = auto()


class StoredTimes(NamedTuple):
    """
    What is stored of a symbol, for candles of one interval.

    ``traded``: of each run of trades without a missing one the times of the first and the last, rising; a time before
    its candle where the first is the first of all. ``klines``: the microseconds for which the exchange's candles are
    known. ``listed_us``: before it there are none, as far as is known. All times are UTC microseconds.
    """

    traded: tuple[tuple[int, int], ...] = ()
    klines: IdRanges = IdRanges()
    listed_us: int | None = None

    @property
    def first_us(self) -> int | None:
        """From when on anything is stored; None if nothing is."""
        begin = [start_us for start_us, _ in self.traded[:1]]
        known = IdRanges(self.klines)
        if self.listed_us:
            known.remove_range(0, self.listed_us - 1)
        begin += [] if known.first is None else [known.first]
        return min(begin, default=None)


class Stretch(NamedTuple):
    """The slots ``first`` to ``last``, inclusive, whose candles have one origin."""

    first: int
    last: int
    origin: Origin

    @property
    def candles(self) -> int:
        """How many there are."""
        return self.last - self.first + 1


def availability(request: CandleRequest, stored: StoredTimes, now_us: int) -> list[Stretch]:
    """Return the stretches that the request's slots consist of, rising; ``now_us`` is the exchange's time."""
    slots = request.slots
    if not slots:
        return []
    wanted = IdRanges([(slots[0], slots[-1])])
    interval = request.interval
    by_origin = {
        Origin.TRADES: _traded(interval, stored) & wanted,
        Origin.KLINES: _known(interval, stored) & wanted,
    }
    begun = interval.slot(now_us) if request.include_open else interval.slot(now_us) - 1
    if request.fetch and begun >= slots[0]:
        by_origin[Origin.FETCH] = IdRanges([(slots[0], min(begun, slots[-1]))]) - _unlisted(interval, stored)
    by_origin[Origin.NOWHERE] = wanted
    found, left = list[Stretch](), wanted
    for origin, having in by_origin.items():
        found += [Stretch(first, last, origin) for first, last in left & having]
        left = left - having
    return sorted(found)


def quote_availability(request: CandleRequest, stored: StoredTimes, now_us: int, market: Calendar) -> list[Stretch]:
    """
    Return the same for candles of quotes, of which nothing is fetched: time in which the market is closed has none.

    There ``stored.traded`` are the times of which all ticks are stored.
    """
    # Here: a window without quotes opens without.
    from app.market.calendar.closed_slots import closed_slots
    from app.market.quote_candles.side_candles import known_times

    slots, interval = request.slots, request.interval
    if not slots:
        return []
    closed = closed_slots(market, interval, slots[0], slots[-1] + 1)
    left = IdRanges([(slots[0], slots[-1])]) - _ranges((first, end - 1) for first, end in closed.tolist())
    ends_us = interval.slot_open_us(slots[0]), interval.slot_open_us(slots[-1] + 1)
    ticks = _whole(interval, known_times(market, IdRanges(stored.traded), *ends_us))
    if request.include_open:
        ticks.add(interval.slot(now_us))
    found = list[Stretch]()
    for origin, having in ((Origin.TRADES, ticks), (Origin.KLINES, _known(interval, stored)), (Origin.NOWHERE, left)):
        found += [Stretch(first, last, origin) for first, last in left & having]
        left = left - having
    return sorted(found)


def _traded(interval: Interval, stored: StoredTimes) -> IdRanges:
    """Return the slots whose candles have all their trades, and the one before: `app.market.builder.is_complete`."""
    return _ranges((interval.slot(start_us) + 1, interval.slot(end_us) - 1) for start_us, end_us in stored.traded)


def _known(interval: Interval, stored: StoredTimes) -> IdRanges:
    return _whole(interval, stored.klines) - _unlisted(interval, stored)


def _whole(interval: Interval, times_us: IdRanges) -> IdRanges:
    """Return the slots of which every microsecond is among these."""
    return _ranges((interval.slot(first - 1) + 1, interval.slot(last + 1) - 1) for first, last in times_us)


def _unlisted(interval: Interval, stored: StoredTimes) -> IdRanges:
    """Return the slots that ended before the listing."""
    return IdRanges() if not stored.listed_us else _ranges([(interval.slot(0), interval.slot(stored.listed_us) - 1)])


def _ranges(pairs: Iterator[tuple[int, int]] | list[tuple[int, int]]) -> IdRanges:
    return IdRanges((first, last) for first, last in pairs if first <= last)
