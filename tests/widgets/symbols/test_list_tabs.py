"""The tabs of the watchlist's lists: what each click, key and drag asks for."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.widgets.conftest import BTCUSDT, ETHUSDT
from widgets.symbols.list_tabs import ListTabs
from widgets.view_values import WatchRow
from widgets.window.main_window import MainWindow

BOTH = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def tabs(window: MainWindow) -> ListTabs:
    made = window.watchlist.tabs
    made.set_lists(["Main", "Majors", "R&D"], 1)
    QApplication.processEvents()
    return made


def test_tabs_show_the_names_and_a_click_or_an_arrow_asks_for_the_list(tabs: ListTabs, qtbot: QtBot) -> None:
    asked: list[int] = []
    tabs.shown_requested.connect(asked.append)
    assert (tabs.names(), tabs.shown) == (["Main", "Majors", "R&D"], 1)
    qtbot.mouseClick(tabs.bar, LEFT, pos=tabs.bar.tabRect(2).center())
    tabs.bar.setFocus()
    qtbot.keyClick(tabs.bar, Qt.Key.Key_Left)
    assert asked == [2, 1]
    tabs.set_lists(["Main", "R&D"], 0)
    tabs.set_lists(["Main", "R&D"], 1)
    assert asked == [2, 1]  # only the user asks


def test_a_name_is_typed_over_the_tab_and_esc_or_nothing_keeps_the_old_one(tabs: ListTabs, qtbot: QtBot) -> None:
    named: list[tuple[int, str]] = []
    tabs.rename_requested.connect(lambda index, name: named.append((index, name)))
    qtbot.mouseDClick(tabs.bar, LEFT, pos=tabs.bar.tabRect(2).center())
    assert tabs.edit.text() == tabs.edit.selectedText() == "R&D"
    assert tabs.rect().contains(tabs.edit.geometry())
    qtbot.keyClicks(tabs.edit, "Layer 1")
    qtbot.keyClick(tabs.edit, Qt.Key.Key_Escape)
    assert not tabs.edit.isVisible()
    assert tabs.bar.hasFocus()
    qtbot.keyClick(tabs.bar, Qt.Key.Key_F2)
    assert tabs.edit.isVisible()
    qtbot.keyClicks(tabs.edit, "13 x")  # no digit opens the interval entry
    qtbot.keyClick(tabs.edit, Qt.Key.Key_Return)
    qtbot.keyClick(tabs.bar, Qt.Key.Key_F2)
    qtbot.keyClicks(tabs.edit, "left")
    tabs.add_button.setFocus()
    assert named == [(1, "13 x"), (1, "left")]


def test_keys_and_the_menu_move_and_delete_but_not_past_the_end_nor_the_last(tabs: ListTabs, qtbot: QtBot) -> None:
    moves, removed = [], []
    tabs.move_requested.connect(lambda index, to: moves.append((index, to)))
    tabs.remove_requested.connect(removed.append)
    tabs.bar.setFocus()
    qtbot.keyClick(tabs.bar, Qt.Key.Key_Left, BOTH)
    qtbot.keyClick(tabs.bar, Qt.Key.Key_Right, BOTH)
    qtbot.keyClick(tabs.bar, Qt.Key.Key_Delete)
    assert (moves, removed) == ([(1, 0), (1, 2)], [1])
    entries = {action.text().partition("\t")[0]: action for action in tabs.menu_of(2).actions()}
    assert not entries["Move right"].isEnabled()
    entries["Move left"].trigger()
    entries["Delete “R&D”"].trigger()
    assert (moves[2:], removed[1:]) == ([(2, 1)], [2])
    with qtbot.waitSignal(tabs.add_requested):
        tabs.menu_of(-1).actions()[-1].trigger()
    tabs.set_lists(["Main"], 0)
    qtbot.keyClick(tabs.bar, Qt.Key.Key_Delete)
    qtbot.keyClick(tabs.bar, Qt.Key.Key_Right, BOTH)
    assert (len(moves), len(removed)) == (3, 2)
    assert not next(one for one in tabs.menu_of(0).actions() if one.text().startswith("Delete")).isEnabled()


def test_a_dragged_tab_asks_to_be_moved(tabs: ListTabs, qtbot: QtBot) -> None:
    moves, shown = [], []
    tabs.move_requested.connect(lambda index, to: moves.append((index, to)))
    tabs.shown_requested.connect(shown.append)
    bar = tabs.bar
    start = bar.tabRect(0).center()
    qtbot.mousePress(bar, LEFT, pos=start)
    for x in range(start.x(), bar.tabRect(1).right(), 4):
        qtbot.mouseMove(bar, QPoint(x, start.y()))
    qtbot.mouseRelease(bar, LEFT, pos=QPoint(bar.tabRect(1).right() - 4, start.y()))
    assert moves in ([(0, 1)], [(1, 0)])  # of two neighbours it is the same
    assert shown == [0]  # by the press; the move itself shows no other list


def test_many_long_names_scroll_inside_the_panel(tabs: ListTabs, window: MainWindow) -> None:
    names = [f"A list with quite a long name, {number}" for number in range(12)]
    tabs.set_lists(names, 11)
    QApplication.processEvents()
    assert window.side_panel.width() <= 320
    assert tabs.rect().contains(tabs.menu_button.geometry())
    assert tabs.rect().contains(tabs.add_button.geometry())
    assert tabs.names() == names
    assert tabs.bar.rect().contains(tabs.bar.tabRect(11).center())  # the open one is in view


def test_a_row_can_be_moved_to_another_list_or_added_to_it(tabs: ListTabs, window: MainWindow) -> None:
    window.set_watchlist([WatchRow(BTCUSDT), WatchRow(ETHUSDT)])
    asked: list[tuple[str, int, bool]] = []
    window.watchlist.list_requested.connect(lambda *values: asked.append(values))
    menu = window.watchlist.menu_for(window.watchlist.model.index(1))
    lists = [action.menu() for action in menu.actions() if action.menu() is not None]
    assert [[one.text() for one in each.actions()] for each in lists] == [["Main", "R&&D"]] * 2
    lists[0].actions()[1].trigger()
    lists[1].actions()[0].trigger()
    assert asked == [("ETHUSDT", 2, True), ("ETHUSDT", 0, False)]
    tabs.set_lists(["Main"], 0)
    menu = window.watchlist.menu_for(window.watchlist.model.index(1))
    assert not any(action.menu() for action in menu.actions())
