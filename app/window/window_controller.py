"""
Connects the window to the engine: requests of the user go to the engine, and its changes to the panels and the notice.

The chart, the watchlist and the export have controllers of their own. A timer renews the panels four times per second,
however many messages arrive: text that changes faster cannot be read.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app.config.settings import Settings
from app.live.charts.chart_session import ChartSession
from app.live.engine import Engine
from app.live.ticks.quote_broker import QuoteBroker
from app.market.file_format import FileFormat
from app.market.indicators.chosen import text_of_indicators
from app.market.interval import Interval
from app.market.ports.exchange import FeedStatus
from app.market.symbol import Symbol, broker_of, has_trades, history_command, in_usual_quote
from app.window.appearance import show_palette, show_state
from app.window.chart_controller import ChartController
from app.window.collector import freeze_startup_objects
from app.window.keys.keys_controller import KeysController
from app.window.missing_trades import MissingTrades
from app.window.notice import notice_of
from app.window.panel_values import PanelValues
from app.window.watchlist_controller import WatchlistController
from app.window.window_state import WindowState
from widgets.chart.chart_widget import ChartWidget
from widgets.theme import text_size
from widgets.theme.system_scheme import SystemScheme
from widgets.window.main_window import MainWindow

if TYPE_CHECKING:
    from app.window.alerts.alert_controller import AlertController
    from app.window.downloads.download_controller import DownloadController
    from app.window.export_controller import ExportController
    from app.window.imports.import_controller import ImportController
    from app.window.symbols_controller import SymbolsController

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
        state_changed(): the watchlist or the bars in ``state`` have changed and should be saved.
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
        self.chart_controller = ChartController(engine, chart, simulated=simulated)
        self._engine = engine
        self._window = window
        self._chart = chart
        self._state = state
        self._settings = settings
        self._simulated = simulated
        self._serving_problem = ""
        self._panel_values = PanelValues(
            engine,
            spread_percent=settings.spread_percent,
            simulated=simulated,
            # A chart paints nothing while minimised, so its price stands still; the window's title goes on.
            chart_price=lambda name: None if window.isMinimized() else self.chart_controller.last_price(name),
        )
        self._watchlist = WatchlistController(engine, window, state, self._panel_values)
        self._watchlist.on_change = self.state_changed.emit
        self._missing = MissingTrades(engine, window, self.chart_controller, lambda: state.symbol)
        self._shown_symbol: Symbol | None = None  # the chart's symbol, with the description that the window shows
        self._renewals = 0
        self._panel_timer = QTimer(self)
        self._panel_timer.setInterval(1000 // _RENEWALS_PER_SECOND)
        self._panel_timer.timeout.connect(self._renew_panels)
        self._scheme = SystemScheme(self)
        self._connect_signals()

    @property
    def session(self) -> ChartSession | None:
        """The session behind the chart; None before `start`."""
        return self.chart_controller.session

    # Made, and loaded, when first used: the window opens without.

    @cached_property
    def alerts(self) -> AlertController:
        """The alerts: made when there are any, or when the user asks for one."""
        from app.window.alerts.alert_controller import AlertController

        return AlertController(
            self._engine, self._window, lambda: [(self._chart, self._state.symbol)], self._show_place
        )

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
            self._chart,
            self.chart_controller,
            self._settings,
            lambda: (state.symbol, state.interval),
        )

    @cached_property
    def stored_symbols(self) -> SymbolsController:
        """The dialog of stored symbols."""
        from app.window.symbols_controller import SymbolsController

        return SymbolsController(self._engine, self._window, self.chart_controller)

    def start(self) -> None:
        """Start the engine, show the state's symbol and interval, and keep everything up to date from now on."""
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        show_state(self._window, self._chart, self._state)
        self._watchlist.start()
        if self._state.trouble:
            self._window.toasts.show(self._state.trouble)
        self._show(self._state.symbol, self._state.interval)
        self._renew_panels()
        self._panel_timer.start()

    def set_serving_problem(self, sentence: str) -> None:
        """Show why the data is not served, until the user dismisses it; an empty text ends that."""
        self._serving_problem = sentence
        self._renew_notice()

    async def stop(self) -> None:
        """Stop timers and tasks; the window keeps its last figures."""
        self._panel_timer.stop()
        await self.chart_controller.stop()
        await self._missing.stop()
        for name in _WITH_A_DIALOG:
            if name in self.__dict__:
                await getattr(self, name).stop()

    def _connect_signals(self) -> None:
        window, chart, engine = self._window, self._chart, self._engine
        window.commands.add(lambda: chart.keyboard)
        self._keys = KeysController(window, self._settings.data_dir)
        window.symbol_requested.connect(self._on_symbol_requested)
        window.interval_requested.connect(self._on_interval_requested)
        window.theme_requested.connect(self._on_theme_requested)
        window.text_percent_requested.connect(self._on_text_percent_requested)
        window.candle_colours_requested.connect(self._on_candle_colours_requested)
        self._scheme.changed.connect(lambda: show_palette(window, chart, self._state, self._scheme))
        window.chart_menu_requested.connect(chart.open_style_menu)
        window.indicators_requested.connect(chart.open_indicators)
        window.templates_requested.connect(chart.open_templates)
        window.date_entry_requested.connect(chart.open_date_entry)
        window.retry_database_requested.connect(engine.retry_database)
        window.retry_feed_requested.connect(self.chart_controller.retry)
        window.history_command_requested.connect(lambda: window.copy_text(history_command(self._state.symbol)))
        if (cold := engine.history.cold) is not None:
            window.fetch_cancelled.connect(cold.cancel)
            window.lake_dismissed.connect(cold.dismiss)
            window.lake_dismissed.connect(self._renew_notice)
        window.simulated_market_requested.connect(self.simulated_market_requested)
        window.notice_dismissed.connect(lambda: self.set_serving_problem(""))
        window.typing_learnt.connect(lambda: chart.bar.show_hint(False))
        window.layout_changed.connect(self._on_layout_changed)
        window.export_requested.connect(self._on_export_requested)
        window.import_requested.connect(lambda paths: self.imports.open(paths))
        window.download_dialog_requested.connect(lambda: self.downloads.open())
        window.copy_candles_requested.connect(self._on_copy_candles_requested)
        window.alerts_requested.connect(lambda: self.alerts.open())
        window.alert_requested.connect(lambda: self.alerts.open_new(self._state.symbol))
        engine.alerts.on_change = self._on_alerts_changed
        window.stored_symbols_requested.connect(lambda: self.stored_symbols.open(self._state.symbol))
        window.download_requested.connect(self._on_download_requested)
        window.download_stop_requested.connect(self._on_download_stop_requested)
        chart.download_requested.connect(lambda: self.downloads.download_view())
        chart.alert_requested.connect(lambda price: self.alerts.open_new(self._state.symbol, price))
        chart.jump_cancelled.connect(self._on_jump_cancelled)
        chart.simulated_market_requested.connect(self.simulated_market_requested)
        chart.appearance_changed.connect(self._on_appearance_changed)
        chart.undo_offered.connect(lambda text, undo: window.toasts.show(text, "Undo", undo))
        chart.last_price_changed.connect(self._on_last_price_changed)
        self.chart_controller.first_painted.connect(freeze_startup_objects)
        self.chart_controller.first_painted.connect(self.first_painted)
        self.chart_controller.interval_chosen.connect(self._on_interval_requested)
        chart.interval_requested.connect(self._on_interval_requested)
        engine.feed.on_status(self._on_feed_status_changed)
        engine.quotes.on_status = self._on_broker_status_changed
        engine.on_database = self._on_database_changed
        engine.on_symbols = self._on_symbols_changed
        engine.on_exchange_back = self.chart_controller.on_exchange_back

    # Requests of the user

    def _on_symbol_requested(self, name: str) -> None:
        if name != self._state.symbol:
            self._show(name, self._state.interval)
            self._watchlist.record()  # ends the recording of the previous symbol, unless it is on the watchlist
            self._watchlist.rebuild()

    def _on_interval_requested(self, interval: Interval) -> None:
        if interval != self._state.interval:
            self._show(self._state.symbol, interval)

    def _show(self, name: str, interval: Interval) -> None:
        """Show this symbol and interval in the window and on the chart."""
        self._state.symbol, self._state.interval = name, interval
        if not self._engine.is_recorded(name):
            self._watchlist.record()  # a chart receives live trades only of a symbol that is recorded already
        self._set_symbol(self._engine.symbol(name))
        self._window.set_interval(interval)
        self._show_chart(name, interval)

    def _show_chart(self, name: str, interval: Interval) -> None:
        self.chart_controller.use_calendar_of(name)
        self.chart_controller.show(name, interval)

    def _set_symbol(self, symbol: Symbol) -> None:
        self._shown_symbol = symbol
        self._window.set_symbol(symbol)
        self._renew_quote()  # at once, so that dashes do not flash before the timer renews it

    def _on_theme_requested(self, name: str) -> None:
        self._state.theme, self._state.lasting_theme = name, None
        show_palette(self._window, self._chart, self._state, self._scheme)

    def _on_candle_colours_requested(self, name: str) -> None:
        self._state.candle_colours, self._state.lasting_candle_colours = name, None
        show_palette(self._window, self._chart, self._state, self._scheme)

    def _on_text_percent_requested(self, percent: int) -> None:
        self._state.text_percent, self._state.lasting_text_percent = percent, None
        text_size.set_percent(percent)
        self._window.set_text_percent(percent)

    def _on_appearance_changed(self) -> None:
        self._state.chart = self._chart.appearance_values()
        self._window.set_price_style(self._chart.chart_style.price_style.title)

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
        if self._state.symbol in symbols:
            self._show_chart(self._state.symbol, self._state.interval)
        self._renew_panels()

    # Changes of the engine

    def _on_feed_status_changed(self, status: FeedStatus) -> None:
        if has_trades(self._state.symbol):
            self.chart_controller.on_feed_status(status)
        self._renew_notice()

    def _on_broker_status_changed(self, broker: QuoteBroker) -> None:
        if broker_of(self._state.symbol) == broker.name:
            self.chart_controller.on_feed_status(broker.status)
        self._renew_notice()

    def _on_database_changed(self) -> None:
        self.chart_controller.on_database()
        self._renew_notice()

    def _on_symbols_changed(self) -> None:
        self._watchlist.resolve_names()
        self._on_symbol_requested(in_usual_quote(self._state.symbol, self._engine.symbols))
        self._window.set_symbols(list(self._engine.symbols.values()))
        symbol = self._engine.symbol(self._state.symbol)
        if symbol != self._shown_symbol:
            self._set_symbol(symbol)
        self.chart_controller.on_symbols()
        self._watchlist.rebuild()
        self._renew_panels()

    def _on_alerts_changed(self, total: int) -> None:
        if total:
            self.alerts.read()  # it listens itself from now on

    def _show_place(self, name: str, time_us: int, text: str) -> None:
        """Show a symbol at a time, UTC microseconds; ``text`` names the place."""
        self._on_symbol_requested(name)
        self.chart_controller.jump_when_ready(time_us, text)

    # Panels

    def _renew_panels(self) -> None:
        if "alerts" in self.__dict__:
            self.alerts.renew()
        self._watchlist.renew()
        self._renew_quote()
        self._window.set_status(self._panel_values.status(self._state.symbol))
        self.chart_controller.renew()
        # The notice and the chart's `tick` need only one call per second.
        self._renewals += 1
        if self._renewals % _RENEWALS_PER_SECOND == 0:
            self._renew_notice()
            self.chart_controller.tick()
        if self._renewals % (_SORT_EVERY_S * _RENEWALS_PER_SECOND) == 0:
            self._watchlist.sort_again()

    def _on_last_price_changed(self) -> None:
        # At once: the chart's axis and legend are about to be painted with this price.
        if self._panel_timer.isActive() and not self._window.isMinimized():
            self._renew_quote()
            self._watchlist.renew([self._state.symbol])

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
