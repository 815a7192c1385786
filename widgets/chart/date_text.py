"""Dates and times as a user types them, by the clocks of a place. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo

from app.market.errors import UsageError
from app.market.interval import SECOND_US

_DATE = re.compile(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?)?)?")
_FIRST = [1, 1, 1, 0, 0, 0]
"""Year, month, day, hour, minute and second where they are left out."""
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


def parse_date(text: str, rules: tzinfo, now_us: int) -> int:
    """
    Return the time that ``text`` names, UTC microseconds.

    ``2024-03-01 14:30``, to the second or to the day, the month or the year; a time alone is today's. Clocks are those
    of ``rules``; a time that they skip is moved on, one that they show twice is the first. ``now_us``: UTC.

    Raises:
        UsageError: If it names none, or one still to come.
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
    """Return year, month and so on, as far as they are said."""
    date, clock = _DATE.fullmatch(text), _CLOCK.fullmatch(text)
    if date is not None:
        return _numbers(date)
    if clock is not None:
        today = datetime.fromtimestamp(now_us // SECOND_US, rules)
        return [today.year, today.month, today.day, *_numbers(clock)]
    raise UsageError(f"“{text}” is no date. Type one like 2024-03-01 or 2024-03-01 14:30.")


def _numbers(found: re.Match[str]) -> list[int]:
    return [int(part) for part in found.groups() if part is not None]
