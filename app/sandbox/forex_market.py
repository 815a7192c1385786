"""The week of the simulated markets of bid and ask, and the swings of their prices."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_NEW_YORK = ZoneInfo("America/New_York")

SWINGS = ((0.017, 0.03), (0.31, 0.004), (6.1, 0.0008), (71.0, 0.0002))
"""Sines that a price swings by: radians per day, and the share of the price."""


def is_open(at_s: int) -> bool:
    """Whether the market is open at a time, UTC seconds: from Sunday to Friday, 17:00 New York."""
    # The session of a weekday begins at 17:00 of the day before.
    return (datetime.fromtimestamp(at_s, _NEW_YORK) + timedelta(hours=7)).weekday() < 5
