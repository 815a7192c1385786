"""
Ranges of time on one chart: the last day, week, month or year, or all there is, each in the interval that fits.

The exchange is asked once for each symbol when its first candle opened, so that a young symbol fills the view, too.
Where it does not answer, the oldest stored candle stands for that, and the usual length for a range that has one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.concurrency.tasks import Begin
from app.live.charts.chart_session import ChartSession
from app.live.environment.clocks import ExchangeClock
from app.market.errors import FeedError, StoreError
from app.market.interval import Interval
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.model.time_range import TimeRange, fitting_interval

_DAY = Interval.parse("1d")
_MOST_DAYS = 20_000
_PATIENCE_S = 0.5  # for the first candle of a range that has a length without it


class RangeNavigation:
    """
    Shows ranges on a chart. ``begin`` starts a task on the loop and keeps it; ``request_interval`` has the chart show
    another interval at once.
    """

    def __init__(
        self,
        chart: ChartWidget,
        clock: ExchangeClock,
        *,
        begin: Begin,
        request_interval: Callable[[Interval], object],
    ) -> None:
        self._chart, self._clock = chart, clock
        self._begin, self._request_interval = begin, request_interval
        self._session: ChartSession | None = None
        self._work: asyncio.Task[None] | None = None
        self._is_announced = False  # the chip says that it waits

    def set_session(self, session: ChartSession) -> None:
        """Use this session from now on; gives up a range that waits."""
        self.cancel()
        self._session = session

    def show(self, time_range: TimeRange) -> None:
        """Show a range; the view stays as it is until its interval is known."""
        self.cancel()
        if self._session is not None:
            self._work = self._begin(self._show(self._session, time_range))

    def cancel(self) -> None:
        """Give up a range that waits for the exchange; the view stays."""
        if self._work is not None:
            self._work.cancel()
            self._work = None
            if self._is_announced:
                self._end("")

    async def _show(self, session: ChartSession, time_range: TimeRange) -> None:
        now_us = self._clock.now_us()
        start_us = time_range.start_us(now_us)
        if start_us is None:
            self._is_announced = True
            self._chart.begin_jump("Loading all candles…")
            first_us = await self._first_us(session, now_us)
        else:
            first_us = await self._first_us_soon(session, now_us)
        self._work = None
        starts = [each for each in (start_us, first_us) if each is not None]
        if start_us is None:
            self._end("" if starts else "There are no candles yet.")
        if starts:
            interval = fitting_interval(max(starts), now_us, self._chart.candles_width_px)
            self._chart.ranges.show(time_range, interval, first_us)
            if interval != session.interval:
                self._request_interval(interval)

    def _end(self, sentence: str) -> None:
        self._is_announced = False
        self._chart.end_jump(sentence)

    async def _first_us_soon(self, session: ChartSession, now_us: int) -> int | None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._first_us(session, now_us)
        except TimeoutError:
            return None

    async def _first_us(self, session: ChartSession, now_us: int) -> int | None:
        """Return the open time of the symbol's first candle, UTC microseconds; None: there is none."""
        if session.series.begins:
            return int(session.series.column("open_time_us")[0])
        try:
            listed_us = await session.history.find_listing(session.symbol)
        except FeedError:
            listed_us = None
        if listed_us is not None:
            return listed_us
        try:
            stored = await session.history.stored(session.symbol, _DAY, end_us=now_us, limit=_MOST_DAYS)
        except StoreError:
            return None
        return stored.candles[0].open_time_us if stored.candles else None
