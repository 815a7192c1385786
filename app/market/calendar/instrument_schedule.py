"""The calendar in an instrument's description, as Dukascopy publishes it: its hours by weekday and its holidays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.market.calendar.spans import Spans, spans_of
from app.market.calendar.weekly import Hours, WeeklyCalendar, WeekPeriod
from app.market.errors import MalformedMessage

_WEEKDAYS = "MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY SUNDAY".split()
_DAY_S = 86_400
_MS_US = 1_000


def calendar_of(description: Mapping[str, Any], name: str) -> WeeklyCalendar:
    """
    Return the calendar of an instrument's description, which JSON was decoded from.

    Raises:
        MalformedMessage: If the description has no schedule, or one that cannot be read.

    Source: "tradeSchedule", "holidays" and "defaultTimezone" of jetta.dukascopy.com/v1/instruments.
    """
    try:
        zone = ZoneInfo(description["defaultTimezone"])
        periods = tuple(_period(each) for each in description["tradeSchedule"])
        holidays = _holidays(description)
    except (KeyError, TypeError, ValueError, AttributeError, ZoneInfoNotFoundError) as error:
        raise MalformedMessage(f"the schedule of {name} cannot be read: {error!r}") from error
    return WeeklyCalendar(name, zone, periods, holidays)


def _period(schedule: Mapping[str, Any]) -> WeekPeriod:
    week: dict[int, Hours] = {}
    for weekday, sessions in schedule["sessions"].items():
        for each in sessions:
            open_s = _second(each["start"]) - _DAY_S * bool(each["previousDayStart"])
            close_s = _second(each["end"]) - _DAY_S * bool(each["previousDayEnd"])
            # Bitcoin's Monday is said to end at its first midnight: that is Sunday.
            days_before = 1 if close_s <= 0 else 0
            hours = Hours(open_s + days_before * _DAY_S, close_s + days_before * _DAY_S)
            week[(_WEEKDAYS.index(weekday) - days_before) % 7] = hours
    to_ms = schedule["to"]
    return WeekPeriod(week, int(schedule["from"]) * _MS_US, None if to_ms is None else int(to_ms) * _MS_US)


def _second(clock: str) -> int:
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return (hours * 60 + minutes) * 60 + seconds


def _holidays(description: Mapping[str, Any]) -> Spans:
    return spans_of((int(each["from"]) * _MS_US, int(each["till"]) * _MS_US) for each in description["holidays"])
