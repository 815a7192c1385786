"""
The exchange's limit of request weight per minute: beyond it 429, then a ban. No I/O: the caller passes the time.

The client's counterpart is `app.brokers.rate_limit.WeightBudget`.
"""

from __future__ import annotations

from dataclasses import dataclass

_MINUTE_S = 60
_WARNINGS = 10  # requests answered with 429 in one minute before the ban
_BAN_S = 120  # the exchange's shortest ban


@dataclass(slots=True)
class RequestWeights:
    """
    The weight that one client has used in the current minute, of ``limit``.

    Source: binance-spot-api-docs, rest-api.md, "IP Limits".
    """

    limit: int
    used: int = 0
    _minute: int = -1
    _refused: int = 0
    _banned_until_s: float = 0.0

    def charge(self, weight: int, now_s: float) -> tuple[int, int] | None:
        """Count a request; return None if it may pass, else the HTTP status and the seconds to wait."""
        if now_s < self._banned_until_s:
            return 418, int(self._banned_until_s - now_s) + 1
        minute = int(now_s // _MINUTE_S)
        if minute != self._minute:
            self._minute, self.used, self._refused = minute, 0, 0
        self.used += weight
        if self.used <= self.limit:
            return None
        self._refused += 1
        if self._refused > _WARNINGS:
            self._banned_until_s = now_s + _BAN_S
            return 418, _BAN_S
        return 429, int((minute + 1) * _MINUTE_S - now_s) + 1
