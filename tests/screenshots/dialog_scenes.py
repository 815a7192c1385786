"""Scenes of the dialogs on exports, downloads and the database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from PySide6.QtCore import QDateTime, QTimeZone

from app.concurrency.system_clock import SystemClock
from app.market.ports.archive import DAY_US
from app.sandbox.market.simulated import SimulatedMarket
from tests.end_to_end.helpers import Running, open_window, until
from tests.sandbox.helpers import serving
from tests.screenshots.shooting import Shooting, recording_served, window_on_recording
from widgets.dialogs.database_dialog import DatabaseDialog, DialogState
from widgets.dialogs.download_dialog import DownloadDialog, DownloadState
from widgets.dialogs.download_form import Range as DownloadRange
from widgets.dialogs.export.column_chooser import ColumnChip
from widgets.dialogs.export.export_dialog import ExportDialog, ExportState
from widgets.dialogs.export.range_fields import Range
from widgets.dialogs.export.rows_fields import RowKind


async def export(shooting: Shooting) -> None:
    """The export dialog: of one file, of several while it runs and at its end, of gaps, and on a low screen."""
    async with serving(SimulatedMarket(seed=11, rate=50)) as server:
        settings = shooting.settings(
            binance_ws_url=server.ws_url, binance_rest_url=server.rest_url, symbols="BTCUSDT,ETHUSDT"
        )
        async with open_window(settings) as running:
            await until(lambda: running.session.joined and running.engine.database is not None)
            running.chart.pictures.folder.note(shooting.pictures / "candles.csv")
            running.window.requests.export_requested.emit()
            (dialog,) = running.window.findChildren(ExportDialog)
            form = dialog.form
            await until(lambda: dialog.card.rows[0].figure.text())
            await shooting.take_dialog(dialog, "export")
            form.rows.intervals.set_texts(["1h"])
            form.rows.range.buttons[Range.DAY].click()
            form.target.set_path(str(shooting.data_dir / "hours.csv"))
            dialog.foot.start_button.click()
            await until(lambda: dialog.state is ExportState.DONE)
            await shooting.take_dialog(dialog, "export-done")
            dialog.reject()
            running.window.requests.export_requested.emit()
            dialog = running.window.findChildren(ExportDialog)[-1]
            form = dialog.form
            form.rows.symbols.set_texts(["BTC/USDT", "ETH/USDT"])
            form.rows.intervals.set_texts(["1h", "1m"])
            form.rows.range.buttons[Range.YEAR].click()
            form.layout_of_rows.indicators.set_texts(["sma:20", "rsi:14"])
            for chip in form.layout_of_rows.columns.findChildren(ColumnChip)[6:14]:
                chip.click()
            form.layout_of_rows.columns.findChildren(ColumnChip)[4].setFocus()
            folder = shooting.data_dir / "exports"
            form.target.set_path(str(folder))
            await until(lambda: dialog.preview.rowCount())
            await shooting.take_dialog(dialog, "export-several")
            dialog.foot.start_button.click()
            await until(lambda: dialog.foot.pace.text() and "1m" in dialog.foot.outcome.text())
            await shooting.take_dialog(dialog, "export-running")
            dialog.foot.cancel_button.click()
            await until(lambda: dialog.state is ExportState.EDITING)
            form.rows.range.buttons[Range.CHOSEN].click()
            size = dialog.size()
            dialog.resize(min(size.width(), 800), 560)
            await shooting.take_dialog(dialog, "export-low")
            dialog.resize(size)
            form.rows.kinds[RowKind.GAPS].click()
            await shooting.take_dialog(dialog, "export-gaps")
            form.rows.kinds[RowKind.CANDLES].click()
            form.rows.intervals.set_texts(["1s"])
            form.layout_of_rows.format.setCurrentText("Excel")
            await shooting.take_dialog(dialog, "export-too-many")
            dialog.reject()


async def downloads(shooting: Shooting) -> None:
    """The download dialog: before, while, and after two days could not be had; on a small screen it scrolls."""
    market = SimulatedMarket(seed=11, history=timedelta(days=12), rate=2)
    now_us = SystemClock().now_us()
    today_us = now_us - now_us % DAY_US
    async with serving(market) as server:
        settings = shooting.settings(
            binance_ws_url=server.ws_url, binance_rest_url=server.rest_url, archive_url=server.rest_url
        )
        async with open_window(settings) as running:
            await until(lambda: running.session.joined and running.engine.database is not None)
            running.window.requests.download_dialog_requested.emit()
            (dialog,) = running.window.findChildren(DownloadDialog)
            form = dialog.form
            await fetched(dialog, today_us - 6 * DAY_US, today_us - 4 * DAY_US)
            form.symbols.add(["ETHUSDT", "SOLUSDT"])
            form.ranges[DownloadRange.DAYS].click()
            form.days.setValue(9)
            await until(lambda: any("to fetch" in figure for figure in dialog.rows.figures()))
            await shooting.take_dialog(dialog, "download")
            server.faults.archive.misstate_checksum(times=None, path=day_text(today_us - 2 * DAY_US))
            slow = day_text(today_us - 7 * DAY_US)
            server.faults.archive.slow_next(20.0, path=slow, times=None)
            dialog.start_button.click()
            await until(lambda: dialog.progress.value() > 400 and dialog.pace.text(), seconds=120)
            await shooting.take_dialog(dialog, "download-running")
            await shooting.take(running, "download-behind")
            await until(lambda: dialog.state is DownloadState.EDITING, seconds=300)
            await shooting.take_dialog(dialog, "download-done")
            dialog.reject()
            running.chart.download_requested.emit()
            await until(lambda: running.chart.sentence)
            await shooting.take(running, "download-view")


async def fetched(dialog: DownloadDialog, start_us: int, end_us: int) -> None:
    """Download that range by the dialog."""
    dialog.form.ranges[DownloadRange.CHOSEN].click()
    for edit, time_us in ((dialog.form.start, start_us), (dialog.form.end, end_us)):
        edit.setDateTime(QDateTime.fromMSecsSinceEpoch(time_us // 1_000, QTimeZone.utc()))
    dialog.start_button.click()
    await until(lambda: dialog.state is DownloadState.EDITING, seconds=120)


def day_text(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d")


async def database(shooting: Shooting) -> None:
    async with recording_served(shooting) as settings:
        async with window_on_recording(settings) as running:
            dialog = await opened(running)
            dialog.test_button.click()
            await until(lambda: dialog.state is DialogState.EDITING)
            await shooting.take_dialog(dialog, "database-embedded")
            dialog.form.local.click()
            dialog.form.port.setText("9")  # nothing listens there
            dialog.apply_button.click()
            await until(lambda: dialog.state is DialogState.EDITING)
            await shooting.take_dialog(dialog, "database-away")
            dialog.form.host.setText(
                "postgresql://recorder@db.example.org/trades?sslmode=verify-full&sslrootcert=system"
            )
            dialog.form.host.editingFinished.emit()
            await shooting.take_dialog(dialog, "database-server")
            dialog.reject()
            running.window.top_bar.menu_button.menu().popup(
                running.window.top_bar.menu_button.mapToGlobal(running.window.top_bar.menu_button.rect().bottomLeft())
            )
            await shooting.take_dialog(running.window.top_bar.menu_button.menu(), "menu")
            running.window.top_bar.menu_button.menu().hide()
        async with open_window(settings, simulated=True) as running:
            await until(lambda: running.engine.database is not None)
            dialog = await opened(running)
            await shooting.take_dialog(dialog, "database-simulated")
            dialog.reject()


async def opened(running: Running) -> DatabaseDialog:
    """The database dialog over the window."""
    running.window.requests.database_requested.emit()
    (dialog,) = running.window.findChildren(DatabaseDialog)
    await asyncio.sleep(0.3)
    return dialog
