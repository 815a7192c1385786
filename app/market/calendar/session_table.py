"""The calendar of a market whose sessions are listed one by one, as those of stock exchanges are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from app.market.calendar.calendar import Session
from app.market.calendar.spans import Spans, between, length_us, merged, within


class ListedSession(NamedTuple):
    """A session of the list: its opening and its close, UTC microseconds, and a break within it, if it has one."""

    date: date
    open_us: int
    close_us: int
    break_us: tuple[int, int] | None = None
    is_half_day: bool = False
    notes: str = ""


class SessionTable:
    """
    A market with these sessions, by rising date, and these holidays without trading.

    Before its first session and after its last the market counts as open: a table says nothing about other times.
    """

    def __init__(
        self, name: str, sessions: Sequence[ListedSession], holidays: Mapping[date, str] | None = None
    ) -> None:
        self.name = name
        self._sessions = tuple(sessions)
        self._opens = np.array([each.open_us for each in sessions], np.int64)
        self._closes = np.array([each.close_us for each in sessions], np.int64)
        breaks = np.array([each.break_us for each in sessions if each.break_us], np.int64).reshape(-1, 2)
        open_ = merged(np.column_stack((self._opens, self._closes)))
        known = (int(open_[0, 0]), int(open_[-1, 1])) if len(open_) else (0, 0)
        self._closed = merged(np.concatenate((between(open_, *known), breaks)))
        self.closes = bool(len(self._closed))
        self._holidays = [
            Session(day, None, None, 0, is_holiday=True, notes=notes) for day, notes in sorted((holidays or {}).items())
        ]

    @property
    def known_days(self) -> tuple[date, date] | None:
        """The first and the last date of its sessions, both included; None without a session."""
        return (self._sessions[0].date, self._sessions[-1].date) if self._sessions else None

    def is_open(self, time_us: int) -> bool:
        return not len(within(self._closed, time_us, time_us + 1))

    def sessions(self, start_us: int, end_us: int) -> list[Session]:
        if start_us >= end_us:
            return []
        first = int(np.searchsorted(self._closes, start_us, side="right"))
        last = int(np.searchsorted(self._opens, end_us, side="left"))
        found = [_session(each) for each in self._sessions[first:last]]
        found += [each for each in self._holidays if each.is_in(start_us, end_us)]
        return sorted(found, key=lambda each: each.date)

    def closed_spans(self, start_us: int, end_us: int) -> Spans:
        return within(self._closed, start_us, end_us)


def _session(listed: ListedSession) -> Session:
    pause = np.array([listed.break_us] if listed.break_us else [], np.int64).reshape(-1, 2)
    open_us = listed.close_us - listed.open_us - length_us(within(pause, listed.open_us, listed.close_us))
    return Session(
        listed.date, listed.open_us, listed.close_us, open_us, is_half_day=listed.is_half_day, notes=listed.notes
    )
