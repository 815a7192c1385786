"""Ranges of time up to now that a chart can show, and the interval that fits each. Pure."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime
from enum import Enum
from math import log

from app.market.interval import SECOND_US, Interval

_DAY_US = 86_400 * SECOND_US
_INTERVALS = tuple(Interval.parse(name) for name in "1m 5m 15m 30m 1h 2h 4h 6h 12h 1d 1w 1M".split())
_USUAL_PX, _LEAST_PX = 4.0, 2.0  # of a candle


class TimeRange(Enum):
    """A range of time that ends with the latest candle; the value is its name in the bar."""

    DAY = "1D"
    WEEK = "1W"
    MONTH = "1M"
    YEAR = "1Y"
    ALL = "All"

    @property
    def command(self) -> str:
        """The name of its command in `widgets.keys`."""
        return f"range_{self.name.lower()}"

    @property
    def words(self) -> str:
        """The range in words, as they follow “Show”."""
        return "all candles" if self is TimeRange.ALL else f"the last {self.name.lower()}"

    def start_us(self, end_us: int) -> int | None:
        """
        Return the range's start for its end (both UTC microseconds); None for all there is.

        Months and years go by the calendar in UTC: a month before 31 March is the last day of February.
        """
        match self:
            case TimeRange.DAY:
                return end_us - _DAY_US
            case TimeRange.WEEK:
                return end_us - 7 * _DAY_US
            case TimeRange.MONTH:
                return _months_before(end_us, 1)
            case TimeRange.YEAR:
                return _months_before(end_us, 12)
            case TimeRange.ALL:
                return None

    def first_slot(self, interval: Interval, last: int, first: int | None) -> int | None:
        """
        Return the first slot of an interval that the range has up to slot ``last``.

        ``first``: the slot of the symbol's first candle, before which there is nothing to show; None: not known, and
        then that for all there is is None, too.
        """
        start_us = self.start_us(interval.slot_open_us(last + 1))
        starts = [slot for slot in (first, None if start_us is None else interval.slot(start_us)) if slot is not None]
        return min(max(starts), last) if starts else None


def fitting_interval(start_us: int, end_us: int, width_px: float) -> Interval:
    """
    Return the interval whose candles fill ``width_px`` logical pixels with that range, UTC microseconds, at best.

    At best means: the width of a candle is nearest to four pixels by its logarithm, and not less than two, unless even
    months are narrower.
    """

    def candle_px(interval: Interval) -> float:
        return width_px * interval.length_us / max(end_us - start_us, interval.length_us)

    wide_enough = [interval for interval in _INTERVALS if candle_px(interval) >= _LEAST_PX] or [_INTERVALS[-1]]
    return min(wide_enough, key=lambda interval: abs(log(candle_px(interval) / _USUAL_PX)))


def _months_before(time_us: int, months: int) -> int:
    second, rest_us = divmod(time_us, SECOND_US)
    moment = datetime.fromtimestamp(second, UTC)
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return int(moment.replace(year=year, month=month + 1, day=day).timestamp()) * SECOND_US + rest_us
