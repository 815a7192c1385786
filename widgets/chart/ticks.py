"""
Where the axes have their marks, and what those say. Pure.

Values go in steps of 1, 2 or 5 times a power of ten; prices carry the symbol's decimals. Times go in steps people read:
each stands at the first candle that opens at or after it, and says when that candle opens. Where a day (month, year)
begins, the mark says so and is bold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from app.market.interval import SECOND_US, Interval

_MOST_TICKS = 200
_DAY_S = 86_400
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
_STEPS_DAYS = (1, 2, 4, 7, 14)
_STEPS_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240)
# Not strftime's: Qt sets the C locale to the user's, and the rest of the window writes English.
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_WEEKDAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
_FIRST_YEAR, _LAST_YEAR = 1971, 2200


class ValueTick(NamedTuple):
    """A mark on a value axis."""

    value: float
    text: str


class TimeTick(NamedTuple):
    """A mark on the time axis, at a candle."""

    slot: int
    text: str
    bold: bool


def format_price(price: float, decimals: int) -> str:
    return f"{price:,.{decimals}f}".replace("-", "−")


def round_values(low: float, high: float, height_px: float, least_px: float, least: float = 0.0) -> list[float]:
    """Return the round values from ``low`` to ``high`` that are ``least_px``, and ``least``, apart or more."""
    if height_px < least_px or not high > low:
        return []
    step = _nice_step(max((high - low) * least_px / height_px, least))
    first, last = math.ceil(low / step), math.floor(high / step)
    return [] if last - first > _MOST_TICKS else [number * step for number in range(first, last + 1)]


def _nice_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least) + 1e-9)
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def time_ticks(interval: Interval, left: float, right: float, least_slots: float) -> list[TimeTick]:
    """Return the marks between two slot positions, about ``least_slots`` apart or more."""
    first, last = math.ceil(left), math.floor(right)
    if last < first or not _in_calendar(interval, first) or not _in_calendar(interval, last + 1):
        return []
    start_us, end_us = interval.slot_open_us(first), interval.slot_open_us(last)
    least_s = max(least_slots, 1) * interval.length_us / SECOND_US
    ticks: list[TimeTick] = []
    # One step back: the first candle in view may be the one at which an earlier mark stands.
    for time_us in _times(start_us - interval.length_us, end_us, least_s):
        slot = interval.slot(time_us - 1) + 1
        if slot < first or (ticks and slot - ticks[-1].slot < least_slots / 2):
            continue
        if slot > last or len(ticks) > _MOST_TICKS:
            break
        ticks.append(TimeTick(slot, *_label(interval.slot_open_us(slot), _begins(time_us, least_s), least_s)))
    return ticks


def _in_calendar(interval: Interval, slot: int) -> bool:
    years = slot * interval.length_us / (365.2425 * _DAY_S * SECOND_US)
    return _FIRST_YEAR < 2000 + years < _LAST_YEAR


def _times(start_us: int, end_us: int, least_s: float) -> Iterator[int]:
    """Yield the round moments of a fitting step between two times."""
    for step_s in _STEPS_S:
        if step_s >= least_s:
            step_us = step_s * SECOND_US
            yield from range(-(-start_us // step_us) * step_us, end_us + 1, step_us)
            return
    for days in _STEPS_DAYS:
        if days * _DAY_S >= least_s:
            yield from _days(start_us, end_us, days)
            return
    months = next((each for each in _STEPS_MONTHS if each * 30 * _DAY_S >= least_s), _STEPS_MONTHS[-1])
    yield from _months(start_us, end_us, months)


def _days(start_us: int, end_us: int, step: int) -> Iterator[int]:
    day = datetime.fromtimestamp(start_us // SECOND_US, UTC).replace(hour=0, minute=0, second=0)
    while (time_us := int(day.timestamp()) * SECOND_US) <= end_us:
        # Counted from the first of the month, leaving out days too close to the next first.
        if (day.day - 1) % step == 0 and (step == 1 or day.day <= 31 - step // 2):
            yield time_us
        day += timedelta(days=1)


def _months(start_us: int, end_us: int, step: int) -> Iterator[int]:
    moment = datetime.fromtimestamp(start_us // SECOND_US, UTC)
    number = (moment.year * 12 + moment.month - 1) // step * step
    while (time_us := _month_us(number)) <= end_us:
        yield time_us
        number += step


def _month_us(number: int) -> int:
    return int(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()) * SECOND_US


def _begins(time_us: int, least_s: float) -> str:
    """Return what begins at a round moment: a ``"year"``, ``"month"``, ``"day"``, or nothing of note."""
    moment = datetime.fromtimestamp(time_us // SECOND_US, UTC)
    if moment.hour or moment.minute or moment.second:
        return ""
    if moment.day == 1:
        return "year" if moment.month == 1 else "month"
    return "day"


@lru_cache(maxsize=2048)
def _label(open_us: int, begins: str, least_s: float) -> tuple[str, bool]:
    moment = datetime.fromtimestamp(open_us / SECOND_US, UTC)
    if begins == "year" and least_s > 12 * 3600:
        return str(moment.year), True
    if begins == "month" and least_s > 12 * 3600:
        return _MONTHS[moment.month - 1], True
    if begins:
        return f"{moment.day} {_MONTHS[moment.month - 1]}", least_s <= 12 * 3600
    return (f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"), False


def full_time(open_us: int, interval: Interval) -> str:
    """Return a candle's open time in full, as the crosshair says it."""
    moment = datetime.fromtimestamp(open_us / SECOND_US, UTC)
    date = f"{moment:%d} {_MONTHS[moment.month - 1]} {moment.year}"
    if interval.months or interval.seconds % _DAY_S == 0:
        return f"{_WEEKDAYS[moment.weekday()]} {date}"
    return f"{date} {moment:%H:%M:%S}" if interval.seconds % 60 else f"{date} {moment:%H:%M}"


def countdown(left_us: int) -> str:
    """Return the time left to a candle's close: ``00:37``, ``1:02:03`` or ``2d 03h``."""
    seconds = max(0, -(-left_us // SECOND_US))
    if seconds >= _DAY_S:
        return f"{seconds // _DAY_S}d {seconds % _DAY_S // 3600:02d}h"
    hours, rest = divmod(seconds, 3600)
    minutes = f"{rest // 60:02d}:{rest % 60:02d}"
    return f"{hours}:{minutes}" if hours else minutes
