"""
Builds candles from trades.

A candle depends on the set of its trades, never on their order of arrival. The lowest and highest trade ids give its
open and close, and the exchange's trade time decides which candle a trade belongs to, so a late trade changes only its
own candle. `CandleBuilder` knows nothing of a candle's neighbours. `finish` does: it inserts the empty candles and sets
``closed`` and ``complete``. Candles read from the database pass through it too, so live candles, SQL and export agree.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from app.market.calendar.calendar import Calendar
from app.market.calendar.closed_slots import open_slots
from app.market.candle import Candle, CandleSource, empty_candle
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.trade import Trade

_ABOVE_ALL = 1 << 63  # above every price and trade id, so the first trade replaces it


class _Bucket:
    """The running totals of one candle, and its seed: see `CandleBuilder.seed`."""

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

    Add every trade once, in any order; `SymbolCoverage.add` finds repeats. ``len()`` counts the candles with a trade.
    """

    def __init__(self, interval: Interval) -> None:
        self.interval = interval
        self._buckets: dict[int, _Bucket] = {}
        # The newest candle. Nearly every trade belongs to it, and is then spared the look-up by time.
        self._current: _Bucket | None = None
        self._current_end_us = 0

    def __len__(self) -> int:
        return len(self._buckets)

    def add(self, trade: Trade) -> int:
        """Add one trade; return the open time (UTC microseconds) of the candle it changed."""
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

    def add_candle(self, candle: Candle) -> int:
        """
        Add the trades of a shorter candle inside one of these; return that one's open time (UTC microseconds).

        ``candle`` has ids, and is of trades that were not added.
        """
        open_us = self.interval.open_time_us(candle.open_time_us)
        bucket = self._buckets.get(open_us)
        if bucket is None:
            bucket = self._buckets[open_us] = _Bucket(open_us)
        if candle.first_trade_id is not None and candle.first_trade_id < bucket.first_id:
            bucket.first_id = candle.first_trade_id
            bucket.open_e8 = candle.open_e8
        if candle.last_trade_id is not None and candle.last_trade_id > bucket.last_id:
            bucket.last_id = candle.last_trade_id
            bucket.close_e8 = candle.close_e8
        bucket.high_e8 = max(bucket.high_e8, candle.high_e8)
        bucket.low_e8 = min(bucket.low_e8, candle.low_e8)
        bucket.volume_e8 += candle.volume_e8
        bucket.quote_e16 += candle.quote_volume_e16
        bucket.trades += candle.trades
        bucket.taker_e8 += candle.taker_buy_volume_e8
        bucket.taker_quote_e16 += candle.taker_buy_quote_volume_e16
        return open_us

    def seed(self, candle: Candle) -> None:
        """
        Start a candle from the totals of trades that are not added one by one.

        ``candle`` must include none of the trades given to `add`. If it is a kline, without ids, its trades must come
        before all of them. A candle without trades changes nothing. A second seed for the same candle replaces the
        first.
        """
        if not candle.trades:
            return
        bucket = self._buckets.get(candle.open_time_us)
        if bucket is None:
            bucket = self._buckets[candle.open_time_us] = _Bucket(candle.open_time_us)
        bucket.seed = candle

    def candle(self, open_time_us: int) -> Candle | None:
        """
        Return the candle that opens at ``open_time_us`` as built so far, or None before its first trade.

        ``closed`` is False and ``complete`` means nothing yet: `finish` sets both.
        """
        bucket = self._buckets.get(open_time_us)
        return None if bucket is None else _candle_of(bucket)

    def open_times(self) -> list[int]:
        """Return the open times of the candles with a trade, in ascending order."""
        return sorted(self._buckets)

    def candles(self, since_us: int | None = None, until_us: int | None = None) -> list[Candle]:
        """
        Return the candles with a trade that open in ``[since_us, until_us)``, oldest first.

        Pass them to `finish`, which inserts the empty candles and sets ``closed`` and ``complete``.
        """
        open_times = sorted(self._buckets if since_us is None else (at for at in self._buckets if at >= since_us))
        if until_us is not None:
            del open_times[bisect_left(open_times, until_us) :]
        return [_candle_of(self._buckets[open_us]) for open_us in open_times]

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
    seed = bucket.seed
    if seed is not None:
        if bucket.trades:
            return _with_seed(bucket, seed)
        return seed._replace(closed=False) if seed.closed else seed
    return Candle(
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


def _with_seed(bucket: _Bucket, seed: Candle) -> Candle:
    """Return one candle of the seed's trades and the bucket's, ordered by trade id; a seed without ids came first."""
    bucket_opens = seed.first_trade_id is not None and bucket.first_id < seed.first_trade_id
    seed_closes = seed.last_trade_id is not None and bucket.last_id < seed.last_trade_id
    return Candle(
        open_time_us=bucket.open_us,
        open_e8=bucket.open_e8 if bucket_opens else seed.open_e8,
        high_e8=max(seed.high_e8, bucket.high_e8),
        low_e8=min(seed.low_e8, bucket.low_e8),
        close_e8=seed.close_e8 if seed_closes else bucket.close_e8,
        volume_e8=seed.volume_e8 + bucket.volume_e8,
        quote_volume_e16=seed.quote_volume_e16 + bucket.quote_e16,
        trades=seed.trades + bucket.trades,
        taker_buy_volume_e8=seed.taker_buy_volume_e8 + bucket.taker_e8,
        taker_buy_quote_volume_e16=seed.taker_buy_quote_volume_e16 + bucket.taker_quote_e16,
        first_trade_id=bucket.first_id if bucket_opens else seed.first_trade_id,
        last_trade_id=seed.last_trade_id if seed_closes else bucket.last_id,
        closed=False,
        complete=seed.complete,
        source=CandleSource.TRADES if seed.source is CandleSource.TRADES else CandleSource.MIXED,
    )


def finish(
    candles: Iterable[Candle],
    interval: Interval,
    held: IdRanges,
    *,
    now_us: int | None = None,
    calendar: Calendar | None = None,
) -> list[Candle]:
    """
    Return the candles with ``closed`` and ``complete`` set and the empty candles inserted, oldest first.

    ``candles``: candles with trades, oldest first, each open time once. ``held``: the trade ids held of the symbol.
    ``now_us``: the exchange's time (UTC microseconds) until which no trade follows the newest of these candles, because
    somebody watched without a break; None if nobody did. ``calendar``: when the market is open; None: always.

    - ``closed``: a later candle follows, or the candle ended at or before ``now_us``.
    - ``complete``: see `is_complete`. A kline, which has no ids, keeps its own value.
    - Empty candles are inserted between two candles, and after the last one up to ``now_us``. None is inserted across
      missing trades, because some of those may belong there, nor where the market is closed from its open to its end.
    """
    finished: list[Candle] = []
    previous: Candle | None = None
    for candle in candles:
        if previous is not None:
            finished.append(_with_flags(previous, interval, held, now_us, followed=True))
            if _is_gapless(previous, candle, held):
                finished.extend(_empty_candles(previous, candle.open_time_us, interval, calendar))
        previous = candle
    if previous is not None:
        finished.append(_with_flags(previous, interval, held, now_us, followed=False))
        if now_us is not None:
            open_us = interval.open_time_us(now_us)
            after = _empty_candles(previous, open_us + 1, interval, calendar)
            if after and after[-1].open_time_us == open_us:
                # The slot of ``now_us`` has not ended.
                after[-1] = after[-1]._replace(closed=False, complete=False)
            finished.extend(after)
    return finished


def is_complete(candle: Candle, held: IdRanges, *, closed: bool, watched: bool = False) -> bool:
    """
    Whether every trade of ``candle`` is held, and its end was seen; without ids, its own ``complete``.

    ``closed``: the candle is known to have ended. An open one is never complete: nobody has seen its end. ``watched``:
    no trade after the newest held was made before its end. Otherwise only the trade with the next id proves that.
    """
    if candle.first_trade_id is None or candle.last_trade_id is None:
        return candle.complete
    reached = _reached_from(candle, held) if closed else None
    return reached is not None and (reached > candle.last_trade_id or (watched and reached == held.last))


def lacks_nothing(candle: Candle, held: IdRanges) -> bool:
    """
    Whether no trade is known to be missing in ``candle``, which has ids, or next to it.

    Trades after the newest held may be missing all the same: this says nothing about a candle's end.
    """
    reached = _reached_from(candle, held)
    return reached is not None and (reached > (candle.last_trade_id or 0) or reached == held.last)


def _reached_from(candle: Candle, held: IdRanges) -> int | None:
    """
    Return the last id held without a gap since before the candle; None if one is missing up to the candle's last.

    The trade just before must be held, or the candle may have begun earlier; ids begin at 0 or 1.
    """
    assert candle.first_trade_id is not None
    assert candle.last_trade_id is not None
    held_range = held.range_of(candle.first_trade_id)
    if held_range is None:
        return None
    first, last = held_range
    begins = first < candle.first_trade_id or candle.first_trade_id <= 1
    return last if begins and last >= candle.last_trade_id else None


def _with_flags(candle: Candle, interval: Interval, held: IdRanges, now_us: int | None, *, followed: bool) -> Candle:
    watched = now_us is not None and interval.next_open_us(candle.open_time_us) <= now_us
    closed = followed or watched
    complete = is_complete(candle, held, closed=closed, watched=watched)
    if candle.closed == closed and candle.complete == complete:
        return candle  # the usual case, and a copy costs
    return candle._replace(closed=closed, complete=complete)


def _is_gapless(earlier: Candle, later: Candle, held: IdRanges) -> bool:
    """Whether every trade between two candles is held, so that the slots between them were empty."""
    if earlier.last_trade_id is None or later.first_trade_id is None:
        # The exchange publishes empty klines too, so a slot without a kline is not known to be empty.
        return False
    held_range = held.range_of(earlier.last_trade_id)
    return held_range is not None and held_range[0] <= later.first_trade_id <= held_range[1]


def _empty_candles(earlier: Candle, end_us: int, interval: Interval, calendar: Calendar | None) -> list[Candle]:
    """Return the empty candles that open after ``earlier`` and before ``end_us``, where the market is open."""
    slots = open_slots(calendar, interval, interval.slot(earlier.open_time_us) + 1, interval.slot(end_us - 1) + 1)
    return [empty_candle(interval.slot_open_us(slot), earlier.close_e8) for slot in slots]
