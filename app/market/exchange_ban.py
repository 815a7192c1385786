"""
How long the exchange answers nothing from this address. No I/O: the caller passes the time.

A ban (HTTP 418), a warning (429) and the firewall's refusal (403) apply to the address, not to the request that met
them. So the program has one `ExchangeBan`: each adapter that gets such an answer notes it there, and checks it before
each REST request and each new connection. Answers of hosts that do not belong to the exchange do not count.
"""

from __future__ import annotations

from collections.abc import Collection

from app.market.durations import with_retry

LONGEST_S = 3 * 86_400.0
"""The longest ban that Binance documents. A longer wait in an answer is an error, so it is cut to this."""


class ExchangeBan:
    """
    The time until which no request may be made. ``reason``: one sentence from the answer that set it.

    ``exchanges``: the domains whose answers count; all domains if none is given.
    """

    def __init__(self, exchanges: Collection[str] = ()) -> None:
        self.exchanges = frozenset(exchanges)
        self._until_s = 0.0
        self.reason = ""

    def counts(self, exchange: str) -> bool:
        """Whether a ban that a host of that domain sends applies to all requests."""
        return not self.exchanges or exchange in self.exchanges

    def note(self, reason: str, wait_s: float, now_s: float) -> bool:
        """
        Record that no request may be made for ``wait_s`` from ``now_s`` (monotonic).

        Returns False if a longer wait is in force already.
        """
        until_s = now_s + min(wait_s, LONGEST_S)
        if until_s <= self._until_s:
            return False
        self._until_s, self.reason = until_s, reason
        return True

    def left_s(self, now_s: float) -> float:
        """Return how long no request may be made, in seconds; 0 if requests are allowed."""
        return max(0.0, self._until_s - now_s)

    def sentence(self, now_s: float) -> str:
        """Return the reason for the ban and how long it lasts; empty if requests are allowed."""
        left_s = self.left_s(now_s)
        return with_retry(self.reason, left_s) if left_s else ""
