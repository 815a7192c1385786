"""The interval bar and the interval entry."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from app.market.interval import MENU_INTERVALS, Interval
from widgets.window.interval_bar import SHOWN_INTERVALS
from widgets.window.main_window import MainWindow


def buttons(window: MainWindow) -> dict[str, QToolButton]:
    found = window.top_bar.intervals.findChildren(QToolButton)
    return {button.text(): button for button in found if button.isVisible()}


def highlighted(window: MainWindow) -> list[str]:
    return [text for text, button in buttons(window).items() if button.isChecked()]


@pytest.mark.parametrize("interval", SHOWN_INTERVALS, ids=str)
def test_a_button_requests_its_interval(window: MainWindow, qtbot: QtBot, interval: Interval) -> None:
    with qtbot.waitSignal(window.interval_requested, timeout=1000) as request:
        qtbot.mouseClick(buttons(window)[interval.name], Qt.MouseButton.LeftButton)
    assert request.args == [interval]


def test_a_click_is_a_request_and_highlights_nothing_by_itself(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.mouseClick(buttons(window)["1h"], Qt.MouseButton.LeftButton)
    assert highlighted(window) == ["1m"]
    window.set_interval(Interval.parse("1h"))
    assert highlighted(window) == ["1h"]


def test_the_menu_has_the_other_intervals_and_requests_them(window: MainWindow, qtbot: QtBot) -> None:
    menu = window.top_bar.intervals.menu
    named = {action.text().partition("\t")[0]: action for action in menu.actions() if action.isVisible()}
    others = [interval for interval in MENU_INTERVALS if interval not in SHOWN_INTERVALS]
    assert list(named)[: len(others)] == [interval.name for interval in others]
    with qtbot.waitSignal(window.interval_requested, timeout=1000) as request:
        named["2h"].trigger()
    assert request.args == [Interval.parse("2h")]
    assert not named["2h"].isChecked()


@pytest.mark.parametrize("name", ["13m", "2h", "1M"])
def test_an_interval_without_a_button_gets_one_while_it_is_shown(window: MainWindow, name: str) -> None:
    window.set_interval(Interval.parse(name))
    assert highlighted(window) == [name]
    window.set_interval(Interval.parse("5m"))
    assert highlighted(window) == ["5m"]
    assert name not in buttons(window)


@pytest.mark.parametrize("typed", ["13m", "181m", "90s", "4H", " 2 d ", "1M"])
def test_a_typed_interval_is_requested(window: MainWindow, qtbot: QtBot, typed: str) -> None:
    window.open_interval_entry()
    qtbot.keyClicks(window.interval_entry.edit, typed)
    with qtbot.waitSignal(window.interval_requested, timeout=1000) as request:
        qtbot.keyClick(window.interval_entry.edit, Qt.Key.Key_Return)
    assert request.args == [Interval.parse(typed)]
    assert window.interval_entry.isHidden()


@pytest.mark.parametrize("typed", ["13x", "0m", "", "99w", "-5m", "1.5h"])
def test_an_invalid_interval_gets_a_sentence_and_can_be_corrected(window: MainWindow, qtbot: QtBot, typed: str) -> None:
    entry = window.interval_entry
    window.open_interval_entry(typed)
    with qtbot.assertNotEmitted(window.interval_requested):
        qtbot.keyClick(entry.edit, Qt.Key.Key_Return)
    assert entry.isVisible()
    assert f"“{typed}” is" in entry.message.text()
    assert entry.message.height() >= entry.message.heightForWidth(entry.message.width())
    entry.edit.setText("13m")
    assert entry.message.text().startswith("13 minutes")


def test_a_digit_typed_anywhere_opens_the_entry_with_it(window: MainWindow, qtbot: QtBot) -> None:
    for widget in (window.chart, window.watchlist.view):
        widget.setFocus()
        qtbot.keyClick(widget, Qt.Key.Key_7)
        assert window.interval_entry.edit.text() == "7"
        assert window.interval_entry.edit.hasFocus()
        qtbot.keyClicks(window.interval_entry.edit, "m")
        assert window.symbol_picker.isHidden()
        qtbot.keyClick(window.interval_entry.edit, Qt.Key.Key_Escape)
        assert window.interval_entry.isHidden()


def test_the_menus_last_entry_opens_the_interval_entry(window: MainWindow) -> None:
    window.top_bar.intervals.menu.actions()[-1].trigger()
    assert window.interval_entry.isVisible()
