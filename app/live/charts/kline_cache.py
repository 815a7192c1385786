"""
Caches klines of one second in memory.

They are too many for the database: 86,400 per day and symbol, and complete trades give the same candles at any time.
But switching back to a symbol, or scrolling to and fro, should not request them again. When the cache is full, the
symbol used least recently is dropped, or the older half of the only one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from app.market.candle import Candle
from app.market.coverage import IdRanges

_MOST = 40_000  # candles, some 20 MB


class KlineCache:
    """Holds at most ``most`` klines of all symbols together."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._klines: OrderedDict[str, dict[int, Candle]] = OrderedDict()
        self._fetched: dict[str, IdRanges] = {}

    def __len__(self) -> int:
        return sum(map(len, self._klines.values()))

    def keep(self, symbol: str, klines: Sequence[Candle], start_us: int, end_us: int) -> None:
        """Add the closed klines of ``[start_us, end_us)`` (UTC microseconds): all that the exchange has."""
        self._klines.setdefault(symbol, {}).update((kline.open_time_us, kline) for kline in klines)
        self._fetched.setdefault(symbol, IdRanges()).add_range(start_us, end_us - 1)
        self._klines.move_to_end(symbol)
        while len(self) > self._most and len(self._klines) > 1:
            oldest, _ = self._klines.popitem(last=False)
            del self._fetched[oldest]
        if len(self) > self._most:
            self._forget_half(symbol)

    def klines(self, symbol: str, start_us: int, end_us: int) -> list[Candle]:
        """Return the cached klines that open in ``[start_us, end_us)`` (UTC microseconds), in no order."""
        if symbol not in self._klines:
            return []
        self._klines.move_to_end(symbol)
        return [kline for open_us, kline in self._klines[symbol].items() if start_us <= open_us < end_us]

    def fetched(self, symbol: str) -> IdRanges:
        """Return the microseconds (UTC) for which the klines are known."""
        return self._fetched.get(symbol, IdRanges())

    def _forget_half(self, symbol: str) -> None:
        klines = self._klines[symbol]
        border_us = sorted(klines)[len(klines) // 2]
        self._klines[symbol] = {open_us: kline for open_us, kline in klines.items() if open_us >= border_us}
        self._fetched[symbol].remove_range(0, border_us - 1)
