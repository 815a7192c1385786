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
from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import pairwise

import numpy as np

from app.live.clock import ExchangeClock
from app.live.history import CandleHistory, rank
from app.live.holes import Holes
from app.live.jump import Jump, candles_around
from app.live.pages import PAGE, Page, load_page
from app.live.since_seam import CandlesSinceSeam, LiveCandle
from app.live.tracker import SymbolTracker
from app.market.candle import Candle, empty_candle
from app.market.errors import CryptopipeError
from app.market.interval import SECOND_US, Interval
from app.market.ports import Clock
from app.market.series import COMPLETE, CandleSeries
from app.market.trade import Trade
from app.market.units import E8

logger = logging.getLogger(__name__)

_JOIN_RETRY_S = 0.25
_LIVE_KEEPS = 10_000
_MOST_PAGES = 4
_MOST_UNSETTLED = 500
_MOST_AT_ONCE = 5 * PAGE
_FAR = 5 * PAGE  # slots that are not worth loading for what lies beyond them
_FEW = 8
_SLOW_S = 4.0
_SLOW = "The exchange has not answered yet."


class SessionState(StrEnum):
    """What a session has to show."""

    LOADING = "loading"
    READY = "ready"
    EMPTY = "empty"  # loaded, and there is nothing yet
    FAILED = "failed"  # nothing to show, and `ChartSession.failure` says why


class ChartSession:
    """
    Keeps ``series`` up to date until `close`.

    ``on_state`` is called when ``state`` or ``failure`` changes; ``on_change`` when the series changed or `refresh` has
    something to do. Both come on the loop and should be cheap. ``failure`` is one sentence while a part of the past
    could not be loaded, whatever else there is to show. ``tracker``: None for a symbol that is not recorded.
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
        self.failure = ""
        self._history = history
        self._tracker = tracker
        self._exchange_clock = exchange_clock
        self._clock = clock
        self._on_state = on_state
        self._on_change = on_change
        self._live: CandlesSinceSeam | None = None
        self._newest: Candle | None = None  # the last candle of the series
        self._loaded_us = 0  # the exchange's time when the past was asked for
        self._left_us = 0  # and when live trades last ceased to be counted
        self._dirty_us: int | None = None
        self._wanted_us: int | None = None  # how far back older candles are asked for
        self._beginning_reached = False
        self._loading = False
        self._loading_older = False
        self._older_failed = False
        self._requests: set[asyncio.Task[Page]] = set()
        self._holes = Holes()
        self._closed = False

    @property
    def joined(self) -> bool:
        """Whether live trades reach the series."""
        return self._live is not None

    @property
    def is_stale(self) -> bool:
        """Whether something was left out that `reload` may find: a failed load, or trades skipped before the seam."""
        if self._loading or self._loading_older:
            return False
        if self._live is None or self._tracker is None:
            return bool(self.failure) and self.state is not SessionState.LOADING
        return bool(self.failure) or not self._is_sound(self._live, self._tracker)

    async def run(self, view_us: tuple[int, int] | None = None) -> None:
        """
        Load and join the live trades; return once joined. Safe to cancel.

        ``view_us``: the chart will show the past between these times, so that is loaded together with the latest
        candles, and those in between are not.
        """
        self._set_state(SessionState.LOADING)
        if view_us is None:
            await self._load(show_early=True)
        else:
            await self._load_with(*view_us)
        await self._join()

    async def _load_with(self, start_us: int, end_us: int) -> None:
        slots = self.interval.slot(end_us) - self.interval.slot(start_us)
        await asyncio.gather(self.go_to((start_us + end_us) // 2, slots), self._load(show_early=True))

    async def reload(self) -> None:
        """
        Read the newest page again, and the older ones that failed, as after an outage, or when a database came.

        Older candles stay. Live trades go on meanwhile, and are joined anew only where some were left out.
        """
        if not len(self.series):
            self._set_state(SessionState.LOADING)
        await self._load(show_early=False)
        if self._live is None:
            await self._join()
        if self._older_failed:
            await self.load_older()

    def close(self) -> None:
        """Listen no more, and ask for nothing more; the series stays as it is."""
        self._closed = True
        self._leave()
        for request in self._requests:
            request.cancel()

    def reaches(self, time_us: int) -> bool:
        """Whether there is nothing older to load after ``time_us``, or nothing to begin from."""
        if self._beginning_reached or not len(self.series):
            return True
        return self.interval.slot(time_us) >= int(self.series.slots[0])

    async def load_older(self, back_to_us: int | None = None) -> int:
        """
        Prepend a page of candles before the first, and more as far as ``back_to_us`` (UTC microseconds).

        Returns how many came. While it goes on another call returns at once, and only says how far it should go.
        """
        if back_to_us is not None:
            self._wanted_us = min(back_to_us, self._wanted_us or back_to_us)
        added = 0
        while not (self._loading_older or self._beginning_reached or self._closed) and len(self.series):
            first_us = self._first_us()
            page = await self._older_page()
            if self._closed or self._first_us() != first_us:
                return added + self._insert(page.candles)  # the chart was sent farther back meanwhile
            prepended = self.series.prepend(page.candles)
            added += prepended
            self._beginning_reached = page.begins or not (prepended or page.failure)
            self.series.set_begins(begins=self._beginning_reached)
            if self._older_failed or page.failure:
                self._older_failed = bool(page.failure)
                self._set_state(SessionState.READY, page.failure)
            if prepended:
                self._on_change()
            if not prepended or page.failure or self._wanted_us is None or self.reaches(self._wanted_us):
                break
        return added

    def wants(self, start_us: int, end_us: int) -> bool:
        """Whether `look_at` would load anything for ``[start_us, end_us)``. Cheap: call it whenever the view moves."""
        if self._newest is None or self._loading_older or self._closed:
            return False
        return not self.reaches(start_us) or self._lacks(start_us, end_us) is not None

    async def look_at(self, start_us: int, end_us: int) -> None:
        """
        Load what the series lacks of ``[start_us, end_us)``, wherever that is.

        What adjoins the candles there are is loaded from them on; what is far from all of them by itself, and the
        candles between are left for when they are looked at.
        """
        if not len(self.series):
            return
        first, slot = int(self.series.slots[0]), self.interval.slot
        if slot(end_us) < first - _FAR:
            await self.go_to((start_us + end_us) // 2, slot(end_us) - slot(start_us))
        elif not self.reaches(start_us):
            await self.load_older(start_us)
        else:
            await self.ensure(start_us, end_us)

    async def ensure(self, start_us: int, end_us: int) -> None:
        """
        Load what the series lacks of ``[start_us, end_us)`` between its candles, or before them.

        The newest first, a few pages at the most, each asked for once.
        """
        for _ in range(_MOST_PAGES):
            missing = self._lacks(start_us, end_us)
            if missing is None or self._loading_older or self._closed:
                return
            first, last = missing
            limit = min(max(PAGE, last - first + 1), _MOST_AT_ONCE)
            page = await self._page(self.interval.slot_open_us(last + 1), limit)
            if page.failure or self._closed:
                return
            begin = last - limit + 1
            if page.candles:  # a page may be shorter than asked for
                begin = min(max(begin, self.interval.slot(page.candles[0].open_time_us)), last)
            self._holes.note_asked(begin, last)
            self._insert(page.candles)

    async def go_to(self, time_us: int, slots: int = PAGE) -> Jump:
        """
        Load the candles around a time, ``slots`` of them or a page, and none of those in between.

        Does nothing where they are there. Safe to cancel.
        """
        newest = self.interval.slot(self._exchange_clock.now_us())
        if len(self.series) and self._newest is not None:
            newest = self.interval.slot(self._newest.open_time_us)
        slots = min(max(slots, PAGE), _MOST_AT_ONCE)
        middle = min(self.interval.slot(time_us), newest)
        near = middle - slots // 4, min(middle + slots // 4, newest)
        if len(self.series) and self._holes.last(self.series.slots, *near) is None and not self._is_hole(*near):
            return Jump(time_us)
        found = await candles_around(
            self.interval, time_us, newest, slots, self._request, lambda: self._history.find_listing(self.symbol)
        )
        if not self._closed and found.candles:
            self._insert(found.candles)
            if found.asked is not None:
                self._holes.note_asked(*found.asked)
            if found.begins and found.candles[0].open_time_us <= self._first_us():
                self._beginning_reached = True
                self.series.set_begins(begins=True)
        return found.jump

    def _lacks(self, start_us: int, end_us: int) -> tuple[int, int] | None:
        if self._newest is None:
            return None
        # What is younger than the newest candle comes from trades alone.
        last = min(self.interval.slot(end_us - 1), self.interval.slot(self._newest.open_time_us))
        return self._holes.last(self.series.slots, self.interval.slot(start_us), last)

    def _is_hole(self, first: int, last: int) -> bool:
        """Whether the series has not one candle there."""
        low, high = np.searchsorted(self.series.slots, [first, last + 1])
        return bool(low == high)

    def bring(self, candles: list[Candle]) -> None:
        """Bring in stored candles, oldest first, that are better than when the past was loaded; no candle goes back."""
        self._show(candles)

    def refresh(self) -> bool:
        """Bring what trades changed into the series; True where anything did. Costs nothing otherwise."""
        live = self._live
        if self._dirty_us is None or live is None:
            return False
        since_us, self._dirty_us = self._dirty_us, None
        if live.was_out_of_order():
            # What was missing after the candle before, or no longer is, changes that one, too.
            since_us = self._traded_before(since_us)
        candles = live.since(since_us)
        self._put_all(candles)
        if candles:
            self._carry_on(candles[-1].candle)
        return True

    def tick(self) -> bool:
        """
        Let time pass: open the candles that begin without a trade; True where that changed anything.

        Call about once a second, and only while the feed is live: otherwise nobody knows that there was no trade.
        """
        if self._live is None:
            return False
        self._judge_again(self._live)
        changed = self.refresh()
        self._forget_old(self._live)
        newest = self._newest
        if newest is None:
            return changed
        open_us = self.interval.open_time_us(self._exchange_clock.certain_us())
        if open_us <= newest.open_time_us or not self._fill_before(open_us):
            return changed
        self._put(empty_candle(open_us, newest.close_e8, closed=False))
        return True

    # Loading

    async def _load(self, *, show_early: bool) -> None:
        loaded_us = self._exchange_clock.now_us()
        end_us = loaded_us + self.interval.length_us
        slow = asyncio.get_running_loop().call_later(_SLOW_S, self._say_slow)
        self._loading = True
        try:
            page = await load_page(
                self._history, self.symbol, self.interval, end_us, on_part=self._show if show_early else None
            )
        finally:
            self._loading = False
            slow.cancel()
        if self._closed:
            return
        self._loaded_us = loaded_us
        if self._live is not None and self._tracker is not None and not self._is_sound(self._live, self._tracker):
            self._leave()
        self._beginning_reached = page.begins and self._begins_with(page)
        if self._beginning_reached:
            self.series.set_begins(begins=True)
        self._holes.forget()
        self._show(page.candles)
        if len(self.series):
            self._set_state(SessionState.READY, page.failure)
        else:
            self._set_state(SessionState.FAILED if page.failure else SessionState.EMPTY, page.failure)

    def _say_slow(self) -> None:
        if len(self.series) and not self.failure:
            self._set_state(SessionState.READY, _SLOW)

    def _begins_with(self, page: Page) -> bool:
        return not len(self.series) or not page.candles or page.candles[0].open_time_us <= self._first_us()

    def _first_us(self) -> int:
        return int(self.series.column("open_time_us")[0])

    async def _older_page(self) -> Page:
        first_us = self._first_us()
        wanted = 0 if self._wanted_us is None else self.interval.slot(first_us) - self.interval.slot(self._wanted_us)
        return await self._page(first_us, min(max(PAGE, wanted), _MOST_AT_ONCE))

    async def _page(self, end_us: int, limit: int = PAGE) -> Page:
        """Return the page before ``end_us``; no other is loaded meanwhile but by `go_to`."""
        self._loading_older = True
        try:
            return await self._request(end_us, limit)
        finally:
            self._loading_older = False

    async def _request(self, end_us: int, limit: int) -> Page:
        """Return the page before ``end_us``, an empty one where the session is closed meanwhile."""
        request = asyncio.ensure_future(load_page(self._history, self.symbol, self.interval, end_us, limit=limit))
        self._requests.add(request)
        try:
            await asyncio.wait({request})
            return Page([]) if request.cancelled() else request.result()
        finally:
            request.cancel()
            self._requests.discard(request)

    def _show(self, candles: list[Candle]) -> None:
        """Bring in a page; what the series knows better stays, so that no candle goes back."""
        if self._closed or not candles:
            return
        for run in self._news(candles):
            self.series.merge(run)
            if self._newest is None or run[-1].open_time_us >= self._newest.open_time_us:
                self._newest = run[-1]
        self._set_state(SessionState.READY, self.failure)
        self._on_change()

    def _news(self, candles: list[Candle]) -> list[list[Candle]]:
        """Return the runs of candles that are as good as those of the series in their place; live ones are left out."""
        if self._live is not None:
            seam_us = self.interval.open_time_us(self._live.seam_us)
            candles = [candle for candle in candles if candle.open_time_us < seam_us]
        if not len(self.series):
            return [candles]
        opens, trades = self.series.column("open_time_us"), self.series.column("trades")
        places = np.searchsorted(opens, [candle.open_time_us for candle in candles]).tolist()
        runs: list[list[Candle]] = [[]]
        expected = len(opens)
        for candle, at in zip(candles, places, strict=True):
            known = self.series.bar(at) if at < len(opens) and opens[at] == candle.open_time_us else None
            if trades[expected:at].any():
                runs.append([])  # the page has none for what was traded there
            expected = at + (known is not None)
            if known is not None and rank(known) > rank(candle):
                runs.append([])
            else:
                runs[-1].append(candle)
        return [run for run in runs if run]

    def _insert(self, page: Sequence[Candle]) -> int:
        """Add the candles of a page that the series lacks; return how many."""
        if self._closed:
            return 0
        places = np.searchsorted(self.series.column("open_time_us"), [candle.open_time_us for candle in page])
        known = self.series.column("open_time_us").take(places, mode="clip") if len(self.series) else places * 0 - 1
        new: dict[int, list[Candle]] = {}  # the runs of new candles, by the place they belong to
        for candle, at, there in zip(page, places.tolist(), known.tolist(), strict=True):
            if there != candle.open_time_us:
                new.setdefault(at, []).append(candle)
        for run in new.values():
            self.series.merge(run)
        if new:
            self._on_change()
        return sum(map(len, new.values()))

    def _set_state(self, state: SessionState, failure: str = "") -> None:
        if (state, failure) != (self.state, self.failure) and not self._closed:
            self.state, self.failure = state, failure
            self._on_state()

    # Joining the live trades

    async def _join(self) -> None:
        """Wait for the seam to pass, fetch the part of its candle that is older, and take over."""
        tracker = self._tracker
        loaded_for_us = -1
        while tracker is not None and not self._closed:
            seam_us = tracker.window_start_us
            if seam_us is not None and self._exchange_clock.now_us() >= seam_us:
                open_us, settled_us = self.interval.open_time_us(seam_us), self._settled_us()
                if open_us - settled_us > _MOST_UNSETTLED * self.interval.length_us and seam_us != loaded_for_us:
                    loaded_for_us = seam_us
                    await self._load(show_early=False)  # the first trade was long in coming
                    continue
                parts: list[Candle] | None
                beginning_known, counted_us = True, seam_us
                try:
                    parts = await self._history.parts(self.symbol, min(settled_us, open_us), seam_us, self.interval)
                except CryptopipeError as error:
                    logger.info(
                        "%s %s: joined without its beginning: %s",
                        self.symbol,
                        self.interval,
                        error,
                        extra={"symbol": self.symbol},
                    )
                    # What was loaded of the seam's candle stands in, and `is_stale` asks for a reload.
                    newest = self._newest
                    parts = [newest] if newest is not None and newest.open_time_us == open_us else []
                    beginning_known = open_us == seam_us
                    until_us = max(self._loaded_us, self._left_us)
                    counted_us = (until_us // SECOND_US + 1) * SECOND_US if parts else seam_us
                if parts is not None and tracker.window_start_us == seam_us:
                    self._take_over(tracker, seam_us, parts, beginning_known=beginning_known, counted_us=counted_us)
                    return
            await self._clock.sleep(_JOIN_RETRY_S)

    def _settled_us(self) -> int:
        """Return until when the loaded candles are final; candles open at loading may have ended before the seam."""
        settled_us = self.interval.open_time_us(self._loaded_us)
        if self._newest is not None and not self._newest.closed:
            settled_us = min(settled_us, self._newest.open_time_us)
        return settled_us

    def _take_over(
        self, tracker: SymbolTracker, seam_us: int, parts: list[Candle], *, beginning_known: bool, counted_us: int
    ) -> None:
        """Build from ``parts``, the seconds tracked since the seam, and every trade from now on, without a pause."""
        if self._closed:
            return
        self._live = CandlesSinceSeam(
            self.interval, tracker, seam_us, parts, beginning_known=beginning_known, counted_us=counted_us
        )
        tracker.listeners.append(self._on_trade)
        self._mark_dirty(min(self._settled_us(), self.interval.open_time_us(seam_us)))

    @staticmethod
    def _is_sound(live: CandlesSinceSeam, tracker: SymbolTracker) -> bool:
        """Whether no trade is left out of the live candles for good."""
        return live.beginning_known and live.generation == tracker.generation

    def _leave(self) -> None:
        if self._live is not None:
            self.refresh()
            self._left_us = self._exchange_clock.now_us()
        self._live = None
        if self._tracker is not None and self._on_trade in self._tracker.listeners:
            self._tracker.listeners.remove(self._on_trade)

    def _on_trade(self, trade: Trade) -> None:
        if self._live is not None and trade.time_us >= self._live.seam_us:
            self._mark_dirty(self._live.add(trade))

    def _mark_dirty(self, open_us: int) -> None:
        if self._dirty_us is None:
            self._dirty_us = open_us
            self._on_change()
        elif open_us < self._dirty_us:
            self._dirty_us = open_us

    def _judge_again(self, live: CandlesSinceSeam) -> None:
        """Let `refresh` look again at what is incomplete, where missing trades came or turned out not to exist."""
        if self._tracker is None or self._tracker.filled == live.filled:
            return
        live.filled = self._tracker.filled
        incomplete = np.flatnonzero(self.series.column("flags") & COMPLETE == 0)
        times_us = self.series.column("open_time_us")[incomplete]
        times_us = times_us[times_us >= self.interval.open_time_us(live.seam_us)]
        if len(times_us):
            self._mark_dirty(self._traded_before(int(times_us[0])))

    def _forget_old(self, live: CandlesSinceSeam) -> None:
        """Bound what is kept; a change in a candle that old shows at the next reload."""
        if len(live) > 2 * _LIVE_KEEPS and self._newest is not None:
            slot = self.interval.slot(self._newest.open_time_us) - _LIVE_KEEPS
            live.forget_before(self.interval.slot_open_us(slot))

    # Bringing candles into the series

    def _put_all(self, candles: Sequence[LiveCandle]) -> None:
        """Bring in candles by rising open time, as `_put` would one by one; many that are adjacent in one go."""
        slots = [self.interval.slot(live.candle.open_time_us) for live in candles]
        ends = [at for at, (slot, following) in enumerate(pairwise(slots), 1) if following != slot + 1]
        for begin, end in pairwise([0, *ends, len(candles)]):
            run = candles[begin:end]
            for candle, follows in run if len(run) <= _FEW else run[:1]:
                self._put(candle, follows=follows)
            if len(run) > _FEW:
                self._put_run([live.candle for live in run])

    def _put_run(self, run: list[Candle]) -> None:
        """Bring in adjacent candles of which the first is in the series already."""
        last, newest_us = run[-1].open_time_us, self._newest.open_time_us if self._newest is not None else 0
        better: list[Candle] = []
        for candle in run:
            if self._goes_back(candle):
                self.series.merge(better)
                better = []
            elif not candle.closed and candle.open_time_us < max(last, newest_us):
                better.append(candle._replace(closed=True))
            else:
                better.append(candle)
        self.series.merge(better)
        if better and last >= newest_us:
            self._newest = better[-1]

    def _goes_back(self, candle: Candle) -> bool:
        """
        Whether the series has more in its place: a kline of trades that we missed, or that the stream is yet to bring.
        That one stays; of missed trades it may know only some, and is marked incomplete.
        """
        if candle.complete and candle.closed:
            return False  # a later trade proves it
        at = self.series.index_at_slot(self.interval.slot(candle.open_time_us))
        if at < 0 or (known := self.series.bar(at)).open_time_us != candle.open_time_us:
            return False
        if known.trades <= candle.trades:
            return False
        if known.complete and not candle.complete:
            self.series.doubt(at)
            if self._newest is not None and self._newest.open_time_us == candle.open_time_us:
                self._newest = self._newest._replace(complete=False)
        return True

    def _put(self, candle: Candle, *, follows: bool = True) -> None:
        """Bring in a candle; ``follows``: no trade is missing between the one before and this one."""
        newest = self._newest
        if newest is not None and candle.open_time_us > newest.open_time_us:
            self._close_newest()
            if follows:
                self._fill_before(candle.open_time_us)
        elif newest is not None and follows:
            self._fill_hole_before(candle)
        if not follows:
            self._doubt_empty_before(candle)
        if self._goes_back(candle):
            return
        if newest is not None and candle.open_time_us < newest.open_time_us and not candle.closed:
            candle = candle._replace(closed=True)
        self.series.upsert(candle)
        if self._newest is None or candle.open_time_us >= self._newest.open_time_us:
            self._newest = candle
        self._set_state(SessionState.READY, self.failure)

    def _fill_before(self, end_us: int) -> bool:
        """
        Close the newest candle and add the empty ones that open before ``end_us``.

        False, and nothing added, where the newest is older than the seam's candle: what lies between is not known.
        """
        newest = self._newest
        if newest is None or self._live is None:
            return False
        slot = self.interval.slot(newest.open_time_us)
        if slot < self.interval.slot(self._live.seam_us) - 1:
            return False
        self._close_newest()
        while (open_us := self.interval.slot_open_us(slot := slot + 1)) < end_us:
            self._newest = empty_candle(open_us, newest.close_e8)
            self.series.upsert(self._newest)
        return True

    def _fill_hole_before(self, candle: Candle) -> None:
        """Add, or believe again, the empty candles just before ``candle``: no trade is missing there any more."""
        slot = self.interval.slot(candle.open_time_us)
        at = self.series.index_at_slot(slot - 1)
        if at < 0 or self._live is None:
            return
        before = self.series.bar(at)
        while at > 0 and not (before.trades or before.complete):
            at -= 1
            before = self.series.bar(at)
        if self.interval.slot(self._live.seam_us) - 1 <= before.slot < slot - 1:
            for empty in range(before.slot + 1, slot):
                self.series.upsert(empty_candle(self.interval.slot_open_us(empty), round(before.close * E8)))

    def _doubt_empty_before(self, candle: Candle) -> None:
        """Mark the empty candles since the seam just before ``candle`` incomplete: trades are missing there."""
        at = self.series.index_at_slot(self.interval.slot(candle.open_time_us) - 1)
        while at >= 0 and self._live is not None and (bar := self.series.bar(at)).complete and not bar.trades:
            if self.interval.next_open_us(bar.open_time_us) <= self._live.seam_us:
                break
            self.series.doubt(at)
            at -= 1

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
        at = self.series.index_at_slot(self.interval.slot(last.open_time_us)) + 1
        while at < len(self.series) and not self.series.bar(at).trades:
            bar = self.series.bar(at)
            empty = empty_candle(bar.open_time_us, last.close_e8, closed=bar.closed, complete=bar.complete)
            self.series.upsert(empty)
            if bar.open_time_us == newest.open_time_us:
                self._newest = empty
            at += 1
