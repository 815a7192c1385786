"""
Klines of one second, kept in memory while there is room.

They are too many for the database (86,400 a day and symbol, and from complete trades they can be made at any time), but
switching away and back, or scrolling to and fro, should not fetch them again. When the room is used up the symbol that
was looked at longest ago is forgotten, and of the only one its oldest half.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from app.market.candle import Candle
from app.market.coverage import IdRanges

_MOST = 40_000  # candles, some 20 MB


class KlineCache:
    """Keeps at most ``most`` klines of all symbols."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._klines: OrderedDict[str, dict[int, Candle]] = OrderedDict()
        self._fetched: dict[str, IdRanges] = {}

    def __len__(self) -> int:
        return sum(map(len, self._klines.values()))

    def keep(self, symbol: str, klines: Sequence[Candle], start_us: int, end_us: int) -> None:
        """Keep closed klines: all that there are in ``[start_us, end_us)``, UTC microseconds."""
        self._klines.setdefault(symbol, {}).update((kline.open_time_us, kline) for kline in klines)
        self._fetched.setdefault(symbol, IdRanges()).add_range(start_us, end_us - 1)
        self._klines.move_to_end(symbol)
        while len(self) > self._most and len(self._klines) > 1:
            oldest, _ = self._klines.popitem(last=False)
            del self._fetched[oldest]
        if len(self) > self._most:
            self._forget_half(symbol)

    def klines(self, symbol: str, start_us: int, end_us: int) -> list[Candle]:
        """Return those kept that open in ``[start_us, end_us)``, in no order."""
        if symbol not in self._klines:
            return []
        self._klines.move_to_end(symbol)
        return [kline for open_us, kline in self._klines[symbol].items() if start_us <= open_us < end_us]

    def fetched(self, symbol: str) -> IdRanges:
        """Return the microseconds of which the klines are known."""
        return self._fetched.get(symbol, IdRanges())

    def _forget_half(self, symbol: str) -> None:
        klines = self._klines[symbol]
        border_us = sorted(klines)[len(klines) // 2]
        self._klines[symbol] = {open_us: kline for open_us, kline in klines.items() if open_us >= border_us}
        self._fetched[symbol].remove_range(0, border_us - 1)
