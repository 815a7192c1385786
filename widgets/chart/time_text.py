"""
Times as the chart writes them, by the clocks of a place. Pure.

Where the clocks show a time twice, because they were put back, both are told apart by the zone's own letters: 02:30
CEST and, an hour later, 02:30 CET.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from app.market.interval import SECOND_US, Interval
from widgets.chart.local_time import is_ambiguous, moment

# Not strftime's: Qt sets the C locale to the user's, and the rest of the window writes English.
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_WEEKDAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
_DAY_S = 86_400


@lru_cache(maxsize=512)  # asked for in each frame
def full_time(open_us: int, interval: Interval, rules: tzinfo = UTC) -> str:
    """Return a candle's open time in full, as the crosshair says it."""
    shown = moment(open_us // SECOND_US, rules)
    date = f"{shown:%d} {MONTHS[shown.month - 1]} {shown.year}"
    if interval.months or interval.seconds % _DAY_S == 0:
        return f"{_WEEKDAYS[shown.weekday()]} {date}"
    return f"{date} {clock_time(shown, seconds=interval.seconds % 60 > 0)}"


def clock_time(shown: datetime, *, seconds: bool) -> str:
    """Return hours and minutes, and where these are shown twice that day, which of the two."""
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
