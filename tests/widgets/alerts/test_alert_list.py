"""The list of alerts in the side panel: what it lists, says and asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.market.alerts.stored_alert import AlertState
from app.market.symbol import Symbol
from tests.widgets.cleanup import close_and_delete
from widgets.alerts.alert_list import AlertList, switch_rect
from widgets.alerts.alert_views import AlertRow
from widgets.alerts.alerts_page import AlertsPage
from widgets.theme.palettes import DARK, LIGHT, Palette

BTC, ETH = Symbol("BTCUSDT", "BTC", "USDT"), Symbol("ETHUSDT", "ETH", "USDT")
LEFT = Qt.MouseButton.LeftButton


def row(alert_id: int, symbol: Symbol | None = BTC, distance: float | None = 1.0, **more: object) -> AlertRow:
    made = AlertRow(
        alert_id, symbol, f"Alert {alert_id}", "once", AlertState.WAITING, "bell", distance, 0, "never", True, False
    )
    return replace(made, **more)  # type: ignore[arg-type]  # because mypy cannot match the names


ROWS = [
    row(1, distance=-2.5),
    row(2, distance=0.1, state=AlertState.PAUSED),
    row(3, ETH, 0.5),
    row(4, distance=None),
    row(5, state=AlertState.FIRED),
    row(6, None, None),
]


@pytest.fixture
def alerts(qtbot: QtBot) -> Iterator[AlertList]:
    made = AlertList()
    made.resize(300, 400)
    made.show()
    yield made
    close_and_delete(made)


def listed(alerts: AlertList) -> list[int]:
    return [one.alert_id for one in alerts.model.rows]


def test_it_lists_what_waits_for_the_shown_symbol_the_nearest_first_or_all(alerts: AlertList) -> None:
    alerts.set_view(ROWS, BTC)
    assert listed(alerts) == [2, 1, 4]
    assert alerts.here.text() == "BTC/USDT"
    QTest.mouseClick(alerts.everywhere, LEFT)
    assert listed(alerts) == [2, 3, 1, 4, 6]
    assert alerts.model.words(ROWS[2]) == "ETH/USDT, once"
    assert alerts.model.words(ROWS[5]) == "All symbols, once"
    QTest.mouseClick(alerts.here, LEFT)
    alerts.set_view(ROWS, ETH)
    assert listed(alerts) == [3]


def test_an_empty_list_says_so_in_one_sentence_and_offers_a_new_alert(alerts: AlertList) -> None:
    asked = list[object]()
    alerts.edit_requested.connect(asked.append)
    alerts.set_view((), BTC)
    assert alerts.sentence.text() == "No alert waits for BTC/USDT."
    alerts.set_view(ROWS[2:3], BTC)
    assert alerts.sentence.text() == "No alert waits for BTC/USDT; 1 waits for other symbols."
    assert alerts.view.isHidden()
    QTest.mouseClick(alerts.new_button, LEFT)
    assert asked == [None]
    alerts.set_view((), BTC, "The database is away.")
    assert alerts.sentence.text() == "The database is away."
    assert alerts.new_button.isHidden()
    alerts.set_view(ROWS, BTC)
    assert alerts.sentence.isHidden()
    assert alerts.new_button.isHidden()
    assert not alerts.view.isHidden()


def test_the_keys_stay_in_the_list_while_it_fills_and_empties(alerts: AlertList, qtbot: QtBot) -> None:
    alerts.activateWindow()
    alerts.set_view((), BTC)
    alerts.setFocus()
    qtbot.waitUntil(alerts.new_button.hasFocus)
    alerts.set_view(ROWS, BTC)  # as when the alerts have been read
    assert alerts.view.hasFocus()
    alerts.set_view((), BTC)
    assert alerts.new_button.hasFocus()


def test_the_switch_pauses_and_a_double_click_beside_it_edits(alerts: AlertList) -> None:
    asked, switched = list[object](), list[tuple[int, bool]]()
    alerts.edit_requested.connect(asked.append)
    alerts.switch_requested.connect(lambda alert_id, on: switched.append((alert_id, on)))
    alerts.set_view(ROWS, BTC)
    QTest.qWait(0)
    viewport = alerts.view.viewport()
    for at in (0, 1):
        place = alerts.view.visualRect(alerts.model.index(at))
        QTest.mouseClick(viewport, LEFT, pos=switch_rect(place).center())
    assert switched == [(2, True), (1, False)]
    assert asked == []
    beside = alerts.view.visualRect(alerts.model.index(1)).center() - QPoint(60, 0)
    QTest.mouseClick(viewport, LEFT, pos=beside)
    assert asked == []
    QTest.mouseDClick(viewport, LEFT, pos=beside)
    assert asked == [1]
    assert len(switched) == 2


def test_a_release_on_a_switch_counts_only_where_the_press_was_on_it(alerts: AlertList) -> None:
    switched = list[tuple[int, bool]]()
    alerts.switch_requested.connect(lambda alert_id, on: switched.append((alert_id, on)))
    alerts.set_view(ROWS, BTC)
    QTest.qWait(0)
    viewport = alerts.view.viewport()
    first, second = (alerts.view.visualRect(alerts.model.index(at)) for at in (0, 1))
    for pressed in (first.center() - QPoint(60, 0), switch_rect(second).center()):
        QTest.mousePress(viewport, LEFT, pos=pressed)
        QTest.mouseRelease(viewport, LEFT, pos=switch_rect(first).center())
    assert switched == []


def test_the_row_that_takes_the_place_of_a_deleted_one_is_chosen(alerts: AlertList) -> None:
    alerts.set_view(ROWS, BTC)
    alerts.view.setCurrentIndex(alerts.model.index(1))
    alerts.set_view(ROWS[1:], BTC)
    assert alerts.view.currentIndex().data(Qt.ItemDataRole.DisplayRole) == "Alert 4"
    alerts.set_view(ROWS[1:3], BTC)
    assert alerts.view.currentIndex().data(Qt.ItemDataRole.DisplayRole) == "Alert 2"
    alerts.set_view(ROWS, ETH)
    assert not alerts.view.currentIndex().isValid()


def test_keys_do_the_same_and_the_chosen_alert_stays_chosen(alerts: AlertList) -> None:
    asked, switched, deleted = list[object](), list[tuple[int, bool]](), list[int]()
    alerts.edit_requested.connect(asked.append)
    alerts.switch_requested.connect(lambda alert_id, on: switched.append((alert_id, on)))
    alerts.delete_requested.connect(deleted.append)
    alerts.set_view(ROWS, BTC)
    alerts.view.setCurrentIndex(alerts.model.index(1))
    for key in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Delete):
        QTest.keyClick(alerts.view, key)
    assert (asked, switched, deleted) == ([1], [(1, False)], [1])
    alerts.set_view([row(7, distance=0.0), *ROWS], BTC)
    assert alerts.view.currentIndex().row() == 2
    spoken = alerts.model.data(alerts.view.currentIndex(), Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "Alert 1, once, 2.50 % away, waiting"


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=lambda palette: palette.name)
def test_a_paused_alert_looks_other_than_one_that_watches(alerts: AlertList, palette: Palette) -> None:
    alerts.set_palette(palette)
    alerts.set_view([row(1), row(2)], BTC)
    before = alerts.view.viewport().grab().toImage()
    alerts.set_view([row(1), row(2, state=AlertState.PAUSED)], BTC)
    after = alerts.view.viewport().grab().toImage()
    first, second = (alerts.view.visualRect(alerts.model.index(at)) for at in (0, 1))
    assert before.copy(first) == after.copy(first)
    assert before.copy(second) != after.copy(second)


def test_the_page_makes_its_list_once_it_is_asked_for(qtbot: QtBot) -> None:
    page, shown = AlertsPage(), list[int]()
    page.shown.connect(lambda: shown.append(1))
    page.set_palette(LIGHT)
    assert not page.is_made
    page.show()
    assert shown == [1]
    assert page.list is page.list
    assert page.is_made
    close_and_delete(page)
