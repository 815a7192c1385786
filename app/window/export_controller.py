"""
Runs the exports of the export dialog: one at a time, with progress and cancelling.

`app.live.transfers` brings the candles and `storage.files` writes them, in worker threads. This module builds both and
reports the outcome to the dialog.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from collections import deque
from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from shiboken6 import isValid

from app.concurrency.background import in_background
from app.concurrency.tasks import Tasks
from app.config.version import VERSION
from app.live.engine import Engine
from app.live.transfers.candle_transfer import CandleTransfer, TransferOutcome, TransferProgress
from app.live.transfers.trade_report import TradeRequest
from app.live.transfers.trade_transfer import TradeOutcome, TradeTransfer
from app.market.availability import StoredTimes
from app.market.candle_request import CandleRequest, file_name
from app.market.durations import length
from app.market.errors import CryptopipeError, StoreError
from app.market.file_columns import RowsOf
from app.market.file_format import FileFormat, FileLayout, Preset, check_rows
from app.market.interval import Interval
from app.market.ports.clock import Clock
from app.market.ports.database import OpenedDatabase
from app.market.ports.files import ExportFile
from app.market.symbol import Symbol
from storage.files.target import NewFile, OpenStream, check_target
from widgets.controls.save_folder import SaveFolder
from widgets.dialogs.export_dialog import ExportDialog, ExportRequest
from widgets.dialogs.export_file_fields import Rows
from widgets.dialogs.export_form import FormStart
from widgets.window.main_window import MainWindow

logger = logging.getLogger(__name__)

_FLUSH_S = 5.0  # how long to wait for trades just received to be stored, so that the file has them
_MOST_COPIED = 100_000  # candles; more text than spreadsheets take from the clipboard
_PACE_OVER_S = 10.0
_PACE_KNOWN_S = 0.5


class ExportController:
    """Opens the export dialog over ``window`` and runs its exports. ``folder``: the one suggested for files."""

    def __init__(self, engine: Engine, window: MainWindow, folder: SaveFolder) -> None:
        self._engine = engine
        self._window = window
        self._folder = folder
        self._task: asyncio.Task[None] | None = None
        self._tasks = Tasks("the export dialog")

    def open(
        self,
        symbols: Sequence[Symbol],
        symbol: Symbol,
        interval: Interval,
        visible_us: tuple[int, int] | None,
        indicators: str = "",
    ) -> ExportDialog:
        """Show the dialog and return it; it closes itself. ``indicators``: those of the chart, as text."""
        now_us = self._engine.exchange_clock.now_us()
        start = FormStart(symbol, interval, visible_us, now_us, self._folder.path, indicators)
        dialog = ExportDialog(symbols, start, palette=self._window.colours, parent=self._window)
        dialog.stored_requested.connect(lambda *chosen: self._tasks.begin(self._tell_stored(dialog, *chosen)))
        dialog.export_started.connect(lambda request: self._start(dialog, request))
        dialog.cancel_requested.connect(self._cancel)
        dialog.folder_requested.connect(lambda path: QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent))))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        dialog.ask_what_is_stored()
        return dialog

    async def stop(self) -> None:
        """Cancel a running export and wait until its file is gone."""
        self._cancel()
        await self._tasks.end()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _start(self, dialog: ExportDialog, request: ExportRequest) -> None:
        self._folder.note(request.path)
        self._task = asyncio.get_event_loop().create_task(self._export(dialog, request))

    async def _export(self, dialog: ExportDialog, request: ExportRequest) -> None:
        database = self._engine.database
        if database is None:
            dialog.failed(f"Nothing was written: {self._engine.database_reason}")
            return
        try:
            outcome = await self._outcome(database, dialog, request)
        except asyncio.CancelledError:
            dialog.cancelled()
            raise
        except CryptopipeError as error:
            dialog.failed(str(error))
        except Exception as error:
            logger.critical("export failed", exc_info=error)
            dialog.failed(f"The export failed inside ({type(error).__name__}); the log file tells more.")
        else:
            dialog.completed(outcome.path or request.path, outcome.report.rows, outcome.report.lack)

    def copy(self, symbol: Symbol, interval: Interval, visible_us: tuple[int, int] | None) -> None:
        """Put the candles in view on the clipboard, as a table of text that spreadsheets take."""
        if visible_us is not None:
            self._tasks.begin(self._copy(CandleRequest(symbol.name, interval, *visible_us)))

    async def _copy(self, request: CandleRequest) -> None:
        database = self._engine.database
        if database is None:
            self._window.toasts.show(f"Nothing was copied: {self._engine.database_reason}")
            return
        if len(request.slots) > _MOST_COPIED:
            self._window.toasts.show(f"More than {_MOST_COPIED:,} candles are in view: export them to a file.")
            return
        text = io.BytesIO()
        try:
            request.check()
            transfer = CandleTransfer(request, self._engine.history, database.store, self._engine.exchange_clock)
            file = await in_background(partial(_table, text, request.interval), "open-file")
            await transfer.run(file, VERSION)
        except CryptopipeError as error:
            self._window.toasts.show(str(error))
        else:
            self._window.copy_text(text.getvalue().decode())

    async def _outcome(
        self, database: OpenedDatabase, dialog: ExportDialog, request: ExportRequest
    ) -> TransferOutcome | TradeOutcome:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                await self._engine.drain()
        await database.writer.flush(_FLUSH_S)
        check_target(request.path)
        pace = _Pace(self._engine.clock)

        def show(progress: TransferProgress) -> None:
            dialog.set_progress(progress.done, progress.total, pace.words(progress), progress.waits_because)

        if request.rows is Rows.TRADES:
            candles = request.candles
            trades = TradeTransfer(TradeRequest(candles.symbol, candles.start_us, candles.end_us), database.store, show)
            check_rows(await trades.count(), request.file_format)
            file = await in_background(partial(_opened, request), "open-file")
            return await trades.run(
                file, VERSION, partial(file_name, candles.symbol, "trades", suffix=request.file_format)
            )
        transfer = CandleTransfer(
            request.candles,
            self._engine.history,
            database.store,
            self._engine.exchange_clock,
            show,
            request.indicators,
        )
        file = await in_background(partial(_opened, request), "open-file")
        return await transfer.run(file, VERSION, request.file_format)

    async def _tell_stored(self, dialog: ExportDialog, symbol: Symbol, interval: Interval) -> None:
        """Tell the dialog what is stored; without a database nothing is."""
        database = self._engine.database
        stored = StoredTimes()
        if database is not None:
            try:
                read = partial(database.store.stored_times, symbol.name, interval)
                stored = await in_background(read, "read-stored-times")
            except StoreError as error:
                logger.info("what is stored of %s is not known: %s", symbol.name, error, extra={"symbol": symbol.name})
        if isValid(dialog):  # it may have been closed meanwhile
            dialog.set_stored(symbol, interval, stored)


def _opened(request: ExportRequest) -> ExportFile:
    from storage.files.export_file import rows_file  # here: Arrow takes a quarter of a second

    # freqtrade finds a file by its name, whatever is in it.
    is_named = request.is_named or request.layout.preset is Preset.FREQTRADE
    target = NewFile(request.path.parent, request.path.name if is_named else None, keeps_others=True)
    rows = RowsOf.TRADES if request.rows is Rows.TRADES else request.candles.interval
    return rows_file(target, request.file_format, request.layout, rows)


def _table(text: io.BytesIO, interval: Interval) -> ExportFile:
    from storage.files.export_file import rows_file

    return rows_file(OpenStream(text), FileFormat.TSV, FileLayout(), interval)


class _Pace:
    """How fast an export goes, as of the last seconds, and how long it takes yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque(maxlen=50)

    def words(self, progress: TransferProgress) -> str:
        """Return “310 per second, 4 s left”; empty where that is not known yet."""
        now_s = self._clock.monotonic_s()
        while len(self._seen) > 1 and self._seen[0][0] < now_s - _PACE_OVER_S:
            self._seen.popleft()
        self._seen.append((now_s, progress.done))
        elapsed_s, done = now_s - self._seen[0][0], progress.done - self._seen[0][1]
        if elapsed_s < _PACE_KNOWN_S or not done:
            return ""
        return f"{done / elapsed_s:,.0f} per second, {length((progress.total - progress.done) * elapsed_s / done)} left"
