"""The watchlist: repainting, requests, and the keyboard."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QCursor, QMouseEvent, QPainter
from PySide6.QtWidgets import QApplication, QStyleOptionViewItem, QToolTip
from pytestqt.qtbot import QtBot

from app.market.symbol import Symbol
from tests.widgets.conftest import BTCUSDT, ETHUSDT, IDRT, SATS
from widgets.symbols.watchlist_delegate import CHOSEN_ROLE, ROW_HEIGHT, ROW_ROLE, WatchlistDelegate
from widgets.symbols.watchlist_model import WatchlistModel
from widgets.symbols.watchlist_order import SortColumn, SortOrder, moved
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
    with qtbot.waitSignal(window.requests.symbol_requested, timeout=1000) as request:
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
    with qtbot.waitSignal(window.requests.watch_remove_requested, timeout=1000) as request:
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


def test_the_list_can_be_added_to_and_edited_from_its_context_menu(window: MainWindow, qtbot: QtBot) -> None:
    add, edit, _ = window.watchlist.menu_for(QModelIndex()).actions()
    add.trigger()
    assert window.symbol_picker.isVisible()
    with qtbot.waitSignal(window.requests.symbols_requested, timeout=1000):
        edit.trigger()


def test_a_letter_typed_in_the_list_opens_the_picker_with_it(window: MainWindow, qtbot: QtBot) -> None:
    window.watchlist.view.setFocus()
    qtbot.keyClick(window.watchlist.view, Qt.Key.Key_S)
    assert window.symbol_picker.edit.text() == "s"
    assert window.symbol_picker.edit.hasFocus()


def test_bid_and_ask_are_read_aloud_too(window: MainWindow) -> None:
    window.set_watchlist([WatchRow(BTCUSDT, 61693.94, -0.53, 61693.93, 61693.94, 1190)])
    spoken = window.watchlist.model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert "Bid 61,693.93, ask 61,693.94" in spoken
    assert "1.19\u00a0k trades a minute" in spoken


def test_an_empty_list_says_so_and_offers_to_fill_it(window: MainWindow, qtbot: QtBot) -> None:
    view, empty = window.watchlist.view, window.watchlist.empty
    assert not empty.isVisible()
    view.setFocus()
    window.set_watchlist([])
    assert not view.isVisible()
    assert empty.sentence.text() == "Nothing is watched, so only the symbol on the chart is recorded."
    assert empty.add_button.hasFocus()
    qtbot.keyClick(empty.add_button, Qt.Key.Key_Space)
    assert window.symbol_picker.isVisible()
    window.symbol_picker.dismiss()
    window.set_watchlist(ROWS[:1])
    assert view.hasFocus()
    assert not empty.isVisible()


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


def test_every_row_is_as_high_as_in_the_pictures_and_figures_end_under_their_heads(window: MainWindow) -> None:
    window.set_watchlist([WatchRow(BTCUSDT, 61693.94, -0.53), WatchRow(ETHUSDT, 2683.25, 1234.5)])
    watchlist = window.watchlist
    assert watchlist.view.visualRect(watchlist.model.index(0)).height() == 44
    image = watchlist.view.grab().toImage()
    scale, background = image.devicePixelRatio(), QColor(DARK.panel).rgb()

    def right_end(left: int, right: int, row: int) -> float:
        """Return where what is drawn on a row's first line ends, between two places."""
        top = 44 * row + 8
        for x in range(round(right * scale) - 1, round(left * scale), -1):
            if any(image.pixel(x, y) != background for y in range(round(top * scale), round((top + 12) * scale))):
                return x / scale
        raise AssertionError("nothing is drawn there")

    last_end, change_end = watchlist.delegate.column_ends(watchlist.view.viewport().width())
    # The second row: the first is the chart's, on another ground.
    assert abs(right_end(last_end - 20, last_end + 8, 1) - last_end) <= 3
    assert abs(right_end(change_end - 20, change_end + 8, 1) - change_end) <= 3
    _, last, change = watchlist.head.heads.values()
    assert abs(last.geometry().right() - last_end) <= 4
    assert abs(change.geometry().right() - change_end) <= 4


def click_head(window: MainWindow, qtbot: QtBot, column: SortColumn) -> list[str]:
    qtbot.mouseClick(window.watchlist.head.heads[column], Qt.MouseButton.LeftButton)
    return [name.removesuffix("USDT") for name in window.watchlist.model.names()]


def test_a_click_on_a_head_sorts_a_second_one_turns_it_and_a_third_returns_to_ones_own_order(
    window: MainWindow, qtbot: QtBot
) -> None:
    window.set_watchlist([*ROWS, WatchRow(IDRT)])
    changed: list[None] = []
    window.layout_changed.connect(lambda: changed.append(None))
    assert click_head(window, qtbot, SortColumn.CHANGE) == ["ETH", "BTC", "1000SATS", "BTCIDRT"]
    assert window.layout_values()["watchlist"] == {"order": "change-"}
    assert click_head(window, qtbot, SortColumn.CHANGE) == ["1000SATS", "BTC", "ETH", "BTCIDRT"]
    assert click_head(window, qtbot, SortColumn.SYMBOL) == ["1000SATS", "BTCIDRT", "BTC", "ETH"]
    assert click_head(window, qtbot, SortColumn.LAST) == ["BTC", "ETH", "1000SATS", "BTCIDRT"]
    assert click_head(window, qtbot, SortColumn.LAST) == ["1000SATS", "ETH", "BTC", "BTCIDRT"]
    assert window.watchlist.head.heads[SortColumn.LAST].accessibleName().endswith("sorted, the smallest first")
    assert click_head(window, qtbot, SortColumn.LAST) == ["BTC", "ETH", "1000SATS", "BTCIDRT"]
    assert window.watchlist.order == SortOrder()
    assert len(changed) == 6


def test_the_order_is_kept_and_a_damaged_one_is_ones_own(window: MainWindow, qtbot: QtBot) -> None:
    window.set_watchlist(ROWS)
    click_head(window, qtbot, SortColumn.CHANGE)
    kept = window.layout_values()
    for damaged in ({}, {"watchlist": 5}, {"watchlist": {"order": ["x"]}}, {"watchlist": {"order": "price-"}}):
        window.restore_layout_values(damaged)
        assert window.watchlist.model.names() == ["BTCUSDT", "ETHUSDT", "1000SATSUSDT"]
    window.restore_layout_values(kept)
    assert window.watchlist.model.names() == ["ETHUSDT", "BTCUSDT", "1000SATSUSDT"]


def test_new_figures_move_sorted_rows_only_when_it_is_time_and_the_current_row_goes_along(
    window: MainWindow, qtbot: QtBot
) -> None:
    window.set_watchlist(ROWS)
    click_head(window, qtbot, SortColumn.CHANGE)
    view = window.watchlist.view
    view.setCurrentIndex(window.watchlist.model.index(0))
    window.update_watchlist([replace(ROWS[0], change_percent=50.0)])
    assert window.watchlist.model.names()[0] == "ETHUSDT"
    QCursor.setPos(view.mapToGlobal(view.rect().center()))
    window.watchlist.sort_again()
    assert window.watchlist.model.names()[0] == "ETHUSDT"  # the pointer may be about to click
    QCursor.setPos(window.mapToGlobal(QPoint(5, 300)))
    window.watchlist.sort_again()
    assert window.watchlist.model.names() == ["BTCUSDT", "ETHUSDT", "1000SATSUSDT"]
    assert view.currentIndex().data() == "ETH/USDT"


@given(
    rows=st.lists(st.tuples(st.none() | st.integers(-3, 3), st.none() | st.integers(1, 3)), max_size=12),
    clicks=st.lists(st.sampled_from(SortColumn), max_size=4),
)
def test_sorting_agrees_with_choosing_the_least_over_and_over(
    rows: list[tuple[int | None, int | None]], clicks: list[SortColumn]
) -> None:
    order = SortOrder()
    for column in clicks:
        order = order.after_click(column)
    assert SortOrder.from_value(order.to_value()) == order
    watched = [
        WatchRow(Symbol(f"S{at:02}USDT", f"S{at:02}", "USDT"), last, change) for at, (change, last) in enumerate(rows)
    ]

    def figure(row: WatchRow) -> float | str | None:
        return {SortColumn.SYMBOL: row.symbol.display_name, SortColumn.LAST: row.last}.get(
            order.column, row.change_percent
        )

    left, expected = list(watched), []
    while left and order.column is not None:
        known = [row for row in left if figure(row) is not None]
        choose = max if order.descending else min
        expected.append(choose(known, key=figure) if known else left[0])  # the first among equals
        left.remove(expected[-1])
    assert order.sort(watched) == (expected if order.column is not None else watched)


@given(names=st.lists(st.sampled_from("ABCDEFG"), unique=True, min_size=1), data=st.data())
def test_a_moved_name_stands_before_the_one_it_was_dropped_on(names: list[str], data: st.DataObject) -> None:
    name, place = data.draw(st.sampled_from(names)), data.draw(st.integers(0, len(names)))
    after = moved(names, name, place)
    assert sorted(after) == sorted(names)
    assert [one for one in after if one != name] == [one for one in names if one != name]
    if place < len(names) and names[place] != name:
        assert after.index(name) + 1 == after.index(names[place])
    elif place == len(names):
        assert after[-1] == name
    else:
        assert after == names


def drag(window: MainWindow, qtbot: QtBot, row: int, y: int, *, drop: bool = True) -> None:
    """Drag a row to a height in the list."""
    view = window.watchlist.view
    port, start = view.viewport(), view.visualRect(window.watchlist.model.index(row)).center()
    qtbot.mousePress(port, Qt.MouseButton.LeftButton, pos=start)
    for at in (start + QPoint(0, 3), start + QPoint(0, 15), QPoint(start.x(), y)):
        move = QMouseEvent(
            QMouseEvent.Type.MouseMove,
            QPointF(at),
            QPointF(port.mapToGlobal(at)),
            Qt.MouseButton.NoButton,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(port, move)
    if drop:
        qtbot.mouseRelease(port, Qt.MouseButton.LeftButton, pos=QPoint(start.x(), y))


def test_a_row_is_dragged_to_where_a_line_shows_and_esc_gives_up(window: MainWindow, qtbot: QtBot) -> None:
    window.set_watchlist(ROWS)
    view, asked, clicked = window.watchlist.view, [], []
    window.requests.watch_names_requested.connect(asked.append)
    window.requests.symbol_requested.connect(clicked.append)
    QApplication.processEvents()  # the list takes the height of its rows
    before = view.grab().toImage()
    drag(window, qtbot, 0, 2 * ROW_HEIGHT + 3, drop=False)
    assert view.drop_place == 2
    image = view.grab().toImage()
    middle = round(image.devicePixelRatio() * 2 * ROW_HEIGHT), image.width() // 2
    assert image.pixelColor(middle[1], middle[0]).name() == QColor(DARK.accent).name()
    assert before.pixelColor(middle[1], middle[0]).name() != QColor(DARK.accent).name()
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    qtbot.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(50, 60))
    assert asked == []
    drag(window, qtbot, 0, 3 * ROW_HEIGHT + 200)
    assert asked == [["ETHUSDT", "1000SATSUSDT", "BTCUSDT"]]
    drag(window, qtbot, 2, -50)
    assert asked[1:] == [["1000SATSUSDT", "BTCUSDT", "ETHUSDT"]]
    drag(window, qtbot, 1, ROW_HEIGHT + 30)  # to where it is
    assert len(asked) == 2
    assert clicked == []
    assert view.drop_place == -1
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(view.model().index(1, 0)).center())
    assert clicked == ["ETHUSDT"]  # after a drag a click is a click again


def test_keys_move_the_current_row_too_and_it_stays_current(window: MainWindow, qtbot: QtBot) -> None:
    window.set_watchlist(ROWS)
    view, asked = window.watchlist.view, []

    def keep(names: list[str]) -> None:
        asked.append(names)
        window.set_watchlist([next(row for row in ROWS if row.symbol.name == name) for name in names])

    window.requests.watch_names_requested.connect(keep)
    view.setFocus()
    view.setCurrentIndex(window.watchlist.model.index(0))
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    for key in (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up):
        qtbot.keyClick(view, key, both)
        assert view.currentIndex().data() == "BTC/USDT"
    assert [names.index("BTCUSDT") for names in asked] == [1, 2, 1]


def test_sorted_rows_are_not_dragged_and_a_tip_says_why(window: MainWindow, qtbot: QtBot) -> None:
    window.set_watchlist(ROWS)
    asked: list[list[str]] = []
    window.requests.watch_names_requested.connect(asked.append)
    click_head(window, qtbot, SortColumn.LAST)
    with qtbot.waitSignal(window.watchlist.view.drag_refused, timeout=1000):
        drag(window, qtbot, 0, 3 * ROW_HEIGHT)
    assert QToolTip.text().startswith("The rows are sorted.")
    QToolTip.hideText()
    assert asked == []
