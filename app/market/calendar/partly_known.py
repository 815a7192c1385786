"""The calendar of a market whose sessions are known for part of the time."""

from __future__ import annotations

import numpy as np

from app.market.calendar.calendar import Calendar, Session
from app.market.calendar.session_table import ListedSession, SessionTable
from app.market.calendar.spans import Spans, merged


class PartlyKnown:
    """A market with these sessions from the first one's start to the last one's end, else as ``otherwise`` says."""

    def __init__(self, name: str, sessions: list[Session], otherwise: Calendar) -> None:
        listed = [
            ListedSession(one.date, one.start_us, one.end_us, is_half_day=one.is_half_day, notes=one.notes)
            for one in sessions
            if one.start_us is not None and one.end_us is not None
        ]
        first, last = listed[0].date, listed[-1].date
        holidays = {one.date: one.notes for one in sessions if one.is_holiday and first < one.date < last}
        self.name = name
        self.closes = True
        self._table = SessionTable(name, listed, holidays)
        self._otherwise = otherwise
        self._start_us, self._end_us = listed[0].open_us, listed[-1].close_us

    def is_open(self, time_us: int) -> bool:
        known = self._start_us <= time_us < self._end_us
        return (self._table if known else self._otherwise).is_open(time_us)

    def sessions(self, start_us: int, end_us: int) -> list[Session]:
        known = self._table.sessions(start_us, end_us)
        before = self._otherwise.sessions(start_us, min(end_us, self._start_us))
        after = self._otherwise.sessions(max(start_us, self._end_us), end_us)
        parts = {one.date: one for one in (*before, *after)} | {one.date: one for one in known}
        return [parts[day] for day in sorted(parts)]

    def closed_spans(self, start_us: int, end_us: int) -> Spans:
        parts = (
            self._otherwise.closed_spans(start_us, min(end_us, self._start_us)),
            self._table.closed_spans(max(start_us, self._start_us), min(end_us, self._end_us)),
            self._otherwise.closed_spans(max(start_us, self._end_us), end_us),
        )
        return merged(np.concatenate(parts))
