"""Alerts on drawings: which drawing each is on, what the editor offers, and the bells on the charts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from app.live.drawings.drawing_board import DrawingBoard
from app.market.alerts.alert import DrawingCrosses, Rule
from app.market.alerts.stored_alert import StoredAlert
from app.market.drawings.drawing import Drawing
from app.market.ports.clock import Clock
from app.market.symbol import Symbol
from app.window.alerts.alert_values import drawings_watched
from app.window.alerts.drawing_words import choices_of
from widgets.alerts.alert_views import DrawingChoice
from widgets.chart.chart_widget import ChartWidget

_PATIENCE_S, _LOOK_S = 3.0, 0.05


class DrawingAlerts:
    """
    Looks drawings up in ``board``.

    ``on_change`` is called with a symbol whose drawings may be others now, until `stop`.
    """

    def __init__(
        self,
        board: DrawingBoard,
        clock: Clock,
        symbol_of: Callable[[str], Symbol | None],
        on_change: Callable[[str], object],
    ) -> None:
        self._board, self._clock, self._symbol_of, self._on_change = board, clock, symbol_of, on_change
        self._watched: Mapping[str, int] = {}
        board.on_change.append(self._changed)

    def stop(self) -> None:
        """Follow no more changes."""
        if self._changed in self._board.on_change:
            self._board.on_change.remove(self._changed)

    def drawing_of(self, alert: StoredAlert) -> Drawing | None:
        """Return the drawing that an alert is on; None if it is on none, or that is removed or not read yet."""
        condition = alert.rule.condition
        if not isinstance(condition, DrawingCrosses):
            return None
        return next((one for one in self._board.drawings(alert.symbol) if one.id == condition.drawing_id), None)

    async def settled(self, rule: Rule) -> None:
        """Wait a moment for the database to have what was just drawn, if a rule is about drawings."""
        if not isinstance(rule.condition, DrawingCrosses):
            return
        until_s = self._clock.monotonic_s() + _PATIENCE_S
        while not self._board.is_stored and self._clock.monotonic_s() < until_s:
            await self._clock.sleep(_LOOK_S)

    def choices(self, symbol: str) -> list[DrawingChoice]:
        """Return the drawings of a symbol that an alert may wait for."""
        return choices_of(self._board.drawings(symbol), self._symbol_of(symbol)) if symbol else []

    def set_watching(self, alerts: Iterable[StoredAlert]) -> None:
        """Take the alerts that wait now."""
        self._watched = drawings_watched(alerts)

    def show_bells(self, charts: Sequence[ChartWidget]) -> None:
        """Show a bell on each drawing that an alert waits for."""
        for chart in charts:
            chart.drawings.set_alerts(self._watched)

    def _changed(self, symbol: str) -> None:
        self._on_change(symbol)
