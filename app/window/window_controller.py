"""
Connects the window to the engine: requests of the user go to the engine, and its changes to the charts and the panels.

The charts, the panels, the look and each dialog have controllers of their own; those that not every run needs are made
here when first used. The state's symbol and interval follow the active chart.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.config.settings import Settings
from app.live.charts.chart_session import ChartSession
from app.live.engine import Engine
from app.live.ticks.quote_broker import QuoteBroker
from app.market.file_format import FileFormat
from app.market.indicators.chosen import text_of_indicators
from app.market.interval import Interval
from app.market.ports.database import OpenedDatabase
from app.market.ports.exchange import FeedStatus
from app.market.symbol import broker_of, has_trades, history_command, in_usual_quote
from app.window.appearance import show_state
from app.window.appearance_controller import AppearanceController
from app.window.charts.chart_controller import ChartController
from app.window.charts.open_charts import OpenChart, OpenCharts
from app.window.collector import freeze_startup_objects
from app.window.drawings.drawing_tools import DrawingTools
from app.window.keys.keys_controller import KeysController
from app.window.missing_trades import MissingTrades
from app.window.panel_controller import PanelController
from app.window.state.window_state import WindowState
from widgets.chart.chart_widget import ChartWidget
from widgets.view_values import WatchRow
from widgets.window.main_window import MainWindow

if TYPE_CHECKING:
    from app.window.alerts.alert_controller import AlertController
    from app.window.downloads.download_controller import DownloadController
    from app.window.export_controller import ExportController
    from app.window.imports.import_controller import ImportController
    from app.window.symbols_controller import SymbolsController
    from app.window.workspace.workspace_controller import WorkspaceController

# A frame takes the interpreter's lock a dozen times. While other threads read pages or write trades, each time may cost
# Python's default switch interval of 5 ms. With this one, those threads yield sooner.
_SWITCH_INTERVAL_S = 0.0005
_WITH_A_DIALOG = ("alerts", "exports", "imports", "downloads", "stored_symbols")


class WindowController(QObject):
    """
    Connects one window to one engine, from `start` to `stop`.

    ``state`` is shown at the start and follows the user's choices; the owner saves it. ``settings`` are the program's.
    ``simulated``: the market is a simulation, so no error offers one.

    Signals:
        state_changed(): what ``state`` holds, or `remember` brings into it, has changed and should be saved soon.
        simulated_market_requested(): the user asks for the simulated market instead of this one.
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
        settings: Settings,
        *,
        simulated: bool,
    ) -> None:
        super().__init__(window)
        self.charts = OpenCharts(engine, simulated=simulated, parent=self)
        self._engine = engine
        self._window = window
        self._state = state
        self._settings = settings
        self._saving: tuple[int | None, str] = (None, "")  # see `show_saving`
        self.panels = PanelController(
            engine, window, self.charts, state, spread_percent=settings.spread_percent, simulated=simulated
        )
        self._watchlist = self.panels.watchlist
        self._watchlist.on_change = self.state_changed.emit
        self._appearance = AppearanceController(window, self.charts, state)
        self._appearance.changed.connect(self.state_changed)
        self._missing = MissingTrades(engine, window, self.charts, lambda: state.symbol)
        self._database: OpenedDatabase | None = None
        self.charts.opened.connect(self._connect_chart)
        self.charts.activated.connect(self._on_activated)
        first = self.charts.open(chart, state.symbol, state.interval)
        self._drawing_tools = DrawingTools(window, chart, first.controller.drawings)
        self.charts.activated.connect(lambda one: self._drawing_tools.set_chart(one.chart, one.controller.drawings))
        first.controller.first_painted.connect(freeze_startup_objects)
        first.controller.first_painted.connect(self.first_painted)
        self._connect_signals()

    @property
    def chart_controller(self) -> ChartController:
        """The active chart's controller."""
        return self.charts.active.controller

    @property
    def _chart(self) -> ChartWidget:
        return self.charts.active.chart

    @property
    def session(self) -> ChartSession | None:
        """The session behind the active chart; None before `start`."""
        return self.chart_controller.session

    # Made, and loaded, when first used: the window opens without.

    @cached_property
    def alerts(self) -> AlertController:
        """The alerts: made when there are any, or when the user asks for one."""
        from app.window.alerts.alert_controller import AlertController

        charts = self.charts
        alerts = AlertController(
            self._engine,
            self._window,
            lambda: [(one.chart, one.symbol) for one in charts.active_first],
            self._show_place,
        )
        alerts.fired.connect(self._on_fired)
        self.panels.renewed.connect(alerts.renew)
        return alerts

    @cached_property
    def workspace(self) -> WorkspaceController:
        """The arrangement of several charts."""
        from app.window.workspace.workspace_controller import WorkspaceController

        workspace = WorkspaceController(self.charts, self._window, self._state, self)
        workspace.changed.connect(self.state_changed)
        self.panels.renewed.connect(lambda: workspace.renew())
        self.panels.price_renewed.connect(workspace.renew)
        self._appearance.palette_changed.connect(workspace.show_palette)
        workspace.switcher.show_saving(*self._saving)
        return workspace

    @cached_property
    def exports(self) -> ExportController:
        """The exports."""
        from app.window.export_controller import ExportController

        return ExportController(self._engine, self._window, self._chart.pictures.folder)

    @cached_property
    def imports(self) -> ImportController:
        """The imports."""
        from app.window.imports.import_controller import ImportController

        return ImportController(self._engine, self._window, self._settings, self._on_imported)

    @cached_property
    def downloads(self) -> DownloadController:
        """The downloads."""
        from app.window.downloads.download_controller import DownloadController

        state = self._state
        return DownloadController(
            self._engine,
            self._window,
            self.charts,
            self._settings,
            lambda: (state.symbol, state.interval),
        )

    @cached_property
    def stored_symbols(self) -> SymbolsController:
        """The dialog of stored symbols."""
        from app.window.symbols_controller import SymbolsController

        return SymbolsController(self._engine, self._window, self.charts)

    def start(self) -> None:
        """Start the engine, show the state's symbol and interval, and keep everything up to date from now on."""
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        show_state(self._window, self._chart, self._state)
        if self._state.workspaces and self._state.lasting is None:
            self.workspace.restore()
        self._watchlist.start()
        if self._state.trouble:
            self._window.toasts.show(self._state.trouble)
        for one in self.charts.all:
            self.show_on(one, one.symbol, one.interval)
        self.panels.start()
        if self._window.side_panel.alerts.isVisible():  # the window was shown before anyone could fill its list
            self.alerts.open_list()

    def remember(self) -> None:
        """Bring what the charts show, and how, into the state."""
        self._state.chart, self._state.view = self._chart.appearance_values(), self._chart.view_values()
        if "workspace" in self.__dict__ and self._state.lasting is None:
            self._state.workspaces = self.workspace.values()

    def show_saving(self, saved_us: int | None, trouble: str) -> None:
        """
        Show when the state was saved, UTC microseconds or None, and why what came later could not be; empty: it is.

        Trouble is said once in a toast, because one plain chart has no tabs to say it at.
        """
        if trouble and trouble != self._saving[1]:
            reason = f"{trouble[:1].lower()}{trouble[1:]}"
            self._window.toasts.show(f"Charts and layout are not saved: {reason}. The program goes on trying.")
        self._saving = saved_us, trouble
        if "workspace" in self.__dict__:
            self.workspace.switcher.show_saving(saved_us, trouble)

    def set_serving_problem(self, sentence: str) -> None:
        """Show why the data is not served, until the user dismisses it; an empty text ends that."""
        self.panels.set_serving_problem(sentence)

    async def stop(self) -> None:
        """Stop timers and tasks; the window keeps its last figures."""
        self.panels.stop()
        await self.charts.stop()
        if "workspace" in self.__dict__:
            self.workspace.stop()
        await self._missing.stop()
        for name in _WITH_A_DIALOG:
            if name in self.__dict__:
                await getattr(self, name).stop()

    def _connect_signals(self) -> None:
        window, engine = self._window, self._engine
        window.commands.add(lambda: self._chart.keyboard)
        self._keys = KeysController(window, self._settings.data_dir)
        window.requests.symbol_requested.connect(self._on_symbol_requested)
        window.requests.interval_requested.connect(self._on_interval_requested)
        window.requests.chart_menu_requested.connect(lambda at: self._chart.open_style_menu(at))
        window.requests.indicators_requested.connect(lambda at: self._chart.open_indicators(at))
        window.requests.templates_requested.connect(lambda at: self._chart.open_templates(at))
        window.requests.charts_command_requested.connect(lambda command: self.workspace.run(command))
        window.requests.arrangement_requested.connect(lambda at: self.workspace.menus.open_arrangements(at))
        window.top_bar.compare_requested.connect(lambda at: self.workspace.menus.open_compare(self.charts.active, at))
        window.top_bar.links_requested.connect(lambda at: self.workspace.menus.open_links(self.charts.active, at))
        window.requests.date_entry_requested.connect(lambda: self._chart.open_date_entry())
        window.requests.retry_database_requested.connect(engine.retry_database)
        window.requests.retry_feed_requested.connect(lambda: self.chart_controller.retry())
        window.requests.history_command_requested.connect(lambda: window.copy_text(history_command(self._state.symbol)))
        if (cold := engine.history.cold) is not None:
            window.requests.fetch_cancelled.connect(cold.cancel)
            window.requests.lake_dismissed.connect(cold.dismiss)
            window.requests.lake_dismissed.connect(self.panels.renew_notice)
        window.requests.simulated_market_requested.connect(self.simulated_market_requested)
        window.requests.notice_dismissed.connect(lambda: self.set_serving_problem(""))
        window.layout_changed.connect(self._on_layout_changed)
        window.requests.export_requested.connect(self._on_export_requested)
        window.requests.import_requested.connect(lambda paths: self.imports.open(paths))
        window.requests.download_dialog_requested.connect(lambda: self.downloads.open())
        window.requests.copy_candles_requested.connect(self._on_copy_candles_requested)
        window.requests.alerts_requested.connect(lambda: self.alerts.open())
        window.side_panel.alerts.shown.connect(lambda: self.alerts.open_list())
        window.requests.alert_requested.connect(lambda: self.alerts.open_new(self._state.symbol))
        engine.alerts.on_change = self._on_alerts_changed
        window.requests.stored_symbols_requested.connect(lambda: self.stored_symbols.open(self._state.symbol))
        window.requests.download_requested.connect(self._on_download_requested)
        window.requests.download_stop_requested.connect(self._on_download_stop_requested)
        engine.feed.on_status(self._on_feed_status_changed)
        engine.quotes.on_status = self._on_broker_status_changed
        engine.on_database = self._on_database_changed
        engine.on_symbols = self._on_symbols_changed
        engine.on_exchange_back = self._on_exchange_back

    def _connect_chart(self, one: OpenChart) -> None:
        chart, toasts = one.chart, self._window.toasts
        chart.download_requested.connect(lambda: self.downloads.download_view())
        chart.alert_requested.connect(lambda price: self.alerts.open_new(one.symbol, price))
        chart.drawings.alert_requested.connect(lambda drawing: self.alerts.open_on_drawing(drawing))
        chart.jump_cancelled.connect(self._on_jump_cancelled)
        chart.simulated_market_requested.connect(self.simulated_market_requested)
        chart.appearance_changed.connect(partial(self._appearance.on_chart_changed, one))
        chart.visible_range_changed.connect(self.state_changed)
        chart.undo_offered.connect(lambda text, undo: toasts.show(text, "Undo", undo))
        chart.interval_requested.connect(partial(self._on_chart_interval, one))
        one.controller.interval_chosen.connect(partial(self._on_chart_interval, one))

    # Requests of the user

    def _on_symbol_requested(self, name: str) -> None:
        if name != self._state.symbol:
            self._show(name, self._state.interval)

    def _on_interval_requested(self, interval: Interval) -> None:
        if interval != self._state.interval:
            self._show(self._state.symbol, interval)

    def _on_chart_interval(self, one: OpenChart, interval: Interval) -> None:
        if interval != one.interval:
            self.show_on(one, one.symbol, interval)

    def _show(self, name: str, interval: Interval) -> None:
        """Show this symbol and interval in the window and on the active chart."""
        self.show_on(self.charts.active, name, interval)

    def show_on(self, one: OpenChart, name: str, interval: Interval) -> None:
        """Show this symbol and interval on a chart and, if that is the active one, in the window."""
        before, one.symbol, one.interval = one.symbol, name, interval
        is_other = name != before
        if is_other and "workspace" in self.__dict__ and self.workspace.looks.change(one, before):
            self._appearance.on_chart_changed(one)
        if one is self.charts.active:
            self._state.symbol, self._state.interval = name, interval
        if not self._engine.is_recorded(name):
            self._watchlist.record()  # a chart receives live trades only of a symbol that is recorded already
        if one is self.charts.active:
            self.panels.set_symbol(self._engine.symbol(name))
            self._window.set_interval(interval)
        self._show_chart(one)
        if is_other:
            self._watchlist.record()  # ends the recording of the previous symbol, unless it is watched or charted
            self._watchlist.rebuild()
        self.charts.changed.emit(one)
        self.state_changed.emit()

    def _show_chart(self, one: OpenChart) -> None:
        one.controller.use_calendar_of(one.symbol)
        one.controller.show(one.symbol, one.interval)

    def _on_activated(self, one: OpenChart) -> None:
        """Let the bars and panels show the active chart's symbol, interval and style."""
        self._state.symbol, self._state.interval = one.symbol, one.interval
        self._window.chart = one.chart
        self.panels.set_symbol(self._engine.symbol(one.symbol))
        self._window.set_interval(one.interval)
        self._appearance.on_chart_changed(one)
        self.panels.renew_notice()

    def dress(self, one: OpenChart) -> None:
        """Give a chart that was just opened the window's palette, and the hints it still needs."""
        self._appearance.dress(one)

    def row_of(self, one: OpenChart) -> WatchRow:
        """Return the figures of a chart's symbol, with the last price as that chart shows it."""
        return self.panels.row_of(one)

    def compare_on(self, one: OpenChart, names: Sequence[str]) -> None:
        """Compare a chart's symbol with these, which are recorded as long as they are compared."""
        one.controller.compare_with(names)
        self._watchlist.record()
        self._watchlist.rebuild()
        one.controller.compare_with(names)  # those that are recorded only now have live trades

    def title_of(self, name: str) -> str:
        """Return a symbol's name for the user."""
        return self._engine.symbol(name).full_name

    def record(self) -> None:
        """Record the symbols of all lists, and those that charts show or compare with."""
        self._watchlist.record()

    def close_charts(self, closed: Sequence[OpenChart]) -> None:
        """End charts that are not active; their symbols are recorded no longer unless watched or charted."""
        for one in closed:
            self.charts.close(one)
        self._watchlist.record()
        self._watchlist.rebuild()

    def _on_layout_changed(self) -> None:
        self._state.bars = self._window.layout_values()
        self.state_changed.emit()

    def _on_download_requested(self) -> None:
        self._engine.repairer.download(self._state.symbol)
        self.panels.renew()

    def _on_download_stop_requested(self) -> None:
        self._engine.repairer.plan.stop_download(self._state.symbol)
        self.panels.renew()

    def _on_jump_cancelled(self) -> None:
        if "downloads" in self.__dict__:
            self.downloads.cancel_view()

    def _on_export_requested(self) -> None:
        symbol = self._engine.symbol(self._state.symbol)
        symbols = list(self._engine.symbols.values()) or [symbol]
        studies = ((one.indicator, one.settings) for one in self._chart.indicators.studies)
        visible_us = self.chart_controller.visible_history_us()
        price = self._chart.chart_style.price_side
        self.exports.open(symbols, symbol, self._state.interval, visible_us, text_of_indicators(studies), price)

    def _on_copy_candles_requested(self, file_format: FileFormat) -> None:
        symbol = self._engine.symbol(self._state.symbol)
        self.exports.copy(symbol, self._state.interval, self.chart_controller.visible_history_us(), file_format)

    def _on_imported(self, symbols: Sequence[str]) -> None:
        self.charts.sessions.renew(set(symbols))
        for one in self.charts.all:
            if one.symbol in symbols:
                self._show_chart(one)
        self.panels.renew()

    # Changes of the engine

    def _on_feed_status_changed(self, status: FeedStatus) -> None:
        for one in self.charts.all:
            if has_trades(one.symbol):
                one.controller.on_feed_status(status)
        self.panels.renew_notice()

    def _on_broker_status_changed(self, broker: QuoteBroker) -> None:
        for one in self.charts.all:
            if broker_of(one.symbol) == broker.name:
                one.controller.on_feed_status(broker.status)
        self.panels.renew_notice()

    def _on_exchange_back(self) -> None:
        for one in self.charts.all:
            one.controller.on_exchange_back()

    def _on_database_changed(self) -> None:
        if self._engine.database is not self._database:
            if self._database is not None:
                self.charts.sessions.renew()  # a chart that is shown again reads from this one
            self._database = self._engine.database or self._database
        for one in self.charts.all:
            one.controller.on_database()
        self.panels.renew_notice()

    def _on_symbols_changed(self) -> None:
        self._watchlist.resolve_names()
        for one in self.charts.all:
            name = in_usual_quote(one.symbol, self._engine.symbols)
            if name != one.symbol:
                self.show_on(one, name, one.interval)
        self._window.set_symbols(list(self._engine.symbols.values()))
        self.panels.set_symbol(self._engine.symbol(self._state.symbol))
        for one in self.charts.all:
            one.controller.on_symbols()
        self._watchlist.rebuild()
        self.panels.renew()

    def _on_alerts_changed(self, total: int) -> None:
        if total:
            self.alerts.read()  # it listens itself from now on

    def _on_fired(self, symbol: str) -> None:
        if "workspace" in self.__dict__:
            self.workspace.switcher.note_firing(symbol)

    def _show_place(self, name: str, time_us: int, text: str) -> None:
        """Show a symbol at a time, UTC microseconds, on an open chart of it if any; ``text`` names the place."""
        showing = sorted(self.charts.showing(name), key=lambda each: not each.controller.is_in_view)
        if not showing:
            self._on_symbol_requested(name)
        elif showing[0] is not self.charts.active:
            self.workspace.activate(showing[0])
        self.chart_controller.jump_when_ready(time_us, text)
