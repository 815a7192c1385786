"""The list of alerts in the side panel of the real window."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.market.alerts.stored_alert import AlertState
from tests.end_to_end.helpers import run_on_qt_loop, until
from tests.window.alerts.test_alert_controller import add, last_price, window_of
from widgets.window.main_window import MainWindow


def show_alerts(window: MainWindow) -> None:
    """Open the page of alerts, as an earlier run left it."""
    window.resize(1280, 800)
    window.side_panel.pages.show_page(window.side_panel.alerts)


def test_the_panel_lists_pauses_and_edits_the_alerts_of_the_shown_symbol(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with window_of(data_dir, tables_url, rate=5) as running:
            window, controller = running.window, running.controller.alerts
            pages, page = window.side_panel.pages, window.side_panel.alerts
            window.resize(1280, 800)
            assert not page.is_made
            window.show_alerts()
            assert pages.page is page
            await until(lambda: page.list.sentence.text() == "No alert waits for BTC/USDT.")
            number = await add(running, f"price crosses {last_price(running) * 2:.2f}", name="far")
            await add(running, "price crosses 1", symbol="ETHUSDT")
            await until(lambda: [one.title for one in page.list.model.rows] == ["far"])
            assert page.list.model.rows[0].distance is not None
            await until(lambda: pages.tabs.tabText(2) == "Alerts 2")
            page.list.view.setCurrentIndex(page.list.model.index(0))
            QTest.keyClick(page.list.view, Qt.Key.Key_Space)
            await until(lambda: page.list.model.rows[0].state is AlertState.PAUSED)
            await until(lambda: pages.tabs.tabText(2) == "Alerts 1")
            QTest.keyClick(page.list.view, Qt.Key.Key_Return)
            dialog = controller.dialog
            assert dialog is not None
            assert dialog.is_editing
            assert dialog.editor.form.alert_id == number
            dialog.reject()
            window.requests.symbol_requested.emit("ETHUSDT")
            await until(lambda: page.list.here.text() == "ETH/USDT")
            await until(lambda: [one.title for one in page.list.model.rows] == ["Price crosses 1.00"])

    run_on_qt_loop(work)


def test_a_page_of_alerts_that_an_earlier_run_left_open_is_filled(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with window_of(data_dir, tables_url, rate=5, prepare=show_alerts) as running:
            page = running.window.side_panel.alerts
            await add(running, "price crosses 1", name="far")
            await until(lambda: page.is_made and [one.title for one in page.list.model.rows] == ["far"])

    run_on_qt_loop(work)


def test_a_page_of_alerts_left_open_is_filled_where_there_are_none(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with window_of(data_dir, tables_url, rate=5, prepare=show_alerts) as running:
            page = running.window.side_panel.alerts
            await until(lambda: page.is_made and page.list.sentence.text() == "No alert waits for BTC/USDT.")

    run_on_qt_loop(work)
