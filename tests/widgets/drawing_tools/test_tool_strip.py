"""The drawing tools at the left of the window, and the list of drawings in its side panel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu, QWidget
from pytestqt.qtbot import QtBot

from app.market.drawings.drawing import Drawing, DrawingKind
from tests.widgets.chart.drawings.helpers import anchor, drawn
from tests.widgets.cleanup import close_and_delete
from widgets.chart.drawings.kinds import GROUPS
from widgets.drawing_tools.drawings_list import DrawingsList
from widgets.drawing_tools.drawings_model import EYE, LOCK, NAME, detail_of, title_of
from widgets.drawing_tools.tool_strip import FOLDED_WIDTH, WIDTH, ToolStrip
from widgets.theme import style
from widgets.window.main_window import MainWindow

Kind, LEFT = DrawingKind, Qt.MouseButton.LeftButton


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    chart = QWidget()
    chart.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    made = MainWindow(chart)
    made.resize(1200, 800)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.allow_close()
    close_and_delete(made)


@pytest.fixture
def strip(window: MainWindow) -> ToolStrip:
    return window.tool_strip


def test_a_press_asks_for_the_tool_and_only_the_chart_ticks_it(qtbot: QtBot, strip: ToolStrip) -> None:
    asked: list[DrawingKind | None] = []
    strip.tool_requested.connect(asked.append)
    QTest.mouseClick(strip.groups[0], LEFT)
    assert asked == [Kind.TREND_LINE]
    assert not strip.groups[0].isChecked()
    assert strip.pointer.isChecked()
    strip.set_tool(Kind.TREND_LINE)
    assert strip.groups[0].isChecked()
    assert not strip.pointer.isChecked()
    QTest.mouseClick(strip.groups[0], LEFT)
    QTest.mouseClick(strip.pointer, LEFT)
    assert asked[1:] == [None, None]


def test_every_kind_is_in_one_group() -> None:
    kinds = [kind for _, kinds in GROUPS for kind in kinds]
    assert sorted(kinds) == sorted(Kind)


def test_a_group_opens_by_a_right_click_and_stands_for_the_tool_used_last(qtbot: QtBot, strip: ToolStrip) -> None:
    asked: list[DrawingKind | None] = []
    strip.tool_requested.connect(asked.append)
    group = strip.groups[0]
    group.customContextMenuRequested.emit(QPoint(4, 4))
    menu = next(each for each in group.findChildren(QMenu) if each.isVisible())
    texts = [action.text().partition("\t")[0] for action in menu.actions()]
    assert texts == ["Trend line", "Ray", "Arrow"]
    menu.actions()[1].trigger()
    menu.close()
    assert asked == [Kind.RAY]
    strip.set_tool(Kind.RAY)
    strip.set_tool(None)
    QTest.mouseClick(group, LEFT)
    assert asked == [Kind.RAY, Kind.RAY]
    assert group.accessibleName() == "Ray, group Lines"


def test_a_long_press_opens_a_group(qtbot: QtBot, strip: ToolStrip) -> None:
    group = strip.groups[3]
    opened: list[bool] = []
    group.menu().aboutToShow.connect(lambda: opened.append(True))
    group.menu().aboutToShow.connect(lambda: qtbot.addWidget(group.menu()))
    group.menu().aboutToShow.emit()
    assert [action.text().partition("\t")[0] for action in group.menu().actions()] == [
        "Fibonacci retracement",
        "Fibonacci extension",
    ]
    assert group.popupMode() is group.ToolButtonPopupMode.DelayedPopup


def test_the_chevron_folds_the_tools_and_a_narrow_window_does(qtbot: QtBot, window: MainWindow) -> None:
    strip = window.tool_strip
    assert strip.width() == style.px(WIDTH)
    QTest.mouseClick(strip.fold_button, LEFT)
    assert not strip.is_open
    qtbot.waitUntil(lambda: strip.width() == FOLDED_WIDTH)
    values = window.layout_values()
    QTest.mouseClick(strip.open_button, LEFT)
    assert strip.is_open
    window.restore_layout_values(values)
    assert not strip.is_open
    strip.toggle()
    window.resize(760, 700)
    qtbot.waitUntil(lambda: not strip.is_open)
    QTest.mouseClick(strip.open_button, LEFT)  # the user insists
    assert strip.is_open
    window.resize(1200, 800)
    qtbot.waitUntil(lambda: strip.is_open)


def test_commands_leave_by_name_and_toggles_show_the_state(qtbot: QtBot, strip: ToolStrip) -> None:
    asked: list[str] = []
    strip.command_requested.connect(asked.append)
    strip.set_history(can_undo=True, can_redo=False)
    for name, button in strip.commands.items():
        assert button.accessibleName()
        QTest.mouseClick(button, LEFT)
        assert asked[-1:] == ([name] if button.isEnabled() else asked[-1:])
    assert "redo_drawing" not in asked
    assert not strip.commands["price_snap"].isChecked()
    strip.set_states(magnet=True, kept=False, locked=True, hidden=False)
    assert strip.commands["price_snap"].isChecked()
    assert strip.commands["lock_drawings"].isChecked()


def test_undo_goes_to_drawings_where_no_toast_offers_it(qtbot: QtBot, window: MainWindow) -> None:
    undone: list[str] = []
    window.requests.drawing_undo_requested.connect(lambda: undone.append("drawing"))
    window.tool_strip.set_history(can_undo=True, can_redo=False)
    window.toasts.show("Removed RSI.", "Undo", lambda: undone.append("toast"))
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert undone == ["toast", "drawing"]


# The list


def three() -> list[Drawing]:
    return [
        drawn(Kind.TREND_LINE, anchor(0, 1), anchor(5, 2), order=1),
        drawn(Kind.HORIZONTAL_LINE, anchor(0, 63_150), text="Old high", order=2),
        drawn(Kind.FIBONACCI_RETRACEMENT, anchor(0, 60_792), anchor(5, 62_382), order=3),
    ]


@pytest.fixture
def rows(window: MainWindow) -> DrawingsList:
    window.show_drawings()
    return window.side_panel.drawings


def test_the_topmost_is_first_and_the_tab_counts(qtbot: QtBot, window: MainWindow, rows: DrawingsList) -> None:
    drawings = three()
    rows.set_drawings(drawings, "BTC/USDT")
    window.side_panel.pages.set_count(rows, 3)
    titles = [rows.model.index(at, NAME).data() for at in range(3)]
    assert titles == ["Fibonacci retracement", "Old high", "Trend line"]
    assert detail_of(drawings[2]) == "60,792 to 62,382"
    between = drawn(Kind.PRICE_RANGE, anchor(0, 61_399.123), anchor(5, 62_007.3))
    assert detail_of(between, 2) == "61,399.12 to 62,007.3"
    assert (title_of(drawings[1]), detail_of(drawings[1])) == ("Old high", "Horizontal line")
    assert [window.side_panel.pages.tabs.tabText(at) for at in range(2)] == ["Quote", "Drawings 3"]


def test_a_click_on_eye_and_lock_hides_and_locks(qtbot: QtBot, rows: DrawingsList) -> None:
    drawings = three()
    rows.set_drawings(drawings, "BTC/USDT")
    asked: list[tuple[str, Drawing, bool]] = []
    rows.hidden_requested.connect(lambda drawing, on: asked.append(("hide", drawing, on)))
    rows.locked_requested.connect(lambda drawing, on: asked.append(("lock", drawing, on)))
    qtbot.waitUntil(lambda: rows.view.isVisible())
    for column in (EYE, LOCK):
        middle = rows.view.visualRect(rows.model.index(0, column)).center()
        QTest.mouseClick(rows.view.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, middle)
    assert asked == [("hide", drawings[2], True), ("lock", drawings[2], True)]


def test_the_keyboard_chooses_removes_and_ticks(qtbot: QtBot, rows: DrawingsList) -> None:
    drawings = three()
    rows.set_drawings(drawings, "BTC/USDT")
    chosen: list[str] = []
    removed: list[Drawing] = []
    hidden: list[bool] = []
    rows.chosen.connect(chosen.append)
    rows.remove_requested.connect(removed.append)
    rows.hidden_requested.connect(lambda _, on: hidden.append(on))
    rows.set_chosen(drawings[2].id)
    assert not chosen
    QTest.keyClick(rows.view, Qt.Key.Key_Down)
    assert chosen == [drawings[1].id]
    QTest.keyClick(rows.view, Qt.Key.Key_Delete)
    assert removed == [drawings[1]]
    QTest.keyClick(rows.view, Qt.Key.Key_Right)
    QTest.keyClick(rows.view, Qt.Key.Key_Space)
    assert hidden == [True]


def test_rows_say_in_words_what_they_show(rows: DrawingsList) -> None:
    line = drawn(Kind.HORIZONTAL_LINE, anchor(0, 63_150.5))
    rows.set_drawings([line], "BTC/USDT")
    role = Qt.ItemDataRole.AccessibleTextRole
    words = [rows.model.index(0, column).data(role) for column in (NAME, EYE, LOCK)]
    assert words == ["Horizontal line, 63,150.5", "Hide Horizontal line", "Lock Horizontal line"]


def test_ctrl_return_is_the_windows_and_goes_to_no_row(qtbot: QtBot, window: MainWindow, rows: DrawingsList) -> None:
    rows.set_drawings(three(), "BTC/USDT")
    given: list[object] = []
    rows.shown_requested.connect(given.append)
    window.requests.charts_command_requested.connect(given.append)
    rows.view.setFocus()
    rows.view.setCurrentIndex(rows.model.index(0, NAME))
    QTest.keyClick(rows.view, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert given == ["maximise_chart"]
    QTest.keyClick(rows.view, Qt.Key.Key_Return)
    assert given[1:] == [rows.model.drawings[0]]
