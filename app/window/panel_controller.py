"""
Keeps the window's panels, bars, title and notice current, all of the active chart's symbol.

A timer renews them four times per second, however many messages arrive: text that changes faster cannot be read. It
does so in steps, between which trades are handled and charts painted: all of them together would delay a frame. A
chart's last price is shown at once, so that no frame shows two. The watchlist has a controller of its own, which is
renewed from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from PySide6.QtCore import QObject, QTimer, Signal

from app.live.engine import Engine
from app.market.symbol import Symbol
from app.window.charts.open_charts import OpenChart, OpenCharts
from app.window.notice import notice_of
from app.window.panel_values import ChartPrice, PanelValues
from app.window.state.window_state import WindowState
from app.window.watchlist_controller import WatchlistController
from widgets.view_values import WatchRow
from widgets.window.main_window import MainWindow

_RENEWALS_PER_SECOND = 4
_STEP_MS = 10  # between two steps of a renewal
_SORT_EVERY_S = 2  # rows that change places more often cannot be followed


class PanelController(QObject):
    """
    Renews the panels of ``window`` from `start` to `stop`.

    ``charts`` are those that the panels' prices follow. ``spread_percent`` is the setting of that name. ``simulated``:
    the market is a simulation, so no notice offers one.

    Signals:
        renewed(): panels and charts show the figures of now; comes four times per second.
        price_renewed(OpenChart): a chart's last price has changed, and the panels show it.
    """

    renewed = Signal()
    price_renewed = Signal(object)

    def __init__(
        self,
        engine: Engine,
        window: MainWindow,
        charts: OpenCharts,
        state: WindowState,
        *,
        spread_percent: float,
        simulated: bool,
    ) -> None:
        super().__init__(window)
        self._engine = engine
        self._window = window
        self._charts = charts
        self._state = state
        self._simulated = simulated
        self._serving_problem = ""
        self._values = PanelValues(
            engine, spread_percent=spread_percent, simulated=simulated, chart_price=self._chart_price
        )
        self.watchlist = WatchlistController(engine, window, state, self._values)
        self.watchlist.charted = lambda: charts.symbols
        self._shown_symbol: Symbol | None = None  # the chart's symbol, with the description that the window shows
        self._renewals = 0
        self._timer = QTimer(self)
        self._timer.setInterval(1000 // _RENEWALS_PER_SECOND)
        self._timer.timeout.connect(self._begin_renewal)
        self._steps: Iterator[Callable[[], object]] = iter(())
        self._step_timer = QTimer(self)
        self._step_timer.setSingleShot(True)
        self._step_timer.setInterval(_STEP_MS)
        self._step_timer.timeout.connect(self._run_step)
        charts.opened.connect(self._follow_price)

    def start(self) -> None:
        """Renew the panels now and from now on."""
        self.renew()
        self._timer.start()

    def stop(self) -> None:
        """Stop the timers; the panels keep their last figures."""
        self._timer.stop()
        self._step_timer.stop()

    def set_symbol(self, symbol: Symbol) -> None:
        """Name the active chart's symbol, and show its figures at once, so that dashes do not flash."""
        if symbol != self._shown_symbol:
            self._shown_symbol = symbol
            self._window.set_symbol(symbol)
        self.renew_quote()

    def set_serving_problem(self, sentence: str) -> None:
        """Show why the data is not served; an empty text ends that."""
        self._serving_problem = sentence
        self.renew_notice()

    def row_of(self, one: OpenChart) -> WatchRow:
        """Return the figures of a chart's symbol, with the last price as that chart shows it."""
        row = self._values.watch_row(self._engine.symbol(one.symbol))
        shown = self._price_on(one)
        return row if shown is None else replace(row, last=shown.last, live=shown.is_live)

    def renew(self) -> None:
        """Show the figures of now, all at once, and let the charts load for views that have moved."""
        self._finish_renewal()
        for step in self._renewal():
            step()

    def _begin_renewal(self) -> None:
        self._finish_renewal()
        self._steps = self._renewal()
        self._run_step()

    def _finish_renewal(self) -> None:
        """Take the steps that are left of the renewal before, which a thread without time has not come to."""
        if self._step_timer.isActive():
            self._step_timer.stop()
            for step in self._steps:
                step()

    def _run_step(self) -> None:
        step = next(self._steps, None)
        if step is not None:
            self._step_timer.start()
            step()

    def _renewal(self) -> Iterator[Callable[[], object]]:
        """Yield the steps of one renewal. What each needs to know is read when it is its turn."""
        # The notice and the charts' `tick` need only one call per second.
        self._renewals += 1
        is_whole_second = self._renewals % _RENEWALS_PER_SECOND == 0
        yield self._renew_prices
        yield self._renew_status
        if is_whole_second:
            yield self.renew_notice
        yield lambda: self._renew_charts(tick=is_whole_second)
        yield self.renewed.emit
        if self._renewals % (_SORT_EVERY_S * _RENEWALS_PER_SECOND) == 0:
            yield self.watchlist.sort_again

    def _renew_prices(self) -> None:
        # Together: while no chart shows the active symbol's price, bars and watchlist show one that no chart renews.
        self.watchlist.renew()
        self.renew_quote()

    def _renew_status(self) -> None:
        self._window.set_status(self._values.status(self._state.symbol))

    def _renew_charts(self, *, tick: bool) -> None:
        for one in self._charts.all:
            one.controller.renew()
            if tick:
                one.controller.tick()

    def renew_quote(self) -> None:
        """Show the figures of the active chart's symbol."""
        name = self._state.symbol
        is_watched = name in self._state.lists.union()
        self._window.set_quote(self._values.quote(self._engine.symbol(name), watched=is_watched))

    def renew_notice(self) -> None:
        """Show the one sentence that matters most now, or none."""
        active = self._charts.active
        notice = notice_of(
            self._engine,
            self._engine.symbol(self._state.symbol),
            active.controller.session,
            refusal=self.watchlist.refusal,
            serving_problem=self._serving_problem,
            chart_trouble=active.chart.trouble,
            comparison=active.controller.comparison,
            simulated=self._simulated,
        )
        if notice is None:
            self._window.clear_notice()
        else:
            self._window.set_notice(*notice)

    def _follow_price(self, one: OpenChart) -> None:
        one.chart.last_price_changed.connect(lambda price: self._on_last_price_changed(one, price))

    def _on_last_price_changed(self, one: OpenChart, price: float | None) -> None:
        # At once: the chart's axis and legend are about to be painted with this price.
        if self._timer.isActive() and one.controller.is_in_view:
            priced = (other for other in self._charts.showing(one.symbol) if self._price_on(other) is not None)
            if price is None or next(priced, one) is one:  # see `_chart_price`: the bars show that chart's price
                if one.symbol == self._state.symbol:
                    self.renew_quote()
                self.watchlist.renew([one.symbol])
            self.price_renewed.emit(one)

    def _chart_price(self, name: str) -> ChartPrice | None:
        """Return the last price as a chart of the symbol shows it, the active one's first; None: no chart does."""
        # A chart paints nothing while hidden or minimised, so its price stands still; the window's title goes on.
        prices = (self._price_on(one) for one in self._charts.showing(name))
        return next((price for price in prices if price is not None), None)

    def _price_on(self, one: OpenChart) -> ChartPrice | None:
        return one.controller.last_price(one.symbol) if one.controller.is_in_view else None
