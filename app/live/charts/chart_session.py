"""
Keeps the candles of one chart current: loads them, joins live trades, reloads, closes.

A session belongs to one symbol and one interval and owns their `CandleSeries`. It loads candles from the database and
the exchange, then joins the live trades at a whole second, the *live join*. Older candles come from klines or stored
trades, younger ones from the trades received, so each trade counts once.

`HistoryLoader` loads older candles, `LiveFollower` brings the live trades, `CandleMerger` writes the series, and
`session_phase` has the table of phases. A switch of symbol or interval makes a new session and closes the old one,
which then changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from enum import StrEnum

from app.live.charts.candle_history import PUBLISHED_US, CandleHistory
from app.live.charts.candle_merger import CandleMerger
from app.live.charts.date_jump import DateJump
from app.live.charts.history_loader import HistoryLoader
from app.live.charts.live_candles import find_join_point
from app.live.charts.live_follower import LiveFollower
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
from app.market.interval import Interval
from app.market.ports.clock import Clock

logger = logging.getLogger(__name__)

_JOIN_RETRY_S = 0.25
_MOST_UNSETTLED = 500  # candles between the load and the live join; with more, loading again is the smaller request
_SLOW_S = 4.0  # seconds without an answer before the chart says so
_SLOW = "The exchange or the database has not answered yet."
# Two waits for the live join may overlap, that of `run` and that of `reload`; the first joins, or trades count twice.
_JOINED_OR_CLOSED = LIVE_PHASES | {SessionPhase.CLOSED}


class SessionState(StrEnum):
    """What the window can show of a session."""

    LOADING = "loading"
    READY = "ready"
    EMPTY = "empty"  # loaded, and the symbol has no candles yet
    FAILED = "failed"  # no candles, and `ChartSession.failure` says why


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
        self._phase = SessionPhase.IDLE
        self._loaded_us = 0  # the exchange's time when the newest page was requested; 0 before the first
        self._follower = LiveFollower(
            interval,
            self._merger,
            tracker,
            now_us=exchange_clock.now_us,
            on_change=on_change,
            on_candles=lambda: self._set_state(SessionState.READY, self.failure),
            calendar=calendar,
        )
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
        if not self._follower.is_following:
            return bool(self.failure) and self.state is not SessionState.LOADING
        return bool(self.failure) or not self._follower.is_sound

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
        self._follower.set_calendar(calendar)

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
        if self._follower.is_paused:
            self.resume()
        if not len(self.series):
            self._set_state(SessionState.LOADING)
        await self._load(show_early=False)
        if not self._follower.is_following:
            await self._join()
        if self._loader.failed:
            await self.load_older()

    def pause(self) -> None:
        """Follow no trades from the next second on, because nobody sees the candles; `resume` ends that."""
        if not self._follower.pause():
            self._leave()

    def resume(self) -> bool:
        """
        Go on after `pause`, with the trades received meanwhile; False if they are not all known: call `reload`.

        `refresh` then brings them into the series.
        """
        if self._follower.resume():
            return True
        self._leave()
        return False

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
        return self._follower.refresh()

    def tick(self) -> bool:
        """
        Open the candles that begin without a trade; return whether the series changed.

        Call about once per second, and only while the feed is live. Until the feed has proved itself by a trade (see
        `SymbolTracker.is_watched`), a silence does not prove that there was none, so no candle closes or opens.
        """
        if not self._follower.is_following or self._follower.is_paused:
            return False
        changed = self._follower.review()
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
        if self._follower.is_following and not self._follower.is_sound:
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
                    newest_us=max(self._loaded_us, self._follower.left_us),
                )
                is_current = tracker.window_start_us == join_us and self._phase not in _JOINED_OR_CLOSED
                if join_point is not None and is_current:
                    self._follower.take_over(join_point)
                    self._report(SessionEvent.JOINED)
                    await self._follower.merge_since(min(settled_us, open_us))
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

    def _leave(self) -> None:
        if self._follower.leave():
            self._report(SessionEvent.LEFT)
