"""
Connects the window to the engine: requests of the user go to the engine, and its changes to the panels and the notice.

The charts, the watchlist and the export have controllers of their own. Panels and bars are the active chart's, which
the state's symbol and interval follow. A timer renews the panels four times per second, however many messages arrive:
text that changes faster cannot be read.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app.config.settings import Settings
from app.live.charts.chart_session import ChartSession
from app.live.engine import Engine
from app.live.ticks.quote_broker import QuoteBroker
from app.market.file_format import FileFormat
from app.market.indicators.chosen import text_of_indicators
from app.market.interval import Interval
from app.market.ports.database import OpenedDatabase
from app.market.ports.exchange import FeedStatus
from app.market.symbol import Symbol, broker_of, has_trades, history_command, in_usual_quote
from app.window.appearance import show_palette, show_state
from app.window.charts.chart_controller import ChartController
from app.window.charts.open_charts import OpenChart, OpenCharts
from app.window.collector import freeze_startup_objects
from app.window.drawings.drawing_tools import DrawingTools
from app.window.keys.keys_controller import KeysController
from app.window.missing_trades import MissingTrades
from app.window.notice import notice_of
from app.window.panel_values import ChartPrice, PanelValues
from app.window.watchlist_controller import WatchlistController
from app.window.window_state import WindowState
from widgets.chart.chart_widget import ChartWidget
from widgets.theme import text_size
from widgets.theme.system_scheme import SystemScheme
from widgets.view_values import WatchRow
from widgets.window.main_window import MainWindow

if TYPE_CHECKING:
    from app.window.alerts.alert_controller import AlertController
    from app.window.downloads.download_controller import DownloadController
    from app.window.export_controller import ExportController
    from app.window.imports.import_controller import ImportController
    from app.window.symbols_controller import SymbolsController
    from app.window.workspace.workspace_controller import WorkspaceController

_RENEWALS_PER_SECOND = 4
_SORT_EVERY_S = 2  # rows that change places more often cannot be followed
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
        self._simulated = simulated
        self._serving_problem = ""
        self._saving: tuple[int | None, str] = (None, "")  # see `show_saving`
        self._panel_values = PanelValues(
            engine,
            spread_percent=settings.spread_percent,
            simulated=simulated,
            chart_price=self._chart_price,
        )
        self._watchlist = WatchlistController(engine, window, state, self._panel_values)
        self._watchlist.on_change = self.state_changed.emit
        self._watchlist.charted = lambda: self.charts.symbols
        self._missing = MissingTrades(engine, window, self.charts, lambda: state.symbol)
        self._database: OpenedDatabase | None = None
        self._shown_symbol: Symbol | None = None  # the chart's symbol, with the description that the window shows
        self._renewals = 0
        self._panel_timer = QTimer(self)
        self._panel_timer.setInterval(1000 // _RENEWALS_PER_SECOND)
        self._panel_timer.timeout.connect(self._renew_panels)
        self._scheme = SystemScheme(self)
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
        return alerts

    @cached_property
    def workspace(self) -> WorkspaceController:
        """The arrangement of several charts."""
        from app.window.workspace.workspace_controller import WorkspaceController

        workspace = WorkspaceController(self.charts, self._window, self._state, self)
        workspace.changed.connect(self.state_changed)
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
        self._renew_panels()
        self._panel_timer.start()

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
        self._serving_problem = sentence
        self._renew_notice()

    async def stop(self) -> None:
        """Stop timers and tasks; the window keeps its last figures."""
        self._panel_timer.stop()
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
        window.requests.theme_requested.connect(self._on_theme_requested)
        window.requests.text_percent_requested.connect(self._on_text_percent_requested)
        window.requests.candle_colours_requested.connect(self._on_candle_colours_requested)
        self._scheme.changed.connect(self._show_palette)
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
            window.requests.lake_dismissed.connect(self._renew_notice)
        window.requests.simulated_market_requested.connect(self.simulated_market_requested)
        window.requests.notice_dismissed.connect(lambda: self.set_serving_problem(""))
        window.typing_learnt.connect(self._hide_hints)
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
        chart.appearance_changed.connect(partial(self._on_appearance_changed, one))
        chart.visible_range_changed.connect(self.state_changed)
        chart.undo_offered.connect(lambda text, undo: toasts.show(text, "Undo", undo))
        chart.last_price_changed.connect(partial(self._on_last_price_changed, one))
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
            self._on_appearance_changed(one)
        if one is self.charts.active:
            self._state.symbol, self._state.interval = name, interval
        if not self._engine.is_recorded(name):
            self._watchlist.record()  # a chart receives live trades only of a symbol that is recorded already
        if one is self.charts.active:
            self._set_symbol(self._engine.symbol(name))
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
        self._set_symbol(self._engine.symbol(one.symbol))
        self._window.set_interval(one.interval)
        self._on_appearance_changed(one)
        self._renew_notice()

    def _set_symbol(self, symbol: Symbol) -> None:
        if symbol != self._shown_symbol:
            self._shown_symbol = symbol
            self._window.set_symbol(symbol)
        self._renew_quote()  # at once, so that dashes do not flash before the timer renews it

    def _on_theme_requested(self, name: str) -> None:
        self._state.theme, self._state.lasting_theme = name, None
        self._show_palette()
        self.state_changed.emit()

    def _on_candle_colours_requested(self, name: str) -> None:
        self._state.candle_colours, self._state.lasting_candle_colours = name, None
        self._show_palette()
        self.state_changed.emit()

    def _show_palette(self) -> None:
        show_palette(self._window, [one.chart for one in self.charts.all], self._state, self._scheme)
        if "workspace" in self.__dict__:
            self.workspace.show_palette()

    def dress(self, one: OpenChart) -> None:
        """Give a chart that was just opened the window's palette, and the hints it still needs."""
        one.chart.set_palette(self._window.colours)
        one.chart.bar.show_hint(self._state.bars.get("typing") is not True)

    def row_of(self, one: OpenChart) -> WatchRow:
        """Return the figures of a chart's symbol, with the last price as that chart shows it."""
        row = self._panel_values.watch_row(self._engine.symbol(one.symbol))
        shown = one.controller.last_price(one.symbol) if one.controller.is_in_view else None
        return row if shown is None else replace(row, last=shown.last, live=shown.is_live)

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

    def _hide_hints(self) -> None:
        for one in self.charts.all:
            one.chart.bar.show_hint(False)

    def _on_text_percent_requested(self, percent: int) -> None:
        self._state.text_percent, self._state.lasting_text_percent = percent, None
        text_size.set_percent(percent)
        self._window.set_text_percent(percent)
        self.state_changed.emit()

    def _on_appearance_changed(self, one: OpenChart) -> None:
        if one is self.charts.active:
            self._state.chart = one.chart.appearance_values()
            self._window.set_price_style(one.chart.chart_style.price_style.title)
        self._share_templates(one)
        self.state_changed.emit()

    def _share_templates(self, one: OpenChart) -> None:
        """Let the other charts have the templates of indicators of this one: they are the window's."""
        values = one.chart.templates.templates.to_values()
        for other in self.charts.all:
            if other is not one and other.chart.templates.templates.to_values() != values:
                other.chart.templates.restore(values)

    def _on_layout_changed(self) -> None:
        self._state.bars = self._window.layout_values()
        self.state_changed.emit()

    def _on_download_requested(self) -> None:
        self._engine.repairer.download(self._state.symbol)
        self._renew_panels()

    def _on_download_stop_requested(self) -> None:
        self._engine.repairer.plan.stop_download(self._state.symbol)
        self._renew_panels()

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
        self._renew_panels()

    # Changes of the engine

    def _on_feed_status_changed(self, status: FeedStatus) -> None:
        for one in self.charts.all:
            if has_trades(one.symbol):
                one.controller.on_feed_status(status)
        self._renew_notice()

    def _on_broker_status_changed(self, broker: QuoteBroker) -> None:
        for one in self.charts.all:
            if broker_of(one.symbol) == broker.name:
                one.controller.on_feed_status(broker.status)
        self._renew_notice()

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
        self._renew_notice()

    def _on_symbols_changed(self) -> None:
        self._watchlist.resolve_names()
        for one in self.charts.all:
            name = in_usual_quote(one.symbol, self._engine.symbols)
            if name != one.symbol:
                self.show_on(one, name, one.interval)
        self._window.set_symbols(list(self._engine.symbols.values()))
        symbol = self._engine.symbol(self._state.symbol)
        if symbol != self._shown_symbol:
            self._set_symbol(symbol)
        for one in self.charts.all:
            one.controller.on_symbols()
        self._watchlist.rebuild()
        self._renew_panels()

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

    # Panels

    def _renew_panels(self) -> None:
        if "alerts" in self.__dict__:
            self.alerts.renew()
        self._watchlist.renew()
        self._renew_quote()
        self._window.set_status(self._panel_values.status(self._state.symbol))
        # The notice and the charts' `tick` need only one call per second.
        self._renewals += 1
        is_whole_second = self._renewals % _RENEWALS_PER_SECOND == 0
        if is_whole_second:
            self._renew_notice()
        for one in self.charts.all:
            one.controller.renew()
            if is_whole_second:
                one.controller.tick()
        if "workspace" in self.__dict__:
            self.workspace.renew()
        if self._renewals % (_SORT_EVERY_S * _RENEWALS_PER_SECOND) == 0:
            self._watchlist.sort_again()

    def _on_last_price_changed(self, one: OpenChart, price: float | None) -> None:
        # At once: the chart's axis and legend are about to be painted with this price.
        if self._panel_timer.isActive() and one.controller.is_in_view:
            priced = (other for other in self.charts.showing(one.symbol) if self._price_on(other) is not None)
            if price is None or next(priced, one) is one:  # see `_chart_price`: the bars show that chart's price
                if one.symbol == self._state.symbol:
                    self._renew_quote()
                self._watchlist.renew([one.symbol])
            if "workspace" in self.__dict__:
                self.workspace.renew(one)

    def _chart_price(self, name: str) -> ChartPrice | None:
        """Return the last price as a chart of the symbol shows it, the active one's first; None: no chart does."""
        # A chart paints nothing while hidden or minimised, so its price stands still; the window's title goes on.
        prices = (self._price_on(one) for one in self.charts.showing(name))
        return next((price for price in prices if price is not None), None)

    def _price_on(self, one: OpenChart) -> ChartPrice | None:
        return one.controller.last_price(one.symbol) if one.controller.is_in_view else None

    def _renew_quote(self) -> None:
        name = self._state.symbol
        is_watched = name in self._state.lists.union()
        self._window.set_quote(self._panel_values.quote(self._engine.symbol(name), watched=is_watched))

    def _renew_notice(self) -> None:
        notice = notice_of(
            self._engine,
            self._engine.symbol(self._state.symbol),
            self.session,
            refusal=self._watchlist.refusal,
            serving_problem=self._serving_problem,
            chart_trouble=self._chart.trouble,
            comparison=self.chart_controller.comparison,
            simulated=self._simulated,
        )
        if notice is None:
            self._window.clear_notice()
        else:
            self._window.set_notice(*notice)
