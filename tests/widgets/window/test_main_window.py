"""The window: requests, closing, layout, colours, and room for the longest texts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLineEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.depth import examples
from tests.widgets.conftest import BTCUSDT
from tests.widgets.window.long_texts import cut_off, elided_in_the_watchlist, fill_with_long_texts, too_low
from widgets.chart.chart_widget import ChartWidget
from widgets.theme import style
from widgets.theme.palettes import LIGHT, PALETTES
from widgets.window.main_window import MainWindow


def test_closing_is_a_request_and_happens_only_when_allowed(window: MainWindow, qtbot: QtBot) -> None:
    with qtbot.waitSignal(window.close_requested, timeout=1000):
        window.close()
    assert window.isVisible()
    window.allow_close()
    with qtbot.assertNotEmitted(window.close_requested):
        window.close()
    assert not window.isVisible()


def test_ctrl_k_opens_the_picker_and_ctrl_e_requests_an_export(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(window.chart, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    assert window.symbol_picker.isVisible()
    assert window.symbol_picker.edit.text() == ""
    qtbot.keyClick(window.symbol_picker.edit, Qt.Key.Key_Escape)
    with qtbot.waitSignal(window.requests.export_requested, timeout=1000):
        qtbot.keyClick(window.chart, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)


def test_letters_typed_on_the_chart_search_for_a_symbol(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(window.chart, Qt.Key.Key_E)
    qtbot.keyClicks(window.symbol_picker.edit, "th")
    with qtbot.waitSignal(window.requests.symbol_requested, timeout=1000) as request:
        qtbot.keyClick(window.symbol_picker.edit, Qt.Key.Key_Return)
    assert request.args == ["ETHUSDT"]


def test_keys_typed_on_the_real_chart_reach_the_window(qtbot: QtBot, prepared: QApplication) -> None:
    window = MainWindow(ChartWidget())
    window.set_symbols([BTCUSDT])
    window.show()
    qtbot.waitExposed(window)
    window.activateWindow()
    qtbot.waitUntil(lambda: window.chart.isAncestorOf(QApplication.focusWidget() or window))
    assert window.layout_values()["typing"] is False
    with qtbot.waitSignals([window.choosers.typing_learnt, window.layout_changed], timeout=1000):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_9)
    assert window.interval_entry.edit.text() == "9"
    assert window.layout_values()["typing"] is True
    window.interval_entry.dismiss()
    with qtbot.assertNotEmitted(window.choosers.typing_learnt):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_B)
    assert window.symbol_picker.edit.text() == "b"
    window.allow_close()
    window.close()
    window.deleteLater()
    QApplication.processEvents()


def test_the_buttons_of_the_top_bar_emit_requests(window: MainWindow, qtbot: QtBot) -> None:
    bar = window.top_bar
    with qtbot.waitSignal(window.requests.export_requested, timeout=1000):
        qtbot.mouseClick(bar.export_button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(window.requests.theme_requested, timeout=1000) as request:
        qtbot.mouseClick(bar.theme, Qt.MouseButton.LeftButton)
    assert request.args == ["light"]
    qtbot.mouseClick(bar.symbol, Qt.MouseButton.LeftButton)
    assert window.symbol_picker.isVisible()


@pytest.mark.parametrize("name", PALETTES)
def test_a_palette_changes_every_panel_at_once(window: MainWindow, name: str) -> None:
    palette = PALETTES[name]
    window.set_palette(palette)
    QApplication.processEvents()
    for panel in (window.top_bar, window.status_bar, window.quote_panel):
        image = panel.grab().toImage()
        assert image.pixelColor(2, image.height() // 2) == QColor(palette.panel), panel.objectName()
    assert QApplication.palette().text().color() == QColor(palette.text)


def test_the_theme_button_offers_the_other_theme(window: MainWindow, qtbot: QtBot) -> None:
    window.set_palette(LIGHT)
    with qtbot.waitSignal(window.requests.theme_requested, timeout=1000) as request:
        window.top_bar.theme.click()
    assert request.args == ["dark"]


def test_the_layout_comes_back_as_it_was_saved(window: MainWindow, prepared: QApplication) -> None:
    window.resize(777, 666)
    window.side_panel.restore_layout({"width": 333})
    QApplication.processEvents()
    saved, values = window.layout_bytes(), window.layout_values()
    window.resize(700, 720)
    window.side_panel.restore_layout({"width": 280})
    QApplication.processEvents()
    assert window.side_panel.width() == 280
    assert window.restore_layout(saved)
    window.restore_layout_values(values)
    QApplication.processEvents()
    assert (window.width(), window.height(), window.side_panel.width()) == (777, 666, 333)


def test_a_layout_with_a_wrong_inner_length_is_refused(window: MainWindow) -> None:
    saved = bytearray(window.layout_bytes())
    saved[24] ^= 49  # in the length of the geometry
    before = window.geometry()
    window.resize(1100, 700)
    QApplication.processEvents()
    assert not window.restore_layout(bytes(saved))
    assert window.geometry() != before


@settings(max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_layout_changes_nothing(window: MainWindow, data: st.DataObject) -> None:
    saved = window.layout_bytes()
    place = data.draw(st.integers(0, len(saved) - 1))
    damaged = saved[:place] + bytes([saved[place] ^ data.draw(st.integers(1, 255))]) + saved[place + 1 :]
    garbage = data.draw(st.sampled_from([damaged, saved[:place], b"", saved + b"x", data.draw(st.binary())]))
    before = (window.geometry(), window.side_panel.isVisible())
    assert not window.restore_layout(garbage)
    assert (window.geometry(), window.side_panel.isVisible()) == before


@pytest.mark.parametrize("size", [(1280, 720), (1440, 900), (1000, 560)])
def test_the_longest_texts_are_not_cut_off(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    window.resize(*size)
    fill_with_long_texts(window)
    QApplication.processEvents()
    assert [cut for cut in cut_off(window) if cut] == []
    assert window.top_bar.width() == window.width()
    assert window.status_bar.width() == window.width()
    assert elided_in_the_watchlist(window, monkeypatch) == []


@pytest.fixture
def large_text(prepared: QApplication) -> Iterator[None]:
    """Text of one and a half times the usual size."""
    style.prepare_application(prepared, 150)
    yield
    style.prepare_application(prepared)


def test_nothing_is_cut_off_where_text_is_half_as_large_again(
    large_text: None, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = MainWindow(ChartWidget())
    window.resize(window.minimumSize())
    fill_with_long_texts(window)
    window.show()
    qtbot.waitExposed(window)
    QApplication.processEvents()
    assert window.top_bar.price.fontMetrics().height() >= 1.4 * 16
    assert [cut for cut in cut_off(window) if cut] == []
    assert too_low(window) == []
    assert elided_in_the_watchlist(window, monkeypatch) == []
    window.choosers.open_picker()
    window.keys_overview.toggle()
    QApplication.processEvents()
    assert too_low(window) == []
    window.allow_close()
    window.close()
    window.deleteLater()
    QApplication.processEvents()


def test_a_narrow_bar_hides_parts_and_shows_them_again(window: MainWindow) -> None:
    fill_with_long_texts(window)
    window.resize(1000, 560)
    QApplication.processEvents()
    assert window.top_bar.symbol.market.isHidden()
    window.resize(1600, 720)
    QApplication.processEvents()
    assert not window.top_bar.symbol.market.isHidden()
    assert window.status_bar.queue.isVisible()


def test_every_control_has_a_name_for_a_screen_reader(window: MainWindow) -> None:
    nameless = [
        button
        for button in window.findChildren(QAbstractButton)
        if button.isVisible() and not (button.accessibleName() or button.text())
    ]
    assert nameless == []


def test_tab_reaches_every_control_which_shows_its_focus(window: MainWindow) -> None:
    window.activateWindow()
    window.top_bar.symbol.setFocus(Qt.FocusReason.TabFocusReason)
    reached, hidden = [], []
    while (control := QApplication.focusWidget()) is not None and control not in reached:
        QApplication.processEvents()
        place = QRect(control.mapTo(window, QPoint()), control.size())
        with_focus = window.grab(place).toImage()
        window.focusNextPrevChild(True)
        QApplication.processEvents()
        reached.append(control)
        if window.grab(place).toImage() == with_focus and control is not window.chart:  # which is an empty widget here
            hidden.append(control)
    controls = [
        control
        for control in window.findChildren(QWidget)
        if control.isVisible()
        and control.isEnabled()
        and isinstance(control, QAbstractButton | QLineEdit | QComboBox | QAbstractItemView)
    ]
    assert [control.accessibleName() for control in hidden] == []
    assert [control.accessibleName() for control in controls if control not in reached] == []


def test_tab_moves_from_the_top_bar_over_the_chart_to_the_watchlist(window: MainWindow) -> None:
    order = []
    widget: QWidget = window.top_bar.symbol
    for _ in range(200):
        order.append(widget)
        widget = widget.nextInFocusChain()
    places = [
        order.index(part)
        for part in (window.top_bar.export_button, window.chart, window.watchlist.add_button, window.watchlist.view)
    ]
    assert places == sorted(places)


def test_the_first_window_fits_the_screen_with_its_title_bar(window: MainWindow) -> None:
    screen, first = window.screen().availableSize(), MainWindow(QWidget())
    # The offscreen platform's screen is 800 pixels high and narrower than the least width.
    assert first.height() < max(screen.height(), first.minimumHeight() + 1)
    assert first.width() <= max(screen.width(), first.minimumWidth())
    first.deleteLater()


def test_the_menu_offers_the_systems_theme_and_colours_for_colour_blind_eyes(window: MainWindow, qtbot: QtBot) -> None:
    menu = window.top_bar.menu.theme_menu
    window.set_theme("system", "green-red")
    ticked = [action.text() for action in menu.actions() if action.isChecked()]
    assert ticked == ["Like the system", "Green and red"]
    chosen = {action.text().split()[0]: action for action in menu.actions() if action.text()}
    with qtbot.waitSignal(window.requests.theme_requested) as request:
        chosen["Light"].trigger()
    assert request.args == ["light"]
    with qtbot.waitSignal(window.requests.candle_colours_requested) as request:
        chosen["Blue"].trigger()
    assert request.args == ["blue-orange"]


def test_f11_fills_the_screen_until_f11_or_esc(window: MainWindow, qtbot: QtBot) -> None:
    for end in (Qt.Key.Key_F11, Qt.Key.Key_Escape):
        qtbot.keyClick(window.chart, Qt.Key.Key_F11)
        assert window.isFullScreen()
        qtbot.keyClick(window.chart, end)
        assert not window.isFullScreen()


def test_f10_opens_the_menu_ready_for_the_arrow_keys(window: MainWindow, qtbot: QtBot) -> None:
    menu = window.top_bar.menu
    qtbot.keyClick(window.chart, Qt.Key.Key_F10)
    assert menu.isVisible()
    assert menu.activeAction() is menu.actions()[0]
    menu.close()
