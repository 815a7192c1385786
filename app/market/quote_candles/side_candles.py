"""
From candles of ticks, which have bid, ask and mid side by side, to the candles of one of these prices.

Such a candle's volume counts ticks. It is complete if every microsecond of it is known: fetched from the source or
watched on its stream, or closed by the market's calendar. Between two candles, a slot without a tick is an empty candle
where that is known, as with trades; where nobody watched there is none, and in closed time there is none either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.market.calendar.calendar import Calendar
from app.market.calendar.closed_slots import open_slots
from app.market.candle import Candle, CandleSource, empty_candle
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide
from app.market.quotes.tick_candle import TickCandle
from app.market.units import E8


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
    start_us, end_us = candles[0].open_time_us, interval.next_open_us(candles[-1].open_time_us)
    known = known_times(calendar, fetched, start_us, end_us)
    last_fetched_us = -1 if fetched.last is None else fetched.last
    finished: list[Candle] = []
    for candle, following in zip(candles, [*candles[1:], None], strict=True):
        next_us = interval.next_open_us(candle.open_time_us)
        closed = following is not None or last_fetched_us >= next_us - 1
        complete = closed and not known.missing(candle.open_time_us, next_us - 1)
        finished.append(candle._replace(closed=closed, complete=complete))
        if following is not None and following.open_time_us > next_us:
            finished.extend(_empty(candle, next_us, following.open_time_us, interval, known, calendar))
    return finished


def _empty(
    before: Candle, start_us: int, end_us: int, interval: Interval, known: IdRanges, calendar: Calendar | None
) -> Iterator[Candle]:
    """Yield the empty candles of ``[start_us, end_us)``, whole slots: of those that are known whole and not closed."""
    for slot in open_slots(calendar, interval, interval.slot(start_us), interval.slot(end_us)):
        open_us = interval.slot_open_us(slot)
        if not known.missing(open_us, interval.slot_open_us(slot + 1) - 1):
            yield empty_candle(open_us, before.close_e8)._replace(source=CandleSource.TICKS)
