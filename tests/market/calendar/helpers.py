"""Times and recorded tables of sessions for tests of calendars."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.market.calendar.calendar import Calendar
from app.market.calendar.session_table import ListedSession
from app.market.calendar.spans import Spans, length_us, spans_of

MINUTE_US = 60_000_000


def us(text: str) -> int:
    """Return an ISO time, UTC where it names no zone, in microseconds."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 1_000_000


def listed_sessions(path: Path) -> list[ListedSession]:
    """Return the sessions of a recorded table."""
    with gzip.open(path, "rt") as file:
        return [
            ListedSession(date.fromisoformat(row[""][:10]), us(row["open"]), us(row["close"]))
            for row in csv.DictReader(file)
        ]


def minutes(start: str, end: str) -> NDArray[np.int64]:
    """Return the minutes of a range, in microseconds."""
    return np.arange(us(start), us(end), MINUTE_US, dtype=np.int64)


def open_minutes_of(sessions: list[ListedSession], times_us: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of these consecutive minutes are open, by marking those of each session."""
    is_open = np.zeros(len(times_us), np.bool_)
    for session in sessions:
        first, end = ((at - int(times_us[0])) // MINUTE_US for at in (session.open_us, session.close_us))
        is_open[max(first, 0) : max(end, 0)] = True
    return is_open


def covers(spans: Spans, times_us: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of these times a set covers."""
    at = np.searchsorted(spans[:, 0], times_us, side="right") - 1
    covered: NDArray[np.bool_] = at >= 0
    covered[covered] = times_us[covered] < spans[at[covered], 1]
    return covered


def open_at(calendar: Calendar, times_us: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return at which of these times the market is open."""
    closed = calendar.closed_spans(int(times_us.min()), int(times_us.max()) + 1) if len(times_us) else spans_of([])
    return ~covers(closed, times_us)


def open_length_us(calendar: Calendar, start_us: int, end_us: int) -> int:
    """Return for how many microseconds of a range the market is open."""
    return max(end_us - start_us, 0) - length_us(calendar.closed_spans(start_us, end_us))
