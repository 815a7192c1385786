"""
Keeps the candles of one chart current: loads them, joins live trades, reloads, closes.

A session belongs to one symbol and one interval and owns their `CandleSeries`. It loads candles from the database and
the exchange, then joins the live trades at a whole second, the *live join*. Older candles come from klines or stored
trades, younger ones from the trades received, so each trade counts once. From then on a trade changes figures in a
dict, and `refresh`, called at most once per frame, merges the changes into the series.

`HistoryLoader` loads older candles, `CandleMerger` writes the series, `session_phase` has the table of phases. A switch
of symbol or interval makes a new session and closes the old one, which then changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from app.live.charts.candle_history import PUBLISHED_US, CandleHistory
from app.live.charts.candle_merger import CandleMerger
from app.live.charts.date_jump import DateJump
from app.live.charts.history_loader import HistoryLoader
from app.live.charts.live_candles import JoinPoint, LiveCandles, find_join_point
from app.live.charts.page_loader import PAGE, load_page, presentable
from app.live.charts.session_phase import (
    LIVE_PHASES,
    LOADING_PHASES,
    REPEATING_PHASES,
    SessionEvent,
    SessionPhase,
    next_phase,
)
from app.live.environment.clocks import ExchangeClock
from app.live.recording.symbol_tracker import SymbolTracker
from app.market.calendar.calendar import Calendar
from app.market.calendar.closed_slots import open_slots
from app.market.candle import Candle, empty_candle
from app.market.errors import StoreError
from app.market.interval import SECOND_US, Interval
from app.market.ports.clock import Clock
from app.market.trade import Trade

logger = logging.getLogger(__name__)

_JOIN_RETRY_S = 0.25
_LIVE_KEEPS = 10_000  # live candles kept, to bound memory; a trade for an older one shows at the next reload
_SLICE = 500  # candles merged at once; a frame may come between two slices
_MOST_UNSETTLED = 500  # candles between the load and the live join; with more, loading again is the smaller request
_SLOW_S = 4.0  # seconds without an answer before the chart says so
_SLOW = "The exchange has not answered yet."
# Two waits for the live join may overlap, that of `run` and that of `reload`; the first joins, or trades count twice.
_JOINED_OR_CLOSED = LIVE_PHASES | {SessionPhase.CLOSED}


class SessionState(StrEnum):
    """What the window can show of a session."""

    LOADING = "loading"
    READY = "ready"
    EMPTY = "empty"  # loaded, and the symbol has no candles yet
    FAILED = "failed"  # no candles, and `ChartSession.failure` says why


@dataclass(slots=True)
class _Pause:
    """Trades from ``from_us`` on are not counted; ``total``: the tracker's before the first of them."""

    from_us: int
    total: int | None = None


class ChartSession:
    """
    Keeps ``series`` up to date until `close`. All methods on the loop.

    ``on_state`` is called when ``state`` or ``failure`` changes, ``on_change`` when the series has changed or `refresh`
    has something to do. Both should be cheap. ``failure`` is one sentence while part of the history could not be
    loaded, whatever else there is to show. ``tracker``: None for a symbol that is not recorded. ``calendar``: when the
    market is open; None: always. Closed time is not loaded, and no candle opens in it.
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
        calendar: Calendar | None = None,
    ) -> None:
        self.symbol = symbol
        self.interval = interval
        self.calendar = calendar
        self._merger = CandleMerger(symbol, interval)
        self._merger.calendar = calendar
        self.series = self._merger.series
        self.state = SessionState.LOADING
        self.failure = ""
        self.history = history
        self._tracker = tracker
        self._exchange_clock = exchange_clock
        self._clock = clock
        self._on_state = on_state
        self._on_change = on_change
        self._live: LiveCandles | None = None
        self._phase = SessionPhase.IDLE
        self._loaded_us = 0  # the exchange's time when the newest page was requested; 0 before the first
        self._left_us = 0  # the exchange's time when live trades last left the series
        self._pause: _Pause | None = None  # while nobody sees the candles
        self._dirty_us: int | None = None  # open time of the oldest live candle to merge; None: none
        self._loader = HistoryLoader(
            symbol,
            interval,
            history,
            self._merger,
            now_us=exchange_clock.now_us,
            on_change=on_change,
            on_failure=lambda sentence: self._set_state(SessionState.READY, sentence),
            calendar=calendar,
        )

    @property
    def joined(self) -> bool:
        """Whether live trades reach the series."""
        return self._phase in LIVE_PHASES

    @property
    def awaits_newest(self) -> bool:
        """Whether the series has candles, but not yet the newest: the exchange's answer is still on its way."""
        newest = self._merger.newest
        if newest is None or self._phase not in LOADING_PHASES:
            return False
        return newest.open_time_us < self.interval.open_time_us(self._exchange_clock.now_us())

    @property
    def live_since_us(self) -> int | None:
        """The time from which live trades make the candles (UTC microseconds), or None while they do not."""
        return self._merger.join_us

    @property
    def is_stale(self) -> bool:
        """Whether `reload` may find more: after a failed load, or when trades were skipped for good."""
        if self._phase in LOADING_PHASES or self._loader.is_loading:
            return False
        if self._live is None or self._tracker is None:
            return bool(self.failure) and self.state is not SessionState.LOADING
        return bool(self.failure) or not self._is_sound(self._live, self._tracker)

    async def run(self, view_us: tuple[int, int] | None = None) -> None:
        """
        Load the candles and join the live trades; return once joined. Safe to cancel.

        ``view_us``: times (UTC microseconds) between which the chart will show history. Their candles are loaded
        together with the latest, without those in between.
        """
        if not len(self.series):
            self._set_state(SessionState.LOADING)
        if view_us is None:
            await self._load(show_early=True)
        else:
            await self._load_with(*view_us)
        await self._join()

    def set_calendar(self, calendar: Calendar | None) -> None:
        """Set ``calendar``, which is when the market is open, from now on; None: always. What is loaded stays."""
        self.calendar = self._merger.calendar = self._loader.calendar = calendar
        if self._live is not None:
            self._live.calendar = calendar

    async def _load_with(self, start_us: int, end_us: int) -> None:
        slots = self.interval.slot(end_us) - self.interval.slot(start_us)
        await asyncio.gather(self.jump_to((start_us + end_us) // 2, slots), self._load(show_early=True))

    async def show_stored(self) -> None:
        """
        Show the newest stored candles until the exchange answers, which may take long at a start.

        Does nothing if the series has candles already. Candles that lack trades wait for the exchange's answer.
        """
        end_us = self.interval.next_open_us(self._exchange_clock.now_us())
        try:
            stored = await self.history.stored(self.symbol, self.interval, end_us=end_us, limit=PAGE)
        except StoreError as error:
            logger.info("%s %s: %s", self.symbol, self.interval, error, extra={"symbol": self.symbol})
            return
        if not len(self.series):
            self._merge_page(presentable(stored.candles))

    def read_again(self) -> bool:
        """
        Request that a load under way is repeated, because the database has opened only now.

        Returns False if none is under way or about to start: call `reload` instead.
        """
        if self._phase in LOADING_PHASES:
            self._report(SessionEvent.REPEAT_REQUESTED)
            return True
        return not self._loaded_us

    async def reload(self) -> None:
        """
        Load the newest page again, and older ones that failed, as after an outage or when a database has opened.

        Older candles stay. Live trades go on meanwhile; they are joined again only if some were left out.
        """
        if self._pause is not None:
            self.resume()
        if not len(self.series):
            self._set_state(SessionState.LOADING)
        await self._load(show_early=False)
        if self._live is None:
            await self._join()
        if self._loader.failed:
            await self.load_older()

    def pause(self) -> None:
        """Follow no trades from the next second on, because nobody sees the candles; `resume` ends that."""
        if self._pause is not None:
            return
        newest = None if self._tracker is None else self._tracker.last_trade
        if self._live is None or newest is None:
            self._leave()
        else:
            next_us = (newest.time_us // SECOND_US + 1) * SECOND_US
            self._pause = _Pause(max(next_us, self._live.join_us))

    def resume(self) -> bool:
        """
        Go on after `pause`, with the trades received meanwhile; False if they are not all known: call `reload`.

        `refresh` then brings them into the series.
        """
        pause, self._pause = self._pause, None
        live, tracker = self._live, self._tracker
        if pause is None or live is None or tracker is None:
            return live is not None
        if pause.total is None:
            return True  # no trade has come since
        window_us = tracker.window_start_us
        seconds = tracker.recent.candles(pause.from_us)
        # A trade from before the pause, fetched late, is in none of these seconds.
        came = sum(second.trades for second in seconds) == tracker.total - pause.total
        if not came or window_us is None or window_us > pause.from_us or not self._is_sound(live, tracker):
            self._leave()
            return False
        if self._on_trade not in tracker.listeners:
            tracker.listeners.append(self._on_trade)
        changed_us = live.add_seconds(seconds)
        if changed_us is not None:
            self._mark_dirty(changed_us)
        return True

    def close(self) -> None:
        """Stop listening and loading; the series stays as it is."""
        self._report(SessionEvent.CLOSED)
        self._leave()
        self._loader.close()

    def reaches(self, time_us: int) -> bool:
        """See `HistoryLoader.reaches`."""
        return self._loader.reaches(time_us)

    def lacks_candles(self, start_us: int, end_us: int) -> bool:
        """See `HistoryLoader.lacks_candles`."""
        return self._loader.lacks_candles(start_us, end_us)

    async def load_older(self, back_to_us: int | None = None) -> int:
        """See `HistoryLoader.load_older`."""
        return await self._loader.load_older(back_to_us)

    async def load_view(self, start_us: int, end_us: int) -> None:
        """See `HistoryLoader.load_view`."""
        await self._loader.load_view(start_us, end_us)

    async def ensure(self, start_us: int, end_us: int) -> None:
        """See `HistoryLoader.ensure`."""
        await self._loader.ensure(start_us, end_us)

    async def jump_to(self, time_us: int, slots: int = PAGE) -> DateJump:
        """See `HistoryLoader.jump_to`."""
        return await self._loader.jump_to(time_us, slots)

    def merge_stored(self, candles: list[Candle]) -> None:
        """Merge stored candles, oldest first, that a repair has completed; a better candle of the series stays."""
        self._merge_page(candles)

    def refresh(self) -> bool:
        """Merge the live candles that trades changed; return whether there were any. Free otherwise."""
        live = self._live
        if self._dirty_us is None or live is None:
            return False
        since_us, self._dirty_us = self._dirty_us, None
        if live.take_out_of_order():
            # A missing trade makes the candle before it incomplete too, and its arrival makes that one complete.
            since_us = self._merger.last_traded_before(since_us)
        candles = live.since(since_us)
        self._merger.put_all(candles)
        if candles:
            self._merger.carry_close_forward(candles[-1].candle)
            self._set_state(SessionState.READY, self.failure)
        return True

    def tick(self) -> bool:
        """
        Open the candles that begin without a trade; return whether the series changed.

        Call about once per second, and only while the feed is live. Until the feed has proved itself by a trade (see
        `SymbolTracker.is_watched`), a silence does not prove that there was none, so no candle closes or opens.
        """
        if self._live is None or self._pause is not None:
            return False
        self._review_incomplete(self._live)
        changed = self.refresh()
        self._forget_old(self._live)
        newest = self._merger.newest
        if newest is None or not self._is_watched:
            return changed
        open_us = self.interval.open_time_us(self._exchange_clock.certain_us())
        revision = self.series.revision
        if open_us <= newest.open_time_us or not self._merger.fill_before(open_us):
            return changed
        slot = self.interval.slot(open_us)
        if next(open_slots(self.calendar, self.interval, slot, slot + 1), None) is None:
            return changed or self.series.revision != revision
        self._merger.put(empty_candle(open_us, newest.close_e8, closed=False))
        return True

    @property
    def _is_watched(self) -> bool:
        return self._tracker is not None and self._tracker.is_watched

    # Loading

    async def _load(self, *, show_early: bool) -> None:
        loaded_us = self._exchange_clock.now_us()
        end_us = loaded_us + self.interval.length_us
        slow = asyncio.get_running_loop().call_later(_SLOW_S, self._say_slow)
        self._report(SessionEvent.LOAD_STARTED)
        try:
            on_part = self._merge_page if show_early else None
            page = await load_page(
                self.history, self.symbol, self.interval, end_us, on_part=on_part, calendar=self.calendar
            )
        finally:
            is_to_repeat = self._phase in REPEATING_PHASES
            self._report(SessionEvent.LOAD_ENDED)
            slow.cancel()
        if self._phase is SessionPhase.CLOSED:
            return
        self._loaded_us = loaded_us
        if self._live is not None and self._tracker is not None and not self._is_sound(self._live, self._tracker):
            self._leave()
        self._loader.restart(page)
        self._merge_page(page.candles)
        if len(self.series):
            self._set_state(SessionState.READY, page.failure)
        else:
            self._set_state(SessionState.FAILED if page.failure else SessionState.EMPTY, page.failure)
        if is_to_repeat:
            await self._load(show_early=False)

    def _say_slow(self) -> None:
        if len(self.series) and not self.failure:
            self._set_state(SessionState.READY, _SLOW)

    def _report(self, event: SessionEvent) -> None:
        self._phase = next_phase(self._phase, event)

    def _merge_page(self, candles: list[Candle]) -> None:
        if self._phase is SessionPhase.CLOSED or not candles:
            return
        self._merger.merge_page(candles, watched=self._is_watched)
        self._set_state(SessionState.READY, self.failure)
        self._on_change()

    def _set_state(self, state: SessionState, failure: str = "") -> None:
        if (state, failure) != (self.state, self.failure) and self._phase is not SessionPhase.CLOSED:
            self.state, self.failure = state, failure
            self._on_state()

    # Joining the live trades

    async def _join(self) -> None:
        """Wait until the live join has passed, fetch the older part of its candle, and take over."""
        tracker = self._tracker
        loaded_for_us = -1
        while tracker is not None and self._phase not in _JOINED_OR_CLOSED:
            join_us = tracker.window_start_us
            if join_us is not None and self._exchange_clock.now_us() >= join_us:
                open_us, settled_us = self.interval.open_time_us(join_us), self._settled_us()
                if open_us - settled_us > _MOST_UNSETTLED * self.interval.length_us and join_us != loaded_for_us:
                    loaded_for_us = join_us
                    await self._load(show_early=False)  # the first trade was long in coming
                    continue
                join_point = await find_join_point(
                    self.history,
                    self.symbol,
                    self.interval,
                    join_us,
                    settled_us=settled_us,
                    newest=self._merger.newest,
                    newest_us=max(self._loaded_us, self._left_us),
                )
                is_current = tracker.window_start_us == join_us and self._phase not in _JOINED_OR_CLOSED
                if join_point is not None and is_current:
                    live = self._take_over(tracker, join_point)
                    await self._merge_live(live, min(settled_us, open_us))
                    return
            await self._clock.sleep(_JOIN_RETRY_S)

    def _settled_us(self) -> int:
        """
        Return the time before which the loaded candles are final (UTC microseconds).

        A candle that was open at loading may have ended before the live join, and one that had just ended may lack its
        last trades.
        """
        settled_us = self.interval.open_time_us(self._loaded_us)
        just_ended_us = self.interval.open_time_us(self._loaded_us - PUBLISHED_US)
        if just_ended_us < settled_us and self._merger.has(just_ended_us):
            settled_us = just_ended_us
        if self._merger.newest is not None and not self._merger.newest.closed:
            settled_us = min(settled_us, self._merger.newest.open_time_us)
        return settled_us

    def _take_over(self, tracker: SymbolTracker, join_point: JoinPoint) -> LiveCandles:
        """Go on from the live join with the seconds tracked since and every trade from now on, without a pause."""
        # No await in here: a trade that came between the seconds and the listener would be lost.
        join_us, parts, is_known, counted_us, lacks_us = join_point
        self._live = LiveCandles(
            self.interval,
            tracker,
            join_us,
            parts,
            beginning_known=is_known,
            counted_us=counted_us,
            lacks_us=lacks_us,
            calendar=self.calendar,
        )
        self._merger.join_us = join_us
        tracker.listeners.append(self._on_trade)
        self._report(SessionEvent.JOINED)
        return self._live

    async def _merge_live(self, live: LiveCandles, start_us: int) -> None:
        """Leave the newest candles to `refresh`, and merge the hours before them in slices between frames."""
        newest = self._merger.newest
        until_us = start_us if newest is None else newest.open_time_us
        borders = [border_us for border_us in live.borders(_SLICE) if start_us < border_us < until_us]
        self._mark_dirty(borders[-1] if borders else start_us)
        done_us = start_us
        try:
            for begin_us, end_us in pairwise([start_us, *borders]):
                await asyncio.sleep(0)
                if self._live is not live:
                    return
                self._merger.put_all(live.since(begin_us, end_us + 1))
                self._on_change()
                done_us = end_us
        finally:
            if borders and done_us < borders[-1] and self._live is live:
                self._mark_dirty(done_us)  # cancelled: `refresh` merges the rest

    @staticmethod
    def _is_sound(live: LiveCandles, tracker: SymbolTracker) -> bool:
        """Whether the live candles lack no trade for good."""
        return live.is_sound and live.generation == tracker.generation

    def _leave(self) -> None:
        if self._live is not None:
            self.refresh()
            self._left_us = self._exchange_clock.now_us()
            self._report(SessionEvent.LEFT)
        self._live = self._merger.join_us = self._pause = None
        self._stop_listening()

    def _stop_listening(self) -> None:
        if self._tracker is not None and self._on_trade in self._tracker.listeners:
            self._tracker.listeners.remove(self._on_trade)

    def _is_paused_for(self, trade: Trade) -> bool:
        """Whether a trade is left to `resume`; the first one ends the listening."""
        pause, tracker = self._pause, self._tracker
        if pause is None or tracker is None:
            return False
        if pause.total is None and trade.time_us >= pause.from_us:
            # From here on the tracker may hold trades that the live candles lack, so none is judged before `resume`.
            self.refresh()
            pause.total = tracker.total - 1
            asyncio.get_running_loop().call_soon(self._rest)  # the tracker is going through its listeners
        return pause.total is not None

    def _rest(self) -> None:
        if self._pause is not None and self._pause.total is not None:
            self._stop_listening()

    def _on_trade(self, trade: Trade) -> None:
        if self._pause is not None and self._is_paused_for(trade):
            return
        if self._live is not None and trade.time_us >= self._live.join_us:
            self._mark_dirty(self._live.add(trade))

    def _mark_dirty(self, open_us: int) -> None:
        if self._dirty_us is None:
            self._dirty_us = open_us
            self._on_change()
        elif open_us < self._dirty_us:
            self._dirty_us = open_us

    def _review_incomplete(self, live: LiveCandles) -> None:
        """Mark the incomplete candles dirty if missing trades arrived, or turned out not to exist."""
        if self._tracker is None or self._tracker.filled == live.filled:
            return
        live.filled = self._tracker.filled
        incomplete_us = self._merger.first_incomplete(self.interval.open_time_us(live.join_us))
        if incomplete_us is not None:
            self._mark_dirty(self._merger.last_traded_before(incomplete_us))

    def _forget_old(self, live: LiveCandles) -> None:
        """Bound the live candles kept; a change in an older one shows at the next reload."""
        if len(live) > 2 * _LIVE_KEEPS and self._merger.newest is not None:
            slot = self.interval.slot(self._merger.newest.open_time_us) - _LIVE_KEEPS
            live.forget_before(self.interval.slot_open_us(slot))
            self._merger.join_us = live.join_us
