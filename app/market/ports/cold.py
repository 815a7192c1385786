"""A lake as charts use it: the seconds of days whose trades are kept there alone; `storage.lake` implements it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from app.market.candle import Candle


class ColdSource(Protocol):
    """Reads days of trades from a lake. Every method blocks, and may raise LakeError and UsageError."""

    def days(self, symbol: str) -> frozenset[int]:
        """Return the days of the symbol that are there, by their begin (UTC microseconds)."""

    def seconds(
        self,
        symbol: str,
        day_us: int,
        on_progress: Callable[[float], None],
        is_cancelled: Callable[[], bool],
    ) -> list[Candle]:
        """
        Return the complete candles of one second of a day that is there, oldest first; none if cancelled.

        ``on_progress`` is called with the share that was read, 0 to 1.
        """
