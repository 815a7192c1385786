"""
The context menus of the window's bars and of the quote panel: each offers what can be done with what is under it.

The watchlist, the interval bar and the chart have menus of their own.
"""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, QPoint, Signal
from PySide6.QtWidgets import QLabel, QMenu, QWidget

from app.market.ports.exchange import FeedState
from widgets.controls.context_menu import context_menu, give_menu
from widgets.controls.number_format import MINUS, UNKNOWN, price
from widgets.keys import key_text
from widgets.window.bars.status_bar import StatusBar
from widgets.window.bars.top_bar import TopBar
from widgets.window.panels.side_panel import SidePanel

_STILL = (FeedState.LIVE, FeedState.CONNECTING)  # there is nothing to try again
_LONGEST_SHOWN = 40


class ContextMenus(QObject):
    """
    Gives these parts of the window their context menus.

    Signals:
        copy_requested: Copy this text.
        picker_requested, database_requested, diagnostics_requested: Open that.
        missing_requested, missing_here_requested: Show missing trades: of any symbol, or of the chart's.
        watch_requested, unwatch_requested: Add a symbol to the watchlist, or remove it; carry its name.
        download_requested, download_stop_requested: Fetch all missing trades of the chart's symbol, or stop fetching.
        retry_feed_requested, retry_database_requested: Connect now instead of later.
    """

    copy_requested = Signal(str)
    picker_requested = Signal()
    database_requested = Signal()
    diagnostics_requested = Signal()
    missing_requested = Signal()
    missing_here_requested = Signal()
    watch_requested = Signal(str)
    unwatch_requested = Signal(str)
    download_requested = Signal()
    download_stop_requested = Signal()
    retry_feed_requested = Signal()
    retry_database_requested = Signal()

    def __init__(self, top_bar: TopBar, side_panel: SidePanel, status_bar: StatusBar, parent: QWidget) -> None:
        super().__init__(parent)
        self._menu_parent = parent
        self._panel, self._status_bar = side_panel.quote_panel, status_bar
        for part in (top_bar.symbol, top_bar.price, top_bar.change):
            give_menu(part, lambda _point: self.symbol_menu())
        give_menu(self._panel, lambda point: self.quote_menu(self._panel.childAt(point)))
        give_menu(self._panel.missing, lambda _point: self.quote_menu(self._panel.missing))
        give_menu(side_panel.quote_scroll, lambda _point: self.quote_menu(None))
        give_menu(status_bar, lambda point: self.status_menu(status_bar.childAt(point)))
        for link in (status_bar.missing, status_bar.database):
            give_menu(link, partial(self._link_menu, link))

    def symbol_menu(self) -> QMenu:
        """Return the menu of the top bar's symbol and its price."""
        menu, quote = context_menu(self._menu_parent), self._panel.quote
        menu.addAction(f"Choose a symbol…\t{key_text('symbols')}", self.picker_requested.emit)
        if quote is None:
            return menu
        menu.addSeparator()
        last = price(quote.last, quote.symbol)
        self._add_copy(menu, f"Copy the price {last}", last)
        self._add_copy(menu, f"Copy the name {quote.symbol.name}", quote.symbol.name)
        menu.addSeparator()
        self._add_watching(menu)
        return menu

    def quote_menu(self, part: QWidget | None) -> QMenu:
        """Return the menu of the quote panel; ``part`` is the widget under the pointer, if any."""
        menu, panel, quote = context_menu(self._menu_parent), self._panel, self._panel.quote
        if quote is None:
            return menu
        for card, value in ((panel.bid, quote.bid), (panel.ask, quote.ask)):
            if part is card or (part is not None and card.isAncestorOf(part)):
                text = price(value, quote.symbol)
                self._add_copy(menu, f"Copy the {card.caption.lower()} {text}", text)
        for name, figure in panel.figures.items():
            if part is figure or (isinstance(part, QLabel) and part.buddy() is figure):
                self._add_copy(menu, f"Copy “{name}”", figure.text())
        last = price(quote.last, quote.symbol)
        self._add_copy(menu, f"Copy the last price {last}", last)
        self._add_copy(menu, "Copy all figures", panel.as_text())
        menu.addSeparator()
        self._add_watching(menu)
        if quote.missing_trades:
            menu.addAction("Show the missing trades", self.missing_here_requested.emit)
        if quote.download is not None and quote.download.is_running:
            menu.addAction("Stop the download", self.download_stop_requested.emit)
        elif quote.download is not None:
            menu.addAction("Download the missing trades", self.download_requested.emit)
        return menu

    def status_menu(self, part: QWidget | None) -> QMenu:
        """Return the menu of the status bar; ``part`` is the entry under the pointer, if any."""
        menu, bar = context_menu(self._menu_parent), self._status_bar
        if isinstance(part, QLabel) and part.text():
            menu.addAction(f"Copy “{shortened(part.text())}”", partial(self.copy_requested.emit, part.text()))
        menu.addAction("Copy the whole status", lambda: self.copy_requested.emit(bar.as_text()))
        menu.addSeparator()
        if part in (bar.feed, bar.dot, bar.rate) and bar.status.feed_state not in _STILL:
            menu.addAction("Reconnect now", self.retry_feed_requested.emit)
        if part is bar.missing:
            menu.addAction(f"Show the missing trades\t{key_text('missing')}", self.missing_requested.emit)
        if part in (bar.database, bar.queue, bar.spool):
            if bar.status.database_reason:
                menu.addAction("Try the database again", self.retry_database_requested.emit)
            menu.addAction(f"Database…\t{key_text('database')}", self.database_requested.emit)
        menu.addAction(f"Metrics and log\t{key_text('diagnostics')}", self.diagnostics_requested.emit)
        return menu

    def _link_menu(self, link: QWidget, _point: QPoint) -> QMenu:
        return self.status_menu(link)

    def _add_copy(self, menu: QMenu, title: str, figure: str) -> None:
        """Add an entry that copies a figure as other programs read it; an unknown one cannot be copied."""
        plain = figure if "\n" in figure else figure.replace(",", "").replace(MINUS, "-")
        action = menu.addAction(title, lambda: self.copy_requested.emit(plain))
        action.setEnabled(figure != UNKNOWN)

    def _add_watching(self, menu: QMenu) -> None:
        quote = self._panel.quote
        if quote is None:
            return
        name, shown = quote.symbol.name, quote.symbol.full_name
        if quote.watched:
            menu.addAction(f"Remove {shown} from the watchlist", lambda: self.unwatch_requested.emit(name))
        else:
            menu.addAction(f"Add {shown} to the watchlist", lambda: self.watch_requested.emit(name))


def shortened(text: str) -> str:
    """Return a text short enough for a menu or a toast, without tabs."""
    text = text.replace("\t", " ")
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
