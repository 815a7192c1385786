"""
Navigation through one chart's history: loads candles ahead of the view, and around a date that the user jumps to.

The chart reports its visible range, and the session loads. The view moves to a date only once the candles there are
loaded; until then it stays, and the user can cancel the jump.
"""

from __future__ import annotations

import asyncio

from app.concurrency.tasks import Begin
from app.live.charts.chart_session import ChartSession
from app.live.charts.prefetch import Prefetch
from app.market.interval import Interval
from app.market.ports.clock import Clock
from widgets.chart.chart_widget import ChartWidget

_MAX_SLOTS_FILLED = 20_000  # of a view; in a wider one, ranges not requested yet are not loaded
_NO_CANDLES = "There are no candles yet to go back from."


class HistoryNavigation:
    """Loads the candles that one chart is about to show. ``begin`` starts a task on the loop and keeps it."""

    def __init__(self, chart: ChartWidget, clock: Clock, begin: Begin) -> None:
        self._chart, self._clock, self._begin = chart, clock, begin
        self._session: ChartSession | None = None
        self._prefetch = Prefetch()
        self._jump: asyncio.Task[None] | None = None

    def set_session(self, session: ChartSession) -> None:
        """Use this session from now on; cancels a jump under way."""
        self.cancel_jump()
        self._session, self._prefetch = session, Prefetch()

    def view_in(self, interval: Interval) -> tuple[int, int] | None:
        """Return the range to show in another interval, UTC microseconds; None: the latest candles."""
        centre_us = self._chart.center_time_us()
        if centre_us is None or self._chart.is_following:
            return None
        middle, half = interval.slot(centre_us), int(self._chart.slots_in_view) // 2 + 1
        first = max(middle - half, min(middle, interval.slot(0)))
        return interval.slot_open_us(first), interval.slot_open_us(middle + half)

    def check_restored(self, *, can_retry: bool) -> None:
        """
        Load the candles at the view's place, as an earlier run left it; if there are none, follow the latest candle.

        ``can_retry``: a database is about to open, so call again then; a failure proves nothing now.
        """
        centre_us = self._chart.center_time_us()
        if self._session is not None and centre_us is not None and not self._chart.is_following:
            self._begin(self._check_place(self._session, centre_us, can_retry))

    def load_around_view(self) -> None:
        """Load the visible range and a screen or more around it; call when the view has moved."""
        session, visible = self._session, self._chart.visible_range_us()
        if session is None or visible is None:
            return
        interval = session.interval
        left, right = interval.slot(visible[0]), interval.slot(visible[1])
        # Indicators need candles before the first one drawn.
        first = self._chart.first_needed_slot(self._prefetch.update(left, right, self._clock.monotonic_s()))
        start_us = interval.slot_open_us(max(first, min(left, interval.slot(0))))
        end_us = interval.slot_open_us(2 * right - left)
        if self._chart.is_following and session.live_since_us is not None:
            end_us = min(end_us, session.live_since_us)  # the repairer fetches what is missing since then
        if not session.reaches(start_us) or (
            right - left < _MAX_SLOTS_FILLED and session.lacks_candles(start_us, end_us)
        ):
            self._begin(self._load(session, start_us, end_us))

    def jump_to(self, time_us: int, text: str) -> None:
        """Jump to a time, UTC microseconds; ``text`` is that time as the user reads it."""
        self.cancel_jump()
        if self._session is None or not len(self._session.series):
            self._chart.end_jump(_NO_CANDLES)
            return
        self._chart.begin_jump(f"Loading {text}…")
        self._jump = self._begin(self._jump_to(self._session, time_us))

    def cancel_jump(self) -> None:
        """Cancel a jump under way; the view stays."""
        if self._jump is not None:
            self._jump.cancel()
            self._jump = None
            self._chart.end_jump("")

    async def _load(self, session: ChartSession, start_us: int, end_us: int) -> None:
        before = len(session.series)
        await session.load_view(start_us, end_us)
        if session is self._session and len(session.series) > before:
            self.load_around_view()

    async def _check_place(self, session: ChartSession, time_us: int, can_retry: bool) -> None:
        jump = await session.jump_to(time_us, 2 * int(self._chart.slots_in_view))
        centre_us = self._chart.center_time_us()
        # A layout in between, as of a wider price axis, moves the centre by a part of a candle.
        if session is not self._session or centre_us is None or abs(centre_us - time_us) > session.interval.length_us:
            return  # the user has moved on
        if jump.begins and jump.time_us is not None and jump.time_us > time_us:
            self._chart.show_time(jump.time_us)  # the symbol was listed later
        elif not can_retry and not self._is_in_view(session.interval, jump.time_us, centre_us):
            self._chart.navigator.give_up_place()  # stored candles of another time, or none at all

    def _is_in_view(self, interval: Interval, time_us: int | None, centre_us: int) -> bool:
        if time_us is None:
            return False
        return abs(interval.slot(time_us) - interval.slot(centre_us)) <= self._chart.slots_in_view / 2

    async def _jump_to(self, session: ChartSession, time_us: int) -> None:
        jump = await session.jump_to(time_us, 2 * int(self._chart.slots_in_view))
        self._jump = None
        if jump.time_us is None:
            self._chart.end_jump(jump.failure)
            return
        self._chart.show_time(jump.time_us)
        self._chart.end_jump("These are the first candles there are." if jump.begins else "")
