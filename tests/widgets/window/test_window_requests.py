"""Tests of the requests of the main window: that each part's is passed on."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.market.file_format import FileFormat
from app.market.interval import Interval
from widgets.window.bars.notice_bar import NoticeAction
from widgets.window.main_window import MainWindow
from widgets.window.window_requests import WindowRequests

_SIGNALS = [name for name in vars(WindowRequests) if name.endswith("_requested")]
_CARRIED = {
    "interval_requested": (Interval.parse("7m"),),
    "symbol_requested": ("ETHUSDT",),
    "watch_add_requested": ("ETHUSDT",),
    "watch_remove_requested": ("ETHUSDT",),
    "watch_many_requested": (["ETHUSDT", "BNBUSDT"],),
    "theme_requested": ("light",),
    "candle_colours_requested": ("blue",),
    "text_percent_requested": (150,),
    "serving_requested": (True,),
    "copy_candles_requested": (FileFormat.CSV,),
    "chart_menu_requested": (QPoint(3, 4),),
    "indicators_requested": (QPoint(3, 4),),
    "arrangement_requested": (QPoint(3, 4),),
}


def passed_on(window: MainWindow) -> list[tuple[QObject, str]]:
    """Return the parts of the window, each with its requests that have the same name as the window's."""
    parts: list[QWidget | QObject] = [
        window.top_bar,
        window.top_bar.menu,
        window.top_bar.intervals,
        window.symbol_picker,
        window.interval_entry,
        window.watchlist,
        window.quote_panel,
        window.status_bar,
        window.context_menus,
    ]
    return [(part, name) for part in parts for name in _SIGNALS if hasattr(part, name)]


def test_every_request_of_a_part_is_the_windows(window: MainWindow, qtbot: QtBot) -> None:
    found = passed_on(window)
    assert len(found) > 25
    for part, name in found:
        carried = () if name in ("import_requested", "templates_requested") else _CARRIED.get(name, ())
        with qtbot.waitSignal(getattr(window.requests, name), timeout=1000) as request:
            getattr(part, name).emit(*carried)
        assert not carried or tuple(request.args) == carried, name


@pytest.mark.parametrize(
    ("action", "signal"),
    [
        (NoticeAction.RETRY_DATABASE, "retry_database_requested"),
        (NoticeAction.CHOOSE_DATABASE, "database_requested"),
        (NoticeAction.RETRY_FEED, "retry_feed_requested"),
        (NoticeAction.OPEN_SIMULATED_MARKET, "simulated_market_requested"),
        (NoticeAction.COPY_HISTORY_COMMAND, "history_command_requested"),
        (NoticeAction.CANCEL_FETCH, "fetch_cancelled"),
        (NoticeAction.DISMISS_LAKE, "lake_dismissed"),
        (NoticeAction.DISMISS, "notice_dismissed"),
    ],
)
def test_a_notices_button_emits_its_request(
    window: MainWindow, qtbot: QtBot, action: NoticeAction, signal: str
) -> None:
    assert window.notice_bar.isHidden()
    window.set_notice("The database cannot start: its port is taken. Close the other program.", [action])
    assert window.notice_bar.isVisible()
    with qtbot.waitSignal(getattr(window.requests, signal), timeout=1000):
        qtbot.mouseClick(window.notice_bar.buttons[action], Qt.MouseButton.LeftButton)
    assert window.notice_bar.isHidden() == (action is NoticeAction.DISMISS)
    window.clear_notice()
    assert window.notice_bar.isHidden()
