"""
How much may be asked of the exchange, and when. No I/O.

The exchange counts the weight of all requests from one address by the minute of its clock, and says in each answer how
far the count is. Two clocks never agree, and other programs may share the address: so the budget keeps a tenth in
hand, and believes whichever count is higher.
"""

from __future__ import annotations

from collections import deque


class Pacer:
    """
    Lets at most ``limit`` things happen in any ``period_s``.

    The first ``freely`` of them may follow each other at will (all, unless given), and the rest is spread over the
    period: whoever uses up the limit too fast then waits for seconds, rather than for all that is left of the period.
    """

    def __init__(self, limit: int, period_s: float, *, freely: int | None = None) -> None:
        self._period_s = period_s
        self._freely = limit if freely is None else freely
        self._spacing_s = period_s / (limit - self._freely) if limit > self._freely else 0.0
        self._times: deque[float] = deque(maxlen=limit)

    def delay_s(self, now_s: float) -> float:
        """Return how long to wait from ``now_s`` (monotonic) for the next one; 0 where it may happen now."""
        delay_s = 0.0
        if len(self._times) == self._times.maxlen:
            delay_s = self._times[0] + self._period_s - now_s
        if sum(time_s > now_s - self._period_s for time_s in self._times) >= self._freely and self._spacing_s:
            delay_s = max(delay_s, self._times[-1] + self._spacing_s - now_s)
        return max(0.0, delay_s)

    def note(self, now_s: float) -> None:
        """Count one that happens at ``now_s``."""
        self._times.append(now_s)


_MINUTE_US = 60_000_000
SHARE_USED = 0.9


class WeightBudget:
    """The weight of one minute after another."""

    def __init__(self, weight_per_minute: int) -> None:
        self.weight_per_minute = weight_per_minute
        self._minute = 0
        self._used = 0

    def used(self, now_us: int) -> int:
        """Return the weight used in the minute of ``now_us`` (UTC microseconds)."""
        self._turn_to(now_us)
        return self._used

    def delay_s(self, weight: int, now_us: int, share: float = SHARE_USED) -> float:
        """
        Return how long to wait before spending ``weight``; 0 where it may be spent now.

        ``share``: of the minute's weight, that may be used up by then.
        """
        self._turn_to(now_us)
        # A minute that is empty takes any request: one larger than the budget would otherwise wait for ever.
        if not self._used or self._used + weight <= self.weight_per_minute * share:
            return 0.0
        return (_MINUTE_US - now_us % _MINUTE_US) / 1e6

    def spend(self, weight: int, now_us: int) -> None:
        """Count a request that is sent now."""
        self._turn_to(now_us)
        self._used += weight

    def observe(self, used: int, now_us: int) -> None:
        """Note the exchange's own count, as an answer carried it."""
        self._turn_to(now_us)
        self._used = max(self._used, used)

    def _turn_to(self, now_us: int) -> None:
        minute = now_us // _MINUTE_US
        if minute > self._minute:
            self._used = 0
        self._minute = minute
