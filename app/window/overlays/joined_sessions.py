"""
Candles beside a chart's own, of symbols to compare with or of bid and ask: shared with all charts that show them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.concurrency.tasks import Begin
from app.live.charts.chart_session import ChartSession
from app.live.charts.reload_backoff import ReloadBackoff
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


@dataclass(eq=False, slots=True)
class _Part:
    """The part taken in one session: when this chart reloads it, and whether its symbol was received lately."""

    share: SharedSession
    backoff: ReloadBackoff = field(default_factory=ReloadBackoff)
    is_receiving: bool = False

    def takes_turn(self, now_s: float, *, is_receiving: bool) -> bool:
        """Return whether to reload now; at once when the symbol is received again."""
        if is_receiving and not self.is_receiving:
            self.backoff.reset()
        self.is_receiving = is_receiving
        # The stream may be late or refused while requests are answered, so its state only shortens the wait.
        return self.backoff.take_turn(now_s, is_stale=self.share.session.is_stale, is_live=True)


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
        self._parts: list[_Part] = []
        self._listener = SessionListener(lambda: None, chart.series_changed)
        self._view_work: asyncio.Task[None] | None = None
        self._is_asleep = False

    @property
    def sessions(self) -> list[ChartSession]:
        """The sessions, in the order of `join`."""
        return [part.share.session for part in self._parts]

    def join(self, wanted: Sequence[Candles]) -> None:
        """Take part in the sessions of these candles, and in no others; new ones begin to load."""
        before, self._parts = self._parts, []
        by_share = {part.share: part for part in before}
        for each in wanted:
            share, is_new = self._share_of(*each)
            share.join(self._listener)
            self._parts.append(by_share.get(share) or _Part(share))
            if is_new:
                share.begin(self._run(share.session))
        for part in before:  # after the new ones have joined: one that stays is not closed and loaded again
            part.share.leave(self._listener)
        if self._is_asleep:
            self.sleep()

    def load_view(self) -> None:
        """Load what the view shows of each."""
        visible = self._chart.visible_range_us()
        if self._parts and visible is not None and (self._view_work is None or self._view_work.done()):
            self._view_work = self._begin(self._load_view(*visible))

    def tick(self, now_s: float, is_receiving: Callable[[str], bool]) -> None:
        """
        Open candles that begin without a trade, and load again what failed; call about once per second.

        ``now_s``: of a monotonic clock. Each symbol has waits of its own between its loads, see `ReloadBackoff`. One
        that another chart reloads is left to that chart.
        """
        for part in self._parts:
            session, share, is_received = part.share.session, part.share, is_receiving(part.share.session.symbol)
            if is_received and session.tick():
                share.tell_change()
            if part.takes_turn(now_s, is_receiving=is_received) and share.is_leader(self._listener):
                share.begin(session.reload())

    def reload_soon(self) -> None:
        """Load again what failed at the next `tick`: the exchange is back."""
        for part in self._parts:
            part.backoff.reset()

    def refresh(self) -> None:
        """Merge new trades into the candles; call for each frame of the chart."""
        for session in self.sessions:
            session.refresh()

    def sleep(self) -> None:
        """Let no trade come, because nobody sees the candles."""
        self._is_asleep = True
        for part in self._parts:
            part.share.sleep(self._listener)

    def wake(self) -> None:
        """Bring the candles up to date again."""
        self._is_asleep = False
        for part in self._parts:
            part.share.wake(self._listener)

    async def stop(self) -> None:
        """Take part no longer, and return when the work for it has ended."""
        parts = self._parts
        self.join(())
        for part in parts:
            await part.share.end()

    async def _run(self, session: ChartSession) -> None:
        await self._wait_for_clock()
        await session.run(self._chart.visible_range_us())

    async def _load_view(self, start_us: int, end_us: int) -> None:
        await asyncio.gather(*(session.load_view(start_us, end_us) for session in self.sessions))
