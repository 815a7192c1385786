"""The side panel: hidden, shown and resized by its handle, by keys, and by a window too narrow for it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from widgets.window.main_window import MainWindow
from widgets.window.panels.side_panel import STRIP_PX


def settle() -> None:
    for _ in range(4):
        QApplication.processEvents()


@pytest.fixture
def wide(window: MainWindow) -> MainWindow:
    window.resize(1280, 720)
    settle()
    assert window.side_panel.is_open
    return window


def drag(window: MainWindow, qtbot: QtBot, pixels: int) -> None:
    """Drag the handle to the left."""
    handle, start = window.side_panel.handle, QPoint(8, 20)
    qtbot.mousePress(handle, Qt.MouseButton.LeftButton, pos=start)
    at = handle.mapTo(window, start)
    for step in (pixels // 2, pixels):
        qtbot.mouseMove(handle, handle.mapFrom(window, QPoint(at.x() - step, at.y())))
        settle()
    qtbot.mouseRelease(handle, Qt.MouseButton.LeftButton, pos=handle.mapFrom(window, QPoint(at.x() - pixels, at.y())))
    settle()


def test_the_handle_lies_on_the_edge_and_is_wide_enough_to_hit(wide: MainWindow) -> None:
    handle, panel = wide.side_panel.handle, wide.side_panel
    assert (handle.width(), handle.height()) == (16, 48)
    assert abs(handle.geometry().center().x() - panel.x()) <= 1
    assert abs(handle.geometry().center().y() - panel.geometry().center().y()) <= 1
    assert wide.childAt(handle.geometry().center()) is handle


@pytest.mark.parametrize("pixels", [60, -20])
def test_a_drag_of_the_handle_resizes_the_panel(wide: MainWindow, qtbot: QtBot, pixels: int) -> None:
    before = wide.side_panel.width()
    drag(wide, qtbot, pixels)
    assert wide.side_panel.width() == before + pixels
    assert wide.side_panel.layout_values()["width"] == before + pixels


def test_a_double_click_hides_the_panel_and_a_click_shows_it_as_wide_as_it_was(wide: MainWindow, qtbot: QtBot) -> None:
    panel, handle = wide.side_panel, wide.side_panel.handle
    drag(wide, qtbot, 40)
    width = panel.width()
    qtbot.mouseDClick(handle, Qt.MouseButton.LeftButton)
    settle()
    assert not panel.is_open
    assert panel.width() == STRIP_PX
    assert not wide.watchlist.isVisible()
    assert not wide.top_bar.panel_button.isChecked()
    assert handle.height() == 56
    assert wide.rect().contains(handle.geometry())
    qtbot.mouseClick(handle, Qt.MouseButton.LeftButton)
    settle()
    assert panel.is_open
    assert panel.width() == width
    assert wide.watchlist.isVisible()


def test_dragged_small_the_panel_hides_and_dragged_back_it_shows(wide: MainWindow, qtbot: QtBot) -> None:
    panel = wide.side_panel
    drag(wide, qtbot, -250)
    assert not panel.is_open
    drag(wide, qtbot, 320)
    assert panel.is_open
    assert panel.width() == STRIP_PX + 320


def test_the_panel_never_takes_the_whole_window(wide: MainWindow, qtbot: QtBot) -> None:
    drag(wide, qtbot, 1200)
    assert wide.side_panel.is_open
    assert wide.chart.width() >= 190


def test_keys_menu_and_button_hide_and_show_the_panel(wide: MainWindow, qtbot: QtBot) -> None:
    panel, handle = wide.side_panel, wide.side_panel.handle
    qtbot.keyClick(wide.chart, Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier)
    assert not panel.is_open
    qtbot.mouseClick(wide.top_bar.panel_button, Qt.MouseButton.LeftButton)
    assert panel.is_open
    next(each for each in wide.top_bar.menu.actions() if each.text().startswith("Side panel")).trigger()
    assert not panel.is_open
    handle.setFocus()
    qtbot.keyClick(handle, Qt.Key.Key_Space)
    assert panel.is_open
    settle()
    width = panel.width()
    qtbot.keyClick(handle, Qt.Key.Key_Left)
    settle()
    assert panel.width() == width + 16


def test_a_window_too_narrow_hides_the_panel_until_there_is_room_again(wide: MainWindow) -> None:
    panel, width = wide.side_panel, wide.side_panel.width()
    wide.resize(640, 500)
    settle()
    assert not panel.is_open
    assert panel.is_wanted
    wide.resize(1280, 720)
    settle()
    assert panel.is_open
    assert panel.width() == width


def test_asked_for_the_panel_shows_in_a_narrow_window_too(wide: MainWindow) -> None:
    wide.resize(640, 500)
    settle()
    wide.side_panel.toggle()
    settle()
    assert wide.side_panel.is_open
    assert wide.chart.width() >= 190


def test_width_and_choice_are_remembered(wide: MainWindow, qtbot: QtBot) -> None:
    panel = wide.side_panel
    drag(wide, qtbot, 60)
    width = panel.width()
    panel.toggle()
    saved = panel.layout_values()
    panel.restore_layout({})
    assert panel.is_open
    panel.restore_layout(saved)
    settle()
    assert not panel.is_open
    panel.toggle()
    settle()
    assert panel.width() == width


@pytest.mark.parametrize("values", [{"width": 5}, {"width": "x", "open": 7}, {"width": 10**9}])
def test_invalid_values_fall_back_to_those_of_the_first_start(wide: MainWindow, values: dict) -> None:
    wide.side_panel.restore_layout(values)
    settle()
    assert wide.side_panel.is_open
    assert wide.side_panel.width() == 300
