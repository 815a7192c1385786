"""
Folds columns of trades into candles of one interval, by the rules of `app.market.builder`. Pure.

It is for trades that are read in bulk: numpy folds a batch, and only its candles become objects. Add each trade once,
in any order. A candle that `take_ended` returned is done: a later trade of it is refused.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.market.candle import Candle, CandleSource, joined
from app.market.columns.candle_columns import opens_of, slots_of
from app.market.columns.exact_sums import Ints, product_sums, sums
from app.market.interval import Interval


class TradeCandles:
    """The candles of one symbol and interval that have a trade."""

    def __init__(self, interval: Interval) -> None:
        self.interval = interval
        self._candles: dict[int, Candle] = {}
        self._ended_slot: int | None = None

    def add(
        self, trade_id: Ints, time_us: Ints, price_e8: Ints, quantity_e8: Ints, is_buyer_maker: NDArray[np.bool_]
    ) -> None:
        """
        Add trades; columns as `app.market.ports.row_files.TradeBatch` has them.

        Raises:
            ValueError: If one belongs to a candle that was taken.
        """
        if not len(trade_id):
            return
        slot = slots_of(self.interval, time_us)
        if self._ended_slot is not None and int(slot.min()) <= self._ended_slot:
            raise ValueError("a trade belongs to a candle that was taken")
        if not bool(((np.diff(slot) > 0) | ((np.diff(slot) == 0) & (np.diff(trade_id) > 0))).all()):
            order = np.lexsort((trade_id, slot))
            slot, trade_id, price_e8, quantity_e8 = (one[order] for one in (slot, trade_id, price_e8, quantity_e8))
            is_buyer_maker = is_buyer_maker[order]
        starts = np.flatnonzero(np.concatenate(([True], np.diff(slot) != 0)))
        ends = np.concatenate((starts[1:], [len(slot)])) - 1
        taker = np.where(is_buyer_maker, 0, quantity_e8)
        figures = zip(
            opens_of(self.interval, slot[starts]).tolist(),
            price_e8[starts].tolist(),
            np.maximum.reduceat(price_e8, starts).tolist(),
            np.minimum.reduceat(price_e8, starts).tolist(),
            price_e8[ends].tolist(),
            sums(quantity_e8.astype(np.uint64), starts),
            product_sums(price_e8, quantity_e8, starts),
            (ends - starts + 1).tolist(),
            sums(taker.astype(np.uint64), starts),
            product_sums(price_e8, taker, starts),
            trade_id[starts].tolist(),
            trade_id[ends].tolist(),
            strict=True,
        )
        for row in figures:
            candle = Candle._make((*row, False, True, CandleSource.TRADES))
            known = self._candles.get(candle.open_time_us)
            self._candles[candle.open_time_us] = candle if known is None else joined(known, candle)

    def take_ended(self, time_us: int | None = None) -> list[Candle]:
        """
        Remove and return the candles that end at ``time_us`` or before, oldest first; all of them without a time.

        ``closed`` and ``complete`` mean nothing yet: `app.market.builder.finish` sets both.
        """
        if time_us is None:
            time_us = self.interval.next_open_us(max(self._candles)) if self._candles else 0
        slot = self.interval.slot(time_us) - 1
        self._ended_slot = slot if self._ended_slot is None else max(slot, self._ended_slot)
        end_us = self.interval.slot_open_us(slot + 1)
        ended = sorted(open_us for open_us in self._candles if open_us < end_us)
        return [self._candles.pop(open_us) for open_us in ended]
