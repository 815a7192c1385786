"""The countdown to the close of the latest candle. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from app.market.interval import SECOND_US, Interval
from app.market.series.series import Bar
from widgets.chart.scales.time_text import countdown

# At zero, the next candle's first trade is a moment away. Later than this, the market is quiet and no close is near.
_GRACE_US = 5_000_000


@dataclass(slots=True)
class CloseCountdown:
    """``now_us``: the exchange's time, UTC microseconds; None until it is known."""

    now_us: int | None = None

    def text(self, last: Bar | None, interval: Interval) -> str:
        """Return the time left to the close of ``last``; empty for a closed bar, and for intervals of a second."""
        if last is None or self.now_us is None or last.closed:
            return ""
        left_us = interval.next_open_us(last.open_time_us) - self.now_us
        return countdown(left_us) if interval.length_us > SECOND_US and left_us > -_GRACE_US else ""
