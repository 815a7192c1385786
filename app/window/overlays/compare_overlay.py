"""
Other symbols on one chart, as lines in percent: their candles, loaded and kept current beside the chart's own.

Each has a session, shared with the charts that show the same candles. There are none while nothing is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.market.calendar.calendar import Calendar
from app.market.calendar.of_symbol import usual_calendar
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide
from app.market.symbol import Symbol
from app.window.overlays.joined_sessions import Candles, JoinedSessions
from widgets.chart.chart_widget import ChartWidget


class CompareOverlay:
    """Compares on one chart, by ``others``, which nothing else uses."""

    def __init__(self, chart: ChartWidget, others: JoinedSessions) -> None:
        self._chart, self._others = chart, others
        self._symbols: list[tuple[str, Symbol]] = []
        self._shown: tuple[str, Interval] | None = None  # the chart's symbol and interval
        self._revisions: tuple[int, ...] = ()

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

    def set_chart(self, name: str, interval: Interval) -> None:
        """Compare with the candles of this symbol and interval, which the chart shows; not that symbol with itself."""
        self._shown = name, interval
        self._open()

    def load_view(self) -> None:
        """Load what the view shows of each symbol."""
        self._others.load_view()

    def tick(self, now_s: float, is_receiving: Callable[[str], bool]) -> None:
        """See `JoinedSessions.tick`."""
        self._others.tick(now_s, is_receiving)

    def reload_soon(self) -> None:
        """See `JoinedSessions.reload_soon`."""
        self._others.reload_soon()

    def refresh(self) -> None:
        """Merge new trades into the candles; call for each frame of the chart."""
        self._others.refresh()
        revisions = tuple(session.series.revision for session in self._others.sessions)
        if revisions != self._revisions:
            self._revisions = revisions
            self._chart.compared_changed()

    def sleep(self) -> None:
        """Let no trade come for these lines, because nobody sees them."""
        self._others.sleep()

    def wake(self) -> None:
        """Bring the lines up to date again."""
        self._others.wake()

    async def stop(self) -> None:
        """Compare no longer, and return when all work for it has ended."""
        self._symbols = []
        await self._others.stop()

    def _open(self) -> None:
        had_lines, symbols = bool(self._others.sessions), list[tuple[str, Symbol]]()
        candles = list[Candles]()
        if self._shown is not None:
            own, interval = self._shown
            symbols = [(name, symbol) for name, symbol in self._symbols if name != own]
            candles = [Candles(name, interval, PriceSide.MID, _calendar_of(name)) for name, _ in symbols]
        self._others.join(candles)
        self._revisions = ()
        if had_lines or symbols:
            shown = zip(symbols, self._others.sessions, strict=True)
            self._chart.set_compared(
                [(symbol.base or symbol.display_name, session.series) for (_, symbol), session in shown]
            )
            self.load_view()


def _calendar_of(name: str) -> Calendar | None:
    calendar = usual_calendar(name)
    return calendar if calendar.closes else None
