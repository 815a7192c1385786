"""
Candle intervals and where their candles begin.

An interval is a count of seconds, minutes, hours, days, weeks or months, one that the exchange offers or that the user
types (13m, 181m, 90s). Candles of a fixed length are aligned to 2000-01-03T00:00Z, a Monday. That is the exchange's own
alignment (UTC, weeks from Monday), and intervals that it does not offer use it too. One exception: the exchange's 3d
candles open a day later. Months follow the calendar, counted from January 2000.

An interval of whole minutes may have a *phase*: its candles open so many minutes later, ``1h+5m`` at 09:05, 10:05 …

A *slot* is the number of a candle: slot 0 opens at that origin, and each candle has the next number. Slots are the
chart's horizontal axis, so a candle keeps its place when others are prepended, and missing candles leave visible room.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from app.market.errors import UsageError

SECOND_US = 1_000_000
ORIGIN_US = 946_857_600 * SECOND_US  # 2000-01-03T00:00:00Z
_THREE_DAYS_S = 3 * 86_400

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_PATTERN = re.compile(r"\s*([0-9]{1,6})\s*([smhdwMHDWS])\s*(?:\+\s*([0-9]{1,6})\s*m\s*)?")
# A number and a word (5min, 1 hour, 3mo), as pandas and brokers write it, or a unit before its number (H4, M15, MN1),
# as MetaTrader does; a number alone is minutes, as on TradingView.
_ELSEWHERE = re.compile(
    r"(\d{1,6})\s*(s(?:ecs?|econds?)?|m(?:ins?|inutes?)?|h(?:rs?|ours?)?|d(?:ays?)?|w(?:eeks?|ks?)?|mon?|months?)?"
    r"|(mn|[smhdw])(\d{1,6})"
)
_LONGEST_SECONDS = 53 * _UNIT_SECONDS["w"]
_LONGEST_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Interval:
    """
    A candle length. Make one with `Interval.parse`.

    Equal lengths are equal intervals: ``parse("60m") == parse("1h")``. Either ``seconds`` or ``months`` is 0.
    ``phase``: the minutes by which candles open later than usual for that length; less than the length.
    """

    seconds: int
    months: int = 0
    phase: int = 0

    @classmethod
    def parse(cls, text: str) -> Interval:
        """
        Return the interval that ``text`` names: a whole number and one of s, m, h, d, w, M, and a phase as in 1h+5m.

        Raises:
            UsageError: If the text names no interval, one longer than 53 weeks or 12 months, or an impossible phase.
        """
        match = _PATTERN.fullmatch(text)
        if match is None or int(match[1]) == 0:
            meant = f"did you mean {found}? If not, " if (found := _meant(text)) else ""
            raise UsageError(
                f"“{text[:20]}” is not an interval: {meant}type a number and s, m, h, d, w or M (months), such as 13m "
                "or 4h."
            )
        count, unit = int(match[1]), match[2]
        interval = cls(0, count) if unit == "M" else cls(count * _UNIT_SECONDS[unit.lower()])
        if interval.seconds > _LONGEST_SECONDS or interval.months > _LONGEST_MONTHS:
            raise UsageError(f"“{text[:20]}” is too long: the longest intervals are 53w and 12M.")
        return interval.with_phase(int(match[3])) if match[3] else interval

    @property
    def phases(self) -> int:
        """The number of phases: the minutes of its length; 1 for months, and for a length of no whole minutes."""
        return 1 if self.months or self.seconds % 60 else self.seconds // 60

    def with_phase(self, phase: int) -> Interval:
        """
        Return the interval of the same length with that phase.

        Raises:
            UsageError: If it has no such phase.
        """
        if not 0 <= phase < self.phases:
            ordinary = Interval(self.seconds, self.months)
            allowed = f"has the phases 0 to {self.phases - 1}" if self.phases > 1 else "has no phase"
            raise UsageError(f"{ordinary} cannot begin {phase} minutes later: it {allowed}.")
        return Interval(self.seconds, self.months, phase)

    @property
    def name(self) -> str:
        """The shortest usual name, ``"1h"`` rather than ``"60m"``, with a phase ``"1h+5m"``; `parse` reads it back."""
        if self.phase:
            return f"{Interval(self.seconds)}+{self.phase}m"
        if self.months:
            return f"{self.months}M"
        for unit in ("w", "d", "h", "m"):
            if self.seconds % _UNIT_SECONDS[unit] == 0:
                return f"{self.seconds // _UNIT_SECONDS[unit]}{unit}"
        return f"{self.seconds}s"

    def __str__(self) -> str:
        return self.name

    @property
    def origin_us(self) -> int:
        """The open time of slot 0 of a fixed-length interval (UTC microseconds)."""
        # Recorded 3d klines open on 2017-11-30, 2017-12-03 …: Binance aligns those to another day.
        ordinary_us = ORIGIN_US + 86_400 * SECOND_US if self.seconds == _THREE_DAYS_S else ORIGIN_US
        return ordinary_us + self.phase * 60 * SECOND_US

    @property
    def length_us(self) -> int:
        """The length in microseconds. A month counts as 30 days: use it to compare lengths, not to align."""
        return (self.seconds or self.months * 30 * _UNIT_SECONDS["d"]) * SECOND_US

    def slot(self, time_us: int) -> int:
        """Return the slot of the candle that holds ``time_us`` (UTC microseconds)."""
        if self.months:
            return _months_since_2000(time_us) // self.months
        return (time_us - self.origin_us) // (self.seconds * SECOND_US)

    def slot_open_us(self, slot: int) -> int:
        """Return the open time of the candle of that slot (UTC microseconds)."""
        if self.months:
            return _month_open_us(slot * self.months)
        return self.origin_us + slot * self.seconds * SECOND_US

    def open_time_us(self, time_us: int) -> int:
        """Return the open time of the candle that holds ``time_us`` (both UTC microseconds)."""
        if self.months:
            return self.slot_open_us(self.slot(time_us))
        return time_us - (time_us - self.origin_us) % (self.seconds * SECOND_US)

    def next_open_us(self, time_us: int) -> int:
        """Return the end, exclusive, of the candle that holds ``time_us``: the next candle's open time."""
        return self.slot_open_us(self.slot(time_us) + 1)

    def tiles(self, longer: Interval) -> bool:
        """Whether every candle of ``longer`` is made of whole candles of this interval."""
        if longer.months and self.phase:
            return False
        if longer.months:
            return longer.months % self.months == 0 if self.months else _UNIT_SECONDS["d"] % self.seconds == 0
        if self.months:
            return False
        return longer.seconds % self.seconds == 0 and (longer.origin_us - self.origin_us) % self.length_us == 0


def _meant(text: str) -> str:
    """Return the interval that another program writes as ``text`` (5min, 1 hour, H4, 15), or an empty text."""
    match = _ELSEWHERE.fullmatch(text.strip().lower())
    if match is None:
        return ""
    number, unit = match[1] or match[4] or "1", match[2] or match[3] or "m"
    letter = "M" if unit.startswith("mo") or unit == "mn" else unit[0]
    return f"{int(number)}{letter}" if int(number) else ""


@lru_cache(maxsize=1024)
def _month_open_us(months: int) -> int:
    year, month = divmod(months, 12)
    return int(datetime(2000 + year, month + 1, 1, tzinfo=UTC).timestamp()) * SECOND_US


def _months_since_2000(time_us: int) -> int:
    moment = datetime.fromtimestamp(time_us // SECOND_US, UTC)
    return (moment.year - 2000) * 12 + moment.month - 1


EXCHANGE_INTERVALS = tuple(
    Interval.parse(name) for name in "1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M".split()
)
"""The intervals for which Binance publishes klines, shortest first."""

MENU_INTERVALS = tuple(
    Interval.parse(name) for name in "1s 5s 15s 30s 1m 3m 5m 10m 15m 30m 1h 2h 4h 6h 12h 1d 3d 1w 1M".split()
)
"""The intervals that the window offers in its menu, shortest first."""


def kline_interval_for(interval: Interval) -> Interval:
    """Return the longest exchange interval whose klines add up to whole candles of ``interval``."""
    return max(
        (offered for offered in EXCHANGE_INTERVALS if offered.tiles(interval)), key=lambda offered: offered.length_us
    )
