"""
The main window: it arranges the panels around the chart, keeps its geometry and passes requests up.

It decides nothing. What the user wants leaves as a signal; what is so comes in through the ``set_`` methods. Closing is
a request too: the program stops the feed and flushes the writer first, then calls `MainWindow.allow_close`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QMainWindow, QVBoxLayout, QWidget

from app.market.interval import Interval
from app.market.symbol import Symbol
from widgets.controls.number_format import price
from widgets.controls.popup import Popup
from widgets.diagnostics.diagnostics_dock import DiagnosticsDock
from widgets.keys import command_of, keys_of
from widgets.symbols.symbol_picker import SymbolPicker
from widgets.theme import style, text_size
from widgets.theme.palettes import DARK, Palette
from widgets.view_values import QuoteView, StatusView, WatchRow
from widgets.window import layout_state
from widgets.window.interval_bar import IntervalEntry
from widgets.window.keys_overview import KeysOverview
from widgets.window.notice_bar import NoticeAction, NoticeBar
from widgets.window.side_panel import SidePanel
from widgets.window.status_bar import StatusBar
from widgets.window.top_bar import TopBar

_SIZE = QSize(1440, 900)  # at first, where the screen has room
_TITLE_BAR = 40  # pixels: the highest of the usual desktops; a window knows its own only once it is shown


class MainWindow(QMainWindow):
    """
    The window around ``chart``.

    Signals:
        symbol_requested: The user chose a symbol; carries its name.
        interval_requested: The user chose or typed an interval; carries the `Interval`.
        export_requested, database_requested: The user wants to export, or to see to the database.
        symbols_requested: The user wants to edit the list of recorded symbols as a whole.
        watch_add_requested, watch_remove_requested: A symbol is to join or leave the watchlist; carry its name.
        watch_many_requested: Several symbols are to join it; carries their names.
        picker_opened: The picker shows the exchange's symbols, and wants them fresh.
        chart_menu_requested: The user wants to choose how the chart draws; carries where on the screen to open a menu.
        indicators_requested: The user wants to see to the chart's indicators; carries where to open their list.
        date_entry_requested: The user wants the chart to go to a date.
        theme_requested: The user wants another theme; carries ``"system"``, ``"dark"`` or ``"light"``.
        candle_colours_requested: The user wants other colours for rising and falling; carries their name (`theme`).
        text_percent_requested: The user wants text of another size; carries percent of the system's.
        retry_database_requested, retry_feed_requested, simulated_market_requested: Offers of a notice, taken.
        download_requested, download_stop_requested: Fetch all that is missing of the chart's symbol; fetch it no more.
        close_requested: The user wants to close; call `allow_close` and ``close()`` when that may happen.
    """

    symbol_requested = Signal(str)
    interval_requested = Signal(object)
    export_requested = Signal()
    database_requested = Signal()
    symbols_requested = Signal()
    watch_add_requested = Signal(str)
    watch_many_requested = Signal(list)
    picker_opened = Signal()
    watch_remove_requested = Signal(str)
    chart_menu_requested = Signal(QPoint)
    indicators_requested = Signal(QPoint)
    date_entry_requested = Signal()
    theme_requested = Signal(str)
    candle_colours_requested = Signal(str)
    text_percent_requested = Signal(int)
    retry_database_requested = Signal()
    retry_feed_requested = Signal()
    simulated_market_requested = Signal()
    download_requested = Signal()
    download_stop_requested = Signal()
    close_requested = Signal()

    def __init__(self, chart: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._symbol: Symbol | None = None
        self._may_close = False
        self.chart = chart
        self.top_bar = TopBar()
        self.notice_bar = NoticeBar()
        self.side_panel = SidePanel(self)
        self.watchlist = self.side_panel.watchlist
        self.quote_panel = self.side_panel.quote_panel
        self.diagnostics = DiagnosticsDock(self)
        self.status_bar = StatusBar()
        self.symbol_picker = SymbolPicker(self)
        self.interval_entry = IntervalEntry(self)
        self.keys_overview = KeysOverview(self)
        self._arrange()
        self._connect_signals()
        self.set_palette(DARK)

    # What the program tells the window.

    def set_symbols(self, symbols: Sequence[Symbol]) -> None:
        """Offer these in the symbol picker."""
        self.symbol_picker.set_symbols(symbols)

    def set_symbol(self, symbol: Symbol) -> None:
        """Name the symbol the chart shows. The figures of the one before go at once."""
        self._symbol = symbol
        self.top_bar.set_symbol(symbol)
        self.watchlist.set_symbol(symbol)
        self.set_quote(QuoteView(symbol))

    def set_interval(self, interval: Interval) -> None:
        self.top_bar.set_interval(interval)

    def set_price_style(self, title: str) -> None:
        """Say in the top bar how the chart draws prices."""
        self.top_bar.set_price_style(title)

    def set_watchlist(self, rows: Sequence[WatchRow]) -> None:
        self.watchlist.set_rows(rows)
        self.symbol_picker.set_watched([row.symbol.name for row in rows])

    def update_watchlist(self, rows: Sequence[WatchRow]) -> None:
        """Show new values of some rows of the watchlist; which rows there are, `set_watchlist` says."""
        self.watchlist.update_rows(rows)

    def set_quote(self, quote: QuoteView) -> None:
        """Show the chosen symbol's figures. Those of another symbol came too late and are passed over."""
        if self._symbol is None or quote.symbol.name != self._symbol.name:
            return
        self.top_bar.set_quote(quote)
        self.quote_panel.set_quote(quote)
        last = "" if quote.last is None else f"{price(quote.last, quote.symbol)} "
        self.setWindowTitle(f"{last}{quote.symbol.display_name} · cryptopipe")

    def set_status(self, status: StatusView) -> None:
        self.status_bar.set_status(status)

    def set_notice(self, text: str, actions: Sequence[NoticeAction] = ()) -> None:
        """Show one sentence under the top bar, and what can be done about it."""
        self.notice_bar.set_notice(text, actions)

    def clear_notice(self) -> None:
        self.notice_bar.clear_notice()

    def set_theme(self, theme: str, candle_colours: str) -> None:
        """Say in the menu what was chosen; the colours themselves are `set_palette`'s."""
        self.top_bar.set_theme(theme, candle_colours)

    def set_text_percent(self, percent: int) -> None:
        """Say in the menu how large text is; `text_size` makes it so."""
        self.top_bar.text_size_menu.tick(percent)

    def set_palette(self, palette: Palette) -> None:
        """Change the colours of everything but the chart, which has its own method."""
        sheet = style.stylesheet(palette)
        if sheet == self.styleSheet():
            return  # to style everything anew takes longer than a frame
        QApplication.setPalette(style.qt_palette(palette))  # dialogs and message boxes have it too
        self.setStyleSheet(sheet)
        for part in (self.top_bar, self.notice_bar, self.watchlist, self.diagnostics):
            part.set_palette(palette)
        for overlay in self.findChildren(Popup):  # the chart's are the window's as well, once they were opened
            overlay.set_palette(palette)

    def layout_bytes(self) -> bytes:
        """Return geometry and docks, to be given to `restore_layout` at the next start."""
        return layout_state.pack(self)

    def restore_layout(self, state: bytes) -> bool:
        """Restore what `layout_bytes` returned. Anything else changes nothing and returns False."""
        return layout_state.restore(self, state)

    def allow_close(self) -> None:
        """Let the next close happen: everything is stopped."""
        self._may_close = True

    # What the user does.

    def open_symbol_picker(self, text: str = "", *, adding: bool = False) -> None:
        """Open the picker under the top bar; ``adding``: for the watchlist, at its side."""
        x = self.width() if adding else self.top_bar.symbol.x()
        self.symbol_picker.open_for(text, QPoint(x, self.top_bar.height() + 4), adding=adding)
        self.picker_opened.emit()

    def open_interval_entry(self, text: str = "") -> None:
        """Open the line to type an interval into."""
        self.interval_entry.open_with(text, QPoint(self.top_bar.intervals.x(), self.top_bar.height() + 4))

    def toggle_diagnostics(self) -> None:
        """Open the diagnostics, at their filter, or close them."""
        if self.diagnostics.isVisible():
            self.diagnostics.close()
            self.chart.setFocus()
        else:
            self.diagnostics.show()
            self.diagnostics.log.filter.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        text = event.text()
        with_command = event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
        if command_of(event) == "keys":
            self.keys_overview.toggle()
        elif not with_command and text.isdigit():
            self.open_interval_entry(text)
        elif not with_command and text.isalpha():
            self.open_symbol_picker(text.upper())
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ThemeChange:
            self._follow_system_text()
        elif event.type() == QEvent.Type.FontChange and hasattr(self, "status_bar"):
            QTimer.singleShot(0, self, self._fit_text)  # once every part has its new font

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._may_close:
            super().closeEvent(event)
            return
        event.ignore()
        self.close_requested.emit()

    def _arrange(self) -> None:
        self.setWindowTitle("cryptopipe")
        self.setFont(style.font())
        self.resize(_SIZE.boundedTo(self._room()))
        top = QWidget()
        layout = QVBoxLayout(top)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.top_bar)
        layout.addWidget(self.notice_bar)
        self.setMenuWidget(top)
        self.setCentralWidget(self.chart)
        self.chart.setFocus()
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.side_panel)
        self._fit_text()
        self.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        self.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, self.diagnostics)
        self.diagnostics.hide()
        self.setStatusBar(self.status_bar)

    def _fit_text(self) -> None:
        self.setMinimumSize(QSize(style.px(1000), style.px(560)).boundedTo(self._largest()))
        self.resizeDocks([self.side_panel], [style.px(SidePanel.WIDTH)], Qt.Orientation.Horizontal)

    def _follow_system_text(self) -> None:
        QTimer.singleShot(0, self, lambda: text_size.follow_system())  # what told of it may still be at work

    def _room(self) -> QSize:
        """Return the size that the screen has for what is inside a window's frame: its title bar takes height, too."""
        return self.screen().availableSize() - QSize(0, _TITLE_BAR)

    def _largest(self) -> QSize:
        """Return the size that a window may need at the most: the screen's, or that of one with text of usual size."""
        return self.screen().availableSize().expandedTo(QSize(1000, 560))

    def _connect_signals(self) -> None:
        text_size.application().fontChanged.connect(self._follow_system_text)
        self.top_bar.picker_requested.connect(self.open_symbol_picker)
        self.top_bar.export_requested.connect(self.export_requested)
        self.top_bar.database_requested.connect(self.database_requested)
        self.top_bar.diagnostics_requested.connect(self.toggle_diagnostics)
        self.diagnostics.close_button.clicked.connect(lambda: self.chart.setFocus())
        self.status_bar.database_clicked.connect(self.database_requested)
        self.top_bar.theme_requested.connect(self.theme_requested)
        self.top_bar.candle_colours_requested.connect(self.candle_colours_requested)
        self.top_bar.text_percent_requested.connect(self.text_percent_requested)
        self.top_bar.chart_menu_requested.connect(self.chart_menu_requested)
        self.top_bar.indicators_requested.connect(self.indicators_requested)
        self.top_bar.intervals.interval_requested.connect(self.interval_requested)
        self.top_bar.intervals.entry_requested.connect(self.open_interval_entry)
        self.interval_entry.interval_requested.connect(self.interval_requested)
        self.symbol_picker.symbol_requested.connect(self.symbol_requested)
        self.symbol_picker.watch_add_requested.connect(self.watch_add_requested)
        self.symbol_picker.watch_remove_requested.connect(self.watch_remove_requested)
        self.symbol_picker.watch_many_requested.connect(self.watch_many_requested)
        self.quote_panel.watch_requested.connect(self.watch_add_requested)
        self.top_bar.symbols_requested.connect(self.symbols_requested)
        self.watchlist.edit_requested.connect(self.symbols_requested)
        self.watchlist.symbol_requested.connect(self.symbol_requested)
        self.watchlist.remove_requested.connect(self.watch_remove_requested)
        self.watchlist.add_requested.connect(lambda: self.open_symbol_picker(adding=True))
        self.notice_bar.action_requested.connect(self._take_action)
        self.quote_panel.download_requested.connect(self.download_requested)
        self.quote_panel.download_stop_requested.connect(self.download_stop_requested)
        self.top_bar.keys_requested.connect(self.keys_overview.toggle)
        commands: dict[str, Callable[[], object]] = {
            "date": self.date_entry_requested.emit,
            "symbols": lambda: self.open_symbol_picker(),
            "export": self.export_requested.emit,
            "indicators": self.top_bar.ask_for_indicators,
            "database": self.database_requested.emit,
            "diagnostics": self.toggle_diagnostics,
            "keys": self.keys_overview.toggle,
        }
        for name, call in commands.items():
            for key in keys_of(name):
                if len(key) > 1:  # a mere character is one only where nobody types: see keyPressEvent
                    QShortcut(QKeySequence(key), self, call)

    def _take_action(self, action: NoticeAction) -> None:
        offers = {
            NoticeAction.RETRY_DATABASE: self.retry_database_requested.emit,
            NoticeAction.CHOOSE_DATABASE: self.database_requested.emit,
            NoticeAction.RETRY_FEED: self.retry_feed_requested.emit,
            NoticeAction.OPEN_SIMULATED_MARKET: self.simulated_market_requested.emit,
            NoticeAction.DISMISS: self.clear_notice,
        }
        offers[action]()
