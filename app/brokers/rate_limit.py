"""
How fast and how much may be asked of an exchange. No I/O: the caller passes the time.

`Pacer` bounds how often something happens in any period: requests on a socket, attempts to connect. `WeightBudget`
tracks the weight of REST requests, which the exchange adds up per address and minute of its own clock and reports with
each answer. The two clocks never agree and other programs may share the address, so the budget keeps a tenth in reserve
and trusts the higher of both counts. Both only say how long to wait; the caller waits, and reports what it does.
"""

from __future__ import annotations

from collections import deque


class Pacer:
    """
    Allows at most ``limit`` events in any ``period_s``.

    The first ``burst`` of them (all, by default) may follow each other at once, and the rest are spread over the
    period. A caller that uses up its limit too fast then waits a few seconds each time, and not once for the whole rest
    of the period.
    """

    def __init__(self, limit: int, period_s: float, *, burst: int | None = None) -> None:
        self._period_s = period_s
        self._burst = limit if burst is None else burst
        self._spacing_s = period_s / (limit - self._burst) if limit > self._burst else 0.0
        self._times: deque[float] = deque(maxlen=limit)

    def delay_s(self, now_s: float) -> float:
        """Return how long to wait from ``now_s`` (monotonic) before the next event; 0 if it may happen now."""
        delay_s = 0.0
        if len(self._times) == self._times.maxlen:
            delay_s = self._times[0] + self._period_s - now_s
        if sum(time_s > now_s - self._period_s for time_s in self._times) >= self._burst and self._spacing_s:
            delay_s = max(delay_s, self._times[-1] + self._spacing_s - now_s)
        return max(0.0, delay_s)

    def note(self, now_s: float) -> None:
        """Count an event at ``now_s``."""
        self._times.append(now_s)


_MINUTE_US = 60_000_000
SHARE_USED = 0.9


class WeightBudget:
    """The weight used in the current minute, of ``weight_per_minute``."""

    def __init__(self, weight_per_minute: int) -> None:
        self.weight_per_minute = weight_per_minute
        self._minute = 0
        self._used = 0

    def used(self, now_us: int) -> int:
        """Return the weight used in the minute of ``now_us`` (UTC microseconds)."""
        self._start_minute(now_us)
        return self._used

    def delay_s(self, weight: int, now_us: int, share: float = SHARE_USED) -> float:
        """
        Return how long to wait before spending ``weight``; 0 if it may be spent now.

        ``share``: the part of the minute's weight that may be used afterwards.
        """
        self._start_minute(now_us)
        # An empty minute allows any request: one larger than the budget would otherwise never be sent.
        if not self._used or self._used + weight <= self.weight_per_minute * share:
            return 0.0
        return (_MINUTE_US - now_us % _MINUTE_US) / 1e6

    def spend(self, weight: int, now_us: int) -> None:
        """Count a request that is sent at ``now_us``."""
        self._start_minute(now_us)
        self._used += weight

    def observe(self, used: int, now_us: int) -> None:
        """Note the exchange's own count, as an answer reports it."""
        self._start_minute(now_us)
        self._used = max(self._used, used)

    def _start_minute(self, now_us: int) -> None:
        minute = now_us // _MINUTE_US
        # A clock set back must not return weight that has been spent.
        if minute > self._minute:
            self._used = 0
        self._minute = minute
