"""What a market's sessions say about spans of time, as rolling windows are. Arithmetic on arrays; UTC microseconds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.market.calendar.calendar import MINUTE_US, Calendar

_LOOK_BACK_US = 45 * 86_400_000_000  # the session before may be a long holiday ago
NO_SESSION = -1


class WindowSessions(NamedTuple):
    """
    Equally long columns, a row for each window. Its session is the one that its last minute is in.

    Attributes:
        minutes_into_session: the minutes from the session's start to the window's end; `NO_SESSION` where the market is
            closed in the last minute.
        spans_sessions: whether the window holds time of more than one session.
        is_regular: whether the market is open in the last minute.
        has_gap: whether the market was closed between its session and the one before.
    """

    minutes_into_session: NDArray[np.int64]
    spans_sessions: NDArray[np.bool_]
    is_regular: NDArray[np.bool_]
    has_gap: NDArray[np.bool_]


def window_sessions(calendar: Calendar, starts_us: NDArray[np.int64], ends_us: NDArray[np.int64]) -> WindowSessions:
    """Return what is known of the windows [start, end), which are by rising time."""
    if not len(starts_us):
        none = np.empty(0, np.bool_)
        return WindowSessions(np.empty(0, np.int64), none, none, none)
    first_us, last_us = int(starts_us[0]), int(ends_us[-1])
    spans = [
        (one.start_us, one.end_us)
        for one in calendar.sessions(first_us - _LOOK_BACK_US, last_us)
        if one.start_us is not None and one.end_us is not None
    ]
    opens, closes = np.array(spans, np.int64).reshape(-1, 2).T
    last_minutes = ends_us - MINUTE_US
    at = np.searchsorted(opens, last_minutes, side="right") - 1
    if not len(opens):
        never = np.zeros(len(ends_us), np.bool_)
        return WindowSessions(np.full(len(ends_us), NO_SESSION), never, never, never)
    is_regular = (at >= 0) & (last_minutes < closes[at]) & ~closed_minutes(calendar, last_minutes)
    into = np.where(is_regular, (ends_us - opens[at]) // MINUTE_US, NO_SESSION)
    touched = np.searchsorted(opens, ends_us, side="left") - np.searchsorted(closes, starts_us, side="right")
    has_gap = is_regular & (at > 0) & (opens[at] > closes[at - 1])
    return WindowSessions(into, touched > 1, is_regular, has_gap)


def closed_minutes(calendar: Calendar, opens_us: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether the market is closed throughout each of these minutes, which are by rising time."""
    if not calendar.closes or not len(opens_us):
        return np.zeros(len(opens_us), np.bool_)
    spans = calendar.closed_spans(int(opens_us[0]), int(opens_us[-1]) + MINUTE_US)
    if not len(spans):
        return np.zeros(len(opens_us), np.bool_)
    at = np.searchsorted(spans[:, 0], opens_us, side="right") - 1
    closed: NDArray[np.bool_] = (at >= 0) & (opens_us + MINUTE_US <= spans[at, 1])
    return closed
