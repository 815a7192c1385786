"""
How long the exchange keeps this address out. No I/O: the caller brings the time.

A ban (HTTP 418), a warning (429) and the firewall's refusal (403) are meant for the address, not for the request that
met them. So there is one `ExchangeBan` in the program: whoever is told writes it there, and whoever is about to ask,
over REST or for a new connection, looks there first. A host that is none of the chosen exchange's speaks for itself
alone.
"""

from __future__ import annotations

from collections.abc import Collection

from app.market.durations import with_retry

LONGEST_S = 3 * 86_400.0
"""The longest ban of the exchange; more is no answer of its."""


class ExchangeBan:
    """
    Until when nothing may be asked. ``reason``: the sentence of the answer that said so.

    ``exchanges``: the domains whose answers count; every one where none is named.
    """

    def __init__(self, exchanges: Collection[str] = ()) -> None:
        self.exchanges = frozenset(exchanges)
        self._until_s = 0.0
        self.reason = ""

    def counts(self, exchange: str) -> bool:
        """Whether what a host of that domain answers is meant for all."""
        return not self.exchanges or exchange in self.exchanges

    def note(self, reason: str, wait_s: float, now_s: float) -> bool:
        """
        Take in that the exchange wants to be left alone for that long from ``now_s`` (monotonic).

        Returns False where that changes nothing, because a longer wait holds.
        """
        until_s = now_s + min(wait_s, LONGEST_S)
        if until_s <= self._until_s:
            return False
        self._until_s, self.reason = until_s, reason
        return True

    def left_s(self, now_s: float) -> float:
        """Return for how long nothing may be asked yet; 0 where it may be now."""
        return max(0.0, self._until_s - now_s)

    def sentence(self, now_s: float) -> str:
        """Return why nothing may be asked and for how long yet; "" where it may be now."""
        left_s = self.left_s(now_s)
        return with_retry(self.reason, left_s) if left_s else ""
