"""Downloads from the real window, by a process of their own, from the sandbox's archive and its faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import psutil
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from app.concurrency.system_clock import SystemClock
from app.live.transfers.downloads.forecast import forecast
from app.market.candle import CandleSource
from app.market.interval import SECOND_US, Interval
from app.market.ports.archive import DAY_US
from app.sandbox.market.simulated import Listing, SimulatedMarket
from app.sandbox.server.archive_faults import Flaw
from app.sandbox.server.server import SandboxServer
from app.window.downloads.download_controller import Running as RunningDownload
from storage.database import Database
from storage.files.times import format_time
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, settings_in, until
from tests.sandbox.helpers import serving
from widgets.dialogs.download_dialog import DownloadDialog, DownloadState
from widgets.dialogs.download_form import Range

LISTINGS = [Listing("BTC", "60000", "0.01", "0.00001", 1.0)]


@asynccontextmanager
async def world(data_dir: Path, url: str) -> AsyncIterator[tuple[Running, SandboxServer, SandboxServer]]:
    """A window, the exchange it records, and an archive of the same market at an address of its own."""
    market = SimulatedMarket(3, LISTINGS, history=timedelta(days=5), rate=0.05, clock=SystemClock())
    async with serving(market) as server, serving(market) as archive:
        settings = settings_in(
            data_dir,
            server.ws_url,
            server.rest_url,
            archive_url=archive.rest_url,
            database_url=url,
            symbols="BTCUSDT",
            repair_trades=0,  # so that nothing but the download fetches trades
        )
        async with open_window(settings, simulated=False) as running:
            await until(lambda: running.engine.database is not None and len(running.session.series) > 100)
            yield running, server, archive


def today_us() -> int:
    now_us = SystemClock().now_us()
    return now_us - now_us % DAY_US


def opened(running: Running, start_us: int, end_us: int) -> DownloadDialog:
    """The dialog, by its key, with that range chosen."""
    QTest.keyClick(running.window, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    (dialog,) = (one for one in running.window.findChildren(DownloadDialog) if one.isVisible())
    dialog.form.ranges[Range.CHOSEN].click()
    for edit, time_us in ((dialog.form.start, start_us), (dialog.form.end, end_us)):
        edit.setDateTime(edit.dateTime().fromMSecsSinceEpoch(time_us // 1_000, edit.timeZone()))
    return dialog


def missing_s(running: Running, start_us: int, end_us: int) -> int:
    assert running.engine.database is not None
    return forecast(running.engine.database.store, "BTCUSDT", None, start_us, end_us).missing_s


def children() -> list[psutil.Process]:
    """The processes that this one has started, but for database servers."""
    return [one for one in psutil.Process().children() if "history" in one.cmdline()]


async def ended(dialog: DownloadDialog) -> None:
    await until(lambda: dialog.state is DownloadState.EDITING, seconds=90)


def test_wrong_checksums_and_cut_off_files_are_named_and_come_with_the_next_try(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    end_us = today_us()
    start_us = end_us - 3 * DAY_US
    wrong, cut = (format_time(end_us - days * DAY_US)[:10] for days in (2, 1))

    async def work() -> None:
        async with world(data_dir, tables_url) as (running, _, archive):
            archive.faults.archive.misstate_checksum(times=None, path=wrong)
            archive.faults.archive.spoil(Flaw.ZIP_CUT, path=cut)
            dialog = opened(running, start_us, end_us)
            await until(lambda: dialog.rows.figures() == ["3 days to fetch"])
            dialog.start_button.click()
            await ended(dialog)
            (lack,) = dialog.lacks.text().splitlines()
            assert lack.startswith(f"BTC/USDT trades, {wrong} to {cut}: BTCUSDT-trades-{wrong}.zip does not fit")
            assert dialog.rows.figures() == ["24 h missing"]
            assert dialog.rows.legend.texts == ["Trades, stored", "Not to be had"]
            assert missing_s(running, start_us, end_us) == 86_400  # the one that was cut off came by REST
            assert dialog.start_button.text() == "Try again"
            archive.faults.archive.clear()
            archive.requests.clear()
            dialog.start_button.click()
            await ended(dialog)
            assert dialog.lacks.isHidden()
            assert dialog.rows.figures() == ["All stored"]
            assert sum(path.endswith(".zip") for path in archive.requests) == 1
            assert missing_s(running, start_us, end_us) == 0
            assert list((data_dir / "archive").iterdir()) == []
            # What is stored is known to the recorder, too.
            assert running.engine.recorder.tracker("BTCUSDT").held().count() > 10_000

    run_on_qt_loop(work)


def test_an_archive_that_goes_away_is_waited_for_while_the_window_lives(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    end_us = today_us()
    start_us = end_us - 3 * DAY_US

    async def work() -> None:
        async with world(data_dir, tables_url) as (running, _, archive):
            archive.faults.archive.slow_next(60.0, path=format_time(end_us - 2 * DAY_US)[:10])
            dialog = opened(running, start_us, end_us)
            dialog.start_button.click()
            await until(lambda: dialog.progress.value() > 0 and children())
            port = int(archive.rest_url.rpartition(":")[2])
            await archive.stop()
            await until(lambda: dialog.outcome.text().startswith("Waiting: Cannot reach 127.0.0.1"))
            dialog.hide_button.click()
            assert not dialog.isVisible()
            assert dialog.state is DownloadState.RUNNING
            again = SandboxServer(archive.source, port=port)
            await again.start()
            try:
                await ended(dialog)
            finally:
                await again.stop()
            (toast,) = running.window.toasts.shown
            assert toast.text.text().startswith("The download has ended.")
            toast.button.click()
            assert dialog.isVisible()
            assert dialog.lacks.isHidden()
            assert missing_s(running, start_us, end_us) == 0

    run_on_qt_loop(work)


def test_cancelled_or_closed_in_the_middle_it_keeps_what_is_stored_and_leaves_no_process(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    end_us = today_us()
    start_us = end_us - 3 * DAY_US
    slow, yesterday = format_time(start_us)[:10], format_time(end_us - DAY_US)[:10]

    async def work() -> None:
        async with world(data_dir, tables_url) as (running, _, archive):
            archive.faults.archive.slow_next(60.0, path=slow, times=None)
            dialog = opened(running, start_us, end_us)
            dialog.start_button.click()
            await until(lambda: missing_s(running, start_us, end_us) == 86_400)
            dialog.cancel_button.click()
            await ended(dialog)
            assert dialog.outcome.text().startswith("Cancelled; what was fetched is stored.")
            assert children() == []
            assert missing_s(running, start_us, end_us) == 86_400
            archive.requests.clear()
            dialog.start_button.click()
            await until(lambda: any(slow in path and path.endswith(".zip") for path in archive.requests))
            assert len(children()) == 1
            assert not any(f"{yesterday}.zip" in path for path in archive.requests)
        assert children() == []

    run_on_qt_loop(work)
    database = Database.open(tables_url, data_dir)
    try:
        assert database.store.fetched_trades("BTCUSDT").complement(start_us, end_us - 1).count() == DAY_US
    finally:
        assert database.close()


def test_one_download_runs_at_a_time_and_is_cancelled_even_before_it_fetches(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    end_us = today_us()

    async def work() -> None:
        async with world(data_dir, tables_url) as (running, server, archive):
            await until(running.chart.visible_range_us)
            server.requests.clear()
            dialog = opened(running, end_us - 3 * DAY_US, end_us)
            # While the chart's download reads what is stored, the dialog's is refused.
            running.chart.download_requested.emit()
            dialog.start_button.click()
            assert dialog.state is DownloadState.EDITING
            assert dialog.outcome.text() == "Another download is running: wait for its end, then try again."
            await until(lambda: running.controller.downloads.running is RunningDownload.NONE, seconds=60)
            archive.requests.clear()
            dialog.start_button.click()
            await asyncio.sleep(0)  # it reads what is stored
            assert running.controller.downloads.running is RunningDownload.OF_DIALOG
            running.chart.jump_cancelled.emit()  # concerns a download of what is in view only
            assert dialog.state is DownloadState.RUNNING
            dialog.cancel_button.click()
            await ended(dialog)
            assert dialog.outcome.text().startswith("Cancelled; what was fetched is stored.")
            assert children() == []
            assert not archive.requests
            # A toast may outlive the dialog that it shows.
            dialog.reject()
            running.controller.downloads._announce_end(dialog, "The download has ended.")
            again = running.controller.downloads.open()
            assert again is not dialog
            await until(lambda: not isValid(dialog))
            again.reject()
            running.window.toasts.shown[-1].button.click()
            assert any(one.isVisible() for one in running.window.findChildren(DownloadDialog))

    run_on_qt_loop(work)


def test_the_trades_in_view_are_fetched_and_the_chart_shows_them(qtbot: QtBot, data_dir: Path, tables_url: str) -> None:
    async def work() -> None:
        async with world(data_dir, tables_url) as (running, server, _):
            chart = running.chart
            await until(chart.visible_range_us)
            # A candle at either end is proved by a trade beside it, which a quiet market may not have.
            margin_us = 600 * SECOND_US
            end_us = SystemClock().now_us() - margin_us

            def sources() -> set[CandleSource]:
                series, (start_us, _) = running.session.series, chart.visible_range_us()
                bars = (series.bar(at) for at in range(len(series)))
                return {bar.source for bar in bars if start_us + margin_us <= bar.open_time_us < end_us}

            assert sources() == {CandleSource.KLINE}
            chart.setFocus()
            for _ in range(2):
                QTest.keyClick(chart.focusProxy() or chart, Qt.Key.Key_D, Qt.KeyboardModifier.AltModifier)
            # The second is refused even while the first still reads what is stored.
            assert any(one.text.text() == "A download is running already." for one in running.window.toasts.shown)
            await until(lambda: sources() == {CandleSource.TRADES}, seconds=60)
            await until(lambda: "trades were downloaded" in chart.sentence)
            assert server.requests["/api/v3/historicalTrades"] > 0
            # Days of them are for the dialog to decide.
            running.window.requests.interval_requested.emit(Interval.parse("4h"))
            await until(lambda: chart.series is not None and chart.series.interval.name == "4h")
            chart.download_requested.emit()
            await until(lambda: any(one.isVisible() for one in running.window.findChildren(DownloadDialog)))
            (dialog,) = running.window.findChildren(DownloadDialog)
            assert dialog.form.ranges[Range.VIEW].isChecked()
            assert dialog.state is DownloadState.EDITING
            assert children() == []

    run_on_qt_loop(work)
