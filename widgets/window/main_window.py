"""
The main window: it arranges the panels around the chart and keeps its geometry.

It decides nothing. What the user asks for leaves as a signal of `WindowRequests`; new values come in through the
``set_`` methods. Closing is a request too: the program first stops the feed and flushes the writer, then calls
`MainWindow.allow_close`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QMoveEvent, QResizeEvent
from PySide6.QtWidgets import QApplication, QMainWindow, QVBoxLayout, QWidget

from app.market.interval import Interval
from app.market.symbol import Symbol
from widgets.commands import Commands, CommandSet
from widgets.controls.context_menu import open_menu_of_focus
from widgets.controls.key_hints import follow_keys
from widgets.controls.number_format import price
from widgets.controls.popup import Popup
from widgets.controls.toast import Toasts
from widgets.diagnostics.diagnostics_dock import DiagnosticsDock
from widgets.drawing_tools.tool_strip import ToolStrip
from widgets.keys import CommandGroup, bindings_by_group
from widgets.palette.command_access import CommandAccess
from widgets.theme import style, text_size
from widgets.theme.palettes import DARK, Palette
from widgets.view_values import QuoteView, StatusView, WatchRow
from widgets.window import layout_state, window_placement
from widgets.window.bars.notice_bar import NoticeAction, NoticeBar
from widgets.window.bars.status_bar import StatusBar
from widgets.window.bars.top_bar import TopBar
from widgets.window.choosers import Choosers
from widgets.window.context_menus import ContextMenus, shortened
from widgets.window.file_drop import FileDrop
from widgets.window.keyboard import WindowKeyboard
from widgets.window.keys_overview import KeysOverview
from widgets.window.panels.side_panel import SidePanel
from widgets.window.window_requests import WindowRequests

_OF_CHARTS = [each for each in bindings_by_group()[CommandGroup.CHARTS] if each.command]


class MainWindow(QMainWindow):
    """
    The window around ``chart``.

    ``requests`` has what the user asks for. ``commands`` runs every command by its name; the program adds the chart's.

    Signals:
        keys_changed: The user changed keys; `widgets.keys.current_keys` has them.
        layout_changed: The user changed what the bars and panels show; see `layout_values`.
        placed: The window was moved, or got another size.
        close_requested: The user closed the window; call `allow_close` and ``close()`` once that may happen.
    """

    keys_changed = Signal()
    layout_changed = Signal()
    placed = Signal()
    close_requested = Signal()

    def __init__(self, chart: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._symbol: Symbol | None = None
        self._may_close = False
        self._is_simulated = False
        self.requests = WindowRequests(self)
        self.chart = chart  # the active one
        self.top_bar = TopBar()
        self.notice_bar = NoticeBar()
        self.side_panel = SidePanel(self)
        self.tool_strip = ToolStrip(self)
        self.watchlist = self.side_panel.watchlist
        self.quote_panel = self.side_panel.quote_panel
        self.diagnostics = DiagnosticsDock(self)
        self.status_bar = StatusBar()
        self.choosers = Choosers(self, self.top_bar)
        self.symbol_picker, self.interval_entry = self.choosers.picker, self.choosers.entry
        self.keys_overview = KeysOverview(self)
        self.context_menus = ContextMenus(self.top_bar, self.side_panel, self.status_bar, self)
        self.toasts = Toasts(self, floor=lambda: self.status_bar)
        self._arrange()
        self._connect_signals()
        self.commands = self._make_commands()
        self.command_access = CommandAccess(self, self.commands, lambda: self.colours, self.toasts.show)
        self.command_access.used_changed.connect(self.layout_changed)
        self.command_access.keys_changed.connect(self.follow_keys)
        self.command_access.keys_changed.connect(self.keys_changed)
        self.command_access.import_requested.connect(self.requests.keys_import_requested)
        self.command_access.export_requested.connect(self.requests.keys_export_requested)
        self.keys_overview.change_requested.connect(self.command_access.open_keys)
        self._keyboard = self.keyboard_for(self)
        self.set_palette(DARK)

    # Called by the program.

    def set_symbols(self, symbols: Sequence[Symbol]) -> None:
        """Offer these in the symbol picker."""
        self.symbol_picker.set_symbols(symbols)

    def set_symbol(self, symbol: Symbol) -> None:
        """Name the symbol that the chart shows, and clear the figures of the one before."""
        self._symbol = symbol
        self.top_bar.set_symbol(symbol)
        self.watchlist.set_symbol(symbol)
        self.set_quote(QuoteView(symbol))

    def set_simulated(self, is_simulated: bool) -> None:
        """Name the market: simulated, or the exchange's."""
        self._is_simulated = is_simulated
        self.top_bar.set_market("Simulated market" if is_simulated else "Binance spot")
        self.top_bar.menu.set_simulated(is_simulated)
        self.status_bar.set_simulated(is_simulated)

    def set_interval(self, interval: Interval) -> None:
        self.top_bar.set_interval(interval)

    def set_price_style(self, title: str) -> None:
        """Show in the top bar in which style the chart draws prices."""
        self.top_bar.set_price_style(title)

    def set_watchlist(self, rows: Sequence[WatchRow]) -> None:
        self.watchlist.set_rows(rows)
        self.top_bar.set_watchlist(rows)
        self.symbol_picker.set_watched([row.symbol.name for row in rows])

    def update_watchlist(self, rows: Sequence[WatchRow]) -> None:
        """Show new values in some rows of the watchlist; `set_watchlist` adds and removes rows."""
        self.watchlist.update_rows(rows)
        self.top_bar.update_watchlist(rows)

    def set_quote(self, quote: QuoteView) -> None:
        """Show the chosen symbol's figures. A quote of another symbol came too late and is ignored."""
        if self._symbol is None or quote.symbol.name != self._symbol.name:
            return
        # Restored, the bar would show this price beside the one at which the chart stood still.
        if not self.isMinimized():
            self.top_bar.set_quote(quote)
            self.quote_panel.set_quote(quote)
        last = "" if quote.last is None else f"{price(quote.last, quote.symbol)} "
        self.setWindowTitle(f"{last}{quote.symbol.full_name} · cryptopipe")

    def set_status(self, status: StatusView) -> None:
        self.status_bar.set_status(status)

    def set_notice(self, text: str, actions: Sequence[NoticeAction] = (), is_trouble: bool = True) -> None:
        """Show one sentence under the top bar, with a button for each action, and a warning's sign if it is trouble."""
        self.notice_bar.set_notice(text, actions, is_trouble=is_trouble)

    def clear_notice(self) -> None:
        self.notice_bar.clear_notice()

    def set_serving(self, url: str) -> None:
        """Show in the menu where the data is served; an empty text for nowhere."""
        self.top_bar.menu.set_serving(url)

    def copy_text(self, text: str) -> None:
        """Put a text on the clipboard, and say so."""
        QApplication.clipboard().setText(text)
        lines = text.splitlines()
        self.toasts.show(f"Copied “{shortened(text)}”." if len(lines) == 1 else f"Copied {len(lines)} lines.")

    def set_theme(self, theme: str, candle_colours: str) -> None:
        """Tick the theme and the colours in the menu; `set_palette` applies them."""
        self.top_bar.set_theme(theme, candle_colours)

    def set_text_percent(self, percent: int) -> None:
        """Tick the size of text in the menu; `text_size` applies it."""
        self.top_bar.menu.text_size_menu.tick(percent)

    def set_palette(self, palette: Palette) -> None:
        """Change the colours of everything but the chart, which has a method of its own."""
        self.colours = palette
        sheet = style.stylesheet(palette)
        if sheet == self.styleSheet():
            return  # styling the whole window again takes longer than a frame
        QApplication.setPalette(style.qt_palette(palette))  # for dialogs and message boxes too
        self.setStyleSheet(sheet)
        self._draw_icons()

    def _draw_icons(self) -> None:
        """Draw icons and painted parts in the present colours and size of text."""
        palette = self.colours
        for part in (
            self.top_bar,
            self.notice_bar,
            self.side_panel,
            self.tool_strip,
            self.diagnostics,
            self.toasts,
        ):
            part.set_palette(palette)
        for popup in self.findChildren(Popup):  # the chart's popups are children of the window too
            popup.set_palette(palette)

    def layout_bytes(self) -> bytes:
        """Return geometry and docks, for `restore_layout` at the next start."""
        return layout_state.pack(self)

    def restore_layout(self, state: bytes) -> bool:
        """Restore what `layout_bytes` returned, on the present screen. Return False for anything else."""
        if not layout_state.restore(self, state):
            return False
        window_placement.keep_on_screen(self)
        return True

    def layout_values(self) -> dict[str, Any]:
        """Return what the bars and panels show, for `restore_layout_values` at the next start."""
        return {
            "panel": self.side_panel.layout_values(),
            "tools": self.tool_strip.layout_values(),
            "intervals": self.top_bar.intervals.to_values(),
            "watchlist": self.watchlist.layout_values(),
            "typing": self.choosers.knows_typing,
            "palette": self.command_access.layout_values(),
        }

    def restore_layout_values(self, values: Mapping[str, Any]) -> None:
        """Restore the values of `layout_values`; invalid ones fall back to those of the first start."""
        parts = [values.get(name) for name in ("panel", "tools", "intervals", "watchlist", "palette")]
        panel, tools, intervals, watchlist, palette = ({} if not isinstance(part, Mapping) else part for part in parts)
        self.side_panel.restore_layout(panel)
        self.tool_strip.restore_layout(tools)
        self.top_bar.intervals.restore(intervals)
        self.watchlist.restore_layout(watchlist)
        self.command_access.restore_layout(palette)
        self.choosers.knows_typing = values.get("typing") is True

    def put_on_top(self, bar: QWidget) -> None:
        """Put a bar above all others."""
        self._top.insertWidget(0, bar)

    def allow_close(self) -> None:
        """Let the next close happen, now that everything has stopped."""
        self._may_close = True

    # Called on behalf of the user.

    def toggle_diagnostics(self) -> None:
        """Open the diagnostics with the focus in their filter, or close them."""
        if self.diagnostics.isVisible():
            self.diagnostics.close()
            self.chart.setFocus()
        else:
            self.diagnostics.show()
            self.diagnostics.log.filter.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def follow_keys(self) -> None:
        """Use and show the keys of `widgets.keys.current_keys`, after those have changed."""
        for top_level in QApplication.topLevelWidgets():  # a part in a window of its own has a keyboard of its own
            for keyboard in top_level.findChildren(WindowKeyboard):
                keyboard.follow_keys()
        follow_keys()
        self.top_bar.follow_keys()

    def toggle_full_screen(self) -> None:
        """Fill the screen, or no longer."""
        window_placement.toggle_full_screen(self)

    def bring_to_front(self) -> None:
        """Show the window over the others, and give it the focus."""
        window_placement.bring_to_front(self)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.isFullScreen():
            self.toggle_full_screen()  # nothing else had a use for Esc
        elif not self._keyboard.handle(event):
            super().keyPressEvent(event)

    def moveEvent(self, event: QMoveEvent) -> None:
        super().moveEvent(event)
        self.placed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.placed.emit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ThemeChange:
            self._follow_system_text()
        elif event.type() == QEvent.Type.WindowStateChange and hasattr(self, "top_bar"):
            self.top_bar.menu.tick_full_screen(self.isFullScreen())
        elif event.type() == QEvent.Type.FontChange and hasattr(self, "status_bar"):
            QTimer.singleShot(0, self, self._follow_text_size)  # after Qt has given every part its new font

    def _follow_text_size(self) -> None:
        sheet = style.stylesheet(self.colours)
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)  # its lengths are of the size of text
        self._draw_icons()
        self.side_panel.fit()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._may_close:
            super().closeEvent(event)
            return
        event.ignore()
        self.close_requested.emit()

    def _arrange(self) -> None:
        self.setWindowTitle("cryptopipe")
        self.setFont(style.font())
        window_placement.place_first(self)
        top = QWidget()
        layout = self._top = QVBoxLayout(top)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.top_bar)
        layout.addWidget(self.notice_bar)
        self.setMenuWidget(top)
        self.setCentralWidget(self.chart)
        self.chart.setFocus()
        self.addToolBar(Qt.ToolBarArea.LeftToolBarArea, self.tool_strip)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.side_panel)
        self.side_panel.fit()
        self.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        self.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, self.diagnostics)
        self.diagnostics.hide()
        self.setStatusBar(self.status_bar)

    def _follow_system_text(self) -> None:
        # Later: the change that announced this may not be complete yet.
        QTimer.singleShot(0, self, lambda: text_size.follow_system())

    def _connect_signals(self) -> None:
        bar, menu = self.top_bar, self.top_bar.menu
        self.requests.pass_on_top_bar(bar)
        self.requests.pass_on_picker(self.symbol_picker)
        self.requests.pass_on_panels(self.side_panel, self.status_bar)
        self.requests.pass_on_context_menus(self.context_menus)
        bar.picker_requested.connect(self.choosers.open_picker)
        bar.panel_requested.connect(self.side_panel.ask_open)
        bar.intervals.favourites_changed.connect(self.layout_changed)
        menu.diagnostics_requested.connect(self.toggle_diagnostics)
        menu.keys_requested.connect(self.keys_overview.toggle)
        menu.palette_requested.connect(lambda: self.command_access.open_palette())
        menu.change_keys_requested.connect(lambda: self.command_access.open_keys())
        menu.panel_requested.connect(self.side_panel.ask_open)
        menu.full_screen_requested.connect(self.toggle_full_screen)
        menu.copy_requested.connect(self.copy_text)
        menu.market_requested.connect(self._ask_for_other_market)
        menu.quit_requested.connect(self.close)
        bar.set_panel_open(self.side_panel.is_open)
        self.side_panel.open_changed.connect(bar.set_panel_open)
        self.side_panel.open_changed.connect(lambda _: self.layout_changed.emit())
        self.side_panel.pages.shown.connect(lambda _: self.layout_changed.emit())
        self.tool_strip.folded_changed.connect(self.layout_changed)
        self.top_bar.intervals.entry_requested.connect(self.choosers.open_entry)
        self.interval_entry.interval_requested.connect(self.requests.interval_requested)
        self.choosers.symbol_chosen.connect(self.requests.symbol_requested)
        self.choosers.typing_learnt.connect(self.layout_changed)
        self.watchlist.order_changed.connect(self.layout_changed)
        self.watchlist.copy_requested.connect(self.copy_text)
        self.watchlist.add_requested.connect(lambda: self.choosers.open_picker(adding=True))
        menus = self.context_menus
        menus.copy_requested.connect(self.copy_text)
        menus.picker_requested.connect(lambda: self.choosers.open_picker())
        menus.diagnostics_requested.connect(self.toggle_diagnostics)
        self.notice_bar.action_requested.connect(self.requests.ask_for)
        self.requests.notice_dismissed.connect(self.clear_notice)
        self.diagnostics.copy_requested.connect(self.copy_text)
        self.diagnostics.close_button.clicked.connect(lambda: self.chart.setFocus())
        FileDrop(self).files_dropped.connect(self.requests.import_requested)
        text_size.application().fontChanged.connect(self._follow_system_text)

    def keyboard_for(self, window: QWidget) -> WindowKeyboard:
        """Return a keyboard that gives this window's commands in ``window``."""
        return WindowKeyboard(
            window,
            self.commands.run,
            open_interval=self.choosers.type_interval,
            open_symbol=self.choosers.type_symbol,
            show_hint=self.status_bar.set_hint,
        )

    def _make_commands(self) -> Commands:
        commands, own = Commands(), self._own_commands()
        commands.add(lambda: own)
        commands.add(lambda: self.watchlist.commands)
        commands.add(lambda: self.watchlist.tabs.commands)
        return commands

    def _own_commands(self) -> CommandSet:
        return CommandSet(
            {
                "date": self.requests.date_entry_requested.emit,
                "symbols": self.choosers.open_picker,
                "missing": self.requests.missing_requested.emit,
                "alerts": self.requests.alerts_requested.emit,
                "undo": self._undo,
                "undo_drawing": lambda: self.requests.drawing_undo_requested.emit(),
                "redo_drawing": lambda: self.requests.drawing_redo_requested.emit(),
                "list_drawings": self.show_drawings,
                "list_alerts": self.show_alerts,
                "export": self.requests.export_requested.emit,
                "indicators": self.top_bar.ask_for_indicators,
                "database": self.requests.database_requested.emit,
                "stored_symbols": self.requests.stored_symbols_requested.emit,
                "import": lambda: self.requests.import_requested.emit([]),
                "download": self.requests.download_dialog_requested.emit,
                "diagnostics": self.toggle_diagnostics,
                "side_panel": self.side_panel.toggle,
                "full_screen": self.toggle_full_screen,
                "menu": self.top_bar.open_menu,
                "context_menu": open_menu_of_focus,
                "palette": lambda: self.command_access.open_palette(),
                "keys": self.keys_overview.toggle,
                "quit": self.close,
                "chart_styles": self.top_bar.ask_for_styles,
                "market": self._ask_for_other_market,
                **self.top_bar.menu.commands(),
                **{
                    each.command: partial(self.requests.charts_command_requested.emit, each.command)
                    for each in _OF_CHARTS
                },
            },
            {
                "undo": lambda: (
                    "" if self.toasts.can_undo else self._why_no("undo_drawing", "There is nothing to undo.")
                ),
                "undo_drawing": lambda: self._why_no("undo_drawing", "There is no change of a drawing to undo."),
                "redo_drawing": lambda: self._why_no("redo_drawing", "No change of a drawing was undone."),
            },
        )

    def _why_no(self, command: str, reason: str) -> str:
        return "" if self.tool_strip.commands[command].isEnabled() else reason

    def show_drawings(self) -> None:
        """Show the list of drawings in the side panel, with the focus in it."""
        self.side_panel.ask_open(True)
        self.side_panel.pages.show_page(self.side_panel.drawings)
        self.side_panel.drawings.view.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def show_alerts(self) -> None:
        """Show the list of alerts in the side panel, with the focus in it."""
        self.side_panel.ask_open(True)
        self.side_panel.pages.show_page(self.side_panel.alerts)
        self.side_panel.alerts.list.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _undo(self) -> None:
        """Undo what a toast offers to undo, else the last change of a drawing."""
        if not self.toasts.undo_latest():
            self.requests.drawing_undo_requested.emit()

    def _ask_for_other_market(self) -> None:
        (self.requests.live_market_requested if self._is_simulated else self.requests.simulated_market_requested).emit()
