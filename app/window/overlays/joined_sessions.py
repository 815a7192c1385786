"""
Candles beside a chart's own, of symbols to compare with or of bid and ask: shared with all charts that show them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from app.concurrency.tasks import Begin
from app.live.charts.chart_session import ChartSession
from app.live.charts.shared_sessions import SessionListener, SharedSession
from app.market.calendar.calendar import Calendar
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide
from widgets.chart.chart_widget import ChartWidget


class Candles(NamedTuple):
    """Which candles; ``calendar``: when their market is open, None: always."""

    symbol: str
    interval: Interval
    side: PriceSide
    calendar: Calendar | None


ShareOf = Callable[[str, Interval, PriceSide, Calendar | None], tuple[SharedSession, bool]]
"""Returns the session of a symbol's candles, and whether it is new."""


class JoinedSessions:
    """
    The sessions in which one chart takes part beside its own, in a given order.

    ``begin`` starts a task on the loop and keeps it. ``wait_for_clock`` returns once the exchange's time is known; the
    live join needs it.
    """

    def __init__(
        self, chart: ChartWidget, share_of: ShareOf, begin: Begin, wait_for_clock: Callable[[], Awaitable[None]]
    ) -> None:
        self._chart, self._share_of, self._begin, self._wait_for_clock = chart, share_of, begin, wait_for_clock
        self._shares: list[SharedSession] = []
        self._listener = SessionListener(lambda: None, chart.series_changed)
        self._view_work: asyncio.Task[None] | None = None
        self._is_asleep = False

    @property
    def sessions(self) -> list[ChartSession]:
        """The sessions, in the order of `join`."""
        return [share.session for share in self._shares]

    def join(self, wanted: Sequence[Candles]) -> None:
        """Take part in the sessions of these candles, and in no others; new ones begin to load."""
        before, self._shares = self._shares, []
        for each in wanted:
            share, is_new = self._share_of(*each)
            share.join(self._listener)
            self._shares.append(share)
            if is_new:
                share.begin(self._run(share.session))
        for share in before:  # after the new ones have joined: one that stays is not closed and loaded again
            share.leave(self._listener)
        if self._is_asleep:
            self.sleep()

    def load_view(self) -> None:
        """Load what the view shows of each."""
        visible = self._chart.visible_range_us()
        if self._shares and visible is not None and (self._view_work is None or self._view_work.done()):
            self._view_work = self._begin(self._load_view(*visible))

    def tick(self, is_receiving: Callable[[str], bool]) -> None:
        """Open candles that begin without a trade; call about once per second."""
        for share in self._shares:
            if is_receiving(share.session.symbol) and share.session.tick():
                share.tell_change()

    @property
    def is_stale(self) -> bool:
        """Whether `reload` may find more."""
        return any(session.is_stale for session in self.sessions)

    def reload(self) -> None:
        """Load again what failed, or was left out after a break of the stream; another chart may be doing so."""
        for share in self._shares:
            if share.session.is_stale and share.is_leader(self._listener):
                share.begin(share.session.reload())

    def refresh(self) -> None:
        """Merge new trades into the candles; call for each frame of the chart."""
        for session in self.sessions:
            session.refresh()

    def sleep(self) -> None:
        """Let no trade come, because nobody sees the candles."""
        self._is_asleep = True
        for share in self._shares:
            share.sleep(self._listener)

    def wake(self) -> None:
        """Bring the candles up to date again."""
        self._is_asleep = False
        for share in self._shares:
            share.wake(self._listener)

    async def stop(self) -> None:
        """Take part no longer, and return when the work for it has ended."""
        shares = self._shares
        self.join(())
        for share in shares:
            await share.end()

    async def _run(self, session: ChartSession) -> None:
        await self._wait_for_clock()
        await session.run(self._chart.visible_range_us())

    async def _load_view(self, start_us: int, end_us: int) -> None:
        await asyncio.gather(*(session.load_view(start_us, end_us) for session in self.sessions))
