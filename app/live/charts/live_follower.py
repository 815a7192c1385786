"""
Follows the live trades of one chart: from the live join on, every trade reaches the series, until nobody sees it.

A trade changes figures in a dict; `LiveFollower.refresh`, called at most once per frame, writes the candles that
changed. While nobody sees the candles it pauses: it hears nothing, and afterwards takes what the tracker remembers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from app.live.charts.candle_merger import CandleMerger
from app.live.charts.live_candles import JoinPoint, LiveCandles
from app.live.recording.symbol_tracker import SymbolTracker
from app.market.calendar.calendar import Calendar
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade

_LIVE_KEEPS = 10_000  # live candles kept, to bound memory; a trade for an older one shows at the next reload
_SLICE = 500  # candles merged at once; a frame may come between two slices


@dataclass(slots=True)
class _Pause:
    """Trades from ``from_us`` on are not counted; ``total``: the tracker's before the first of them."""

    from_us: int
    total: int | None = None


class LiveFollower:
    """
    Brings the trades of ``tracker`` into the series of ``merger``, from `take_over` to `leave`. All on the loop.

    ``tracker``: None for a symbol that is not recorded. ``now_us`` returns the exchange's time. ``on_change`` is called
    when `refresh` has something to do or the series has changed, ``on_candles`` when `refresh` has written candles;
    both should be cheap. ``left_us``: the exchange's time when the trades last left the series; 0 before.
    """

    def __init__(
        self,
        interval: Interval,
        merger: CandleMerger,
        tracker: SymbolTracker | None,
        *,
        now_us: Callable[[], int],
        on_change: Callable[[], None],
        on_candles: Callable[[], None],
        calendar: Calendar | None = None,
    ) -> None:
        self.left_us = 0
        self._interval = interval
        self._merger = merger
        self._tracker = tracker
        self._now_us = now_us
        self._on_change, self._on_candles = on_change, on_candles
        self._calendar = calendar
        self._live: LiveCandles | None = None
        self._pause: _Pause | None = None  # while nobody sees the candles
        self._dirty_us: int | None = None  # open time of the oldest live candle to merge; None: none

    def __len__(self) -> int:
        """Return the number of candles with trades that are kept since the live join."""
        return 0 if self._live is None else len(self._live)

    @property
    def is_following(self) -> bool:
        """Whether trades reach the series, or will after a pause."""
        return self._live is not None

    @property
    def is_paused(self) -> bool:
        """Whether trades are left to `resume`."""
        return self._pause is not None

    @property
    def is_sound(self) -> bool:
        """Whether it follows, and the live candles lack no trade for good."""
        live, tracker = self._live, self._tracker
        return live is not None and tracker is not None and _is_sound(live, tracker)

    def set_calendar(self, calendar: Calendar | None) -> None:
        """Set when the market is open, from now on; None: always."""
        self._calendar = calendar
        if self._live is not None:
            self._live.calendar = calendar

    def take_over(self, join_point: JoinPoint) -> None:
        """
        Go on from the live join with the seconds tracked since and every trade from now on, without a pause.

        `merge_since` then writes the candles since the join.

        Raises:
            ValueError: If there is no tracker.
        """
        tracker = self._tracker
        if tracker is None:
            raise ValueError("a symbol that is not recorded has no live trades")
        # No await in here: a trade that came between the seconds and the listener would be lost.
        join_us, parts, is_known, counted_us, lacks_us = join_point
        self._live = LiveCandles(
            self._interval,
            tracker,
            join_us,
            parts,
            beginning_known=is_known,
            counted_us=counted_us,
            lacks_us=lacks_us,
            calendar=self._calendar,
        )
        self._merger.join_us = join_us
        tracker.listeners.append(self._on_trade)

    async def merge_since(self, start_us: int) -> None:
        """Leave the newest candles to `refresh`, and merge the hours before them in slices between frames."""
        live = self._live
        if live is None:
            return
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

    def leave(self) -> bool:
        """Write what is left, and hear no more trades; return whether it followed any."""
        followed = self._live is not None
        if followed:
            self.refresh()
            self.left_us = self._now_us()
        self._live = self._merger.join_us = self._pause = None
        self._stop_listening()
        return followed

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
            self._on_candles()
        return True

    def review(self) -> bool:
        """
        Judge incomplete candles again, `refresh`, and forget the oldest; return whether the series changed.

        Call about once per second, while it follows and is not paused.
        """
        if self._live is None:
            return False
        self._review_incomplete(self._live)
        changed = self.refresh()
        self._forget_old(self._live)
        return changed

    def pause(self) -> bool:
        """
        Follow no trades from the next second on, because nobody sees the candles; `resume` ends that.

        Returns False, and does nothing, if there is nothing to go on from afterwards: call `leave`.
        """
        if self._pause is not None:
            return True
        newest = None if self._tracker is None else self._tracker.last_trade
        if self._live is None or newest is None:
            return False
        next_us = (newest.time_us // SECOND_US + 1) * SECOND_US
        self._pause = _Pause(max(next_us, self._live.join_us))
        return True

    def resume(self) -> bool:
        """
        Go on after `pause`, with the trades received meanwhile; False if they are not all known: call `leave`.

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
        if not came or window_us is None or window_us > pause.from_us or not _is_sound(live, tracker):
            return False
        if self._on_trade not in tracker.listeners:
            tracker.listeners.append(self._on_trade)
        changed_us = live.add_seconds(seconds)
        if changed_us is not None:
            self._mark_dirty(changed_us)
        return True

    def _on_trade(self, trade: Trade) -> None:
        if self._pause is not None and self._is_paused_for(trade):
            return
        if self._live is not None and trade.time_us >= self._live.join_us:
            self._mark_dirty(self._live.add(trade))

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

    def _stop_listening(self) -> None:
        if self._tracker is not None and self._on_trade in self._tracker.listeners:
            self._tracker.listeners.remove(self._on_trade)

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
        incomplete_us = self._merger.first_incomplete(self._interval.open_time_us(live.join_us))
        if incomplete_us is not None:
            self._mark_dirty(self._merger.last_traded_before(incomplete_us))

    def _forget_old(self, live: LiveCandles) -> None:
        """Bound the live candles kept; a change in an older one shows at the next reload."""
        if len(live) > 2 * _LIVE_KEEPS and self._merger.newest is not None:
            slot = self._interval.slot(self._merger.newest.open_time_us) - _LIVE_KEEPS
            live.forget_before(self._interval.slot_open_us(slot))
            self._merger.join_us = live.join_us


def _is_sound(live: LiveCandles, tracker: SymbolTracker) -> bool:
    """Whether the live candles lack no trade for good."""
    return live.is_sound and live.generation == tracker.generation
