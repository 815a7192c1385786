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
from collections.abc import Callable
from enum import StrEnum
from itertools import pairwise

from app.live.charts.candle_history import PUBLISHED_US, CandleHistory
from app.live.charts.candle_merger import CandleMerger
from app.live.charts.date_jump import DateJump
from app.live.charts.history_loader import HistoryLoader
from app.live.charts.live_candles import JoinPoint, LiveCandles, find_join_point
from app.live.charts.page_loader import PAGE, load_page
from app.live.environment.clocks import ExchangeClock
from app.live.recording.symbol_tracker import SymbolTracker
from app.market.candle import Candle, empty_candle
from app.market.errors import StoreError
from app.market.interval import Interval
from app.market.ports.clock import Clock
from app.market.trade import Trade

logger = logging.getLogger(__name__)

_JOIN_RETRY_S = 0.25
_LIVE_KEEPS = 10_000
_SLICE = 500  # candles
_MOST_UNSETTLED = 500
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
        self._merger = CandleMerger(symbol, interval)
        self.series = self._merger.series
        self.state = SessionState.LOADING
        self.failure = ""
        self._history = history
        self._tracker = tracker
        self._exchange_clock = exchange_clock
        self._clock = clock
        self._on_state = on_state
        self._on_change = on_change
        self._live: LiveCandles | None = None
        self._loaded_us = 0  # the exchange's time when the past was asked for
        self._left_us = 0  # and when live trades last ceased to be counted
        self._dirty_us: int | None = None
        self._loading = False
        self._read_again = False
        self._closed = False
        self._loader = HistoryLoader(
            symbol,
            interval,
            history,
            self._merger,
            now_us=exchange_clock.now_us,
            on_change=on_change,
            on_failure=lambda sentence: self._set_state(SessionState.READY, sentence),
        )

    @property
    def joined(self) -> bool:
        """Whether live trades reach the series."""
        return self._live is not None

    @property
    def live_since_us(self) -> int | None:
        """From when on live trades make the candles, UTC microseconds; None while they do not."""
        return self._merger.join_us

    @property
    def is_stale(self) -> bool:
        """Whether something was left out that `reload` may find: a failed load, or trades skipped before the seam."""
        if self._loading or self._loader.is_loading:
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
        if not len(self.series):
            self._set_state(SessionState.LOADING)
        if view_us is None:
            await self._load(show_early=True)
        else:
            await self._load_with(*view_us)
        await self._join()

    async def _load_with(self, start_us: int, end_us: int) -> None:
        slots = self.interval.slot(end_us) - self.interval.slot(start_us)
        await asyncio.gather(self.go_to((start_us + end_us) // 2, slots), self._load(show_early=True))

    async def show_stored(self) -> None:
        """
        Show the newest candles that are stored, until the exchange has told more: at a start its time may not be known
        yet, or be long in coming. Does nothing where there are candles already.
        """
        end_us = self.interval.next_open_us(self._exchange_clock.now_us())
        try:
            stored = await self._history.stored(self.symbol, self.interval, end_us=end_us, limit=PAGE)
        except StoreError as error:
            logger.info("%s %s: %s", self.symbol, self.interval, error, extra={"symbol": self.symbol})
            return
        if not len(self.series):
            self._show(stored.candles)

    def read_again(self) -> bool:
        """
        Have the stored candles read again once what is being loaded has come, because there is a database only now.

        False where nothing is being loaded or about to be: call `reload`.
        """
        self._read_again = self._loading
        return self._loading or not self._loaded_us

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
        if self._loader.failed:
            await self.load_older()

    def close(self) -> None:
        """Listen no more, and ask for nothing more; the series stays as it is."""
        self._closed = True
        self._leave()
        self._loader.close()

    def reaches(self, time_us: int) -> bool:
        """Whether there is nothing older to load after ``time_us``, or nothing to begin from."""
        return self._loader.reaches(time_us)

    def wants(self, start_us: int, end_us: int) -> bool:
        """Whether `look_at` would load anything for ``[start_us, end_us)``. Cheap: call it whenever the view moves."""
        return self._loader.wants(start_us, end_us)

    async def load_older(self, back_to_us: int | None = None) -> int:
        """See `HistoryLoader.load_older`."""
        return await self._loader.load_older(back_to_us)

    async def look_at(self, start_us: int, end_us: int) -> None:
        """See `HistoryLoader.look_at`."""
        await self._loader.look_at(start_us, end_us)

    async def ensure(self, start_us: int, end_us: int) -> None:
        """See `HistoryLoader.ensure`."""
        await self._loader.ensure(start_us, end_us)

    async def go_to(self, time_us: int, slots: int = PAGE) -> DateJump:
        """See `HistoryLoader.go_to`."""
        return await self._loader.go_to(time_us, slots)

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
            since_us = self._merger.last_traded_before(since_us)
        candles = live.since(since_us)
        self._merger.put_all(candles)
        if candles:
            self._merger.carry_close_forward(candles[-1].candle)
            self._set_state(SessionState.READY, self.failure)
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
        newest = self._merger.newest
        if newest is None:
            return changed
        open_us = self.interval.open_time_us(self._exchange_clock.certain_us())
        if open_us <= newest.open_time_us or not self._merger.fill_before(open_us):
            return changed
        self._merger.put(empty_candle(open_us, newest.close_e8, closed=False))
        return True

    # Loading

    async def _load(self, *, show_early: bool) -> None:
        self._read_again = False
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
        self._loader.restart(page)
        self._show(page.candles)
        if len(self.series):
            self._set_state(SessionState.READY, page.failure)
        else:
            self._set_state(SessionState.FAILED if page.failure else SessionState.EMPTY, page.failure)
        if self._read_again:
            await self._load(show_early=False)

    def _say_slow(self) -> None:
        if len(self.series) and not self.failure:
            self._set_state(SessionState.READY, _SLOW)

    def _show(self, candles: list[Candle]) -> None:
        if self._closed or not candles:
            return
        self._merger.merge_page(candles)
        self._set_state(SessionState.READY, self.failure)
        self._on_change()

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
            join_us = tracker.window_start_us
            if join_us is not None and self._exchange_clock.now_us() >= join_us:
                open_us, settled_us = self.interval.open_time_us(join_us), self._settled_us()
                if open_us - settled_us > _MOST_UNSETTLED * self.interval.length_us and join_us != loaded_for_us:
                    loaded_for_us = join_us
                    await self._load(show_early=False)  # the first trade was long in coming
                    continue
                beginning = await find_join_point(
                    self._history,
                    self.symbol,
                    self.interval,
                    join_us,
                    settled_us=settled_us,
                    newest=self._merger.newest,
                    newest_us=max(self._loaded_us, self._left_us),
                )
                if beginning is not None and tracker.window_start_us == join_us and not self._closed:
                    live = self._take_over(tracker, beginning)
                    await self._merge_live(live, min(settled_us, open_us))
                    return
            await self._clock.sleep(_JOIN_RETRY_S)

    def _settled_us(self) -> int:
        """
        Return until when the loaded candles are final.

        Those open at loading may have ended before the seam; one that had just ended may have lacked its last trades.
        """
        settled_us = self.interval.open_time_us(self._loaded_us)
        just_ended_us = self.interval.open_time_us(self._loaded_us - PUBLISHED_US)
        if just_ended_us < settled_us and self._merger.has(just_ended_us):
            settled_us = just_ended_us
        if self._merger.newest is not None and not self._merger.newest.closed:
            settled_us = min(settled_us, self._merger.newest.open_time_us)
        return settled_us

    def _take_over(self, tracker: SymbolTracker, beginning: JoinPoint) -> LiveCandles:
        """Go on with the seconds tracked since the seam and every trade from now on, without a pause."""
        join_us, parts, is_known, counted_us, lacks_us = beginning
        self._live = LiveCandles(
            self.interval,
            tracker,
            join_us,
            parts,
            beginning_known=is_known,
            counted_us=counted_us,
            lacks_us=lacks_us,
        )
        self._merger.join_us = join_us
        tracker.listeners.append(self._on_trade)
        return self._live

    async def _merge_live(self, live: LiveCandles, start_us: int) -> None:
        """Let `refresh` bring in the newest candles; the hours before them come slice by slice, and hold up nobody."""
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
                self._mark_dirty(done_us)  # cancelled: `refresh` brings in the rest

    @staticmethod
    def _is_sound(live: LiveCandles, tracker: SymbolTracker) -> bool:
        """Whether no trade is left out of the live candles for good."""
        return live.is_sound and live.generation == tracker.generation

    def _leave(self) -> None:
        if self._live is not None:
            self.refresh()
            self._left_us = self._exchange_clock.now_us()
        self._live = self._merger.join_us = None
        if self._tracker is not None and self._on_trade in self._tracker.listeners:
            self._tracker.listeners.remove(self._on_trade)

    def _on_trade(self, trade: Trade) -> None:
        if self._live is not None and trade.time_us >= self._live.join_us:
            self._mark_dirty(self._live.add(trade))

    def _mark_dirty(self, open_us: int) -> None:
        if self._dirty_us is None:
            self._dirty_us = open_us
            self._on_change()
        elif open_us < self._dirty_us:
            self._dirty_us = open_us

    def _judge_again(self, live: LiveCandles) -> None:
        """Let `refresh` look again at what is incomplete, where missing trades came or turned out not to exist."""
        if self._tracker is None or self._tracker.filled == live.filled:
            return
        live.filled = self._tracker.filled
        incomplete_us = self._merger.first_incomplete(self.interval.open_time_us(live.join_us))
        if incomplete_us is not None:
            self._mark_dirty(self._merger.last_traded_before(incomplete_us))

    def _forget_old(self, live: LiveCandles) -> None:
        """Bound what is kept; a change in a candle that old shows at the next reload."""
        if len(live) > 2 * _LIVE_KEEPS and self._merger.newest is not None:
            slot = self.interval.slot(self._merger.newest.open_time_us) - _LIVE_KEEPS
            live.forget_before(self.interval.slot_open_us(slot))
            self._merger.join_us = live.join_us
