"""
The spread on one chart: candles of bid and of ask, loaded and kept current beside those that the chart shows.

Each has a session, shared with the charts that show the same candles or the same band. There are none while the band
is off, or for a symbol with trades.
"""

from __future__ import annotations

from collections.abc import Callable

from app.live.charts.chart_session import ChartSession
from app.market.calendar.calendar import Calendar
from app.market.quotes.tick import PriceSide
from app.market.symbol import has_trades
from app.window.overlays.joined_sessions import Candles, JoinedSessions
from widgets.chart.chart_widget import ChartWidget


class SpreadOverlay:
    """Draws the band on one chart, of ``sides``, which nothing else uses."""

    def __init__(self, chart: ChartWidget, sides: JoinedSessions) -> None:
        self._chart, self._sides = chart, sides
        self._shown: ChartSession | None = None
        self._calendar: Calendar | None = None
        self._shape: tuple[int, ...] = ()  # the revisions of the series that the chart has

    @property
    def sessions(self) -> list[ChartSession]:
        """Those of bid and ask; empty while no band is drawn."""
        return self._sides.sessions

    def set_session(self, session: ChartSession) -> None:
        """Draw the spread of this session's symbol from now on, if it is switched on."""
        self._shown = session
        self._open()

    def set_calendar(self, calendar: Calendar | None) -> None:
        """Set when the symbol's market is open; None: always."""
        self._calendar = calendar
        for session in self.sessions:
            session.set_calendar(calendar)

    def renew(self) -> None:
        """Begin or end the band, if the chart's style says otherwise than before."""
        if bool(self.sessions) != self._is_wanted:
            self._open()

    def tick(self, now_s: float, is_receiving: Callable[[str], bool]) -> None:
        """See `JoinedSessions.tick`."""
        self._sides.tick(now_s, is_receiving)

    def reload_soon(self) -> None:
        """See `JoinedSessions.reload_soon`."""
        self._sides.reload_soon()

    def load_view(self) -> None:
        """Load what the view shows of bid and ask."""
        self._sides.load_view()

    def refresh(self) -> None:
        """Merge new ticks into the candles, and have the band painted whole where others have come; for each frame."""
        self._sides.refresh()
        if self.sessions and self._shape != self._revisions():
            self._show()

    def sleep(self) -> None:
        """Let no tick come for the band, because nobody sees it."""
        self._sides.sleep()

    def wake(self) -> None:
        """Bring the band up to date again."""
        self._sides.wake()

    async def stop(self) -> None:
        """Draw no band, and return when all work for it has ended."""
        self._shown = None
        await self._sides.stop()

    @property
    def _is_wanted(self) -> bool:
        shown = self._shown
        return shown is not None and self._chart.chart_style.spread_band and not has_trades(shown.symbol)

    def _open(self) -> None:
        had_band, shown = bool(self.sessions), self._shown if self._is_wanted else None
        if shown is None:
            self._sides.join(())
            if had_band:
                self._chart.set_spread(None)
            return
        sides = PriceSide.BID, PriceSide.ASK
        self._sides.join([Candles(shown.symbol, shown.interval, side, self._calendar) for side in sides])
        self.set_calendar(self._calendar)
        self._show()
        self._sides.load_view()

    def _show(self) -> None:
        self._shape = self._revisions()
        bid, ask = self.sessions
        self._chart.set_spread((bid.series, ask.series))

    def _revisions(self) -> tuple[int, ...]:
        return tuple(session.series.shape_revision for session in self.sessions)
