"""
The spread on one chart: candles of bid and of ask, loaded and kept current beside those that the chart shows.

Each is a `ChartSession` of its own, so that history, live ticks and reloads come as they do for the chart. There are
none while the band is off, or for a symbol with trades.
"""

from __future__ import annotations

import asyncio

from app.concurrency.tasks import Begin
from app.live.charts.chart_session import ChartSession
from app.live.engine import Engine
from app.market.calendar.calendar import Calendar
from app.market.quotes.tick import PriceSide
from app.market.symbol import has_trades
from widgets.chart.chart_widget import ChartWidget


class SpreadOverlay:
    """Draws the band on one chart. ``begin`` starts a task on the loop and keeps it."""

    def __init__(self, engine: Engine, chart: ChartWidget, begin: Begin) -> None:
        self._engine, self._chart, self._begin = engine, chart, begin
        self._shown: ChartSession | None = None
        self._calendar: Calendar | None = None
        self._sides: list[ChartSession] = []
        self._work: list[asyncio.Task[None]] = []
        self._view_work: asyncio.Task[None] | None = None
        self._shape: tuple[int, ...] = ()  # the revisions of the series that the chart has

    @property
    def sessions(self) -> list[ChartSession]:
        """Those of bid and ask; empty while no band is drawn."""
        return list(self._sides)

    def set_session(self, session: ChartSession) -> None:
        """Draw the spread of this session's symbol from now on, if it is switched on."""
        self.stop()
        self._shown = session
        self.renew()

    def set_calendar(self, calendar: Calendar | None) -> None:
        """Set when the symbol's market is open; None: always."""
        self._calendar = calendar
        for each in self._sides:
            each.set_calendar(calendar)

    def renew(self) -> None:
        """Begin or end the band as the chart's style says, and open candles without a tick; call once per second."""
        shown = self._shown
        is_wanted = shown is not None and self._chart.chart_style.spread_band and not has_trades(shown.symbol)
        if shown is None or not is_wanted:
            self.stop()
        elif not self._sides:
            self._sides = [self._session(shown, side) for side in (PriceSide.BID, PriceSide.ASK)]
            self._work = [self._begin(self._run(each)) for each in self._sides]
            self._show()
        elif self._engine.is_receiving(shown.symbol):
            for each in self._sides:
                each.tick()

    @property
    def is_stale(self) -> bool:
        """Whether `reload` may find more."""
        return any(each.is_stale for each in self._sides)

    def reload(self) -> None:
        """Load again what failed, or was left out after a break of the stream."""
        for at, each in enumerate(self._sides):
            if each.is_stale and self._work[at].done():
                self._work[at] = self._begin(each.reload())

    def load_view(self) -> None:
        """Load what the view shows of bid and ask."""
        visible = self._chart.visible_range_us()
        if self._sides and visible is not None and (self._view_work is None or self._view_work.done()):
            self._view_work = self._begin(self._load_view(*visible))

    def refresh(self) -> None:
        """Merge new ticks into the candles, and have the band painted whole where others have come; for each frame."""
        for each in self._sides:
            each.refresh()
        if self._sides and self._shape != self._revisions():
            self._show()

    def stop(self) -> None:
        """Draw no band, and load nothing for it."""
        if not self._sides:
            return
        for task in (*self._work, self._view_work):
            if task is not None:
                task.cancel()
        for each in self._sides:
            each.close()
        self._sides, self._work, self._view_work = [], [], None
        self._chart.set_spread(None)

    async def _run(self, session: ChartSession) -> None:
        await self._engine.wait_for_clock()  # the live join needs the exchange's time
        await session.run(self._chart.visible_range_us())

    async def _load_view(self, start_us: int, end_us: int) -> None:
        await asyncio.gather(*(each.load_view(start_us, end_us) for each in self._sides))

    def _show(self) -> None:
        self._shape = self._revisions()
        bid, ask = self._sides
        self._chart.set_spread((bid.series, ask.series))

    def _revisions(self) -> tuple[int, ...]:
        return tuple(each.series.shape_revision for each in self._sides)

    def _session(self, shown: ChartSession, side: PriceSide) -> ChartSession:
        return ChartSession(
            shown.symbol,
            shown.interval,
            history=self._engine.chart_history(shown.symbol, side),
            tracker=self._engine.chart_tracker(shown.symbol, side),
            exchange_clock=self._engine.exchange_clock,
            clock=self._engine.clock,
            on_state=lambda: None,
            on_change=self._chart.series_changed,
            calendar=self._calendar,
        )
