"""The dialog of stored symbols on the real window: what it shows, and its way to a day on the chart."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.sandbox.market.simulated import SimulatedMarket
from tests.end_to_end.helpers import open_window, run_on_qt_loop, settings_in, until
from tests.sandbox.helpers import serving
from widgets.symbols.stored_symbols_dialog import StoredSymbolsDialog


def test_the_dialog_lists_what_is_recorded_and_goes_to_a_day(qtbot: QtBot, data_dir: Path, tables_url: str) -> None:
    async def work() -> None:
        async with serving(SimulatedMarket(seed=5)) as server:
            settings = settings_in(
                data_dir, server.ws_url, server.rest_url, symbols="BTCUSDT,ETHUSDT", database_url=tables_url
            )
            async with open_window(settings, simulated=False) as running:
                window, engine = running.window, running.engine
                await until(lambda: engine.database is not None and engine.database.writer.status.stored)
                window.activateWindow()
                keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
                QTest.keyClick(running.chart, Qt.Key.Key_K, keys)
                (dialog,) = window.findChildren(StoredSymbolsDialog)
                await until(lambda: dialog.model.rows and dialog.page.calendar.isEnabled())
                assert {one.symbol.name for one in dialog.model.rows} >= {"BTCUSDT"}
                assert dialog.page.name.text() == "BTC/USDT"
                chosen = dialog.page.calendar.chosen
                assert chosen.trades
                await until(lambda: running.session is not None and len(running.session.series))
                row = dialog.model.row_of("ETHUSDT")
                assert row is not None
                dialog.table.setCurrentIndex(dialog.model.index(row, 0))
                await until(dialog.page.calendar.isEnabled)
                day_us = chosen.day_us - 3 * 86_400_000_000
                dialog.page.calendar.choose(day_us)
                dialog.page.day_button.click()
                await until(lambda: running.session is not None and running.session.symbol == "ETHUSDT")
                await until(lambda: not running.chart.is_following)
                centre_us = running.chart.center_time_us()
                assert centre_us is not None
                assert abs(centre_us - day_us - 43_200_000_000) < 3_600_000_000

    run_on_qt_loop(work)
