"""
The candles of one chart, from the past up to now.

A session belongs to one symbol and one interval and owns their `CandleSeries`. It loads what the database and the
exchange have, then joins the live trades at a whole second, the *seam*: what is older comes from klines or stored
trades, what is younger from the trades received, so no trade counts twice and none is left out. From then on a trade
changes figures in a dict; `refresh`, called at most once a frame, brings what changed into the series.

A switch of symbol or interval makes a new session and closes the old one, which then changes nothing any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from itertools import groupby

import numpy as np

from app.live.clock import ExchangeClock
from app.live.history import CandleHistory, better
from app.live.tracker import SymbolTracker
from app.market.builder import CandleBuilder, finish
from app.market.candle import Candle, combine, empty_candle
from app.market.coverage import IdRanges
from app.market.errors import CryptopipeError, FeedError, StoreError
from app.market.interval import Interval
from app.market.ports import Clock
from app.market.series import COMPLETE, CandleSeries
from app.market.trade import Trade
from app.market.units import E8

logger = logging.getLogger(__name__)

PAGE = 1000
_JOIN_RETRY_S = 0.25
_BUILDER_KEEPS = 10_000
_MOST_PAGES = 4
_MOST_UNSETTLED = 100


class SessionState(StrEnum):
    """What a session has to show."""

    LOADING = "loading"
    READY = "ready"
    EMPTY = "empty"  # loaded, and there is nothing yet
    FAILED = "failed"  # nothing to show, and `ChartSession.reason` says why


class ChartSession:
    """
    Keeps ``series`` up to date until `close`.

    ``on_state`` is called when ``state`` changes; ``on_change`` when the series changed or `refresh` has something to
    do. Both come on the loop and should be cheap. ``tracker``: None for a symbol that is not recorded.
    """

    def __init__(
        self,
        symbol: str,
        interval: Interval,
        *,
        history: CandleHistory,
        tracker: SymbolTracker | None,
        exchange_clock: ExchangeClock,
        clock: Clock,
        on_state: Callable[[], None],
        on_change: Callable[[], None],
    ) -> None:
        self.symbol = symbol
        self.interval = interval
        self.series = CandleSeries(symbol, interval)
        self.state = SessionState.LOADING
        self.reason = ""
        self.joined = False
        self._history = history
        self._tracker = tracker
        self._exchange_clock = exchange_clock
        self._clock = clock
        self._on_state = on_state
        self._on_change = on_change
        self._builder = CandleBuilder(interval)
        self._newest: Candle | None = None  # the last candle of the series
        self._loaded_us = 0  # the exchange's time when the past was asked for
        self._seam_us = 0
        self._beginning_known = True  # whether the part of the seam's candle before the seam was found
        self._first_id: int | None = None  # the lowest id folded since the seam
        self._last_id: int | None = None  # the id folded last
        self._out_of_order = False  # ids were skipped, or came late, since the last refresh
        self._generation = 0
        self._filled = 0
        self._dirty_us: int | None = None
        self._beginning_reached = False
        self._loading_older = False
        self._tried: set[int] = set()
        self._closed = False

    @property
    def is_stale(self) -> bool:
        """Whether trades before the seam were left out since, so that `reload` is due."""
        return self.joined and self._tracker is not None and self._tracker.generation != self._generation

    async def run(self) -> None:
        """Load and join the live trades; return once joined. Safe to cancel."""
        self._set_state(SessionState.LOADING)
        await self._load(show_early=True)
        await self._join()

    async def reload(self) -> None:
        """Read the past again and join anew, as after a repair, an outage, or a database that came back."""
        if not len(self.series):
            self._set_state(SessionState.LOADING)
        self._leave()
        await self._load(show_early=False)
        await self._join()

    def close(self) -> None:
        """Listen no more; the series stays as it is."""
        self._closed = True
        self._leave()

    async def load_older(self) -> int:
        """Prepend a page of candles before the first; return how many came, 0 where there are none."""
        if self._loading_older or self._beginning_reached or not len(self.series):
            return 0
        self._loading_older = True
        try:
            older, failure = await self._page(int(self.series.column("open_time_us")[0]))
            added = 0 if self._closed else self.series.prepend(older)
        finally:
            self._loading_older = False
        self._beginning_reached = not added and not failure
        if added:
            self._on_change()
        return added

    async def ensure(self, start_us: int, end_us: int) -> None:
        """
        Load what the series lacks of ``[start_us, end_us)``, as after a jump far back.

        A page at a time, each tried once; what lies between the pages stays a hole until it is asked for.
        """
        if self._newest is None:
            return
        first = self.interval.slot(start_us)
        # What is younger than the newest candle comes from trades alone.
        last = min(self.interval.slot(end_us - 1), self.interval.slot(self._newest.open_time_us))
        for _ in range(_MOST_PAGES):
            missing = np.setdiff1d(np.arange(first, last + 1), self.series.slots)
            if self._loading_older or not len(missing) or int(missing[-1]) in self._tried:
                return
            self._tried.add(int(missing[-1]))
            self._loading_older = True
            try:
                page, _ = await self._page(self.interval.slot_open_us(int(missing[-1]) + 1))
            finally:
                self._loading_older = False
            if self._closed:
                return
            self._insert(page)

    def refresh(self) -> bool:
        """Bring what trades changed into the series; True where anything did. Costs nothing otherwise."""
        tracker = self._tracker
        if self._dirty_us is None or tracker is None or not self.joined:
            return False
        since_us, self._dirty_us = self._dirty_us, None
        if self._out_of_order:
            # What was missing after the candle before, or no longer is, changes that one, too.
            since_us, self._out_of_order = self._traded_before(since_us), False
        held = tracker.received.held
        candles = finish(self._builder.candles(since_us), self.interval, held)
        for candle in candles:
            if candle.first_trade_id is None and candle.last_trade_id is not None:
                # Its beginning came from klines, which have no ids: judge the part since the seam.
                stretch = held.range_of(candle.last_trade_id)
                # The trade before the first since the seam is held, too, or some since the seam may be missing.
                whole = stretch is not None and self._first_id is not None and stretch[0] < self._first_id
                candle = candle._replace(complete=candle.complete and whole)
            if candle.open_time_us < self._seam_us and not self._beginning_known:
                candle = candle._replace(complete=False)
            self._put(candle, follows=_follows(candle, held))
        if candles:
            self._carry_on(candles[-1])
        return True

    def tick(self) -> bool:
        """
        Let time pass: open the candles that begin without a trade; True where that changed anything.

        Call about once a second, and only while the feed is live: otherwise nobody knows that there was no trade.
        """
        if not self.joined:
            return False
        self._judge_again()
        changed = self.refresh()
        self._forget_old()
        newest = self._newest
        if newest is None:
            return changed
        open_us = self.interval.open_time_us(self._exchange_clock.now_us())
        if open_us <= newest.open_time_us or not self._fill_before(open_us):
            return changed
        self._put(empty_candle(open_us, newest.close_e8, closed=False))
        return True

    # Loading

    async def _load(self, *, show_early: bool) -> None:
        self._loaded_us = self._exchange_clock.now_us()
        end_us = self._loaded_us + self.interval.length_us
        candles, failure = await self._page(end_us, self._show if show_early else None)
        if self._closed:
            return
        self._beginning_reached = False
        self._tried.clear()
        if failure and not candles and len(self.series):
            return  # what was shown is better than nothing
        self._show(candles)
        if not candles:
            self._set_state(SessionState.FAILED if failure else SessionState.EMPTY, failure)

    async def _page(self, end_us: int, show: Callable[[list[Candle]], None] | None = None) -> tuple[list[Candle], str]:
        """Return a page of candles that open before ``end_us``, and a sentence where one of the two sources failed."""
        merged: dict[int, Candle] = {}

        async def take(source: Awaitable[list[Candle]]) -> None:
            for candle in await source:
                known = merged.get(candle.open_time_us)
                merged[candle.open_time_us] = candle if known is None else better(known, candle)
            if show is not None and merged and not self._closed:
                show(_in_order(merged))

        history, symbol, interval = self._history, self.symbol, self.interval
        results = await asyncio.gather(
            take(history.stored(symbol, interval, end_us=end_us, limit=PAGE)),
            take(history.published(symbol, interval, end_us=end_us, limit=PAGE)),
            return_exceptions=True,
        )
        failure = ""
        for result in results:
            if isinstance(result, (StoreError, FeedError)):
                logger.info("%s %s: %s", symbol, interval, result)
                failure = str(result)
            elif result is not None:
                raise result
        return _in_order(merged), failure

    def _insert(self, page: list[Candle]) -> None:
        """Add the candles of a page that the series lacks."""
        self.series.prepend(page)
        known = set(self.series.slots.tolist())
        for candle in page:
            if self.interval.slot(candle.open_time_us) not in known:
                self.series.upsert(candle)
        self._on_change()

    def _show(self, candles: list[Candle]) -> None:
        self.series.replace(candles)
        self._newest = candles[-1] if candles else None
        if candles:
            self._set_state(SessionState.READY)
        self._on_change()

    def _set_state(self, state: SessionState, reason: str = "") -> None:
        if (state, reason) != (self.state, self.reason) and not self._closed:
            self.state, self.reason = state, reason
            self._on_state()

    # Joining the live trades

    async def _join(self) -> None:
        """Wait for the seam to pass, fetch the part of its candle that is older, and take over."""
        tracker = self._tracker
        while tracker is not None and not self._closed:
            seam_us = tracker.window_start_us
            if seam_us is not None and self._exchange_clock.now_us() >= seam_us:
                parts: list[Candle] | None
                try:
                    parts = await self._history.parts(self.symbol, self._settled_until_us(seam_us), seam_us)
                    beginning_known = True
                except CryptopipeError as error:
                    logger.info("%s %s: joined without its beginning: %s", self.symbol, self.interval, error)
                    parts, beginning_known = [], False
                if parts is not None and tracker.window_start_us == seam_us:
                    self._take_over(tracker, seam_us, parts, beginning_known=beginning_known)
                    return
            await self._clock.sleep(_JOIN_RETRY_S)

    def _settled_until_us(self, seam_us: int) -> int:
        """Return until when the loaded candles are final; candles open at loading may have ended before the seam."""
        open_us = self.interval.open_time_us(seam_us)
        settled_us = self.interval.open_time_us(self._loaded_us)
        if self._newest is not None and not self._newest.closed:
            settled_us = min(settled_us, self._newest.open_time_us)
        return settled_us if 0 < open_us - settled_us <= _MOST_UNSETTLED * self.interval.length_us else open_us

    def _take_over(self, tracker: SymbolTracker, seam_us: int, parts: list[Candle], *, beginning_known: bool) -> None:
        """Build from ``parts``, the seconds tracked since the seam, and every trade from now on, without a pause."""
        if self._closed:
            return
        recent = tracker.recent.candles()
        self._builder = CandleBuilder(self.interval)
        for open_us, group in groupby(
            [*parts, *recent], key=lambda part: self.interval.open_time_us(part.open_time_us)
        ):
            self._builder.seed(combine(open_us, group))
        self._beginning_known = beginning_known
        self._first_id = recent[0].first_trade_id if recent else None
        self._last_id = recent[-1].last_trade_id if recent else None
        self._seam_us = seam_us
        self._generation = tracker.generation
        self._filled = tracker.filled
        tracker.listeners.append(self._on_trade)
        self.joined = True
        self._mark_dirty(min(self._settled_until_us(seam_us), self.interval.open_time_us(seam_us)))

    def _leave(self) -> None:
        self.joined = False
        if self._tracker is not None and self._on_trade in self._tracker.listeners:
            self._tracker.listeners.remove(self._on_trade)

    def _on_trade(self, trade: Trade) -> None:
        if trade.time_us < self._seam_us:
            return
        if self._first_id is None or trade.trade_id < self._first_id:
            self._first_id = trade.trade_id
        if self._last_id is not None and trade.trade_id != self._last_id + 1:
            self._out_of_order = True
        self._last_id = trade.trade_id
        self._mark_dirty(self._builder.add(trade))

    def _mark_dirty(self, open_us: int) -> None:
        if self._dirty_us is None:
            self._dirty_us = open_us
            self._on_change()
        elif open_us < self._dirty_us:
            self._dirty_us = open_us

    def _judge_again(self) -> None:
        """Let `refresh` look again at what is incomplete, where missing trades came or turned out not to exist."""
        if self._tracker is None or self._tracker.filled == self._filled:
            return
        self._filled = self._tracker.filled
        incomplete = np.flatnonzero(self.series.column("flags") & COMPLETE == 0)
        times_us = self.series.column("open_time_us")[incomplete]
        times_us = times_us[times_us >= self.interval.open_time_us(self._seam_us)]
        if len(times_us):
            self._mark_dirty(int(times_us[0]))

    # Bringing candles into the series

    def _put(self, candle: Candle, *, follows: bool = True) -> None:
        """Bring in a candle; ``follows``: no trade is missing between the one before and this one."""
        newest = self._newest
        if newest is not None and candle.open_time_us > newest.open_time_us:
            self._close_newest()
            if follows:
                self._fill_before(candle.open_time_us)
        elif newest is not None:
            candle = candle._replace(closed=candle.closed or candle.open_time_us < newest.open_time_us)
            if follows:
                self._fill_hole_before(candle)
        self.series.upsert(candle)
        if self._newest is None or candle.open_time_us >= self._newest.open_time_us:
            self._newest = candle
        self._set_state(SessionState.READY)

    def _fill_before(self, end_us: int) -> bool:
        """
        Close the newest candle and add the empty ones that open before ``end_us``.

        False, and nothing added, where the newest is older than the seam's candle: what lies between is not known.
        """
        newest = self._newest
        assert newest is not None
        slot = self.interval.slot(newest.open_time_us)
        if slot < self.interval.slot(self._seam_us) - 1:
            return False
        self._close_newest()
        while (open_us := self.interval.slot_open_us(slot := slot + 1)) < end_us:
            self._newest = empty_candle(open_us, newest.close_e8)
            self.series.upsert(self._newest)
        return True

    def _fill_hole_before(self, candle: Candle) -> None:
        """Add the empty candles just before ``candle`` that were left out while trades were missing there."""
        slot = self.interval.slot(candle.open_time_us)
        at = self.series.index_at_slot(slot - 1)
        if at < 0:
            return
        before = self.series.bar(at)
        if self.interval.slot(self._seam_us) - 1 <= before.slot < slot - 1:
            for empty in range(before.slot + 1, slot):
                self.series.upsert(empty_candle(self.interval.slot_open_us(empty), round(before.close * E8)))

    def _traded_before(self, time_us: int) -> int:
        """Return when the last candle with trades before that time opens; that time where there is none."""
        end = self.series.index_at_slot(self.interval.slot(time_us) - 1) + 1
        traded = np.flatnonzero(self.series.column("trades")[:end])
        return int(self.series.column("open_time_us")[traded[-1]]) if len(traded) else time_us

    def _close_newest(self) -> None:
        if self._newest is not None and not self._newest.closed:
            self._newest = self._newest._replace(closed=True)
            self.series.upsert(self._newest)

    def _carry_on(self, last: Candle) -> None:
        """Give the empty candles after ``last``, the last with a trade, its price: it may have come late."""
        newest = self._newest
        if newest is None or newest.trades or newest.open_time_us <= last.open_time_us:
            return
        slot = self.interval.slot(last.open_time_us)
        at = self.series.index_at_slot(slot) + 1
        while at < len(self.series) and not self.series.bar(at).trades:
            bar = self.series.bar(at)
            empty = empty_candle(bar.open_time_us, last.close_e8, closed=bar.closed, complete=bar.complete)
            self.series.upsert(empty)
            if bar.open_time_us == newest.open_time_us:
                self._newest = empty
            at += 1

    def _forget_old(self) -> None:
        """Bound the builder; what changes in a candle that old shows at the next reload."""
        if len(self._builder) > 2 * _BUILDER_KEEPS and self._newest is not None:
            slot = self.interval.slot(self._newest.open_time_us) - _BUILDER_KEEPS
            self._seam_us = self.interval.slot_open_us(slot)
            self._builder.forget_before(self._seam_us)


def _follows(candle: Candle, held: IdRanges) -> bool:
    """Whether the trade before the candle's first is held, so that nothing can be missing just before it."""
    first = candle.first_trade_id
    return first is None or first <= 1 or first - 1 in held


def _in_order(candles: dict[int, Candle]) -> list[Candle]:
    return [candles[open_us] for open_us in sorted(candles)]
