"""
Ranges of ids that could not be fetched, set aside for a while, longer after each failure. Pure.

`app.live.repair.repairer` notes failures here, and asks what may be tried.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from app.market.coverage import IdRanges

_GROWTH = 2


class BackoffRange(NamedTuple):
    """
    A range set aside until ``until_s``, after a delay of ``delay_s``.

    ``tries`` counts the failures that tell against the range itself, rather than against the connection. ``reason`` is
    one sentence for the user. ``away``: the exchange was not there.
    """

    first_trade_id: int
    last_trade_id: int
    until_s: float
    delay_s: float
    tries: int
    reason: str
    away: bool = False


class RetryBackoff:
    """The ranges set aside, by symbol. Times are those of one monotonic clock."""

    def __init__(self) -> None:
        self._ranges: dict[str, list[BackoffRange]] = {}

    def note(
        self,
        symbol: str,
        first: int,
        last: int,
        now_s: float,
        reason: str,
        *,
        shortest_s: float,
        longest_s: float,
        counts: int = 1,
        away: bool = False,
    ) -> BackoffRange:
        """
        Set a range aside, for twice as long as any part of it was before; it replaces the ranges it overlaps.

        ``counts``: how many tries this failure counts as. ``away``: it failed because the exchange was not there.
        """
        known = self._ranges.get(symbol, [])
        overlapping = [one for one in known if one.first_trade_id <= last and one.last_trade_id >= first]
        delay_s = min(max([shortest_s, *(one.delay_s * _GROWTH for one in overlapping)]), longest_s)
        tries = counts + max((one.tries for one in overlapping), default=0)
        noted = BackoffRange(first, last, now_s + delay_s, delay_s, tries, reason, away)
        self._ranges[symbol] = [*(one for one in known if one not in overlapping), noted]
        return noted

    def clear(self, symbol: str, first: int, last: int) -> None:
        """Forget all ranges that overlap this one: fetching it works."""
        known = self._ranges.get(symbol)
        if known:
            self._ranges[symbol] = [one for one in known if one.last_trade_id < first or one.first_trade_id > last]

    def end_away(self) -> None:
        """Let the ranges that were set aside because the exchange was not there be tried now; their tries stay."""
        for symbol, known in self._ranges.items():
            self._ranges[symbol] = [one._replace(until_s=0.0, delay_s=0.0) if one.away else one for one in known]

    def clear_all(self) -> None:
        """Forget everything."""
        self._ranges.clear()

    def free(self, symbol: str, ids: IdRanges, now_s: float) -> IdRanges:
        """Return the ids that are not set aside at ``now_s``."""
        return ids - _ids(one for one in self._ranges.get(symbol, ()) if one.until_s > now_s)

    def hopeful(self, symbol: str, ids: IdRanges, tries: int) -> bool:
        """Whether any of these ids has failed less often than ``tries`` times."""
        return bool(ids - _ids(one for one in self._ranges.get(symbol, ()) if one.tries >= tries))

    def reason(self, symbol: str) -> str:
        """Return why the newest range of the symbol was set aside; empty if none is."""
        known = self._ranges.get(symbol)
        return known[-1].reason if known else ""


def _ids(ranges: Iterable[BackoffRange]) -> IdRanges:
    return IdRanges(sorted(one[:2] for one in ranges))
