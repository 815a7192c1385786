"""The size of text changes with the system or the menu, and the open window looks as if it had always been so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent, QRect, QSize, Qt
from PySide6.QtGui import QAction, QFont
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QLabel,
    QStyle,
    QStyleOptionButton,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from app.market.interval import Interval
from app.market.series.series import CandleSeries
from tests.widgets.cleanup import close_and_delete
from tests.widgets.conftest import BTCUSDT
from tests.widgets.window.long_texts import cut_off, elided_in_the_watchlist, fill_with_long_texts, too_low
from widgets.chart.chart_widget import ChartWidget
from widgets.controls.labels import SteadyLabel
from widgets.theme import style, text_size
from widgets.window.main_window import MainWindow


@pytest.fixture
def usual_text(prepared: QApplication) -> Iterator[QApplication]:
    style.prepare_application(prepared)
    yield prepared
    style.prepare_application(prepared)


def shown_window(qtbot: QtBot) -> MainWindow:
    """Return a window that shows everything that can be shown at once."""
    chart = ChartWidget()
    window = MainWindow(chart)
    window.resize(1500, 1000)
    fill_with_long_texts(window)
    window.set_notice("The database cannot be reached.")
    series = CandleSeries("BTCUSDT", Interval.parse("1m"))
    series.replace_columns(
        [series.interval.slot_open_us(12_000_000 + at) for at in range(300)],
        **{name: [100.0 + at % 9 for at in range(300)] for name in ("open", "high", "low", "close")},
        volume=[1.0] * 300,
    )
    series.set_begins(begins=True)
    chart.set_series(series, BTCUSDT)
    for key in ("sma", "rsi"):
        chart.indicators.add(key)
    window.show()
    qtbot.waitExposed(window)
    lay_out(qtbot, window)
    return window


def lay_out(qtbot: QtBot, window: MainWindow) -> None:
    for _ in range(2):
        QApplication.processEvents()
        for figure in window.findChildren(SteadyLabel):
            figure.forget_width()  # which depends on the texts before
        fill_with_long_texts(window)  # as the panels do several times a second
    qtbot.waitUntil(lambda: window.chart.is_up_to_date)
    QApplication.processEvents()


def close(window: MainWindow) -> None:
    window.allow_close()
    close_and_delete(window)


def geometry_and_fonts(window: MainWindow) -> dict[str, tuple[int, QRect]]:
    """Return the pixels of text and the place of each visible widget, by its name."""
    found: dict[str, tuple[int, QRect]] = {}
    for widget in window.findChildren(QWidget):
        if (
            widget.isVisible() and widget.objectName() != "qt_scrollarea_viewport"
        ):  # its contents have fonts of their own
            name = f"{type(widget).__name__} {widget.accessibleName() or widget.objectName()}"
            number = sum(known.startswith(name) for known in found)
            place = QRect(widget.mapTo(window, widget.rect().topLeft()), widget.size())
            found[f"{name} {number}"] = widget.font().pixelSize(), place
    return found


@pytest.mark.parametrize("percent", [80, 125, 150])
def test_the_side_panel_keeps_its_usual_width_where_text_changes_under_a_pressed_button(
    usual_text: QApplication, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, percent: int
) -> None:
    window = shown_window(qtbot)
    monkeypatch.setattr(QApplication, "mouseButtons", lambda: Qt.MouseButton.LeftButton)  # as while it is dragged
    text_size.set_percent(percent)
    lay_out(qtbot, window)
    assert window.side_panel.width() == style.px(window.side_panel.WIDTH)
    close(window)


@pytest.mark.parametrize("percent", [80, 125, 150])
def test_text_changed_while_the_window_is_open_looks_as_if_it_had_always_been_so(
    usual_text: QApplication, qtbot: QtBot, percent: int
) -> None:
    window = shown_window(qtbot)
    before = geometry_and_fonts(window)
    text_size.set_percent(percent)
    lay_out(qtbot, window)
    changed = geometry_and_fonts(window)
    text_size.set_percent(100)
    lay_out(qtbot, window)
    assert geometry_and_fonts(window) == before
    close(window)
    style.prepare_application(usual_text, percent)
    window = shown_window(qtbot)
    assert changed == geometry_and_fonts(window)
    close(window)


def icon_sides(window: MainWindow) -> dict[str, tuple[int, int]]:
    """Return the room for the icon and the side it is drawn at, of each visible button with one, by its name."""
    return {
        f"{button.accessibleName()} {button.objectName()}": (
            button.iconSize().width(),
            button.icon().actualSize(QSize(400, 400)).width(),
        )
        for button in window.findChildren(QToolButton)
        if button.isVisible() and not button.icon().isNull()
    }


def test_icons_grow_with_the_text(usual_text: QApplication, qtbot: QtBot) -> None:
    window = shown_window(qtbot)
    window.toggle_diagnostics()
    window.resize(1600, 1000)
    lay_out(qtbot, window)
    before = icon_sides(window)
    assert len(before) > 10
    text_size.set_percent(200)
    window.resize(3200, 2000)
    lay_out(qtbot, window)
    after = icon_sides(window)
    assert after.keys() >= before.keys()
    assert {name: (2 * room, 2 * side) for name, (room, side) in before.items()} == {
        name: after[name] for name in before
    }
    close(window)


def test_tick_marks_grow_with_the_text(usual_text: QApplication, qtbot: QtBot) -> None:
    window = shown_window(qtbot)
    box = QCheckBox("Fetch what is not stored", window)
    box.show()

    def mark_px() -> int:
        option = QStyleOptionButton()
        box.initStyleOption(option)
        return box.style().subElementRect(QStyle.SubElement.SE_CheckBoxIndicator, option, box).height()

    before = mark_px()
    text_size.set_percent(200)
    qtbot.waitUntil(lambda: mark_px() == 2 * before - 2)  # its border stays 1 pixel wide
    text_size.set_percent(100)
    qtbot.waitUntil(lambda: mark_px() == before)
    close_and_delete(window)


def test_nothing_is_cut_off_where_text_becomes_half_as_large_again(
    usual_text: QApplication, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = shown_window(qtbot)
    window.toggle_diagnostics()
    text_size.set_percent(150)
    lay_out(qtbot, window)
    assert [cut for cut in cut_off(window) if cut] == []
    assert too_low(window) == []
    assert elided_in_the_watchlist(window, monkeypatch) == []
    scene = window.chart._scene
    assert scene.styles.scale == pytest.approx(1.5, rel=0.05)
    label = scene.price.labels[0]
    assert scene.styles.small.width(label.text) < label.rect.width()
    assert scene.layout.time_axis.height() > scene.styles.small.height
    close(window)


def test_another_font_of_the_system_is_followed(usual_text: QApplication, qtbot: QtBot) -> None:
    window = shown_window(qtbot)
    theirs = QFont("Inter")
    theirs.setPixelSize(26)
    usual_text.setFont(theirs)  # as a desktop's theme does
    qtbot.waitUntil(lambda: window.font().pixelSize() == 26)
    assert QApplication.font().pixelSize() == 26
    text_size.set_percent(50)
    assert window.font().pixelSize() == 13
    text_size.set_percent(100)
    QApplication.sendEvent(window, QEvent(QEvent.Type.ThemeChange))  # such as a change of colours
    lay_out(qtbot, window)
    assert window.font().pixelSize() == 26
    close(window)


def test_the_menu_ticks_the_current_size_and_requests_another(window: MainWindow, qtbot: QtBot) -> None:
    window.set_text_percent(130)
    menu = window.top_bar.menu.text_size_menu
    assert [action.text() for action in menu.actions() if action.isChecked()] == ["130 %"]
    assert [action.text().split()[0] for action in menu.actions()] == "80 90 100 110 125 130 150 175 200".split()
    wanted: QAction = next(action for action in menu.actions() if action.text() == "150 %")
    window.requests.text_percent_requested.connect(
        window.set_text_percent
    )  # as the program does, while the signal is still being emitted
    with qtbot.waitSignal(window.requests.text_percent_requested) as asked:
        wanted.trigger()
    assert asked.args == [150]
    assert [action.text() for action in menu.actions() if action.isChecked()] == ["150 %"]


def test_a_length_without_a_setter_is_refused() -> None:
    with pytest.raises(KeyError):
        style.sized(QLabel(), heigth=3)
