"""
Marks of the time axis with their texts, and the first candles of local days. Pure.

Marks stand at round local times in steps that people expect. A mark stands at the first candle that opens at or after
the round time, and its text is that candle's open time. The start of a day, month or year has its own text and wins
over marks too close to it. Marks depend on the step alone, not on the range in view, so they stay put while panning;
they are computed in blocks of time and cached.

Where closed time is left out, a day that begins in it has its mark at the first candle after, which gives way to marks
at their own times; other round times in it have none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import NamedTuple

from app.market.calendar.open_axis import PLAIN_AXIS, OpenAxis
from app.market.interval import SECOND_US, Interval
from widgets.chart.scales.local_time import day_start, moment, offset_spans
from widgets.chart.scales.time_text import MONTHS, clock_time
from widgets.chart.scales.zones import UTC_ZONE, Zone

_DAY_S = 86_400
_CLOCK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
_STEPS_DAYS = (1, 2, 4, 7, 14)
_STEPS_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240)
_MARKS_PER_BLOCK = 64
_STEPS_PER_MONTHS_BLOCK = 8  # more, at steps of 20 years, and the block after the last year would reach too far
_FIRST_YEAR, _LAST_YEAR = 1971, 2200
_MOST_BLOCKS = 32  # beyond, the width asks for more marks than an axis can hold


class TimeTick(NamedTuple):
    """A mark on the time axis, at a candle."""

    slot: int
    text: str
    bold: bool


class _Step(NamedTuple):
    """The distance between marks: ``number`` of ``unit``, which is seconds, days or months."""

    unit: str
    number: int


class _Round(NamedTuple):
    """A round time in UTC seconds; ``begins`` is ``"year"``, ``"month"``, ``"day"`` or empty."""

    time_s: int
    begins: str


def time_ticks(
    interval: Interval,
    left: float,
    right: float,
    least_slots: float,
    zone: Zone = UTC_ZONE,
    axis: OpenAxis = PLAIN_AXIS,
) -> list[TimeTick]:
    """Return the marks between two slot positions, oldest first, at least about ``least_slots`` of the axis apart."""
    first, last = math.ceil(left), math.floor(right)
    if last < first or not _in_calendar(interval, first) or not _in_calendar(interval, last + 1):
        return []
    rules = zone.rules_for(interval)
    least_s = max(least_slots, 1) * interval.length_us / SECOND_US
    step = _step_for(least_s)
    if not axis.is_plain:
        return _open_ticks(interval, (first, last), step, least_s, rules, axis)
    # Start a candle early: a round time before the first candle in view may have its mark at that candle.
    start_s = interval.slot_open_us(first - 1) // SECOND_US
    blocks = range(
        _block_of(start_s, step, rules), _block_of(interval.slot_open_us(last) // SECOND_US, step, rules) + 1
    )
    if len(blocks) > _MOST_BLOCKS:
        return []
    return [tick for block in blocks for tick in _ticks(block, step, interval, rules) if first <= tick.slot <= last]


def day_edges(interval: Interval, left: float, right: float, zone: Zone) -> list[tuple[int, int]]:
    """
    Return the local days between two slot positions and the day after: number and slot of the first candle.

    The number is that of `datetime.toordinal`, so that odd and even days alternate without end.
    """
    first, last = math.floor(left), math.ceil(right)
    if not _in_calendar(interval, first) or not _in_calendar(interval, last):
        return []
    rules = zone.rules_for(interval)
    from_day, to_day = (moment(interval.slot_open_us(slot) // SECOND_US, rules).toordinal() for slot in (first, last))
    return [(day, _slot_at(interval, day_start(day, rules))) for day in range(from_day, to_day + 2)]


def _in_calendar(interval: Interval, slot: int) -> bool:
    years = slot * interval.length_us / (365.2425 * _DAY_S * SECOND_US)
    return _FIRST_YEAR < 2000 + years < _LAST_YEAR


def _step_for(least_s: float) -> _Step:
    """Return the finest step of at least ``least_s`` seconds."""
    for step_s in _CLOCK_STEPS_S:
        if step_s >= least_s:
            return _Step("seconds", step_s)
    for days in _STEPS_DAYS:
        if days * _DAY_S >= least_s:
            return _Step("days", days)
    months = (each for each in _STEPS_MONTHS if each * 30 * _DAY_S >= least_s)
    return _Step("months", next(months, _STEPS_MONTHS[-1]))


def _block_of(time_s: int, step: _Step, rules: tzinfo) -> int:
    """Return the number of the block that holds a time; a block is a fixed count of steps, or a month for days."""
    if step.unit == "seconds":
        return time_s // (step.number * _MARKS_PER_BLOCK)
    shown = moment(time_s, rules)
    month = shown.year * 12 + shown.month - 1
    return month if step.unit == "days" else month // (step.number * _STEPS_PER_MONTHS_BLOCK)


@lru_cache(maxsize=256)
def _ticks(block: int, step: _Step, interval: Interval, rules: tzinfo) -> list[TimeTick]:
    """Return the marks of one block, without those too close to a more important one or to the mark before."""
    own = _rounds(block, step, rules)
    # With the neighbours' nearest marks, so that two blocks agree on the marks around their common edge.
    before, after = _rounds(block - 1, step, rules)[-2:], _rounds(block + 1, step, rules)[:2]
    step_s = step.number * {"seconds": 1, "days": _DAY_S, "months": 30 * _DAY_S}[step.unit]
    least = max(1.0, step_s * SECOND_US / interval.length_us / 2)
    kept: list[tuple[int, _Round]] = []
    for each in (*before, *own, *after):
        slot = _slot_at(interval, each.time_s)
        if kept and slot - kept[-1][0] < least:
            if _RANKS[each.begins] <= _RANKS[kept[-1][1].begins]:
                continue
            kept.pop()
        kept.append((slot, each))
    mine = set(own)
    return [
        TimeTick(slot, *_label(interval.slot_open_us(slot), each.begins, step.unit, rules))
        for slot, each in kept
        if each in mine
    ]


class _Candidate(NamedTuple):
    """A mark that closer and more important ones may replace; ``priority``: the higher, the more important."""

    at: float
    slot: int
    priority: tuple[int, bool]
    begins: str


def _open_ticks(
    interval: Interval, ends: tuple[int, int], step: _Step, least_s: float, rules: tzinfo, axis: OpenAxis
) -> list[TimeTick]:
    """Return the marks of the slots ``ends``, inclusive, on an axis without closed time."""
    if step.unit != "seconds" or axis.usual_distance * interval.length_us < least_s * SECOND_US:
        # Several breaks between two marks: these stand closer by what is left out.
        step = _step_for(least_s * axis.slots_per_position)
    step_s = step.number * {"seconds": 1, "days": _DAY_S, "months": 30 * _DAY_S}[step.unit]
    slots = step_s * SECOND_US / interval.length_us
    least = max(1.0, (slots if step.unit == "seconds" else slots / axis.slots_per_position) / 2)
    # What decides about a mark is near it, so that marks stay put while the view moves.
    first, last = (
        int(axis.slot_position(round(axis.at(slot)) + beyond))
        for slot, beyond in ((ends[0], -math.ceil(2 * least)), (ends[1], math.ceil(2 * least)))
    )
    by_slot: dict[int, _Candidate] = {}
    for slot, begins, is_moved in _open_rounds(interval, first, last, step, rules, axis):
        found = _Candidate(axis.at(slot), slot, (_RANKS[begins], not is_moved), begins)
        if slot not in by_slot or found.priority > by_slot[slot].priority:
            by_slot[slot] = found
    candidates = [by_slot[slot] for slot in sorted(by_slot)]
    return [
        TimeTick(one.slot, *_label(interval.slot_open_us(one.slot), one.begins, step.unit, rules))
        for number, one in enumerate(candidates)
        if ends[0] <= one.slot <= ends[1] and not _gives_way(candidates, number, least)
    ]


def _gives_way(candidates: list[_Candidate], number: int, least: float) -> bool:
    """Whether a more important mark, or an equal one before, is closer than ``least`` places."""
    one = candidates[number]
    before = (other for other in reversed(candidates[:number]) if one.at - other.at < least)
    after = (other for other in candidates[number + 1 :] if other.at - one.at < least)
    return any(other.priority >= one.priority for other in before) or any(
        other.priority > one.priority for other in after
    )


def _open_rounds(
    interval: Interval, first: int, last: int, step: _Step, rules: tzinfo, axis: OpenAxis
) -> Iterable[tuple[int, str, bool]]:
    """Yield the slots of marks from ``first`` to ``last``, what begins there, and whether closed time moved them."""
    closed = axis.closed_between(first, last)
    # Only where the axis has time: the seconds of a weekend would be thousands of blocks.
    edges = [first, *(round(each + 0.5) for span in closed for each in span), last + 1]
    blocks: set[int] = set()
    for start, end in zip(edges[::2], edges[1::2], strict=True) if step.unit == "seconds" else [(first, last + 1)]:
        begin_s, end_s = (interval.slot_open_us(slot) // SECOND_US for slot in (start - 1, end))
        blocks.update(range(_block_of(begin_s, step, rules), _block_of(end_s, step, rules) + 1))
    if len(blocks) > _MOST_BLOCKS:
        return
    for block in blocks:
        for each in _rounds(block, step, rules):
            slot = _slot_at(interval, each.time_s)
            on_axis = axis.next_on_axis(slot)
            if first <= on_axis <= last and (on_axis == slot or each.begins):
                yield on_axis, each.begins, on_axis != slot
    if step.unit == "seconds":
        for closed_from, closed_until in closed:
            slot = round(closed_until + 0.5)
            before, after = (
                moment(interval.slot_open_us(each) // SECOND_US, rules) for each in (round(closed_from - 0.5), slot)
            )
            if before.date() != after.date() and slot <= last:
                is_year, is_month = before.year != after.year, before.month != after.month
                yield slot, "year" if is_year else "month" if is_month else "day", True


_RANKS = {"": 0, "day": 1, "month": 2, "year": 3}


def _slot_at(interval: Interval, time_s: int) -> int:
    return interval.slot(time_s * SECOND_US - 1) + 1


@lru_cache(maxsize=512)
def _rounds(block: int, step: _Step, rules: tzinfo) -> tuple[_Round, ...]:
    """Return the round times of a block, ascending."""
    if step.unit == "seconds":
        length = step.number * _MARKS_PER_BLOCK
        return _clock_rounds(block * length, (block + 1) * length, step.number, rules)
    if step.unit == "days":
        return tuple(_beginnings(_month_days(block, step.number), rules))
    first = block * _STEPS_PER_MONTHS_BLOCK * step.number
    months = range(first, first + _STEPS_PER_MONTHS_BLOCK * step.number, step.number)
    return tuple(_beginnings((_first_of_month(each) for each in months), rules))


def _clock_rounds(start: int, end: int, step_s: int, rules: tzinfo) -> tuple[_Round, ...]:
    """Return the times at which the local clock shows a multiple of the step, and the starts of days."""
    found: dict[int, str] = {}
    for since, until, offset in offset_spans(start, end, rules):
        first = -(-(since + offset) // step_s) * step_s - offset
        found.update(dict.fromkeys(range(first, until, step_s), ""))
    days = range(moment(start, rules).toordinal(), moment(end - 1, rules).toordinal() + 1)
    found.update({each.time_s: each.begins for each in _beginnings(days, rules) if start <= each.time_s < end})
    return tuple(_Round(time_s, begins) for time_s, begins in sorted(found.items()))


def _month_days(month: int, step: int) -> Iterable[int]:
    """Return the marked days of a month: from the first on, without one too close to the next month's first."""
    first, following = _first_of_month(month), _first_of_month(month + 1)
    return (first + at for at in range(0, following - first, step) if step == 1 or at + 1 <= 31 - step // 2)


def _first_of_month(month: int) -> int:
    return datetime(month // 12, month % 12 + 1, 1).toordinal()


def _beginnings(days: Iterable[int], rules: tzinfo) -> Iterable[_Round]:
    """Yield the starts of these days."""
    for day in days:
        date = datetime.fromordinal(day)
        begins = "day" if date.day > 1 else "month" if date.month > 1 else "year"
        yield _Round(day_start(day, rules), begins)


@lru_cache(maxsize=1024)
def _label(open_us: int, begins: str, unit: str, rules: tzinfo) -> tuple[str, bool]:
    shown = moment(open_us // SECOND_US, rules)
    if begins == "year" and unit != "seconds":
        return str(shown.year), True
    if begins == "month" and unit != "seconds":
        return MONTHS[shown.month - 1], True
    if begins:
        return f"{shown.day} {MONTHS[shown.month - 1]}", unit == "seconds"
    return clock_time(shown, seconds=shown.second > 0), False
