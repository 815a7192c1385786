"""
The candles of one chart, as columns.

Model, not view: knows no widget. One `CandleSeries` belongs to one symbol and one interval for its whole life; a switch
makes a new one, so old figures can never stand under a new name. Figures are float64, for drawing: each is the nearest
double of the exact amount, in whole units of the asset.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.market.candle import Candle, CandleSource
from app.market.interval import Interval
from app.market.units import E8, E16

CLOSED, COMPLETE, FROM_KLINE = 1, 2, 4

_COLUMNS: dict[str, type] = {
    "slot": np.int64,
    "open_time_us": np.int64,
    "open": np.float64,
    "high": np.float64,
    "low": np.float64,
    "close": np.float64,
    "volume": np.float64,
    "quote_volume": np.float64,
    "trades": np.int64,
    "taker_buy_volume": np.float64,
    "taker_buy_quote_volume": np.float64,
    "first_trade_id": np.int64,
    "last_trade_id": np.int64,
    "flags": np.uint8,
}
_FIRST_CAPACITY = 1024


class Bar(NamedTuple):
    """One candle of a series, in whole units of the assets; ids are -1 where there are none."""

    slot: int
    open_time_us: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    trades: int
    taker_buy_volume: float
    taker_buy_quote_volume: float
    first_trade_id: int
    last_trade_id: int
    closed: bool
    complete: bool
    source: CandleSource


class CandleSeries:
    """
    Candles by rising open time, each open time once; slots without a candle are holes.

    ``revision`` grows with every change, ``shape_revision`` only when bars move (replace, prepend, insert) rather than
    change at the end: a view keeps the numbers it has drawn and compares.
    """

    def __init__(self, symbol: str, interval: Interval) -> None:
        self.symbol = symbol
        self.interval = interval
        self.revision = 0
        self.shape_revision = 0
        self._start = 0
        self._end = 0
        self._data = _allocate(_FIRST_CAPACITY)

    def __len__(self) -> int:
        return self._end - self._start

    def column(self, name: str) -> NDArray[Any]:
        """Return a view of one column, oldest first; valid until the next change."""
        return self._data[name][self._start : self._end]

    @property
    def slots(self) -> NDArray[np.int64]:
        """The slot numbers, rising."""
        return self._data["slot"][self._start : self._end]

    def bar(self, index: int) -> Bar:
        """Return the bar at ``index`` (negative from the end). Raises IndexError."""
        length = len(self)
        if not -length <= index < length:
            raise IndexError(index)
        at = self._start + index % length
        values = [self._data[name][at].item() for name in _COLUMNS]
        flags = values.pop()
        source = CandleSource.KLINE if flags & FROM_KLINE else CandleSource.TRADES
        return Bar._make((*values, bool(flags & CLOSED), bool(flags & COMPLETE), source))

    def index_at_slot(self, slot: float) -> int:
        """Return the index of the bar at or next before ``slot``; -1 where there is none."""
        return int(np.searchsorted(self.slots, np.floor(slot), side="right")) - 1

    def replace(self, candles: Sequence[Candle]) -> None:
        """Make these the candles, by rising open time."""
        self._data = _allocate(max(_FIRST_CAPACITY, 2 * len(candles)))
        self._start, self._end = 0, len(candles)
        self._fill(0, candles)
        self._changed(shape=True)

    def prepend(self, candles: Iterable[Candle]) -> int:
        """Add older candles in front, by rising open time; those not older than the first are passed over.

        Returns how many were added.
        """
        first_us = int(self.column("open_time_us")[0]) if len(self) else None
        older = [candle for candle in candles if first_us is None or candle.open_time_us < first_us]
        if not older:
            return 0
        if self._start < len(older):
            self._grow(front=len(older) + len(self), back=0)
        self._start -= len(older)
        self._fill(self._start, older)
        self._changed(shape=True)
        return len(older)

    def upsert(self, candle: Candle) -> None:
        """Change the candle of that open time, or add it: at the end at once, elsewhere in its place."""
        if len(self):
            last_us = self._data["open_time_us"][self._end - 1]
            if candle.open_time_us == last_us:
                self._fill(self._end - 1, (candle,))
                self._changed(shape=False)
                return
            if candle.open_time_us < last_us:
                self._upsert_inside(candle)
                return
        if self._end == len(self._data["slot"]):
            self._grow(front=0, back=max(_FIRST_CAPACITY, len(self)))
        self._fill(self._end, (candle,))
        self._end += 1
        self._changed(shape=False)

    def _upsert_inside(self, candle: Candle) -> None:
        at = self._start + int(np.searchsorted(self.column("open_time_us"), candle.open_time_us))
        if self._data["open_time_us"][at] != candle.open_time_us:
            if self._end == len(self._data["slot"]):
                self._grow(front=0, back=max(_FIRST_CAPACITY, len(self)))
            for column in self._data.values():
                column[at + 1 : self._end + 1] = column[at : self._end].copy()
            self._end += 1
        self._fill(at, (candle,))
        self._changed(shape=True)

    def _changed(self, *, shape: bool) -> None:
        self.revision += 1
        if shape:
            self.shape_revision += 1

    def _grow(self, *, front: int, back: int) -> None:
        length = len(self)
        grown = _allocate(front + length + back)
        for name, column in self._data.items():
            grown[name][front : front + length] = column[self._start : self._end]
        self._data = grown
        self._start, self._end = front, front + length

    def _fill(self, at: int, candles: Sequence[Candle]) -> None:
        data, slot = self._data, self.interval.slot
        for row, candle in enumerate(candles, start=at):
            data["slot"][row] = slot(candle.open_time_us)
            data["open_time_us"][row] = candle.open_time_us
            data["open"][row] = candle.open_e8 / E8
            data["high"][row] = candle.high_e8 / E8
            data["low"][row] = candle.low_e8 / E8
            data["close"][row] = candle.close_e8 / E8
            data["volume"][row] = candle.volume_e8 / E8
            data["quote_volume"][row] = candle.quote_volume_e16 / E16
            data["trades"][row] = candle.trades
            data["taker_buy_volume"][row] = candle.taker_buy_volume_e8 / E8
            data["taker_buy_quote_volume"][row] = candle.taker_buy_quote_volume_e16 / E16
            data["first_trade_id"][row] = -1 if candle.first_trade_id is None else candle.first_trade_id
            data["last_trade_id"][row] = -1 if candle.last_trade_id is None else candle.last_trade_id
            data["flags"][row] = (
                CLOSED * candle.closed
                + COMPLETE * candle.complete
                + FROM_KLINE * (candle.source is not CandleSource.TRADES)
            )


def _allocate(capacity: int) -> dict[str, NDArray[Any]]:
    return {name: np.empty(capacity, kind) for name, kind in _COLUMNS.items()}
