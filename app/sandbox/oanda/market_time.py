"""What time it is in the market that the loopback OANDA serves: the machine's, or that of a replay."""

from __future__ import annotations

import math

from app.market.ports.clock import Clock


class MarketTime:
    """
    The market's time, UTC microseconds: ``clock``'s, or from ``begin_us`` on at ``speed``.

    At infinite speed it stands still, and each stream moves it on by what it has sent (`reach`).
    """

    def __init__(self, clock: Clock, *, begin_us: int | None = None, speed: float = 1.0) -> None:
        self.clock = clock
        self.speed = speed
        self._begin_us = begin_us
        self._begin_s = clock.monotonic_s()
        self._reached_us = begin_us or 0

    @property
    def is_unbounded(self) -> bool:
        """Whether a stream is as fast as its client."""
        return math.isinf(self.speed)

    def now_us(self) -> int:
        """Return the market's time."""
        if self.is_unbounded:
            return self._reached_us
        if self._begin_us is None:
            return self.clock.now_us()
        return self._begin_us + round((self.clock.monotonic_s() - self._begin_s) * self.speed * 1e6)

    def reach(self, time_us: int) -> None:
        """Move on to a time that a stream has reached."""
        self._reached_us = max(self._reached_us, time_us)
