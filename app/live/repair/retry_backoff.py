"""What has been tried in vain: ranges of ids that are set aside for a while, a longer one each time. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from app.market.coverage import IdRanges

_GROWTH = 2


class BackoffRange(NamedTuple):
    """
    A range set aside until ``until_s``; ``tries`` are those that tell against the range itself. ``reason`` is one
    sentence for the user.
    """

    first_trade_id: int
    last_trade_id: int
    until_s: float
    delay_s: float
    tries: int
    reason: str


class RetryBackoff:
    """The ranges set aside, by symbol. Times are those of one monotonic clock."""

    def __init__(self) -> None:
        self._of: dict[str, list[BackoffRange]] = {}

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
    ) -> BackoffRange:
        """
        Set a range aside; for longer than what of it was set aside before. Ranges that overlap become one.

        ``counts``: how much it tells against the range that this failed.
        """
        known = self._of.get(symbol, [])
        again = [one for one in known if one.first_trade_id <= last and one.last_trade_id >= first]
        delay_s = min(max([shortest_s, *(one.delay_s * _GROWTH for one in again)]), longest_s)
        noted = BackoffRange(
            first, last, now_s + delay_s, delay_s, counts + max((one.tries for one in again), default=0), reason
        )
        self._of[symbol] = [*(one for one in known if one not in again), noted]
        return noted

    def clear(self, symbol: str, first: int, last: int) -> None:
        """Forget what is known of a range: it goes on there."""
        known = self._of.get(symbol)
        if known:
            self._of[symbol] = [one for one in known if one.last_trade_id < first or one.first_trade_id > last]

    def clear_all(self) -> None:
        """Forget everything."""
        self._of.clear()

    def free(self, symbol: str, ids: IdRanges, now_s: float) -> IdRanges:
        """Return what of these ids is not set aside now."""
        return ids - _ids(one for one in self._of.get(symbol, ()) if one.until_s > now_s)

    def hopeful(self, symbol: str, ids: IdRanges, tries: int) -> bool:
        """Whether any of these ids has been tried in vain less often than that."""
        return bool(ids - _ids(one for one in self._of.get(symbol, ()) if one.tries >= tries))

    def reason(self, symbol: str) -> str:
        """Return why the last range of the symbol was set aside, or an empty text."""
        known = self._of.get(symbol)
        return known[-1].reason if known else ""


def _ids(setbacks: Iterable[BackoffRange]) -> IdRanges:
    return IdRanges(sorted(one[:2] for one in setbacks))
