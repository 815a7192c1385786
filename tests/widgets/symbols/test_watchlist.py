"""The watchlist: repainting, requests, and the keyboard."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QApplication, QStyleOptionViewItem
from pytestqt.qtbot import QtBot

from app.market.symbol import Symbol
from tests.widgets.conftest import BTCUSDT, ETHUSDT, IDRT, SATS
from widgets.symbols.watchlist import WatchlistModel
from widgets.symbols.watchlist_delegate import CHOSEN_ROLE, ROW_HEIGHT, ROW_ROLE, WatchlistDelegate
from widgets.theme.palettes import DARK
from widgets.view_values import WatchRow
from widgets.window.main_window import MainWindow

ROWS = [WatchRow(BTCUSDT, 61693.94, -0.53), WatchRow(ETHUSDT, 2683.25, 14.1), WatchRow(SATS, 0.00000012, -12.5)]


class CountingDelegate(WatchlistDelegate):
    """Records which symbols are painted."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.painted: list[str] = []

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        self.painted.append(index.data())
        super().paint(painter, option, index)


def changed_rows(model: WatchlistModel) -> list[int]:
    rows: list[int] = []
    model.dataChanged.connect(lambda first, last: rows.extend(range(first.row(), last.row() + 1)))
    return rows


def test_only_the_row_that_changed_is_painted_again(window: MainWindow, qtbot: QtBot) -> None:
    delegate = CountingDelegate(window)
    window.watchlist.view.setItemDelegate(delegate)
    window.set_watchlist(ROWS)
    qtbot.waitUntil(lambda: len(set(delegate.painted)) == 3)
    QApplication.processEvents()
    delegate.painted.clear()
    window.set_watchlist([ROWS[0], replace(ROWS[1], last=2684.0), ROWS[2]])
    qtbot.waitUntil(lambda: bool(delegate.painted))
    assert set(delegate.painted) == {"ETH/USDT"}


def test_equal_values_announce_nothing() -> None:
    model = WatchlistModel()
    model.set_rows(ROWS)
    rows = changed_rows(model)
    model.set_rows([replace(row) for row in ROWS])
    assert rows == []


def test_choosing_another_symbol_changes_the_old_and_the_new_row() -> None:
    model = WatchlistModel()
    model.set_rows(ROWS)
    model.set_chosen("BTCUSDT")
    rows = changed_rows(model)
    model.set_chosen("1000SATSUSDT")
    assert sorted(rows) == [0, 2]
    assert [model.index(row).data(CHOSEN_ROLE) for row in range(3)] == [False, False, True]


def test_a_click_requests_the_symbol_and_highlights_nothing_by_itself(window: MainWindow, qtbot: QtBot) -> None:
    view = window.watchlist.view
    index = window.watchlist.model.index(1)
    with qtbot.waitSignal(window.symbol_requested, timeout=1000) as request:
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).center())
    assert request.args == ["ETHUSDT"]
    assert index.data(CHOSEN_ROLE) is False
    window.set_symbol(ETHUSDT)
    assert index.data(CHOSEN_ROLE) is True


def test_delete_requests_removal_and_the_current_row_keeps_its_place(window: MainWindow, qtbot: QtBot) -> None:
    window.set_watchlist(ROWS)
    view = window.watchlist.view
    view.setFocus()
    view.setCurrentIndex(window.watchlist.model.index(1))
    with qtbot.waitSignal(window.watch_remove_requested, timeout=1000) as request:
        qtbot.keyClick(view, Qt.Key.Key_Delete)
    assert request.args == ["ETHUSDT"]
    window.set_watchlist([ROWS[0], ROWS[2]])
    assert view.currentIndex().data() == "1000SATS/USDT"
    window.set_watchlist([])
    assert not view.currentIndex().isValid()


def test_the_current_row_stays_on_its_symbol_when_another_is_added_before_it(window: MainWindow) -> None:
    window.set_watchlist(ROWS)
    window.watchlist.view.setCurrentIndex(window.watchlist.model.index(1))
    window.set_watchlist([WatchRow(IDRT), *ROWS])
    assert window.watchlist.view.currentIndex().data() == "ETH/USDT"


def test_the_context_menu_of_a_row_can_show_remove_and_add(window: MainWindow, qtbot: QtBot) -> None:
    menu = window.watchlist.menu_for(window.watchlist.model.index(1))
    show, remove, _, add, edit = menu.actions()
    with qtbot.waitSignals([window.symbol_requested, window.watch_remove_requested], timeout=1000):
        show.trigger()
        remove.trigger()
    add.trigger()
    assert window.symbol_picker.isVisible()
    with qtbot.waitSignal(window.symbols_requested, timeout=1000):
        edit.trigger()
    assert len(window.watchlist.menu_for(QModelIndex()).actions()) == 2


def test_a_letter_typed_in_the_list_opens_the_picker_with_it(window: MainWindow, qtbot: QtBot) -> None:
    window.watchlist.view.setFocus()
    qtbot.keyClick(window.watchlist.view, Qt.Key.Key_S)
    assert window.symbol_picker.edit.text() == "S"
    assert window.symbol_picker.edit.hasFocus()


def test_bid_and_ask_are_read_aloud_too(window: MainWindow) -> None:
    window.set_watchlist([WatchRow(BTCUSDT, 61693.94, -0.53, 61693.93, 61693.94, 1190)])
    spoken = window.watchlist.model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert "Bid 61,693.93, ask 61,693.94" in spoken
    assert "1.19\u00a0k trades a minute" in spoken


def test_an_empty_list_says_how_to_fill_it(window: MainWindow) -> None:
    before = window.watchlist.view.grab().toImage()
    window.set_watchlist([])
    window.watchlist.view.resize(before.size())
    image = window.watchlist.view.grab().toImage()
    colors = {image.pixel(x, y) for x in range(0, image.width(), 2) for y in range(image.height())}
    assert len(colors) > 2


def test_of_hundreds_of_rows_only_those_in_view_are_updated(window: MainWindow, qtbot: QtBot) -> None:
    symbols = [Symbol(f"S{number:03}USDT", f"S{number:03}", "USDT") for number in range(400)]
    window.set_watchlist([WatchRow(symbol) for symbol in symbols])
    qtbot.waitUntil(lambda: len(window.watchlist.names_in_view()) > 2)
    first = window.watchlist.names_in_view()
    assert first[0] == "S000USDT"
    assert len(first) <= 20
    with qtbot.waitSignal(window.watchlist.view_changed, timeout=1000):
        window.watchlist.view.verticalScrollBar().setValue(200 * ROW_HEIGHT)
    assert window.watchlist.names_in_view()[0] == "S200USDT"
    rows = changed_rows(window.watchlist.model)
    window.update_watchlist([WatchRow(symbols[201], 5.0), WatchRow(symbols[202]), WatchRow(BTCUSDT, 7.0)])
    assert rows == [201]
    assert window.watchlist.model.index(201).data(ROW_ROLE).last == 5.0


def test_a_symbol_that_does_not_trade_looks_unlike_one_that_is_recorded(window: MainWindow) -> None:
    halted = replace(ETHUSDT, status="HALT")
    window.set_watchlist([WatchRow(BTCUSDT, 1.0, recorded=True), WatchRow(halted, 2.0), WatchRow(SATS, 3.0)])
    model = window.watchlist.model
    spoken = [model.index(row).data(Qt.ItemDataRole.AccessibleTextRole).partition("\n")[0] for row in range(3)]
    assert spoken == ["BTC/USDT · Recording", "ETH/USDT · Trading halted", "1000SATS/USDT · Not recording"]


def test_a_symbol_whose_connection_is_down_has_a_ring_instead_of_a_dot(window: MainWindow) -> None:
    def middle() -> str:
        image = window.watchlist.view.grab().toImage()
        scale = image.devicePixelRatio()
        return image.pixelColor(round(8.5 * scale), round(15.5 * scale)).name()

    window.set_watchlist([WatchRow(BTCUSDT, 1.0)])
    nothing = middle()
    window.set_watchlist([WatchRow(BTCUSDT, 1.0, recorded=True)])
    assert middle() == QColor(DARK.rising).name()
    window.set_watchlist([WatchRow(BTCUSDT, 1.0, recorded=True, receiving=False)])
    assert middle() not in (nothing, QColor(DARK.rising).name())
    spoken = window.watchlist.model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken.startswith("BTC/USDT · Waiting for the exchange\n")
