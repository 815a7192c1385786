"""Context menus: each is about what is under the pointer, and the keyboard opens it too."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QWidget
from pytestqt.qtbot import QtBot

from app.market.interval import Interval
from app.market.ports.exchange import FeedState
from tests.widgets.conftest import BTCUSDT, ETHUSDT, SATS
from widgets.symbols.watchlist_order import SortColumn, SortOrder
from widgets.view_values import DownloadView, QuoteView, StatusView, WatchRow
from widgets.window.main_window import MainWindow

ROWS = [WatchRow(BTCUSDT, 61693.94, -0.53), WatchRow(ETHUSDT, 2683.25, 14.1, 2683.24, 2683.25), WatchRow(SATS)]
QUOTE = QuoteView(BTCUSDT, 61693.94, -0.53, 61693.93, 1.5, 61693.94, 2.5, missing_trades=204, stored_trades=9)


def texts(menu: QMenu) -> list[str]:
    return [action.text().partition("\t")[0] for action in menu.actions() if action.text()]


def choose(menu: QMenu, start: str) -> None:
    """Choose the entry that begins with that."""
    (action,) = [action for action in menu.actions() if action.text().startswith(start)]
    assert action.isEnabled()
    action.trigger()


def copied(window: MainWindow) -> str:
    """Return what is on the clipboard, which the newest toast must name."""
    text = QApplication.clipboard().text()
    said = window.toasts.shown[-1].text.text()
    lines = text.replace("\t", " ").splitlines()
    assert said == (f"Copied “{lines[0]}”." if len(lines) == 1 else f"Copied {len(lines)} lines.")
    return text


def ask_for_menu(part: QWidget, at: QPoint, reason: QContextMenuEvent.Reason) -> list[str]:
    """Ask for the context menu of a part as Qt does, and return the entries of the menu that opens."""
    before = set(QApplication.topLevelWidgets())
    QApplication.sendEvent(part, QContextMenuEvent(reason, at, part.mapToGlobal(at)))
    (menu,) = [one for one in set(QApplication.topLevelWidgets()) - before if isinstance(one, QMenu)]
    assert menu.isVisible()
    found = texts(menu)
    menu.close()
    return found


def test_a_row_can_be_shown_copied_moved_and_removed(window: MainWindow, qtbot: QtBot) -> None:
    window.set_watchlist(ROWS)
    watchlist = window.watchlist
    menu = watchlist.menu_for(watchlist.model.index(1))
    with qtbot.waitSignal(window.requests.symbol_requested) as request:
        choose(menu, "Show ETH/USDT")
    assert request.args == ["ETHUSDT"]
    choose(menu, "Copy the price 2,683.25")
    assert copied(window) == "2683.25"
    choose(menu, "Copy the name")
    assert copied(window) == "ETHUSDT"
    choose(menu, "Copy the row")
    assert copied(window).split("\t") == ["ETHUSDT", "2683.25", "14.10", "2683.24", "2683.25"]
    with qtbot.waitSignal(window.requests.watch_names_requested) as request:
        choose(menu, "Move down")
    assert request.args == [["BTCUSDT", "1000SATSUSDT", "ETHUSDT"]]
    with qtbot.waitSignal(window.requests.watch_remove_requested) as request:
        choose(menu, "Remove ETH/USDT from the watchlist")
    assert request.args == ["ETHUSDT"]
    last = {
        action.text().partition("\t")[0]: action for action in watchlist.menu_for(watchlist.model.index(2)).actions()
    }
    assert not last["Move down"].isEnabled()
    assert last["Move up"].isEnabled()
    assert not last["Copy the price –"].isEnabled()


def test_the_menu_key_opens_the_menu_of_the_current_row_and_a_click_beside_the_rows_that_of_the_list(
    window: MainWindow,
) -> None:
    window.set_watchlist(ROWS)
    view = window.watchlist.view
    view.setCurrentIndex(window.watchlist.model.index(1))
    assert ask_for_menu(view, QPoint(10, 100), QContextMenuEvent.Reason.Keyboard)[0] == "Show ETH/USDT"
    port, mouse = view.viewport(), QContextMenuEvent.Reason.Mouse
    assert ask_for_menu(port, QPoint(20, 10), mouse)[0] == "Show BTC/USDT"
    assert ask_for_menu(window.watchlist, QPoint(40, 8), mouse) == ["Add symbols…", "Edit the list…", "Copy the list"]
    window.set_watchlist([])
    assert ask_for_menu(window.watchlist.empty, QPoint(5, 5), mouse) == ["Add symbols…", "Edit the list…"]


def test_the_heads_menu_sorts_and_returns_to_ones_own_order(window: MainWindow) -> None:
    head = window.watchlist.head
    asked = ask_for_menu(head.heads[SortColumn.LAST], QPoint(2, 2), QContextMenuEvent.Reason.Keyboard)
    assert asked == [
        "Sort by symbol",
        "Sort by last price",
        "Sort by change over 24 hours",
        "Your own order",
    ]
    choose(head.menu(), "Sort by change")
    assert window.watchlist.order == SortOrder(SortColumn.CHANGE, descending=True)
    choose(head.menu(), "Turn round: the smallest first")
    assert window.watchlist.order == SortOrder(SortColumn.CHANGE)
    choose(head.menu(), "Your own order")
    assert window.watchlist.order == SortOrder()


def test_the_quote_copies_the_figure_under_the_pointer_as_other_programs_read_it(
    window: MainWindow, qtbot: QtBot
) -> None:
    window.set_quote(QUOTE)
    panel, menus = window.quote_panel, window.context_menus
    choose(menus.quote_menu(panel.bid.price), "Copy the bid 61,693.93")
    assert copied(window) == "61693.93"
    caption = next(one for one in panel.findChildren(QLabel) if one.buddy() is panel.figures["Stored trades"])
    choose(menus.quote_menu(caption), "Copy “Stored trades”")
    assert copied(window) == "9"
    choose(menus.quote_menu(None), "Copy all figures")
    assert "Ask\t61,693.94 2.500 BTC" in copied(window).splitlines()
    unknown = menus.quote_menu(panel.figures["24 h high"]).actions()[0]
    assert (unknown.text(), unknown.isEnabled()) == ("Copy “24 h high”", False)
    assert "Remove BTC/USDT from the watchlist" in texts(menus.quote_menu(None))
    window.set_quote(replace(QUOTE, watched=False, download=DownloadView(9, 9, 1)))
    with qtbot.waitSignals([window.requests.watch_add_requested, window.requests.download_requested]):
        choose(menus.quote_menu(None), "Add BTC/USDT to the watchlist")
        choose(menus.quote_menu(None), "Download the missing trades")
    window.set_quote(replace(QUOTE, download=DownloadView(9, 9, 1, is_running=True)))
    with qtbot.waitSignal(window.requests.download_stop_requested):
        choose(menus.quote_menu(None), "Stop the download")
    scroll = window.side_panel.quote_scroll
    assert "Copy all figures" in ask_for_menu(scroll, QPoint(5, 5), QContextMenuEvent.Reason.Keyboard)


def test_the_top_bars_symbol_copies_its_price_and_joins_or_leaves_the_watchlist(
    window: MainWindow, qtbot: QtBot
) -> None:
    window.set_quote(QUOTE)
    menus = window.context_menus
    choose(menus.symbol_menu(), "Copy the price 61,693.94")
    assert copied(window) == "61693.94"
    with qtbot.waitSignal(window.requests.watch_remove_requested) as request:
        choose(menus.symbol_menu(), "Remove BTC/USDT")
    assert request.args == ["BTCUSDT"]
    asked = ask_for_menu(window.top_bar.symbol, QPoint(5, 5), QContextMenuEvent.Reason.Keyboard)
    assert asked[0] == "Choose a symbol…"
    choose(menus.symbol_menu(), "Choose a symbol")
    assert window.symbol_picker.isVisible()


def test_each_entry_of_the_status_bar_has_a_menu_of_its_own(window: MainWindow, qtbot: QtBot) -> None:
    status = StatusView(FeedState.BACKING_OFF, "away", database="Remote", database_reason="refused", malformed=3)
    window.set_status(status)
    bar, menus = window.status_bar, window.context_menus
    with qtbot.waitSignals(
        [
            window.requests.retry_feed_requested,
            window.requests.retry_database_requested,
            window.requests.database_requested,
        ]
    ):
        choose(menus.status_menu(bar.feed), "Reconnect now")
        choose(menus.status_menu(bar.database), "Try the database again")
        choose(menus.status_menu(bar.database), "Database…")
    assert "Database…" not in texts(menus.status_menu(bar.rate))
    choose(menus.status_menu(bar.malformed), "Copy “3 messages unreadable”")
    assert copied(window) == "3 messages unreadable"
    choose(menus.status_menu(None), "Copy the whole status")
    assert QApplication.clipboard().text().startswith("Waiting to reconnect · away | 0 trades/s | Remote · refused")
    choose(menus.status_menu(bar.malformed), "Metrics and log")
    assert window.diagnostics.isVisible()
    window.toggle_diagnostics()
    mouse = QContextMenuEvent.Reason.Mouse
    assert ask_for_menu(bar, bar.feed.mapTo(bar, QPoint(3, 3)), mouse)[0].startswith("Copy “Waiting to reconnect")
    assert "Database…" in ask_for_menu(bar.database, QPoint(3, 3), QContextMenuEvent.Reason.Keyboard)


def test_shift_and_f10_open_the_menu_of_what_has_the_focus(window: MainWindow, qtbot: QtBot) -> None:
    window.set_watchlist(ROWS)
    rows = window.watchlist.view
    rows.setFocus()
    rows.setCurrentIndex(window.watchlist.model.index(1))
    before = set(QApplication.topLevelWidgets())
    qtbot.keyClick(rows, Qt.Key.Key_F10, Qt.KeyboardModifier.ShiftModifier)
    (menu,) = [one for one in set(QApplication.topLevelWidgets()) - before if isinstance(one, QMenu)]
    assert menu.isVisible()
    assert texts(menu)[0] == "Show ETH/USDT"
    menu.close()


def test_the_database_in_the_status_bar_is_reached_and_opened_by_the_keyboard(window: MainWindow, qtbot: QtBot) -> None:
    window.set_status(StatusView(database="Embedded PostgreSQL"))
    window.status_bar.database.setFocus(Qt.FocusReason.TabFocusReason)
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Space):
        with qtbot.waitSignal(window.requests.database_requested, timeout=1000):
            qtbot.keyClick(window.status_bar.database, key)


def test_an_interval_can_be_shown_moved_and_removed_by_its_buttons_menu(window: MainWindow, qtbot: QtBot) -> None:
    bar, hour = window.top_bar.intervals, Interval.parse("1h")
    with qtbot.waitSignal(window.requests.interval_requested) as request:
        choose(bar.button_menu(hour), "Show 1 hour")
    assert request.args == [hour]
    choose(bar.button_menu(hour), "Remove 1h from the bar")
    assert hour not in bar.favourites
