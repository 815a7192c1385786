"""
The candles of one chart from the live join on.

`find_join_point` gets candles for the time just before the join, `LiveCandles` folds every trade received since on top
of them and judges which candles are complete. Writing them into the series is left to `CandleMerger`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from app.live.charts.candle_history import CandleHistory
from app.live.recording.symbol_tracker import ONE_SECOND, SymbolTracker
from app.market.builder import CandleBuilder, finish, lacks_nothing
from app.market.calendar.calendar import Calendar
from app.market.candle import Candle, CandleSource, as_ticks, combine
from app.market.coverage import IdRanges
from app.market.errors import CryptopipeError
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade

logger = logging.getLogger(__name__)


class JoinPoint(NamedTuple):
    """
    The live join ``join_us`` and the candles ``parts`` before it; the fields are those that `LiveCandles` takes.

    ``is_known``: the parts hold all trades of the join's candle before ``join_us``.
    """

    join_us: int
    parts: list[Candle]
    is_known: bool
    counted_us: int
    lacks_us: int | None = None


async def find_join_point(
    history: CandleHistory,
    symbol: str,
    interval: Interval,
    join_us: int,
    *,
    settled_us: int,
    newest: Candle | None,
    newest_us: int,
) -> JoinPoint | None:
    """
    Return the candles from ``settled_us``, before which all loaded candles are final, to ``join_us``.

    Returns None if the exchange has not published the last of them yet: ask again shortly. If the exchange or the store
    fails, ``newest``, the last candle loaded, stands in until ``newest_us`` if it is the live join's candle. All times
    are UTC microseconds.
    """
    open_us = interval.open_time_us(join_us)
    try:
        parts = await history.parts(symbol, min(settled_us, open_us), join_us, interval)
    except CryptopipeError as error:
        logger.info("%s %s: joined without earlier trades: %s", symbol, interval, error, extra={"symbol": symbol})
        if newest is None or newest.open_time_us != open_us:
            return JoinPoint(join_us, [], open_us == join_us, join_us)
        return JoinPoint(join_us, [newest], open_us == join_us, (newest_us // SECOND_US + 1) * SECOND_US)
    if parts is None:
        return None
    return JoinPoint(join_us, parts.candles, is_known=True, counted_us=join_us, lacks_us=parts.lacks_us)


class LiveCandle(NamedTuple):
    """
    A candle as of now. An open one is ``complete`` while none of its trades until now is known to be missing.

    ``follows``: no trade is missing between the candle before and this one.
    """

    candle: Candle
    follows: bool


class LiveCandles:
    """
    Folds the trades of one tracked symbol into judged candles. All times are UTC microseconds.

    ``parts``: disjoint candles before the live join ``join_us``, oldest first, from the start of the join's candle or
    earlier. ``beginning_known`` False: they lack some trades, so the join's candle stays incomplete. They may then
    reach beyond the join; tracked seconds that begin before ``counted_us`` are taken to be in them. ``lacks_us``: from
    then to the join, the exchange has not said which trades there were. ``calendar``: when the market is open; None:
    always.
    """

    def __init__(
        self,
        interval: Interval,
        tracker: SymbolTracker,
        join_us: int,
        parts: Sequence[Candle],
        *,
        beginning_known: bool,
        counted_us: int = 0,
        lacks_us: int | None = None,
        calendar: Calendar | None = None,
    ) -> None:
        self.interval = interval
        self.calendar = calendar
        self.join_us = join_us
        self.beginning_known = beginning_known
        self._unknown = range(0) if lacks_us is None else range(lacks_us, join_us)
        self.generation = tracker.generation
        self.filled = tracker.filled
        self._source = tracker.source
        self._quiet: dict[int, LiveCandle] = {}
        self._held: IdRanges = tracker.received.held
        self._builder = CandleBuilder(interval)
        recent = tracker.recent.candles(counted_us)
        self._first_id = recent[0].first_trade_id if recent else None
        self._last_id = recent[-1].last_trade_id if recent else None
        self._out_of_order = False
        together = [*parts, *recent]
        if interval == ONE_SECOND:
            # There may be thousands of seconds, and each is a candle of its own: grouping them costs a frame.
            together = list(parts)
            for second in recent:
                self._builder.seed(second)
        for open_us, group in groupby(together, key=lambda part: interval.open_time_us(part.open_time_us)):
            candle = combine(open_us, group)
            if candle.trades:
                self._builder.seed(candle)
            else:
                whole = candle.complete and not self._overlaps_unknown(candle)
                quiet = candle._replace(closed=interval.next_open_us(open_us) <= join_us, complete=whole)
                self._quiet[open_us] = LiveCandle(quiet, follows=True)

    @property
    def is_sound(self) -> bool:
        """Whether every trade before the live join is accounted for."""
        return self.beginning_known and not self._unknown

    def __len__(self) -> int:
        return len(self._builder)

    def add(self, trade: Trade) -> int:
        """Fold a trade at or after the live join; return the open time of the candle it changed."""
        if self._first_id is None or trade.trade_id < self._first_id:
            self._first_id = trade.trade_id
        if self._last_id is None or trade.trade_id != self._last_id + 1:
            self._out_of_order = True
        self._last_id = trade.trade_id
        return self._builder.add(trade)

    def add_seconds(self, seconds: Sequence[Candle]) -> int | None:
        """
        Fold 1 s candles of trades that were not added; return the first open time that they changed.

        ``seconds``: at or after the live join, oldest first. Returns None without any.
        """
        if not seconds:
            return None
        first_ids = [self._first_id, *(second.first_trade_id for second in seconds)]
        self._first_id = min(each for each in first_ids if each is not None)
        self._last_id = seconds[-1].last_trade_id
        self._out_of_order = True  # an id may have been skipped among them
        return min(self._builder.add_candle(second) for second in seconds)

    def take_out_of_order(self) -> bool:
        """Whether ids were skipped, or came late, since the last call. Call once per `since`: it resets the answer."""
        out_of_order, self._out_of_order = self._out_of_order, False
        return out_of_order

    def since(self, open_us: int, until_us: int | None = None) -> list[LiveCandle]:
        """
        Return the judged candles that open in ``[open_us, until_us)``, and the empty ones between them.

        The first call also returns the candles of the parts that have no trade.
        """
        folded = finish(self._builder.candles(open_us, until_us), self.interval, self._held, calendar=self.calendar)
        candles = [self._judged(candle) for candle in folded]
        if not self._quiet:
            return candles
        all_of_them = self._quiet | {live.candle.open_time_us: live for live in candles}
        self._quiet = {}
        return [all_of_them[open_us] for open_us in sorted(all_of_them)]

    def borders(self, candles: int) -> list[int]:
        """Return the open time of every n-th candle with a trade, n being ``candles``, without the oldest."""
        return self._builder.open_times()[candles::candles]

    def forget_before(self, time_us: int) -> None:
        """Drop the candles that open earlier; add no trades that old afterwards."""
        self.join_us = max(self.join_us, time_us)
        self._builder.forget_before(time_us)

    def _judged(self, candle: Candle) -> LiveCandle:
        if candle.first_trade_id is None and self.interval.next_open_us(candle.open_time_us) > self.join_us:
            candle = candle._replace(complete=candle.complete and self._is_whole_since_join(candle))
        elif candle.first_trade_id is not None and not candle.closed:
            candle = candle._replace(complete=lacks_nothing(candle, self._held))
        if candle.open_time_us < self.join_us and not self.beginning_known:
            candle = candle._replace(complete=False)
        if self._unknown and self._overlaps_unknown(candle):
            candle = candle._replace(complete=False)
        first = candle.first_trade_id
        if self._source is CandleSource.TICKS:
            candle = as_ticks(candle)
        return LiveCandle(candle, first is None or first <= 1 or first - 1 in self._held)

    def _overlaps_unknown(self, candle: Candle) -> bool:
        """Whether the candle overlaps the time for which the exchange has not said which trades there were."""
        end_us = self.interval.next_open_us(candle.open_time_us)
        return candle.open_time_us < self._unknown.stop and end_us > self._unknown.start

    def _is_whole_since_join(self, candle: Candle) -> bool:
        """
        Whether no trade since the live join is missing in, or next to, a candle that begins with klines.

        Klines have no ids. So the trade before the first since the join must be held, and the one after the candle's
        last.
        """
        if self._first_id is None:
            return True  # nothing is known to be missing
        if candle.last_trade_id is None:
            return self._first_id <= 1 or self._first_id - 1 in self._held
        held_range = self._held.range_of(candle.last_trade_id)
        if held_range is None or held_range[0] >= self._first_id:
            return False
        return held_range[1] > candle.last_trade_id or held_range[1] == self._held.last
