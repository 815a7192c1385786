"""Following the latest candle, and when older candles are wanted. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from widgets.chart.scales.time_scale import TimeScale


@dataclass(slots=True)
class FollowLatest:
    """
    Moves a `TimeScale` on with the latest candle while ``is_on``; else nothing that arrives moves it.

    ``last_slot`` is the latest candle of the series shown, None before it has one.
    """

    is_on: bool = True
    last_slot: int | None = None
    _asked_before: int | None = None  # the first bar for which older candles were asked

    def begin(self) -> None:
        """Begin with another series."""
        self.last_slot = self._asked_before = None

    def keep_up(self, time: TimeScale, last: int) -> None:
        """Take note that ``last`` is the latest candle now, and move on with it."""
        if self.is_on:
            if self.last_slot is None:
                time.last = last
                time.show_latest()
            else:
                time.right += last - self.last_slot
        self.last_slot = last

    def wants_older(self, time: TimeScale) -> bool:
        """Return whether the view came within about a screen of the first bar: once for each first bar."""
        if self.last_slot is None or time.left - time.first >= time.span or self._asked_before == time.first:
            return False
        self._asked_before = time.first
        return True
