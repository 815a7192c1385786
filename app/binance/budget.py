"""
How much may be asked of the exchange, and when. No I/O.

The exchange counts the weight of all requests from one address by the minute of its clock, and says in each answer how
far the count is. Two clocks never agree, and other programs may share the address: so the budget keeps a tenth in
hand, and believes whichever count is higher.
"""

from __future__ import annotations

from app.binance.endpoints import WEIGHT_PER_MINUTE

_MINUTE_US = 60_000_000
SHARE_USED = 0.9


class WeightBudget:
    """The weight of one minute after another."""

    def __init__(self, weight_per_minute: int = WEIGHT_PER_MINUTE) -> None:
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
