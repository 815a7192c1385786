"""
Runs the exports of the export dialog: one at a time, in a worker thread, with progress and cancelling.

`storage.files.candle_csv` writes the file. This module passes it the candles, and reports the outcome to the dialog.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from app.concurrency.background import in_background
from app.live.engine import Engine
from app.market.errors import CryptopipeError
from app.market.interval import Interval
from app.market.symbol import Symbol
from storage.files.candle_csv import ExportCancelled, write_csv
from widgets.dialogs.export_dialog import ExportDialog, ExportRequest
from widgets.window.main_window import MainWindow

logger = logging.getLogger(__name__)

_FLUSH_S = 5.0  # how long to wait for trades just received to be stored, so that the file has them


class ExportController:
    """Opens the export dialog over ``window`` and runs its exports."""

    def __init__(self, engine: Engine, window: MainWindow) -> None:
        self._engine = engine
        self._window = window
        self._folder = Path.home()
        self._cancelled = threading.Event()
        self._task: asyncio.Task[None] | None = None

    def open(
        self, symbols: Sequence[Symbol], symbol: Symbol, interval: Interval, visible_us: tuple[int, int] | None
    ) -> ExportDialog:
        """Show the dialog and return it; it closes itself."""
        dialog = ExportDialog(
            symbols, symbol, interval, visible_us=visible_us, folder=self._folder, parent=self._window
        )
        dialog.export_started.connect(lambda request: self._start(dialog, request))
        dialog.cancel_requested.connect(self._cancelled.set)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        return dialog

    async def stop(self) -> None:
        """Cancel a running export and wait until its file is gone."""
        self._cancelled.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def _start(self, dialog: ExportDialog, request: ExportRequest) -> None:
        self._cancelled.clear()
        self._folder = request.path.parent
        self._task = asyncio.get_event_loop().create_task(self._export(dialog, request))

    async def _export(self, dialog: ExportDialog, request: ExportRequest) -> None:
        database = self._engine.database
        if database is None:
            dialog.failed(f"Nothing was written: {self._engine.database_reason}")
            return
        loop = asyncio.get_running_loop()
        first_us: int | None = request.start_us

        def progress(written: int, open_time_us: int) -> None:
            nonlocal first_us
            first_us = open_time_us if first_us is None else first_us
            end_us = request.end_us or self._engine.exchange_clock.now_us()
            span_us = end_us - first_us
            fraction = min(max((open_time_us - first_us) / span_us, 0.0), 1.0) if span_us > 0 else None
            loop.call_soon_threadsafe(dialog.set_progress, written, fraction)

        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_S):
                    await self._engine.drain()
            await database.writer.flush(_FLUSH_S)
            batches = database.store.iter_candles(
                request.symbol.name, request.interval, start_us=request.start_us, end_us=request.end_us
            )
            write = partial(write_csv, batches, request.path, cancelled=self._cancelled, progress=progress)
            written = await in_background(write, "export-candles")
        except ExportCancelled:
            dialog.cancelled()
        except CryptopipeError as error:
            dialog.failed(str(error))
        except Exception as error:
            logger.critical("export failed", exc_info=error)
            dialog.failed(f"The export failed inside ({type(error).__name__}); the log file tells more.")
        else:
            dialog.completed(request.path, written)
