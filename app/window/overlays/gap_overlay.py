"""
One chart's bands of missing trades: which gaps are in view, where they lie in time, and their repair first.

Missing trades have ids but no times, so the database's candles around them place them. They are looked up again when
the view leaves the range of the last look-up, or when the gaps have changed, at most once per second. A symbol with no
gaps left loses its bands at once. Where a gap was filled, its candles are read again.
"""

from __future__ import annotations

import asyncio
import logging

from app.concurrency.background import in_background
from app.concurrency.tasks import Begin
from app.live.charts.candle_refresh import CandleRefresh
from app.live.charts.chart_session import ChartSession
from app.live.charts.gap_placement import PlacedGap, ids_in_view, interval_of_view, placed
from app.live.engine import Engine
from app.live.recording.symbol_tracker import SymbolTracker
from app.market.errors import StoreError
from app.market.ports.storage import CandleReader
from app.window.panel_values import gap_band
from widgets.chart.chart_widget import ChartWidget

logger = logging.getLogger(__name__)

Span = tuple[int, int]
"""A half-open range of times, UTC microseconds."""


class GapOverlay:
    """Marks the gaps of one chart. ``begin`` starts a task on the loop and keeps it."""

    def __init__(self, engine: Engine, chart: ChartWidget, begin: Begin) -> None:
        self._engine = engine
        self._chart = chart
        self._begin = begin
        self._session: ChartSession | None = None
        self._gaps: list[PlacedGap] = []
        self._span: Span = (0, 0)  # of the last look-up
        self._as_of: tuple[object, ...] = ()
        self._look_up_task: asyncio.Task[None] | None = None
        self._refresh: CandleRefresh | None = None
        self._refreshing: asyncio.Task[None] | None = None

    def set_session(self, session: ChartSession) -> None:
        """Mark the gaps of this session's symbol from now on."""
        for task in (self._look_up_task, self._refreshing):
            if task is not None:
                task.cancel()
        self._session, self._gaps, self._as_of = session, [], ()
        tracker = self._engine.recorder.tracker(session.symbol)
        self._refresh = CandleRefresh(session, tracker) if tracker is not None else None

    def on_view_moved(self) -> None:
        """Repair the gaps in view first, and look up those that have no place yet."""
        visible = self._chart.visible_range_us()
        if self._session is None or visible is None:
            return
        self._repair_first(self._session, visible)
        if visible[0] < self._span[0] or visible[1] > self._span[1]:
            self.renew()

    def renew(self) -> None:
        """Update the marks; call about once per second."""
        session, visible = self._session, self._chart.visible_range_us()
        if session is None or visible is None:
            return
        self._refresh_candles()
        tracker = self._engine.recorder.tracker(session.symbol)
        if tracker is None or not tracker.missing():
            self._gaps, self._as_of = [], ()
        elif self._engine.database is not None and (self._look_up_task is None or self._look_up_task.done()):
            length_us = max(visible[1] - visible[0], session.interval.length_us)
            store, as_of = self._engine.database.store, (self._engine.database, tracker.changes)
            is_inside = visible[0] >= self._span[0] and visible[1] <= self._span[1]
            if as_of != self._as_of or not is_inside:
                span = visible[0] - length_us, visible[1] + length_us
                self._look_up_task = self._begin(self._look_up(session, tracker, store, span, as_of))
        self._mark(session)

    def _refresh_candles(self) -> None:
        refresh, database = self._refresh, self._engine.database
        is_busy = self._refreshing is not None and not self._refreshing.done()
        if database is not None and refresh is not None and not is_busy and refresh.is_due:
            self._refreshing = self._begin(refresh.step(database.store))

    async def _look_up(
        self, session: ChartSession, tracker: SymbolTracker, store: CandleReader, span: Span, as_of: tuple[object, ...]
    ) -> None:
        interval = interval_of_view(session.interval, *span)
        missing = tracker.missing_ids()

        def found() -> tuple[list[PlacedGap], int]:
            candles = store.traded_candles(session.symbol, interval, *span)
            return placed(missing, candles, interval), (candles[-1].last_trade_id or 0) if candles else 0

        try:
            self._gaps, stored_until = await in_background(found, "read-gaps")
        except StoreError as error:
            logger.info("the gaps in view were not looked up: %s", error)
            return
        self._span = span
        # The trades after the newest gap may not be stored yet; without them the gap has no end, so look again.
        is_stored = stored_until > (missing.last or 0) or self._is_past(span, tracker)
        self._as_of = as_of if is_stored else ()
        self._mark(session)
        visible = self._chart.visible_range_us()
        if visible is not None:
            self._repair_first(session, visible)

    @staticmethod
    def _is_past(span: Span, tracker: SymbolTracker) -> bool:
        return tracker.last_trade is not None and span[1] < tracker.last_trade.time_us

    def _mark(self, session: ChartSession) -> None:
        repairing = session.symbol in self._engine.repairer.repairing
        self._chart.set_gaps([gap_band(gap, repairing=repairing) for gap in self._gaps])

    def _repair_first(self, session: ChartSession, visible: Span) -> None:
        self._engine.repairer.plan.set_view(session.symbol, ids_in_view(self._gaps, *visible))
