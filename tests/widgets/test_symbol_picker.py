"""The symbol picker: typing, keys, empty and loading states."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.market.symbol import Symbol
from tests.widgets.conftest import SATS
from widgets.main_window import MainWindow


def test_enter_requests_the_best_match(window: MainWindow, qtbot: QtBot) -> None:
    window.open_symbol_picker()
    qtbot.keyClicks(window.symbol_picker.edit, "eth")
    with qtbot.waitSignal(window.symbol_requested, timeout=1000) as request:
        qtbot.keyClick(window.symbol_picker.edit, Qt.Key.Key_Return)
    assert request.args == ["ETHUSDT"]
    assert window.symbol_picker.isHidden()


def test_the_arrow_keys_move_through_the_matches_and_stop_at_the_ends(window: MainWindow, qtbot: QtBot) -> None:
    picker = window.symbol_picker
    window.open_symbol_picker("btc")
    qtbot.keyClick(picker.edit, Qt.Key.Key_Up)
    assert picker.list.currentIndex().row() == 0
    for _ in range(picker.model.rowCount() + 2):
        qtbot.keyClick(picker.edit, Qt.Key.Key_Down)
    with qtbot.waitSignal(window.symbol_requested, timeout=1000) as request:
        qtbot.keyClick(picker.edit, Qt.Key.Key_Return)
    assert request.args == ["BTCIDRT"]


def test_escape_closes_it_and_gives_the_focus_back(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(window.chart.hasFocus)
    window.open_symbol_picker()
    assert window.symbol_picker.edit.hasFocus()
    with qtbot.assertNotEmitted(window.symbol_requested):
        qtbot.keyClick(window.symbol_picker.edit, Qt.Key.Key_Escape)
    assert window.symbol_picker.isHidden()
    assert window.chart.hasFocus()


def test_a_click_elsewhere_closes_it(window: MainWindow, qtbot: QtBot) -> None:
    window.open_symbol_picker()
    qtbot.mouseClick(window.chart, Qt.MouseButton.LeftButton, pos=QPoint(900, 500))
    assert window.symbol_picker.isHidden()


def test_a_click_on_a_symbol_requests_it(window: MainWindow, qtbot: QtBot) -> None:
    picker = window.symbol_picker
    window.open_symbol_picker("1000")
    place = picker.list.visualRect(picker.model.index(0)).center()
    with qtbot.waitSignal(window.symbol_requested, timeout=1000) as request:
        qtbot.mouseClick(picker.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert request.args == ["1000SATSUSDT"]


def test_what_matches_nothing_is_said_and_enter_does_nothing(window: MainWindow, qtbot: QtBot) -> None:
    window.open_symbol_picker("xyz")
    assert window.symbol_picker.message.text() == "No symbol matches “xyz”."
    assert window.symbol_picker.message.isVisible()
    with qtbot.assertNotEmitted(window.symbol_requested):
        qtbot.keyClick(window.symbol_picker.edit, Qt.Key.Key_Return)


def test_before_the_symbols_are_known_it_says_that_they_are_loading(qtbot: QtBot, window: MainWindow) -> None:
    fresh = MainWindow(window.chart.__class__())
    fresh.open_symbol_picker("b")
    assert "Loading" in fresh.symbol_picker.message.text()
    fresh.show()
    fresh.set_symbols([SATS])
    fresh.symbol_picker.edit.setText("sats")
    assert fresh.symbol_picker.model.rowCount() == 1
    fresh.symbol_picker.dismiss()
    fresh.allow_close()
    fresh.close()
    fresh.deleteLater()


def test_the_plus_of_the_watchlist_asks_for_a_symbol_to_add(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.mouseClick(window.watchlist.add_button, Qt.MouseButton.LeftButton)
    qtbot.keyClicks(window.symbol_picker.edit, "sats")
    assert window.symbol_picker.model.rowCount() == 1
    with (
        qtbot.assertNotEmitted(window.symbol_requested),
        qtbot.waitSignal(window.watch_add_requested, timeout=1000) as request,
    ):
        qtbot.keyClick(window.symbol_picker.edit, Qt.Key.Key_Return)
    assert request.args == ["1000SATSUSDT"]


@pytest.mark.parametrize("size", [(1280, 720), (1000, 560)])
def test_it_stays_inside_the_window(window: MainWindow, size: tuple[int, int]) -> None:
    window.resize(*size)
    QApplication.processEvents()
    for adding in (False, True):
        window.open_symbol_picker(adding=adding)
        assert window.rect().contains(window.symbol_picker.geometry())
        window.symbol_picker.dismiss()


def test_thousands_of_symbols_open_at_once(window: MainWindow, exchange_symbols: list[Symbol]) -> None:
    window.set_symbols(exchange_symbols)
    window.open_symbol_picker("usdt")
    assert window.symbol_picker.footer.text().endswith("of 1,262")


def test_what_is_watched_already_is_not_offered_for_the_watchlist(window: MainWindow, qtbot: QtBot) -> None:
    picker = window.symbol_picker
    window.open_symbol_picker(adding=True)
    offered = {picker.model.index(row).data() for row in range(picker.model.rowCount())}
    assert offered == {"1000SATS/USDT", "BTC/IDRT"}
    qtbot.keyClicks(picker.edit, "eth")
    assert picker.model.rowCount() == 0
    assert picker.message.text() == "What matches is in the watchlist already."
    window.open_symbol_picker("eth")
    assert picker.model.rowCount() == 1
