"""
The window's requests become work of the engine, and the engine's changes reach the window's panels and its notice.

The chart has a controller of its own. Panels are renewed on a timer, four times a second, never per message.
"""

from __future__ import annotations

import gc
import sys

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer, Signal

from app.live.charts.chart_session import ChartSession
from app.live.engine import Engine
from app.market.interval import Interval
from app.market.ports.exchange import FeedStatus
from app.market.symbol import Symbol
from app.window.appearance import show_palette, show_state
from app.window.chart_controller import ChartController
from app.window.export_controller import ExportController
from app.window.notice import notice_of
from app.window.panel_values import PanelValues
from app.window.watchlist_controller import WatchlistController
from app.window.window_state import WindowState
from widgets.chart.chart_widget import ChartWidget
from widgets.theme import text_size
from widgets.theme.system_scheme import SystemScheme
from widgets.window.main_window import MainWindow

_PANELS_MS = 250
_PANELS_PER_SECOND = 4
# A frame takes the interpreter's lock a dozen times. Beside threads that read pages or write trades, each time may cost
# the default 5 ms; with this interval those threads yield sooner.
_SWITCH_INTERVAL_S = 0.0005


class WindowController(QObject):
    """
    Connects one engine with one window until `stop`.

    Signals:
        state_changed(): the watchlist changed and should be saved.
        simulated_market_requested(): the user wants the simulated market instead of this one.
        first_painted(): candles were painted for the first time.
    """

    simulated_market_requested = Signal()
    state_changed = Signal()
    first_painted = Signal()

    def __init__(
        self,
        engine: Engine,
        window: MainWindow,
        chart: ChartWidget,
        state: WindowState,
        *,
        spread_percent: float,
        simulated: bool,
    ) -> None:
        super().__init__(window)
        self.chart_controller = ChartController(engine, chart, simulated=simulated)
        self._engine = engine
        self._window = window
        self._chart = chart
        self._state = state
        self._simulated = simulated
        self._panel_values = PanelValues(engine, spread_percent=spread_percent, simulated=simulated)
        self._watchlist = WatchlistController(engine, window, state, self._panel_values)
        self._watchlist.on_change = self.state_changed.emit
        self._export = ExportController(engine, window)
        self._symbol: Symbol | None = None  # the chart's, as the window shows it
        self._renewals = 0
        self._panel_timer = QTimer(self)
        self._panel_timer.setInterval(_PANELS_MS)
        self._panel_timer.timeout.connect(self._renew_panels)
        self._scheme = SystemScheme(self)
        self._connect_signals()

    @property
    def session(self) -> ChartSession | None:
        """The session behind the chart."""
        return self.chart_controller.session

    def start(self) -> None:
        """Show the symbol and interval of the window's state and begin to keep everything up to date."""
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        show_state(self._window, self._chart, self._state)
        self._watchlist.start()
        self._show(self._state.symbol, self._state.interval)
        self._renew_panels()
        self._panel_timer.start()

    async def stop(self) -> None:
        """Stop timers and tasks; the window keeps its last figures."""
        self._panel_timer.stop()
        await self.chart_controller.stop()
        await self._export.stop()

    def _connect_signals(self) -> None:
        window, chart, engine = self._window, self._chart, self._engine
        window.symbol_requested.connect(self._on_symbol_requested)
        window.interval_requested.connect(self._on_interval_requested)
        window.theme_requested.connect(self._on_theme)
        window.text_percent_requested.connect(self._on_text_percent)
        window.candle_colours_requested.connect(self._on_candle_colours)
        self._scheme.changed.connect(lambda: show_palette(window, chart, self._state, self._scheme))
        window.chart_menu_requested.connect(chart.open_style_menu)
        window.indicators_requested.connect(chart.open_indicators)
        window.date_entry_requested.connect(chart.open_date_entry)
        window.retry_database_requested.connect(engine.retry_database)
        window.retry_feed_requested.connect(self.chart_controller.retry)
        window.simulated_market_requested.connect(self.simulated_market_requested)
        window.export_requested.connect(self._on_export)
        window.download_requested.connect(self._on_download)
        window.download_stop_requested.connect(self._on_download_stop)
        chart.simulated_market_requested.connect(self.simulated_market_requested)
        chart.appearance_changed.connect(self._on_look)
        self.chart_controller.first_painted.connect(_freeze_garbage)
        self.chart_controller.first_painted.connect(self.first_painted)
        engine.feed.on_status(self._on_feed_status)
        engine.on_database = self._on_database
        engine.on_symbols = self._on_symbols

    # Requests of the user

    def _on_symbol_requested(self, name: str) -> None:
        if name != self._state.symbol:
            self._show(name, self._state.interval)
            self._watchlist.record()  # the symbol before is recorded no longer, unless it is watched
            self._watchlist.rebuild()

    def _on_interval_requested(self, interval: Interval) -> None:
        if interval != self._state.interval:
            self._show(self._state.symbol, interval)

    def _show(self, name: str, interval: Interval) -> None:
        """Show this symbol and interval in the window and on the chart."""
        self._state.symbol, self._state.interval = name, interval
        if name not in self._engine.recorder.symbols:
            self._watchlist.record()  # before the chart asks for its live trades
        self._set_symbol(self._engine.symbol(name))
        self._window.set_interval(interval)
        self.chart_controller.show(name, interval)

    def _set_symbol(self, symbol: Symbol) -> None:
        self._symbol = symbol
        self._window.set_symbol(symbol)
        self._renew_quote()  # known figures at once: no flash of dashes

    def _on_theme(self, name: str) -> None:
        self._state.theme = name
        show_palette(self._window, self._chart, self._state, self._scheme)

    def _on_candle_colours(self, name: str) -> None:
        self._state.candle_colours = name
        show_palette(self._window, self._chart, self._state, self._scheme)

    def _on_text_percent(self, percent: int) -> None:
        self._state.text_percent, self._state.lasting_text_percent = percent, None
        text_size.set_percent(percent)
        self._window.set_text_percent(percent)

    def _on_look(self) -> None:
        self._state.chart = self._chart.appearance_values()
        self._window.set_price_style(self._chart.chart_style.price_style.title)

    def _on_download(self) -> None:
        self._engine.repairer.download(self._state.symbol)
        self._renew_panels()

    def _on_download_stop(self) -> None:
        self._engine.repairer.plan.stop_download(self._state.symbol)
        self._renew_panels()

    def _on_export(self) -> None:
        symbol = self._engine.symbol(self._state.symbol)
        symbols = list(self._engine.symbols.values()) or [symbol]
        self._export.open(symbols, symbol, self._state.interval, self.chart_controller.visible_past_us())

    # Changes of the engine

    def _on_feed_status(self, status: FeedStatus) -> None:
        self.chart_controller.on_feed_status(status)
        self._renew_notice()

    def _on_database(self) -> None:
        self.chart_controller.on_database()
        self._renew_notice()

    def _on_symbols(self) -> None:
        self._window.set_symbols(list(self._engine.symbols.values()))
        symbol = self._engine.symbol(self._state.symbol)
        if symbol != self._symbol:
            self._set_symbol(symbol)
        self.chart_controller.on_symbols()
        self._watchlist.rebuild()
        self._renew_panels()

    # Panels

    def _renew_panels(self) -> None:
        self._watchlist.renew()
        self._renew_quote()
        self._window.set_status(self._panel_values.status())
        self.chart_controller.renew()
        self._renewals += 1
        if self._renewals % _PANELS_PER_SECOND == 0:
            self._renew_notice()
            self.chart_controller.tick()

    def _renew_quote(self) -> None:
        name = self._state.symbol
        symbol, watched = self._engine.symbol(name), name in self._state.watchlist
        self._window.set_quote(self._panel_values.quote(symbol, watched=watched))

    def _renew_notice(self) -> None:
        notice = notice_of(
            self._engine,
            self._engine.symbol(self._state.symbol),
            self.session,
            refusal=self._watchlist.refusal,
            chart_trouble=self._chart.trouble,
            simulated=self._simulated,
        )
        if notice is None:
            self._window.clear_notice()
        else:
            self._window.set_notice(*notice)


def _freeze_garbage() -> None:
    # A program keeps what it has after its start. The collector would look through all of it again and again, and each
    # time no frame is drawn for as long as ten take. `destroy_leftovers` undoes this.
    gc.freeze()


def destroy_leftovers() -> None:
    """
    Destroy what is left of a window whose loop is closed.

    Widgets, and the timers of the loop, stand in reference cycles, and Python breaks those up in whichever thread
    happens to allocate next. Off the main thread, the end of a Qt object with a timer ends the process.
    """
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.unfreeze()
    gc.collect()
