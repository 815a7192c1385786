"""
Candles of a simulated pair, in any interval, folded from the figures of its seconds.

The vectorised counterpart of `app.market.builder`, against which it is tested. Candles are columns of an integer array
whose rows are the figures that `app.sandbox.market.pair` names (`OPEN_US` to `FIRST_ID`). Seconds are folded into
minutes, minutes into hours, and the largest of these units that tiles the interval into its candles. Minutes and hours
are computed in chunks of four hours and cached, which makes years of daily candles cheap.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from app.market.candle import Candle, empty_candle
from app.market.interval import SECOND_US, Interval
from app.sandbox.market.pair import (
    CLOSE,
    COUNT,
    FIGURES,
    FIRST_ID,
    HIGH,
    LISTED_US,
    LOW,
    OPEN,
    OPEN_US,
    QUOTE,
    TAKER,
    TAKER_QUOTE,
    VOLUME,
    SimulatedPair,
    TapeColumns,
)
from app.sandbox.market.trade_tape import Ints

_MINUTE_S, _HOUR_S = 60, 3600
_UNITS = (_HOUR_S, _MINUTE_S, 1)
_CHUNK_S = 4 * _HOUR_S
# Six weeks of minutes, some 5 MB. Hours are never dropped: a year of them is under 1 MB.
_MINUTE_CHUNKS_KEPT = 256


class FoldedHistory:
    """The candles of one pair. Its methods compute in the calling thread. Thread-safe."""

    def __init__(self, pair: SimulatedPair) -> None:
        self._pair = pair
        self._minutes: OrderedDict[int, Ints] = OrderedDict()
        self._hours: dict[int, Ints] = {}
        self._lock = threading.Lock()

    def candles(self, interval: Interval, begin_us: int, end_us: int, now_us: int) -> list[Candle]:
        """
        Return the candles with trades in ``[begin_us, end_us)``, oldest first, from trades up to ``now_us`` only.

        ``begin_us`` is the open time of a candle.
        """
        rows = self.rows(interval, begin_us, min(end_us, now_us + 1))
        return [
            candle._replace(closed=interval.next_open_us(candle.open_time_us) <= now_us)
            for candle in self._as_candles(rows)
        ]

    def single_candle(self, begin_us: int, end_us: int) -> Candle | None:
        """Return one candle of all trades in ``[begin_us, end_us)``, or None; ``begin_us`` is a whole minute."""
        rows = self.rows(Interval(_MINUTE_S), begin_us, end_us)
        candles = self._as_candles(_fold_at(rows, np.zeros(1, np.intp))) if rows.shape[1] else []
        return candles[0] if candles else None

    def rows(self, interval: Interval, begin_us: int, end_us: int) -> Ints:
        """
        Return a column of figures for each candle with trades in ``[begin_us, end_us)``.

        ``begin_us`` is a whole second. The last candle only has the trades before ``end_us``.
        """
        begin = max(begin_us - LISTED_US, 0) // SECOND_US
        end, rest_us = divmod(max(end_us - LISTED_US, 0), SECOND_US)
        parts = [self._rows_of_seconds(interval, begin, end)] if begin < end else []
        if rest_us and begin <= end:
            parts.append(fold_trades(self._pair.trades_of_seconds(end, end + 1), end_us))
        return _fold_into(np.concatenate(parts, axis=1), interval) if parts else _no_rows()

    def _as_candles(self, rows: Ints) -> list[Candle]:
        symbol = self._pair.symbol
        price, quantity = symbol.tick_size_e8, symbol.step_size_e8
        amount = price * quantity
        return [
            Candle(
                row[OPEN_US],
                row[OPEN] * price,
                row[HIGH] * price,
                row[LOW] * price,
                row[CLOSE] * price,
                row[VOLUME] * quantity,
                row[QUOTE] * amount,
                row[COUNT],
                row[TAKER] * quantity,
                row[TAKER_QUOTE] * amount,
                row[FIRST_ID],
                row[FIRST_ID] + row[COUNT] - 1,
            )
            for row in rows.T.tolist()
        ]

    def _rows_of_seconds(self, interval: Interval, begin: int, end: int) -> Ints:
        """
        Return columns of figures of hours, minutes or seconds that together are the seconds ``[begin, end)``.

        All of them tile the interval's candles. ``begin`` and ``end`` count seconds since `LISTED_US`.
        """
        unit = next(unit for unit in _UNITS if Interval(unit).tiles(interval))
        body_begin, body_end = -(-begin // unit) * unit, end // unit * unit
        if unit == 1 or body_begin >= body_end:
            return self._pair.seconds(begin, end)
        body = [self._chunk(chunk, unit) for chunk in range(body_begin // _CHUNK_S, (body_end - 1) // _CHUNK_S + 1)]
        rows = np.concatenate(body, axis=1)
        first, last = np.searchsorted(rows[OPEN_US], [LISTED_US + at * SECOND_US for at in (body_begin, body_end)])
        parts = [rows[:, first:last]]
        if begin < body_begin:
            parts.insert(0, self._pair.seconds(begin, body_begin))
        if body_end < end:
            parts.append(self._pair.seconds(body_end, end))
        return np.concatenate(parts, axis=1)

    def _chunk(self, chunk: int, unit: int) -> Ints:
        """
        Return the minutes, or the hours, of one chunk of the pair's time.

        The chunk may lie in the future: its trades are known, and `rows` only uses those it was asked for.
        """
        with self._lock:
            kept = self._hours.get(chunk) if unit == _HOUR_S else self._minutes.get(chunk)
        if kept is not None:
            return kept
        minutes = _fold_into(self._pair.seconds(chunk * _CHUNK_S, (chunk + 1) * _CHUNK_S), Interval(_MINUTE_S))
        hours = _fold_into(minutes, Interval(_HOUR_S))
        with self._lock:
            self._hours[chunk] = hours
            self._minutes[chunk] = minutes
            while len(self._minutes) > _MINUTE_CHUNKS_KEPT:
                self._minutes.popitem(last=False)
        return hours if unit == _HOUR_S else minutes


def fold_trades(trades: TapeColumns, end_us: int) -> Ints:
    """Return one column for the trades before ``end_us``, or none; ``trades`` are all of one second."""
    count = int(np.searchsorted(trades.time_us, end_us, side="left"))
    if not count:
        return _no_rows()
    price, quantity = trades.price[:count], trades.quantity[:count]
    bought = quantity * ~trades.taker_sells[:count]
    second_us = int(trades.time_us[0]) // SECOND_US * SECOND_US
    figures = [second_us, price[0], price.max(), price.min(), price[-1], quantity.sum(), (quantity * price).sum()]
    figures += [bought.sum(), (bought * price).sum(), count, trades.ids[0]]
    return np.array(figures, np.int64)[:, None]


def fill_empty(
    candles: list[Candle], interval: Interval, begin_us: int, end_us: int, *, close_e8: int, now_us: int
) -> list[Candle]:
    """
    Return ``candles`` with the empty candles of ``[begin_us, end_us)`` added, as of ``now_us``.

    ``begin_us`` is an open time, ``close_e8`` the last price before it. An empty candle has the close before it as its
    prices, as on the exchange.
    """
    filled: list[Candle] = []
    at_us = begin_us
    for candle in [*candles, None]:
        until_us = end_us if candle is None else candle.open_time_us
        # By next_open_us and not by division, because months differ in length.
        while at_us < until_us:
            next_us = interval.next_open_us(at_us)
            filled.append(empty_candle(at_us, close_e8, closed=next_us <= now_us))
            at_us = next_us
        if candle is not None:
            filled.append(candle)
            close_e8, at_us = candle.close_e8, interval.next_open_us(at_us)
    return filled


def _fold_into(rows: Ints, interval: Interval) -> Ints:
    """Fold columns of figures, which are in order and tile the interval, into its candles."""
    if not rows.shape[1]:
        return rows
    opens = _open_times(rows[OPEN_US], interval)
    starts = np.flatnonzero(np.concatenate(([True], opens[1:] != opens[:-1])))
    folded = _fold_at(rows, starts)
    folded[OPEN_US] = opens[starts]
    return folded


def _fold_at(rows: Ints, starts: NDArray[np.intp]) -> Ints:
    """Return one column for each stretch of columns that begins at one of ``starts``."""
    ends = np.append(starts[1:], rows.shape[1]) - 1
    folded = np.empty((FIGURES, len(starts)), np.int64)
    folded[OPEN_US] = rows[OPEN_US, starts]
    folded[OPEN], folded[CLOSE] = rows[OPEN, starts], rows[CLOSE, ends]
    folded[HIGH] = np.maximum.reduceat(rows[HIGH], starts)
    folded[LOW] = np.minimum.reduceat(rows[LOW], starts)
    folded[VOLUME : COUNT + 1] = np.add.reduceat(rows[VOLUME : COUNT + 1], starts, axis=1)
    folded[FIRST_ID] = rows[FIRST_ID, starts]
    return folded


def _open_times(times_us: Ints, interval: Interval) -> Ints:
    if interval.months:  # of varying length, so not a matter of division
        return np.array([interval.open_time_us(time_us) for time_us in times_us.tolist()], np.int64)
    return times_us - (times_us - interval.origin_us) % (interval.seconds * SECOND_US)


def _no_rows() -> Ints:
    return np.empty((FIGURES, 0), np.int64)
