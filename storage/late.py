"""
Days of long ago that trades are being stored into: an import, a repair, a replayed recording.

They are noted in the database before the trades are stored, so that retention does not drop at once what has just been
stored. Trades of the last weeks, which no retention reaches for days to come, cost nothing.
"""

from __future__ import annotations

import math
import time
from datetime import date, timedelta

import numpy as np

from storage.connection import Connection
from storage.packing import Columns

_DAY_US = 86_400_000_000
_LATE_AFTER_DAYS = 20  # ten days less than the shortest retention
_AGAIN_AFTER_S = 3_600.0
_EPOCH = date(1970, 1, 1)


class LateDays:
    """The days that one writing connection has noted, and when."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._noted: dict[int, float] = {}

    def forget(self) -> None:
        """Note them all anew."""
        self._noted.clear()

    def note(self, batch: Columns) -> None:
        """Note the batch's days of long ago, outside its transaction: they stay whatever becomes of that."""
        late_us = time.time_ns() // 1000 - _LATE_AFTER_DAYS * _DAY_US
        if batch.time_us.min() >= late_us:
            return
        now_s = time.time()  # a monotonic clock stands still while the computer sleeps
        days = [
            day
            for day in np.unique(batch.time_us[batch.time_us < late_us] // _DAY_US).tolist()
            if abs(now_s - self._noted.get(day, -math.inf)) >= _AGAIN_AFTER_S
        ]
        if days:
            dates = [_EPOCH + timedelta(days=day) for day in days]
            self._connection.execute("SELECT note_late_days(%s)", (dates,))
            self._noted.update(dict.fromkeys(days, now_s))
