"""
Other symbols on one chart, as lines in percent: their candles, loaded and kept current beside the chart's own.

Each has a session, shared with the charts that show the same candles. There are none while nothing is compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from app.concurrency.tasks import Begin
from app.live.charts.shared_sessions import SessionListener, SharedSession
from app.market.calendar.calendar import Calendar
from app.market.calendar.of_symbol import usual_calendar
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide
from app.market.symbol import Symbol
from widgets.chart.chart_widget import ChartWidget

ShareOf = Callable[[str, Interval, PriceSide, Calendar | None], tuple[SharedSession, bool]]
"""Returns the session of a symbol's candles, and whether it is new."""


class CompareOverlay:
    """Compares on one chart. ``begin`` starts a task on the loop and keeps it."""

    def __init__(self, chart: ChartWidget, share_of: ShareOf, begin: Begin) -> None:
        self._chart, self._share_of, self._begin = chart, share_of, begin
        self._symbols: list[tuple[str, Symbol]] = []
        self._interval: Interval | None = None
        self._shares: list[SharedSession] = []
        self._listener = SessionListener(lambda: None, chart.series_changed)
        self._revisions: tuple[int, ...] = ()
        self._view_work: asyncio.Task[None] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the symbols compared."""
        return tuple(name for name, _ in self._symbols)

    def set_symbols(self, symbols: Sequence[tuple[str, Symbol]]) -> None:
        """Compare with these from now on, each with its name."""
        self._symbols = list(symbols)
        self._open()

    def renew_symbols(self, symbol: Callable[[str], Symbol]) -> None:
        """Name the lines as the symbols are described now; ``symbol`` returns the description of a name."""
        renewed = [(name, symbol(name)) for name, _ in self._symbols]
        if renewed != self._symbols:
            self.set_symbols(renewed)

    def set_interval(self, interval: Interval) -> None:
        """Compare candles of this interval from now on: the chart shows it."""
        self._interval = interval
        self._open()

    def load_view(self) -> None:
        """Load what the view shows of each symbol."""
        visible = self._chart.visible_range_us()
        if self._shares and visible is not None and (self._view_work is None or self._view_work.done()):
            self._view_work = self._begin(self._load_view(*visible))

    def tick(self, is_receiving: Callable[[str], bool]) -> None:
        """Open candles that begin without a trade, and retry failed loads; call once per second."""
        for share in self._shares:
            session = share.session
            if is_receiving(session.symbol) and session.tick():
                share.tell_change()
            if session.is_stale and share.is_leader(self._listener):
                share.begin(session.reload())

    def refresh(self) -> None:
        """Merge new trades into the candles; call for each frame of the chart."""
        for share in self._shares:
            share.session.refresh()
        revisions = tuple(share.session.series.revision for share in self._shares)
        if revisions != self._revisions:
            self._revisions = revisions
            self._chart.compared_changed()

    def sleep(self) -> None:
        """Let no trade come for these lines, because nobody sees them."""
        for share in self._shares:
            share.sleep(self._listener)

    def wake(self) -> None:
        """Bring the lines up to date again."""
        for share in self._shares:
            share.wake(self._listener)

    async def stop(self) -> None:
        """Compare no longer, and return when all work for it has ended."""
        shares, self._symbols = self._shares, []
        self._leave()
        for share in shares:
            await share.end()

    def _open(self) -> None:
        before, interval = self._shares, self._interval
        self._shares = []
        if interval is not None:
            for name, _ in self._symbols:
                share, is_new = self._share_of(name, interval, PriceSide.MID, _calendar_of(name))
                share.join(self._listener)
                self._shares.append(share)
                if is_new:
                    share.begin(share.session.run(self._chart.visible_range_us()))
        for share in before:  # after the new ones have joined: one that stays is not closed and loaded again
            share.leave(self._listener)
        self._revisions = ()
        if before or self._shares:
            shown = zip(self._symbols, self._shares, strict=True) if interval is not None else ()
            self._chart.set_compared(
                [(symbol.base or symbol.display_name, share.session.series) for (_, symbol), share in shown]
            )
            self.load_view()

    def _leave(self) -> None:
        for share in self._shares:
            share.leave(self._listener)
        self._shares = []

    async def _load_view(self, start_us: int, end_us: int) -> None:
        await asyncio.gather(*(share.session.load_view(start_us, end_us) for share in self._shares))


def _calendar_of(name: str) -> Calendar | None:
    calendar = usual_calendar(name)
    return calendar if calendar.closes else None
