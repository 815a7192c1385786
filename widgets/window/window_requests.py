"""
What the user asks of the program by the window's bars, panels, menus and commands.

Each request is a signal with one name, wherever in the window it was made. The parts of the window have signals of
their own; `WindowRequests` passes them on. It decides nothing and shows nothing.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, QPoint, Signal

from widgets.symbols.symbol_picker import SymbolPicker
from widgets.window.bars.notice_bar import NoticeAction
from widgets.window.bars.status_bar import StatusBar
from widgets.window.bars.top_bar import TopBar
from widgets.window.context_menus import ContextMenus
from widgets.window.panels.side_panel import SidePanel


class WindowRequests(QObject):
    """
    The requests of one window.

    Signals:
        symbol_requested: Show this symbol; carries its name.
        interval_requested: Show this interval, chosen or typed; carries the `Interval`.
        export_requested, database_requested: Open the export dialog, or the database dialog.
        copy_candles_requested: Put the candles in view on the clipboard; carries the `FileFormat` of the text.
        symbols_requested: Open the dialog that edits the list of recorded symbols as a whole.
        stored_symbols_requested: Open the dialog of what is stored of each symbol.
        download_dialog_requested: Open the dialog that downloads past trades and candles.
        import_requested: Open the import dialog; carries the paths that were dropped on the window, if any.
        watch_add_requested, watch_remove_requested: Add a symbol to the watchlist, or remove it; carry its name.
        watch_many_requested: Add several symbols to the watchlist; carries their names.
        watch_names_requested: Use this list of symbols in this order as the watchlist; carries their names.
        chart_menu_requested: Open the menu of price styles; carries the point on the screen to open it at.
        indicators_requested: Open the list of indicators; carries the point on the screen to open it at.
        templates_requested: Open the menu of indicator templates; carries the point on the screen to open it at.
        date_entry_requested: Open the line that takes the chart to a date.
        theme_requested: Use this theme; carries ``"system"``, ``"dark"`` or ``"light"``.
        candle_colours_requested: Use these colours for rising and falling; carries their name (see `palettes`).
        text_percent_requested: Use this size of text; carries percent of the system's.
        retry_database_requested, retry_feed_requested, simulated_market_requested: The button of a notice was pressed.
        history_command_requested: Copy the command that fetches the past of the chart's symbol.
        fetch_cancelled, lake_dismissed: The button beside a sentence about the lake was pressed.
        alerts_requested: Open the dialog of alerts. alert_requested: Set an alert on the chart.
        charts_command_requested: Do this with the charts; carries the name of a command of `CommandGroup.CHARTS`.
        arrangement_requested: Open the menu of the charts' arrangements; carries the point on the screen to open it at.
        missing_requested, missing_here_requested: Show missing trades on the chart: of any symbol, or of the chart's.
        download_requested, download_stop_requested: Fetch all missing trades of the chart's symbol, or stop fetching.
        notice_dismissed: The user has read the notice.
        serving_requested: Serve the data to other programs, or no longer; carries whether to.
        live_market_requested: Go from the simulated market to the live one.
        about_requested: Show the program's version and licences.
        keys_import_requested, keys_export_requested: Read keys from a file, or write them to one; carry its path.
        drawing_undo_requested, drawing_redo_requested: Undo the last change of a drawing, or redo it.
    """

    symbol_requested = Signal(str)
    interval_requested = Signal(object)
    export_requested = Signal()
    copy_candles_requested = Signal(object)
    database_requested = Signal()
    symbols_requested = Signal()
    stored_symbols_requested = Signal()
    import_requested = Signal(object)
    download_dialog_requested = Signal()
    watch_add_requested = Signal(str)
    watch_many_requested = Signal(list)
    watch_names_requested = Signal(list)
    watch_remove_requested = Signal(str)
    chart_menu_requested = Signal(QPoint)
    indicators_requested = Signal(QPoint)
    templates_requested = Signal(QPoint)
    date_entry_requested = Signal()
    theme_requested = Signal(str)
    candle_colours_requested = Signal(str)
    text_percent_requested = Signal(int)
    retry_database_requested = Signal()
    retry_feed_requested = Signal()
    history_command_requested = Signal()
    fetch_cancelled = Signal()
    lake_dismissed = Signal()
    simulated_market_requested = Signal()
    notice_dismissed = Signal()
    serving_requested = Signal(bool)
    live_market_requested = Signal()
    about_requested = Signal()
    keys_import_requested = Signal(str)
    keys_export_requested = Signal(str)
    alerts_requested = Signal()
    alert_requested = Signal()
    charts_command_requested = Signal(str)
    arrangement_requested = Signal(QPoint)
    missing_requested = Signal()
    missing_here_requested = Signal()
    download_requested = Signal()
    download_stop_requested = Signal()
    drawing_undo_requested = Signal()
    drawing_redo_requested = Signal()

    def pass_on_top_bar(self, bar: TopBar) -> None:
        """Pass on what the top bar and its menu ask for."""
        menu = bar.menu
        for source in (bar, menu):
            source.export_requested.connect(self.export_requested)
            source.theme_requested.connect(self.theme_requested)
        bar.chart_menu_requested.connect(self.chart_menu_requested)
        bar.indicators_requested.connect(self.indicators_requested)
        bar.alert_requested.connect(self.alert_requested)
        bar.arrangement_requested.connect(self.arrangement_requested)
        bar.intervals.interval_requested.connect(self.interval_requested)
        menu.alerts_requested.connect(self.alerts_requested)
        menu.database_requested.connect(self.database_requested)
        menu.copy_candles_requested.connect(self.copy_candles_requested)
        menu.candle_colours_requested.connect(self.candle_colours_requested)
        menu.text_percent_requested.connect(self.text_percent_requested)
        menu.symbols_requested.connect(self.symbols_requested)
        menu.stored_symbols_requested.connect(self.stored_symbols_requested)
        menu.import_requested.connect(lambda: self.import_requested.emit([]))
        menu.download_dialog_requested.connect(self.download_dialog_requested)
        menu.about_requested.connect(self.about_requested)
        menu.templates_requested.connect(lambda: self.templates_requested.emit(bar.menu_corner()))
        menu.serving_requested.connect(self.serving_requested)

    def pass_on_picker(self, picker: SymbolPicker) -> None:
        """Pass on the changes of the watchlist that the symbol picker asks for; what was picked is its opener's."""
        picker.watch_add_requested.connect(self.watch_add_requested)
        picker.watch_remove_requested.connect(self.watch_remove_requested)
        picker.watch_many_requested.connect(self.watch_many_requested)

    def pass_on_panels(self, panel: SidePanel, status: StatusBar) -> None:
        """Pass on what the side panel and the status bar ask for."""
        panel.watchlist.edit_requested.connect(self.symbols_requested)
        panel.watchlist.symbol_requested.connect(self.symbol_requested)
        panel.watchlist.remove_requested.connect(self.watch_remove_requested)
        panel.watchlist.names_requested.connect(self.watch_names_requested)
        panel.quote_panel.watch_requested.connect(self.watch_add_requested)
        panel.quote_panel.missing.clicked.connect(self.missing_here_requested)
        panel.quote_panel.download_requested.connect(self.download_requested)
        panel.quote_panel.download_stop_requested.connect(self.download_stop_requested)
        status.live_market_requested.connect(self.live_market_requested)
        status.missing.clicked.connect(self.missing_requested)
        status.database_clicked.connect(self.database_requested)
        status.alerts.clicked.connect(self.alerts_requested)

    def pass_on_context_menus(self, menus: ContextMenus) -> None:
        """Pass on what the context menus ask for, but for what the window itself opens or copies."""
        menus.database_requested.connect(self.database_requested)
        menus.missing_requested.connect(self.missing_requested)
        menus.missing_here_requested.connect(self.missing_here_requested)
        menus.watch_requested.connect(self.watch_add_requested)
        menus.unwatch_requested.connect(self.watch_remove_requested)
        menus.download_requested.connect(self.download_requested)
        menus.download_stop_requested.connect(self.download_stop_requested)
        menus.retry_feed_requested.connect(self.retry_feed_requested)
        menus.retry_database_requested.connect(self.retry_database_requested)

    def ask_for(self, action: NoticeAction) -> None:
        """Emit the request of a notice's button."""
        requests = {
            NoticeAction.RETRY_DATABASE: self.retry_database_requested,
            NoticeAction.CHOOSE_DATABASE: self.database_requested,
            NoticeAction.RETRY_FEED: self.retry_feed_requested,
            NoticeAction.OPEN_SIMULATED_MARKET: self.simulated_market_requested,
            NoticeAction.COPY_HISTORY_COMMAND: self.history_command_requested,
            NoticeAction.DISMISS: self.notice_dismissed,
            NoticeAction.CANCEL_FETCH: self.fetch_cancelled,
            NoticeAction.DISMISS_LAKE: self.lake_dismissed,
        }
        requests[action].emit()
