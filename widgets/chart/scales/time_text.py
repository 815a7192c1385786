"""
Times as text in a zone, for labels, and text as times, for the date entry. Pure.

A local time that occurs twice, because the clocks were set back, carries the zone's abbreviation: 02:30 CEST and, an
hour later, 02:30 CET.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from app.market.errors import UsageError
from app.market.interval import SECOND_US, Interval
from widgets.chart.scales.local_time import is_ambiguous, moment

_DATE = re.compile(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?)?)?")
_FIRST = [1, 1, 1, 0, 0, 0]
"""Year, month, day, hour, minute and second where the text omits them."""
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


def parse_date(text: str, rules: tzinfo, now_us: int) -> int:
    """
    Return the time in ``text``, UTC microseconds.

    Accepts ``2024-03-01 14:30``, with seconds or only down to the day, month or year; a clock time alone means today.
    The text is local time under ``rules``: a skipped time moves forward, an ambiguous one is the earlier. ``now_us``:
    UTC.

    Raises:
        UsageError: If the text is no date, or the time is in the future.
    """
    text = text.strip()
    parts = _parts(text, rules, now_us)
    year, month, day, hour, minute, second = parts + _FIRST[len(parts) :]
    try:
        there = datetime(year, month, day, hour, minute, second, tzinfo=rules)
        time_us = round(there.astimezone(UTC).timestamp()) * SECOND_US
    except (ValueError, OverflowError):
        raise UsageError(f"There is no {text}: look at the day and the time again.") from None
    if time_us > now_us:
        raise UsageError(f"{text} is still to come. Type a date up to now.")
    return time_us


def _parts(text: str, rules: tzinfo, now_us: int) -> list[int]:
    """Return year, month and so on, as far as the text has them."""
    date, clock = _DATE.fullmatch(text), _CLOCK.fullmatch(text)
    if date is not None:
        return _numbers(date)
    if clock is not None:
        today = datetime.fromtimestamp(now_us // SECOND_US, rules)
        return [today.year, today.month, today.day, *_numbers(clock)]
    raise UsageError(f"“{text}” is no date. Type one like 2024-03-01 or 2024-03-01 14:30.")


def _numbers(found: re.Match[str]) -> list[int]:
    return [int(part) for part in found.groups() if part is not None]


# Not strftime's names: Qt sets the C locale to the user's, while the window is in English throughout.
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
WEEKDAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
_DAY_S = 86_400


@lru_cache(maxsize=512)  # every frame asks for the crosshair's
def full_time(open_us: int, interval: Interval, rules: tzinfo = UTC) -> str:
    """Return a candle's open time in full, for the crosshair's label."""
    shown = moment(open_us // SECOND_US, rules)
    date = f"{shown:%d} {MONTHS[shown.month - 1]} {shown.year}"
    if interval.months or interval.seconds % _DAY_S == 0:
        return f"{WEEKDAYS[shown.weekday()]} {date}"
    return f"{date} {clock_time(shown, seconds=interval.seconds % 60 > 0)}"


def clock_time(shown: datetime, *, seconds: bool) -> str:
    """Return hours and minutes, with the zone's abbreviation where that time occurs twice on the day."""
    text = f"{shown:%H:%M:%S}" if seconds else f"{shown:%H:%M}"
    return f"{text} {shown.tzname()}" if is_ambiguous(shown) else text


def countdown(left_us: int) -> str:
    """Return the time left to a candle's close: ``00:37``, ``1:02:03`` or ``2d 03h``."""
    seconds = max(0, -(-left_us // SECOND_US))
    if seconds >= _DAY_S:
        return f"{seconds // _DAY_S}d {seconds % _DAY_S // 3600:02d}h"
    hours, rest = divmod(seconds, 3600)
    minutes = f"{rest // 60:02d}:{rest % 60:02d}"
    return f"{hours}:{minutes}" if hours else minutes
