"""Times and recorded tables of sessions for tests of calendars."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.market.calendar.session_table import ListedSession

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
