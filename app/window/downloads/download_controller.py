"""
Downloads past trades and candles for the window: by the dialog, or what the chart shows.

One runs at a time, in its own process, and the window stays usable. When it ends, with success or without, the engine
and the chart read again what is stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from functools import partial

from shiboken6 import isValid

from app.concurrency.background import in_background
from app.concurrency.tasks import Tasks
from app.config.settings import Settings
from app.live.engine import Engine
from app.live.transfers.downloads.download import DownloadProgress
from app.live.transfers.downloads.forecast import Forecast, forecast
from app.live.transfers.downloads.outcome import DownloadOutcome
from app.live.transfers.pace import Pace
from app.market.errors import CryptopipeError, StoreError
from app.market.interval import SECOND_US, Interval
from app.market.ports.database import OpenedDatabase
from app.window.charts.open_charts import OpenCharts
from app.window.downloads.download_process import DownloadProcess
from app.window.downloads.outcome import (
    forecast_rows,
    forecast_sentence,
    outcome_lacks,
    outcome_rows,
    outcome_sentence,
    progress_rows,
    progress_sentence,
)
from widgets.chart.chart_widget import ChartWidget
from widgets.controls.number_format import count, counted
from widgets.dialogs.download_dialog import DownloadDialog
from widgets.dialogs.download_form import SETTLED_US, ChosenDownload, DownloadStart
from widgets.window.main_window import MainWindow
from widgets.window.window_placement import bring_to_front

logger = logging.getLogger(__name__)

_MOST_UNASKED_S = 2 * 86_400  # of trades in view, in seconds of the market; more are for the dialog to decide
_BEFORE_US = 3_600 * SECOND_US
_CANCELLED = "Cancelled; what was fetched is stored. Download again to go on from there."
_BUSY = "Another download is running: wait for its end, then try again."

Shown = Callable[[list[Forecast], DownloadProgress], None]


class Running(Enum):
    """Which download runs, from the click until its outcome is shown."""

    NONE = auto()
    OF_DIALOG = auto()
    OF_VIEW = auto()


class DownloadController:
    """
    Opens the download dialog over ``window``, and downloads what the active one of ``charts`` shows.

    ``shown`` returns that chart's symbol and interval. ``settings`` are those that the download's process gets.
    """

    def __init__(
        self,
        engine: Engine,
        window: MainWindow,
        charts: OpenCharts,
        settings: Settings,
        shown: Callable[[], tuple[str, Interval]],
    ) -> None:
        self._engine, self._window, self._charts = engine, window, charts
        self._settings, self._shown = settings, shown
        self._tasks = Tasks("downloads")
        self._dialog: DownloadDialog | None = None
        self._forecasting: asyncio.Task[None] | None = None
        self.running = Running.NONE
        """Which download runs now, if any."""
        self._process: DownloadProcess | None = None  # of the running download

    # The dialog

    def open(self) -> DownloadDialog:
        """Show the dialog, that of a running download if there is one, and return it."""
        dialog = self._dialog
        if dialog is None or not isValid(dialog) or not (dialog.isVisible() or dialog.is_running):
            dialog = self._dialog = self._new_dialog()
        self._raise(dialog)
        return dialog

    async def stop(self) -> None:
        """End a running download; what is stored stays."""
        await self._tasks.end()

    def _new_dialog(self) -> DownloadDialog:
        if self._dialog is not None and isValid(self._dialog):
            self._dialog.deleteLater()
        name, interval = self._shown()
        visible_us, now_us = self._charts.active.controller.visible_history_us(), self._engine.exchange_clock.now_us()
        start = DownloadStart(name, interval, visible_us, now_us)
        dialog = DownloadDialog(
            list(self._engine.symbols.values()), start, palette=self._window.colours, parent=self._window
        )
        dialog.forecast_requested.connect(lambda chosen: self._forecast(dialog, chosen))
        dialog.download_requested.connect(lambda chosen: self._begin_chosen(dialog, chosen))
        dialog.cancel_requested.connect(self._cancel)
        dialog.palette_changed.connect(lambda: dialog.set_palette(self._window.colours))
        dialog.ask_for_forecast()
        return dialog

    def _raise(self, dialog: DownloadDialog) -> None:
        if not isValid(dialog):  # a toast may name one that another has replaced since
            self.open()
        else:
            bring_to_front(dialog)

    def _forecast(self, dialog: DownloadDialog, chosen: ChosenDownload) -> None:
        if self._forecasting is not None:
            self._forecasting.cancel()
        self._forecasting = self._tasks.begin(self._show_forecast(dialog, chosen))

    async def _show_forecast(self, dialog: DownloadDialog, chosen: ChosenDownload) -> None:
        try:
            forecasts = await self._forecasts(self._database(), chosen)
        except StoreError as error:
            logger.info("what is stored is not known: %s", error)
            if isValid(dialog):
                dialog.set_forecast(chosen, (), str(error))
            return
        if isValid(dialog):
            rows = forecast_rows(forecasts, chosen.interval, self._title)
            dialog.set_forecast(chosen, rows, forecast_sentence(forecasts))

    def _begin_chosen(self, dialog: DownloadDialog, chosen: ChosenDownload) -> None:
        if self.running is Running.NONE:
            self._begin(Running.OF_DIALOG, partial(self._download, dialog, chosen))
        else:
            dialog.failed(_BUSY)

    async def _download(self, dialog: DownloadDialog, chosen: ChosenDownload) -> None:
        pace = Pace(self._engine.clock, "rows/s")

        def show(forecasts: list[Forecast], now: DownloadProgress) -> None:
            if isValid(dialog):
                rows = progress_rows(forecasts, chosen.interval, now, self._title)
                share = now.done / now.total if now.total else 1.0
                dialog.set_progress(rows, share, progress_sentence(now), pace.words(now.done, now.total, now.rows))

        try:
            forecasts, outcome = await self._fetch(chosen, show)
        except CryptopipeError as error:
            if isValid(dialog):
                dialog.failed(str(error))
                self._announce_end(dialog, str(error))
            return
        if not isValid(dialog):
            return
        if outcome is None:
            dialog.failed(_CANCELLED)
            return
        sentence, lacks = outcome_sentence(outcome, self._title), outcome_lacks(outcome, self._title)
        dialog.completed(outcome_rows(forecasts, chosen.interval, outcome, self._title), sentence, lacks)
        missing = f" {counted(len(lacks), 'part')} of it could not be had." if lacks else ""
        self._announce_end(dialog, f"The download has ended. {sentence}{missing}")

    def _announce_end(self, dialog: DownloadDialog, sentence: str) -> None:
        if not dialog.isVisible():
            self._window.toasts.show(sentence, "Show", lambda: self._raise(dialog))

    def _cancel(self) -> None:
        if self._process is not None:
            self._process.cancel()

    # What the chart shows

    def download_view(self) -> None:
        """Download the trades in view that are not stored, and show them; if they are many, ask by the dialog."""
        visible_us = self._charts.active.controller.visible_history_us()
        if visible_us is None:
            return
        if self.running is not Running.NONE:
            self._window.toasts.show("A download is running already.", "Show", self.open)
            return
        name, interval = self._shown()
        # The first candle is proved by a trade before it.
        start_us = visible_us[0] - min(interval.length_us, _BEFORE_US)
        start_us -= start_us % SECOND_US
        end_us = min(visible_us[1], self._engine.exchange_clock.now_us() - SETTLED_US)
        end_us -= end_us % SECOND_US
        if start_us < end_us:
            chosen = ChosenDownload((name,), None, start_us, end_us)
            self._begin(Running.OF_VIEW, partial(self._download_view, chosen))

    async def _download_view(self, chosen: ChosenDownload) -> None:
        chart = self._charts.active.chart
        try:
            missing_s = sum(one.missing_s for one in await self._forecasts(self._database(), chosen))
            if not missing_s:
                chart.end_jump("All trades in view are stored.")
                return
            if missing_s > _MOST_UNASKED_S:
                self.open().choose_view()
                return
            chart.begin_jump("Downloading the trades in view…")
            _, outcome = await self._fetch(chosen, partial(self._show_view_progress, chart))
        except CryptopipeError as error:
            chart.end_jump("")
            sentence = f"The trades in view were not downloaded: {error}"
            self._window.toasts.show(sentence, "Try again", self.download_view)
            return
        if outcome is None:
            chart.end_jump("Cancelled; what was fetched is stored.")
            return
        stored = outcome.rows.stored
        chart.end_jump("1 trade was downloaded." if stored == 1 else f"{count(stored)} trades were downloaded.")
        if lacks := outcome_lacks(outcome, self._title):
            self._window.toasts.show(f"Not all could be had. {lacks[0]}", "Try again", self.download_view)

    def _show_view_progress(self, chart: ChartWidget, forecasts: list[Forecast], now: DownloadProgress) -> None:
        del forecasts
        share = int(100 * now.done / now.total) if now.total else 100
        waits = f" {progress_sentence(now)}" if now.waits_because else ""
        chart.begin_jump(f"Downloading the trades in view… {share} %{waits}")

    def cancel_view(self) -> None:
        """End a download of what is in view; what is stored stays."""
        if self.running is Running.OF_VIEW:
            self._cancel()

    # Both

    def _begin(self, running: Running, work: Callable[[], Awaitable[None]]) -> None:
        self.running = running
        self._tasks.begin(self._until_end(work))

    async def _until_end(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        finally:
            self.running = Running.NONE

    async def _fetch(self, chosen: ChosenDownload, show: Shown) -> tuple[list[Forecast], DownloadOutcome | None]:
        """
        Download, let engine and chart read what is stored now, and return the forecasts and the outcome.

        Raises:
            CryptopipeError: If it could not begin, or ended early; the sentence says why.
        """
        database, forecasts = self._database(), list[Forecast]()
        process = self._process = DownloadProcess(self._settings, database, chosen, partial(show, forecasts))
        try:
            forecasts += await self._forecasts(database, chosen)
            try:
                outcome = await process.run()
            except CryptopipeError:
                await self._read_stored(chosen)
                raise
            await self._read_stored(chosen)
        finally:
            self._process = None
        for lack in () if outcome is None else outcome_lacks(outcome, self._title):
            logger.warning("download: %s", lack)
        return forecasts, outcome

    async def _read_stored(self, chosen: ChosenDownload) -> None:
        if chosen.interval is None:
            await self._engine.read_coverage(chosen.symbols)
        for name in chosen.symbols:
            for one in list(self._charts.showing(name)):
                await one.controller.read_stored(name, chosen.start_us, chosen.end_us)

    async def _forecasts(self, database: OpenedDatabase, chosen: ChosenDownload) -> list[Forecast]:
        def work() -> list[Forecast]:
            return [
                forecast(database.store, name, chosen.interval, chosen.start_us, chosen.end_us)
                for name in chosen.symbols
            ]

        return await in_background(work, "forecast-download")

    def _database(self) -> OpenedDatabase:
        """Return the database in use. Raises StoreError."""
        if self._engine.database is None:
            raise StoreError(self._engine.database_reason or "The database is not open yet: wait a moment.")
        return self._engine.database

    def _title(self, name: str) -> str:
        return self._engine.symbol(name).full_name
