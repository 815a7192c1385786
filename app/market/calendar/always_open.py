"""The calendar of a market that never closes."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from app.market.calendar.calendar import Session
from app.market.calendar.spans import Spans

_DAY_US = 86_400_000_000


class AlwaysOpen:
    """A market that is always open; its sessions are the days in UTC."""

    def __init__(self, name: str = "CRYPTO") -> None:
        self.name = name
        self.closes = False

    def is_open(self, time_us: int) -> bool:
        return True

    def sessions(self, start_us: int, end_us: int) -> list[Session]:
        days = range(start_us // _DAY_US, -(-end_us // _DAY_US)) if start_us < end_us else ()
        return [
            Session(datetime.fromtimestamp(day * 86_400, UTC).date(), day * _DAY_US, (day + 1) * _DAY_US, _DAY_US)
            for day in days
        ]

    def closed_spans(self, start_us: int, end_us: int) -> Spans:
        return np.empty((0, 2), np.int64)
