"""Sessions as rows of the table `trading_sessions`."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from app.market.calendar.calendar import Calendar


class SessionRow(NamedTuple):
    """A row: exchange and date identify it. Times are UTC microseconds, None for a holiday without trading."""

    exchange: str
    session_date: date
    session_start_us: int | None
    session_end_us: int | None
    total_minutes: int
    is_half_day: bool
    is_holiday: bool
    notes: str


def session_rows(calendar: Calendar, start_us: int, end_us: int) -> list[SessionRow]:
    """Return the rows of the sessions that a range touches, and of the holidays in it, by rising date."""
    return [
        SessionRow(
            calendar.name,
            each.date,
            each.start_us,
            each.end_us,
            each.total_minutes,
            each.is_half_day,
            each.is_holiday,
            each.notes,
        )
        for each in calendar.sessions(start_us, end_us)
    ]
