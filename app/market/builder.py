"""
Folding trades into candles.

A candle is a function of the set of its trades, never of their order of arrival: open and close go by trade id, times
by the exchange's trade time. So a late trade changes its own candle and no other. `finish` adds what depends on the
neighbours: the empty candles in between, and which candles are closed and complete. Candles read from the database go
through the same `finish`, so live candles, SQL and export agree.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from app.market.candle import Candle, CandleSource, empty_candle
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.trade import Trade

_ABOVE_ALL = 1 << 63


class _Bucket:
    """The running figures of one candle."""

    __slots__ = (
        "close_e8",
        "first_id",
        "high_e8",
        "last_id",
        "low_e8",
        "open_e8",
        "open_us",
        "quote_e16",
        "seed",
        "taker_e8",
        "taker_quote_e16",
        "trades",
        "volume_e8",
    )

    def __init__(self, open_us: int) -> None:
        self.open_us = open_us
        self.open_e8 = self.high_e8 = self.close_e8 = 0
        self.low_e8 = self.first_id = _ABOVE_ALL
        self.last_id = -1
        self.volume_e8 = self.quote_e16 = self.trades = self.taker_e8 = self.taker_quote_e16 = 0
        self.seed: Candle | None = None


class CandleBuilder:
    """
    Builds the candles of one symbol and interval from its trades.

    Add every trade once, in any order; `SymbolCoverage.add` finds repeats.
    """

    def __init__(self, interval: Interval) -> None:
        self.interval = interval
        self._buckets: dict[int, _Bucket] = {}
        self._current: _Bucket | None = None
        self._current_end_us = 0

    def __len__(self) -> int:
        return len(self._buckets)

    def add(self, trade: Trade) -> int:
        """Fold one trade; return the open time (UTC microseconds) of the one candle it changed."""
        _, trade_id, time_us, price_e8, quantity_e8, is_buyer_maker = trade
        bucket = self._current
        if bucket is None or not bucket.open_us <= time_us < self._current_end_us:
            bucket = self._bucket_for(trade)
        if trade_id < bucket.first_id:
            bucket.first_id = trade_id
            bucket.open_e8 = price_e8
        if trade_id >= bucket.last_id:
            bucket.last_id = trade_id
            bucket.close_e8 = price_e8
        if price_e8 > bucket.high_e8:
            bucket.high_e8 = price_e8
        if price_e8 < bucket.low_e8:
            bucket.low_e8 = price_e8
        quote_e16 = price_e8 * quantity_e8
        bucket.volume_e8 += quantity_e8
        bucket.quote_e16 += quote_e16
        bucket.trades += 1
        if not is_buyer_maker:
            bucket.taker_e8 += quantity_e8
            bucket.taker_quote_e16 += quote_e16
        return bucket.open_us

    def seed(self, candle: Candle) -> None:
        """
        Set the part of a candle that other trades make up.

        ``candle`` must hold none of the trades given to `add`. If it has no ids, those must all be later. An empty one
        changes nothing. A second seed for the same candle replaces the first.
        """
        if not candle.trades:
            return
        bucket = self._buckets.get(candle.open_time_us)
        if bucket is None:
            bucket = self._buckets[candle.open_time_us] = _Bucket(candle.open_time_us)
        bucket.seed = candle

    def candle(self, open_time_us: int) -> Candle | None:
        """Return the candle with that open time as folded so far, or None; never closed, ``complete`` not judged."""
        bucket = self._buckets.get(open_time_us)
        return None if bucket is None else _candle_of(bucket)

    def open_times(self) -> list[int]:
        """Return the open times of the candles with a trade, rising."""
        return sorted(self._buckets)

    def candles(self, since_us: int | None = None, until_us: int | None = None) -> list[Candle]:
        """
        Return the candles with a trade that open in ``[since_us, until_us)``, oldest first, as `candle` does.

        Give them to `finish` for the empty candles, ``closed`` and ``complete``.
        """
        opens = sorted(self._buckets if since_us is None else (at for at in self._buckets if at >= since_us))
        if until_us is not None:
            del opens[bisect_left(opens, until_us) :]
        return [_candle_of(self._buckets[open_us]) for open_us in opens]

    def forget_before(self, time_us: int) -> None:
        """Drop the candles that open before ``time_us``, to bound memory."""
        for open_us in [open_us for open_us in self._buckets if open_us < time_us]:
            del self._buckets[open_us]
        if self._current is not None and self._current.open_us < time_us:
            self._current = None

    def _bucket_for(self, trade: Trade) -> _Bucket:
        open_us = self.interval.open_time_us(trade.time_us)
        bucket = self._buckets.get(open_us)
        if bucket is None:
            bucket = self._buckets[open_us] = _Bucket(open_us)
        if self._current is None or open_us >= self._current.open_us:
            self._current = bucket
            self._current_end_us = self.interval.next_open_us(open_us)
        return bucket


def _candle_of(bucket: _Bucket) -> Candle:
    if bucket.seed is not None and not bucket.trades:
        return bucket.seed._replace(closed=False) if bucket.seed.closed else bucket.seed
    candle = Candle(
        bucket.open_us,
        bucket.open_e8,
        bucket.high_e8,
        bucket.low_e8,
        bucket.close_e8,
        bucket.volume_e8,
        bucket.quote_e16,
        bucket.trades,
        bucket.taker_e8,
        bucket.taker_quote_e16,
        bucket.first_id,
        bucket.last_id,
        closed=False,
        complete=True,
        source=CandleSource.TRADES,
    )
    return candle if bucket.seed is None else _merged(bucket.seed, candle)


def _merged(seed: Candle, candle: Candle) -> Candle:
    """Return the two as one candle, ordered by trade id; a seed without ids came first."""
    opens_later = seed.first_trade_id is not None and _id(candle.first_trade_id) < seed.first_trade_id
    closes_earlier = _id(candle.last_trade_id) < _id(seed.last_trade_id)
    return Candle(
        open_time_us=candle.open_time_us,
        open_e8=candle.open_e8 if opens_later else seed.open_e8,
        high_e8=max(seed.high_e8, candle.high_e8),
        low_e8=min(seed.low_e8, candle.low_e8),
        close_e8=seed.close_e8 if closes_earlier else candle.close_e8,
        volume_e8=seed.volume_e8 + candle.volume_e8,
        quote_volume_e16=seed.quote_volume_e16 + candle.quote_volume_e16,
        trades=seed.trades + candle.trades,
        taker_buy_volume_e8=seed.taker_buy_volume_e8 + candle.taker_buy_volume_e8,
        taker_buy_quote_volume_e16=seed.taker_buy_quote_volume_e16 + candle.taker_buy_quote_volume_e16,
        first_trade_id=candle.first_trade_id if opens_later else seed.first_trade_id,
        last_trade_id=seed.last_trade_id if closes_earlier else candle.last_trade_id,
        closed=False,
        complete=seed.complete,
        source=CandleSource.TRADES if seed.source is CandleSource.TRADES else CandleSource.MIXED,
    )


def _id(trade_id: int | None) -> int:
    return -1 if trade_id is None else trade_id


def finish(candles: Iterable[Candle], interval: Interval, held: IdRanges, *, now_us: int | None = None) -> list[Candle]:
    """
    Return the candles as a reader should see them.

    ``candles``: candles with trades, oldest first, each open time once. ``held``: the symbol's trade ids held.

    - ``closed`` is set if the candle ended at or before ``now_us`` (the exchange's time) or a later candle follows.
    - ``complete`` is set if ``held`` proves that no trade is missing in the candle or next to it. A candle without ids
      (a kline) keeps its own.
    - Empty candles are inserted between two candles, and after the last up to ``now_us``. None is inserted across
      missing trades: there the slots may not have been empty.
    """
    finished: list[Candle] = []
    previous: Candle | None = None
    for candle in candles:
        if previous is not None:
            finished.append(_judged(previous, interval, held, now_us, followed=True))
            if _joined(previous, candle, held):
                finished.extend(_empty_between(previous, candle.open_time_us, interval))
        previous = candle
    if previous is not None:
        finished.append(_judged(previous, interval, held, now_us, followed=False))
        if now_us is not None:
            after = _empty_between(previous, interval.open_time_us(now_us) + 1, interval)
            if after:
                after[-1] = after[-1]._replace(closed=False)
            finished.extend(after)
    return finished


def is_complete(candle: Candle, held: IdRanges) -> bool:
    """Whether ``held`` proves that no trade in or next to ``candle`` is missing; without ids, its own ``complete``."""
    if candle.first_trade_id is None or candle.last_trade_id is None:
        return candle.complete
    stretch = held.range_of(candle.first_trade_id)
    if stretch is None:
        return False
    first, last = stretch
    # The trade just before must be held, or the candle may have begun earlier; ids begin at 0 or 1.
    return (
        (first < candle.first_trade_id or candle.first_trade_id <= 1)
        and last >= candle.last_trade_id
        and (last > candle.last_trade_id or last == held.last)
    )


def _judged(candle: Candle, interval: Interval, held: IdRanges, now_us: int | None, *, followed: bool) -> Candle:
    closed = followed or (now_us is not None and interval.next_open_us(candle.open_time_us) <= now_us)
    complete = is_complete(candle, held)
    if candle.closed == closed and candle.complete == complete:
        return candle  # the usual case, and a copy costs
    return candle._replace(closed=closed, complete=complete)


def _joined(earlier: Candle, later: Candle, held: IdRanges) -> bool:
    if earlier.last_trade_id is None or later.first_trade_id is None:
        # The exchange publishes empty klines too, so a slot without a kline is not known to be empty.
        return False
    stretch = held.range_of(earlier.last_trade_id)
    return stretch is not None and stretch[0] <= later.first_trade_id <= stretch[1]


def _empty_between(earlier: Candle, end_us: int, interval: Interval) -> list[Candle]:
    """Return the empty candles that open after ``earlier`` and before ``end_us``."""
    empty: list[Candle] = []
    slot = interval.slot(earlier.open_time_us) + 1
    while (open_us := interval.slot_open_us(slot)) < end_us:
        empty.append(empty_candle(open_us, earlier.close_e8))
        slot += 1
    return empty
