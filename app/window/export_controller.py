"""
Runs the exports of the export dialog: one at a time, with progress and cancelling.

`app.live.transfers` brings the candles and `storage.files` writes them, in worker threads. This module builds both and
reports the outcome to the dialog.
"""

from __future__ import annotations

import asyncio
import contextlib
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
from app.market.availability import StoredTimes
from app.market.durations import length
from app.market.errors import CryptopipeError, StoreError
from app.market.file_format import FileFormat, FileLayout
from app.market.interval import Interval
from app.market.ports.clock import Clock
from app.market.ports.database import OpenedDatabase
from app.market.ports.files import ExportFile
from app.market.symbol import Symbol
from storage.files.target import NewFile, check_target
from widgets.controls.save_folder import SaveFolder
from widgets.dialogs.export_dialog import ExportDialog, ExportRequest
from widgets.dialogs.export_form import FormStart
from widgets.window.main_window import MainWindow

logger = logging.getLogger(__name__)

_FLUSH_S = 5.0  # how long to wait for trades just received to be stored, so that the file has them
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
        self, symbols: Sequence[Symbol], symbol: Symbol, interval: Interval, visible_us: tuple[int, int] | None
    ) -> ExportDialog:
        """Show the dialog and return it; it closes itself."""
        start = FormStart(symbol, interval, visible_us, self._engine.exchange_clock.now_us(), self._folder.path)
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

    async def _outcome(self, database: OpenedDatabase, dialog: ExportDialog, request: ExportRequest) -> TransferOutcome:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                await self._engine.drain()
        await database.writer.flush(_FLUSH_S)
        check_target(request.path)
        pace = _Pace(self._engine.clock)

        def show(progress: TransferProgress) -> None:
            dialog.set_progress(progress.done, progress.total, pace.words(progress), progress.waits_because)

        transfer = CandleTransfer(
            request.candles, self._engine.history, database.store, self._engine.exchange_clock, show
        )
        file = await in_background(partial(_opened, request), "open-file")
        return await transfer.run(file, VERSION)

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
    from storage.files.export_file import candle_file  # here, because Arrow takes a quarter of a second

    name = request.path.name if request.is_named else None
    target = NewFile(request.path.parent, name, keeps_others=True)
    return candle_file(target, FileFormat.CSV, FileLayout(), request.candles.interval)


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
