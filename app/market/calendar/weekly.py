"""
The calendar of a market that trades by the week, as forex does: Sunday 17:00 to Friday 17:00 New York, less holidays.

Hours are local times of the market's zone, so daylight saving moves them in UTC. Offsets from UTC are looked up once
every four weeks, and a change between is searched for: the chart asks for sixty years at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from app.market.calendar.calendar import Session
from app.market.calendar.spans import Spans, between, length_us, merged, within, without

_SECOND_US = 1_000_000
_HOUR_S, _DAY_S = 3_600, 86_400
_EPOCH = datetime(1970, 1, 1).toordinal()
_PROBE_DAYS = 28  # no zone has changed its clocks and changed them back within four weeks
_SLACK_DAYS = 3  # a session may begin two days before its date, and its zone be a day off UTC


class Hours(NamedTuple):
    """
    When the session of a weekday opens and closes, as seconds from that day's local midnight, negative for days before.

    They are readings of the local clock: 17:00 stays 17:00 on the day that the clocks change.
    """

    open_s: int
    close_s: int


Week = Mapping[int, Hours]
"""Hours by weekday, Monday is 0; a weekday without hours has no session."""

FOREX_WEEK: Week = {weekday: Hours(-7 * _HOUR_S, 17 * _HOUR_S) for weekday in range(5)}
"""A session from 17:00 the day before to 17:00, Monday to Friday."""


class WeekPeriod(NamedTuple):
    """The week that is valid for sessions that open in [from_us, to_us); ``to_us`` None: until another is known."""

    week: Week
    from_us: int
    to_us: int | None


class WeeklyCalendar:
    """
    A market that trades by the week.

    ``periods``: the weeks valid one after the other. ``holidays``: more closed spans in any order, UTC microseconds. A
    session that a holiday shortens is a half day; one that it covers becomes a holiday.
    """

    def __init__(self, name: str, zone: tzinfo, periods: tuple[WeekPeriod, ...], holidays: Spans | None = None) -> None:
        self.name = name
        self._zone, self._periods = zone, periods
        self._holidays = merged(np.empty((0, 2), np.int64) if holidays is None else holidays)
        self.closes = bool(len(self._holidays)) or any(not _fills_week(each.week) for each in self._periods)

    def is_open(self, time_us: int) -> bool:
        return not len(self.closed_spans(time_us, time_us + 1))

    def sessions(self, start_us: int, end_us: int) -> list[Session]:
        dates, hours = self._sessions(start_us, end_us)
        around = (
            self._session(day, begin, end) for day, (begin, end) in zip(dates.tolist(), hours.tolist(), strict=True)
        )
        return [each for each in around if each.is_in(start_us, end_us)]

    def closed_spans(self, start_us: int, end_us: int) -> Spans:
        _, hours = self._sessions(start_us, end_us)
        closed = np.concatenate((between(merged(hours), start_us, end_us), self._holidays))
        return within(merged(closed), start_us, end_us)

    def _session(self, day: int, begin: int, end: int) -> Session:
        span = np.array([[begin, end]], np.int64)
        left = without(span, within(self._holidays, begin, end))
        on = date.fromordinal(day + _EPOCH)
        if not len(left):
            return Session(on, None, None, 0, is_holiday=True)
        open_us = length_us(left)
        return Session(on, int(left[0, 0]), int(left[-1, 1]), open_us, is_half_day=open_us < end - begin)

    def _sessions(self, start_us: int, end_us: int) -> tuple[NDArray[np.int64], Spans]:
        """Return the dates (days since 1970) around a range that have a session, and its hours in UTC microseconds."""
        days = np.arange(start_us // _SECOND_US // _DAY_S - _SLACK_DAYS, end_us // _SECOND_US // _DAY_S + _SLACK_DAYS)
        found_days, found_hours = [np.empty(0, np.int64)], [np.empty((0, 2), np.int64)]
        for period in self._periods:
            for hours in set(period.week.values()):
                weekdays = [weekday for weekday, each in period.week.items() if each == hours]
                mine = np.isin((days + 3) % 7, weekdays)  # 1970-01-01 was a Thursday
                opens, closes = (_utc_us(days, at_s, self._zone)[mine] for at_s in hours)
                valid = opens >= period.from_us
                if period.to_us is not None:
                    valid &= opens < period.to_us
                found_days.append(days[mine][valid])
                found_hours.append(np.column_stack((opens[valid], closes[valid])))
        dates, spans = np.concatenate(found_days), np.concatenate(found_hours)
        order = np.argsort(dates, kind="stable")
        return dates[order], spans[order]


def forex(holidays: Spans | None = None) -> WeeklyCalendar:
    """Return the forex week: Sunday 17:00 to Friday 17:00 New York, with an instrument's ``holidays``."""
    always = WeekPeriod(FOREX_WEEK, -(1 << 62), None)
    return WeeklyCalendar("FOREX", ZoneInfo("America/New_York"), (always,), holidays)


def _fills_week(week: Week) -> bool:
    spans = np.array(
        [(day * _DAY_S + each.open_s, day * _DAY_S + each.close_s) for day, each in week.items()], np.int64
    )
    shifts = np.array([-7, 0, 7], np.int64)[:, None, None] * _DAY_S
    return not len(between(merged((spans.reshape(-1, 2) + shifts).reshape(-1, 2)), 0, 7 * _DAY_S))


def _utc_us(days: NDArray[np.int64], at_s: int, zone: tzinfo) -> NDArray[np.int64]:
    """Return when the clock shows a time, as seconds from local midnight, on consecutive days; UTC microseconds."""
    shift, second = divmod(at_s, _DAY_S)
    local = days + shift
    return (local * _DAY_S + second - _offsets(local, second, zone)) * _SECOND_US


def _offsets(days: NDArray[np.int64], second: int, zone: tzinfo) -> NDArray[np.int64]:
    """Return the offsets from UTC, in seconds, at that second of consecutive local days."""
    offsets = np.empty(len(days), np.int64)
    for start in range(0, len(days), _PROBE_DAYS):
        low, high = start, min(start + _PROBE_DAYS, len(days) - 1)
        before, after = (_offset(int(days[at]), second, zone) for at in (low, high))
        offsets[low : high + 1] = before
        if before != after:
            first = high
            while first - low > 1:
                middle = (low + first) // 2
                low, first = (middle, first) if _offset(int(days[middle]), second, zone) == before else (low, middle)
            offsets[first : high + 1] = after
    return offsets


@lru_cache(maxsize=16384)
def _offset(day: int, second: int, zone: tzinfo) -> int:
    local = datetime(1970, 1, 1) + timedelta(days=day, seconds=second)
    offset = local.replace(tzinfo=zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())
