"""
Runs the exports of the export dialog: one at a time, with progress and cancelling.

`app.live.transfers` brings the candles and `storage.files` writes them, in worker threads. This module builds both and
reports the outcome to the dialog.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from functools import partial

from app.concurrency.background import in_background
from app.config.version import VERSION
from app.live.engine import Engine
from app.live.transfers.candle_transfer import CandleTransfer, TransferOutcome, TransferProgress
from app.live.transfers.range_ends import whole_request
from app.market.errors import CryptopipeError
from app.market.interval import Interval
from app.market.ports.database import OpenedDatabase
from app.market.symbol import Symbol
from storage.files.candle_csv import CandleCsv
from storage.files.target import NewFile, check_target
from widgets.controls.save_folder import SaveFolder
from widgets.dialogs.export_dialog import ExportDialog, ExportRequest
from widgets.window.main_window import MainWindow

logger = logging.getLogger(__name__)

_FLUSH_S = 5.0  # how long to wait for trades just received to be stored, so that the file has them


class ExportController:
    """Opens the export dialog over ``window`` and runs its exports. ``folder``: the one suggested for files."""

    def __init__(self, engine: Engine, window: MainWindow, folder: SaveFolder) -> None:
        self._engine = engine
        self._window = window
        self._folder = folder
        self._task: asyncio.Task[None] | None = None

    def open(
        self, symbols: Sequence[Symbol], symbol: Symbol, interval: Interval, visible_us: tuple[int, int] | None
    ) -> ExportDialog:
        """Show the dialog and return it; it closes itself."""
        dialog = ExportDialog(
            symbols, symbol, interval, visible_us=visible_us, folder=self._folder.path, parent=self._window
        )
        dialog.export_started.connect(lambda request: self._start(dialog, request))
        dialog.cancel_requested.connect(self._cancel)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        return dialog

    async def stop(self) -> None:
        """Cancel a running export and wait until its file is gone."""
        self._cancel()
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
            dialog.completed(outcome.path or request.path, outcome.report.rows)

    async def _outcome(self, database: OpenedDatabase, dialog: ExportDialog, request: ExportRequest) -> TransferOutcome:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                await self._engine.drain()
        await database.writer.flush(_FLUSH_S)
        check_target(request.path)
        ends = partial(
            whole_request,
            database.store,
            request.symbol.name,
            request.interval,
            request.start_us,
            request.end_us,
            now_us=self._engine.exchange_clock.now_us(),
            fetch=False,
            include_open=False,
        )
        candles = await in_background(ends, "read-candles")

        def show(progress: TransferProgress) -> None:
            dialog.set_progress(progress.done, progress.done / progress.total)

        transfer = CandleTransfer(candles, self._engine.history, database.store, self._engine.exchange_clock, show)
        return await transfer.run(CandleCsv(NewFile(request.path.parent, request.path.name)), VERSION)
