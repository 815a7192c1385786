"""The symbol picker: typing, keys, the watchlist, empty and loading states."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.market.symbol import Symbol
from tests.widgets.conftest import DELISTED, SATS
from widgets.view_values import WatchRow
from widgets.window.main_window import MainWindow


def test_enter_requests_the_best_match(window: MainWindow, qtbot: QtBot) -> None:
    window.choosers.open_picker()
    qtbot.keyClicks(window.symbol_picker.edit, "eth")
    with qtbot.waitSignal(window.requests.symbol_requested, timeout=1000) as request:
        qtbot.keyClick(window.symbol_picker.edit, Qt.Key.Key_Return)
    assert request.args == ["ETHUSDT"]
    assert window.symbol_picker.isHidden()


def test_the_arrow_keys_move_through_the_matches_and_stop_at_the_ends(window: MainWindow, qtbot: QtBot) -> None:
    picker = window.symbol_picker
    window.choosers.open_picker("btc")
    qtbot.keyClick(picker.edit, Qt.Key.Key_Up)
    assert picker.list.currentIndex().row() == 0
    for _ in range(picker.model.rowCount() + 2):
        qtbot.keyClick(picker.edit, Qt.Key.Key_Down)
    with qtbot.waitSignal(window.requests.symbol_requested, timeout=1000) as request:
        qtbot.keyClick(picker.edit, Qt.Key.Key_Return)
    assert request.args == ["BTCIDRT"]


def test_escape_closes_the_picker_and_returns_the_focus(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(window.chart.hasFocus)
    window.choosers.open_picker()
    assert window.symbol_picker.edit.hasFocus()
    with qtbot.assertNotEmitted(window.requests.symbol_requested):
        qtbot.keyClick(window.symbol_picker.edit, Qt.Key.Key_Escape)
    assert window.symbol_picker.isHidden()
    assert window.chart.hasFocus()


def test_a_click_elsewhere_closes_the_picker(window: MainWindow, qtbot: QtBot) -> None:
    window.choosers.open_picker()
    qtbot.mouseClick(window.chart, Qt.MouseButton.LeftButton, pos=QPoint(900, 500))
    assert window.symbol_picker.isHidden()


def test_a_click_on_a_symbol_requests_it(window: MainWindow, qtbot: QtBot) -> None:
    picker = window.symbol_picker
    window.choosers.open_picker("1000")
    place = picker.list.visualRect(picker.model.index(0)).center()
    with qtbot.waitSignal(window.requests.symbol_requested, timeout=1000) as request:
        qtbot.mouseClick(picker.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert request.args == ["1000SATSUSDT"]


def test_text_without_a_match_gets_a_sentence_and_enter_does_nothing(window: MainWindow, qtbot: QtBot) -> None:
    window.choosers.open_picker("xyz")
    assert window.symbol_picker.message.text() == "No symbol matches “xyz”."
    assert window.symbol_picker.message.isVisible()
    with qtbot.assertNotEmitted(window.requests.symbol_requested):
        qtbot.keyClick(window.symbol_picker.edit, Qt.Key.Key_Return)


def test_the_picker_says_that_symbols_are_loading_until_they_are_known(qtbot: QtBot, window: MainWindow) -> None:
    fresh = MainWindow(window.chart.__class__())
    fresh.choosers.open_picker("b")
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
        qtbot.assertNotEmitted(window.requests.symbol_requested),
        qtbot.waitSignal(window.requests.watch_add_requested, timeout=1000) as request,
    ):
        qtbot.keyClick(window.symbol_picker.edit, Qt.Key.Key_Return)
    assert request.args == ["1000SATSUSDT"]


@pytest.mark.parametrize("size", [(1280, 720), (1000, 560)])
def test_the_picker_stays_inside_the_window(window: MainWindow, size: tuple[int, int]) -> None:
    window.resize(*size)
    QApplication.processEvents()
    for adding in (False, True):
        window.choosers.open_picker(adding=adding)
        assert window.rect().contains(window.symbol_picker.geometry())
        window.symbol_picker.dismiss()


def test_thousands_of_symbols_open_at_once(window: MainWindow, exchange_symbols: list[Symbol]) -> None:
    window.set_symbols(exchange_symbols)
    window.choosers.open_picker("usdt")
    assert window.symbol_picker.footer.text().endswith("of 1,262")


def test_the_picker_stays_open_for_the_watchlist_and_each_enter_adds_or_removes(
    window: MainWindow, qtbot: QtBot
) -> None:
    picker, asked = window.symbol_picker, []
    window.requests.watch_add_requested.connect(lambda name: asked.append(f"+{name}"))
    window.requests.watch_remove_requested.connect(lambda name: asked.append(f"-{name}"))
    window.choosers.open_picker(adding=True)
    for typed in ("sats", "btcidrt", "eth"):
        qtbot.keyClicks(picker.edit, typed)  # replaces the text before
        assert picker.edit.text() == typed
        qtbot.keyClick(picker.edit, Qt.Key.Key_Return)
    assert asked == ["+1000SATSUSDT", "+BTCIDRT", "-ETHUSDT"]
    assert picker.isVisible()


def test_new_symbols_keep_the_text_the_selection_and_the_scroll_position(
    window: MainWindow, exchange_symbols: list[Symbol]
) -> None:
    picker = window.symbol_picker
    window.set_symbols(exchange_symbols)
    window.choosers.open_picker("usd")
    row = picker.model.row_of("LINKUSDT")
    picker.list.setCurrentIndex(picker.model.index(row))
    place = picker.list.verticalScrollBar().value()
    assert place > 0
    window.set_symbols([Symbol("AAAUSDT", "A", "USDT"), *exchange_symbols])
    assert picker.edit.text() == "usd"
    assert picker.list.currentIndex().data() == "LINK/USDT"
    assert picker.model.row_of("AAAUSDT") >= 0
    assert abs(picker.list.verticalScrollBar().value() - place) <= 1
    assert picker.isVisible()


def test_all_matching_symbols_can_be_added_to_the_watchlist_at_once(window: MainWindow, qtbot: QtBot) -> None:
    picker = window.symbol_picker
    window.choosers.open_picker(adding=True)
    assert picker.all_button.isHidden()  # nobody should add the whole exchange by mistake
    qtbot.keyClicks(picker.edit, "t")
    assert picker.all_button.text() == "Add all 2"
    with qtbot.waitSignal(window.requests.watch_many_requested, timeout=1000) as request:
        qtbot.keyClick(picker.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert sorted(request.args[0]) == ["1000SATSUSDT", "BTCIDRT"]


def test_shift_enter_adds_to_the_watchlist_and_keeps_the_picker_open(window: MainWindow, qtbot: QtBot) -> None:
    window.choosers.open_picker("sats")
    with (
        qtbot.assertNotEmitted(window.requests.symbol_requested),
        qtbot.waitSignal(window.requests.watch_add_requested, timeout=1000) as request,
    ):
        qtbot.keyClick(window.symbol_picker.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert request.args == ["1000SATSUSDT"]
    assert window.symbol_picker.isVisible()


def test_shift_enter_requests_adding_or_removing_once(window: MainWindow, qtbot: QtBot) -> None:
    asked = []
    window.requests.watch_add_requested.connect(lambda name: asked.append(f"+{name}"))
    window.requests.watch_remove_requested.connect(lambda name: asked.append(f"-{name}"))
    for typed in ("sats", "eth"):
        window.choosers.open_picker(typed)
        qtbot.keyClick(window.symbol_picker.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert asked == ["+1000SATSUSDT", "-ETHUSDT"]


def test_adding_all_skips_symbols_already_watched(window: MainWindow, qtbot: QtBot) -> None:
    window.choosers.open_picker("t", adding=True)
    with (
        qtbot.assertNotEmitted(window.requests.watch_add_requested),
        qtbot.assertNotEmitted(window.requests.watch_remove_requested),
        qtbot.waitSignal(window.requests.watch_many_requested, timeout=1000),
    ):
        qtbot.keyClick(window.symbol_picker.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)


def test_symbols_that_do_not_trade_come_last_and_say_why(window: MainWindow) -> None:
    picker = window.symbol_picker
    window.choosers.open_picker("ven")
    spoken = picker.model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert (picker.model.rowCount(), spoken) == (1, "VEN/USDT, Trading halted")


def test_the_footer_says_that_it_counts_only_symbols_that_trade(window: MainWindow) -> None:
    picker = window.symbol_picker
    window.choosers.open_picker("")
    assert (picker.model.rowCount(), picker.footer.text()) == (4, "Trading: 4 of 4")
    window.set_watchlist([WatchRow(DELISTED)])
    assert (picker.model.rowCount(), picker.footer.text()) == (5, "Trading: 4 of 4")
    picker.edit.setText("ven")
    assert (picker.model.rowCount(), picker.footer.text()) == (1, "Trading: 0 of 4")
