"""
The sessions and the closed time of one market.

A *session* is a stretch of trading with a date of its own, as the market counts it: the forex session of Monday opens
on Sunday evening. *Closed spans* are the times outside of all sessions, breaks and holidays within them included.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import NamedTuple, Protocol

from app.market.calendar.spans import Spans

MINUTE_US = 60_000_000

_DAY_US = 86_400_000_000


class Session(NamedTuple):
    """
    One session, or a holiday that takes the place of one.

    ``start_us``, ``end_us``: UTC microseconds, None for a holiday without trading. ``open_us``: how long it is open,
    breaks excluded. ``notes``: the holiday's name, or why the session is short; empty where nobody said.
    """

    date: date
    start_us: int | None
    end_us: int | None
    open_us: int
    is_half_day: bool = False
    is_holiday: bool = False
    notes: str = ""

    @property
    def total_minutes(self) -> int:
        """The whole minutes that it is open."""
        return self.open_us // MINUTE_US

    def is_in(self, start_us: int, end_us: int) -> bool:
        """Whether it belongs to a range: see `Calendar.sessions`."""
        if self.start_us is None or self.end_us is None:
            day = datetime(self.date.year, self.date.month, self.date.day, tzinfo=UTC)
            begin_us = int(day.timestamp()) * 1_000_000
            stop_us = begin_us + _DAY_US
        else:
            begin_us, stop_us = self.start_us, self.end_us
        return max(start_us, begin_us) < min(end_us, stop_us)


class Calendar(Protocol):
    """When one market is open. All times are UTC microseconds, ranges include their start and exclude their end."""

    @property
    def name(self) -> str:
        """The market's name: ``"CRYPTO"``, ``"FOREX"``, or an exchange's code, ``"XNYS"``."""

    @property
    def closes(self) -> bool:
        """Whether it is ever closed. A market that is not has sessions all the same: its days."""

    def is_open(self, time_us: int) -> bool:
        """Whether the market is open at a time."""

    def sessions(self, start_us: int, end_us: int) -> list[Session]:
        """
        Return the sessions and the holidays of a range, by rising date.

        A session belongs to a range that shares time with it, from its own start to its own end: a half day that
        closed at 18:00 does not belong to a range from 18:00. A holiday without trading has no times: it belongs to a
        range that shares time with its date as a day in UTC. An empty range has none.
        """

    def closed_spans(self, start_us: int, end_us: int) -> Spans:
        """Return the closed part of a range as a set of spans: rising, not empty, not touching."""
