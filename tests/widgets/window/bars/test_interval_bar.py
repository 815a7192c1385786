"""The interval bar and the interval entry."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QToolButton
from pytestqt.qtbot import QtBot

from app.market.interval import MENU_INTERVALS, Interval
from widgets.window.bars.interval_bar import SHOWN_INTERVALS
from widgets.window.main_window import MainWindow


def buttons(window: MainWindow) -> dict[str, QToolButton]:
    found = window.top_bar.intervals.findChildren(QToolButton)
    return {button.text(): button for button in found if button.isVisible()}


def highlighted(window: MainWindow) -> list[str]:
    return [text for text, button in buttons(window).items() if button.isChecked()]


@pytest.mark.parametrize("interval", SHOWN_INTERVALS, ids=str)
def test_a_button_requests_its_interval(window: MainWindow, qtbot: QtBot, interval: Interval) -> None:
    with qtbot.waitSignal(window.requests.interval_requested, timeout=1000) as request:
        qtbot.mouseClick(buttons(window)[interval.name], Qt.MouseButton.LeftButton)
    assert request.args == [interval]


def test_a_click_is_a_request_and_highlights_nothing_by_itself(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.mouseClick(buttons(window)["1h"], Qt.MouseButton.LeftButton)
    assert highlighted(window) == ["1m"]
    window.set_interval(Interval.parse("1h"))
    assert highlighted(window) == ["1h"]


def test_the_menu_has_all_intervals_and_requests_them(window: MainWindow, qtbot: QtBot) -> None:
    menu = window.top_bar.intervals.menu
    named = {action.text().partition("\t")[0]: action for action in menu.actions() if action.isVisible()}
    assert list(named)[: len(MENU_INTERVALS)] == [interval.name for interval in MENU_INTERVALS]
    with qtbot.waitSignal(window.requests.interval_requested, timeout=1000) as request:
        named["2h"].trigger()
    assert request.args == [Interval.parse("2h")]
    assert not named["2h"].isChecked()


@pytest.mark.parametrize("name", ["13m", "2h", "1M"])
def test_an_interval_without_a_button_goes_into_the_slot_and_stays_there(
    window: MainWindow, qtbot: QtBot, name: str
) -> None:
    window.set_interval(Interval.parse(name))
    assert highlighted(window) == [name]
    window.set_interval(Interval.parse("5m"))
    assert highlighted(window) == ["5m"]
    with qtbot.waitSignal(window.requests.interval_requested, timeout=1000) as request:
        qtbot.mouseClick(buttons(window)[name], Qt.MouseButton.LeftButton)
    assert request.args == [Interval.parse(name)]
    assert highlighted(window) == ["5m"]


def test_the_empty_slot_opens_the_interval_entry(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.mouseClick(buttons(window)["…"], Qt.MouseButton.LeftButton)
    assert window.interval_entry.isVisible()
    assert highlighted(window) == ["1m"]


@pytest.mark.parametrize("name", ["181m", "604800s", "999999s"])
def test_the_name_in_the_slot_is_drawn_small_enough(window: MainWindow, name: str) -> None:
    window.set_interval(Interval.parse(name))
    button = buttons(window)[Interval.parse(name).name]
    assert button.width() == 52
    assert button.fontMetrics().horizontalAdvance(button.text()) <= 46  # without border and padding


def star(window: MainWindow, name: str) -> QPoint:
    """Open the menu, and return the middle of an interval's star."""
    menu = window.top_bar.intervals.menu
    menu.popup(window.mapToGlobal(QPoint(300, 60)))
    return menu.star_rect(Interval.parse(name)).center()


def test_a_star_gives_an_interval_a_button_among_the_others_and_takes_it_away(window: MainWindow, qtbot: QtBot) -> None:
    bar = window.top_bar.intervals
    with qtbot.waitSignal(window.layout_changed), qtbot.assertNotEmitted(window.requests.interval_requested):
        qtbot.mouseClick(bar.menu, Qt.MouseButton.LeftButton, pos=star(window, "30m"))
    assert [each.name for each in bar.favourites] == ["1m", "5m", "15m", "30m", "1h", "4h", "1d"]
    assert bar.menu.isVisible()
    with qtbot.waitSignal(window.requests.interval_requested) as request:
        qtbot.mouseClick(buttons(window)["30m"], Qt.MouseButton.LeftButton)
    assert request.args == [Interval.parse("30m")]
    bar.menu.setActiveAction(bar.menu.action_of(Interval.parse("5m")))
    qtbot.keyClicks(bar.menu, "*")
    assert [each.name for each in bar.favourites] == ["1m", "15m", "30m", "1h", "4h", "1d"]
    bar.menu.hide()


def test_the_chosen_interval_goes_into_the_slot_when_its_star_goes(window: MainWindow) -> None:
    bar = window.top_bar.intervals
    bar.toggle_favourite(Interval.parse("1m"))
    assert highlighted(window) == ["1m"]
    assert bar.custom == Interval.parse("1m")
    bar.toggle_favourite(Interval.parse("1m"))
    assert highlighted(window) == ["1m"]


def test_a_button_is_moved_and_removed_by_its_context_menu(window: MainWindow) -> None:
    bar, hour = window.top_bar.intervals, Interval.parse("1h")
    for text in ("Move left", "Move left", "Move right"):
        next(action for action in bar.button_menu(hour).actions() if action.text() == text).trigger()
    assert [each.name for each in bar.favourites] == ["1m", "5m", "1h", "15m", "4h", "1d"]
    QApplication.processEvents()
    places = [buttons(window)[each.name].x() for each in bar.favourites if each.name in buttons(window)]
    assert places == sorted(places)
    next(action for action in bar.button_menu(hour).actions() if action.text() == "Remove 1h from the bar").trigger()
    assert hour not in bar.favourites


def test_favourites_and_slot_are_remembered(window: MainWindow) -> None:
    bar = window.top_bar.intervals
    bar.toggle_favourite(Interval.parse("13m"))
    bar.move_favourite(Interval.parse("13m"), 3)
    window.set_interval(Interval.parse("90s"))
    window.set_interval(Interval.parse("5m"))
    saved, expected = bar.to_values(), bar.favourites
    bar.restore({})
    assert (bar.favourites, bar.custom) == (SHOWN_INTERVALS, None)
    bar.restore(saved)
    assert (bar.favourites, bar.custom) == (expected, Interval.parse("90s"))
    named = [action.text().partition("\t")[0] for action in bar.menu.actions()]
    assert named.index("10m") < named.index("13m") < named.index("15m")


@pytest.mark.parametrize("values", [{"favourites": 5}, {"favourites": ["x", None]}, {"favourites": [], "custom": 7}])
def test_invalid_favourites_fall_back_to_those_of_the_first_start(window: MainWindow, values: dict) -> None:
    window.top_bar.intervals.restore(values)
    assert window.top_bar.intervals.favourites == SHOWN_INTERVALS


@pytest.mark.parametrize("typed", ["13m", "181m", "90s", "4H", " 2 d ", "1M"])
def test_a_typed_interval_is_requested(window: MainWindow, qtbot: QtBot, typed: str) -> None:
    window.choosers.open_entry()
    qtbot.keyClicks(window.interval_entry.edit, typed)
    with qtbot.waitSignal(window.requests.interval_requested, timeout=1000) as request:
        qtbot.keyClick(window.interval_entry.edit, Qt.Key.Key_Return)
    assert request.args == [Interval.parse(typed)]
    assert window.interval_entry.isHidden()


@pytest.mark.parametrize("typed", ["13x", "0m", "", "99w", "-5m", "1.5h"])
def test_an_invalid_interval_gets_a_sentence_and_can_be_corrected(window: MainWindow, qtbot: QtBot, typed: str) -> None:
    entry = window.interval_entry
    window.choosers.open_entry(typed)
    with qtbot.assertNotEmitted(window.requests.interval_requested):
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


def test_a_phase_highlights_the_button_of_its_length(window: MainWindow) -> None:
    window.set_interval(Interval.parse("1h+5m"))
    assert highlighted(window) == ["1h"]
    window.set_interval(Interval.parse("13m+4m"))
    assert window.top_bar.intervals.custom == Interval.parse("13m")
