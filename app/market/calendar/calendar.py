"""
What a calendar answers, and the questions that follow from that for any calendar.

A *session* is a stretch of trading with a date of its own, as the market counts it: the forex session of Monday opens
on Sunday evening. *Closed spans* are the times outside of all sessions, breaks and holidays within them included.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from app.market.calendar.spans import Spans, covers, length_us

MINUTE_US = 60_000_000
_LONGEST_CLOSED_US = 30 * 86_400_000_000  # a search for an open time gives up after that


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
        """Return the sessions that a range touches, oldest first, and between them the holidays without trading."""

    def closed_spans(self, start_us: int, end_us: int) -> Spans:
        """Return the closed part of a range as a set of spans: rising, not empty, not touching."""


def open_at(calendar: Calendar, times_us: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return at which of these times the market is open."""
    if not len(times_us):
        return np.empty(0, np.bool_)
    closed = calendar.closed_spans(int(times_us.min()), int(times_us.max()) + 1)
    return ~covers(closed, times_us)


def open_length_us(calendar: Calendar, start_us: int, end_us: int) -> int:
    """Return for how many microseconds of a range the market is open."""
    return max(end_us - start_us, 0) - length_us(calendar.closed_spans(start_us, end_us))


def open_minutes(calendar: Calendar, start_us: int, end_us: int) -> int:
    """Return for how many whole minutes of a range the market is open."""
    return open_length_us(calendar, start_us, end_us) // MINUTE_US


def next_open_us(calendar: Calendar, time_us: int) -> int | None:
    """Return the first time at or after ``time_us`` at which the market is open; None: none within a month."""
    end_us = time_us + _LONGEST_CLOSED_US
    closed = calendar.closed_spans(time_us, end_us)
    if not len(closed) or closed[0, 0] > time_us:
        return time_us
    return int(closed[0, 1]) if closed[0, 1] < end_us else None


def previous_open_us(calendar: Calendar, time_us: int) -> int | None:
    """Return the last microsecond at or before ``time_us`` at which the market is open; None: none within a month."""
    start_us = time_us - _LONGEST_CLOSED_US
    closed = calendar.closed_spans(start_us, time_us + 1)
    if not len(closed) or closed[-1, 1] <= time_us:
        return time_us
    return int(closed[-1, 0]) - 1 if closed[-1, 0] > start_us else None


def session_at(calendar: Calendar, time_us: int) -> Session | None:
    """Return the session that a time belongs to, its breaks included; None between sessions."""
    for session in calendar.sessions(time_us, time_us + 1):
        if session.start_us is not None and session.end_us is not None and session.start_us <= time_us < session.end_us:
            return session
    return None
