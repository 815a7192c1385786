"""
Runs the exports of the export dialog: one at a time, with progress and cancelling. Copies candles to the clipboard.

`app.live.transfers` brings the rows and `storage.files` writes them, in worker threads. This module builds both, reads
what the dialog shows before, and reports the outcome to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from shiboken6 import isValid

from app.concurrency.background import in_background
from app.concurrency.tasks import Tasks
from app.config.version import VERSION
from app.live.engine import Engine
from app.live.transfers.candle_transfer import CandleTransfer
from app.live.transfers.exports import ExportProgress, Exports, ExportSources
from app.live.transfers.first_rows import write_first_rows
from app.live.transfers.pace import Pace
from app.market.availability import StoredTimes
from app.market.calendar.calendar import Calendar
from app.market.candle_request import CandleRequest, whole_candles
from app.market.coverage import StoredGap
from app.market.errors import CryptopipeError, StoreError, UsageError
from app.market.export_plan import ExportPlan, RowsRequest
from app.market.file_columns import RowsOf
from app.market.file_format import FileFormat
from app.market.interval import Interval
from app.market.ports.database import MarketStore, OpenedDatabase
from app.market.ports.files import ExportFile
from app.market.quotes.tick import PriceSide
from app.market.symbol import Symbol, has_trades
from storage.files.target import NewFile, OpenStream, Target, check_target, make_folder
from widgets.controls.save_folder import SaveFolder
from widgets.dialogs.export.export_dialog import ExportDialog, WrittenFile
from widgets.dialogs.export.export_form import ExportRequest
from widgets.dialogs.export.preview_table import ROWS as PREVIEW_ROWS
from widgets.dialogs.export.rows_fields import FormStart
from widgets.window.main_window import MainWindow

logger = logging.getLogger(__name__)

_FLUSH_S = 5.0  # how long to wait for trades just received to be stored, so that the file has them
_MOST_COPIED = 100_000  # candles; more text than spreadsheets take from the clipboard
_FETCHED_LATER = "None of these candles is stored yet: they are fetched when the export begins."
_NO_ROWS = {
    RowsOf.TRADES: "No trade of this range is stored.",
    RowsOf.QUOTES: "No quote of this range is stored.",
    RowsOf.GAPS: "No gap lies in this range.",
    RowsOf.SESSIONS: "No session of this range is stored.",
    RowsOf.SESSION_GAPS: "No gap between sessions of this range is stored.",
}


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
        price: PriceSide = PriceSide.MID,
    ) -> ExportDialog:
        """
        Show the dialog and return it; it closes itself.

        ``indicators``: those of the chart, as text; ``price``: the one of quotes that it shows.
        """
        now_us = self._engine.exchange_clock.now_us()
        start = FormStart(symbol, interval, visible_us, now_us, self._folder.path, indicators, price)
        dialog = ExportDialog(symbols, start, palette=self._window.colours, parent=self._window)
        preview = _Preview(self._engine, dialog)
        dialog.stored_requested.connect(lambda chosen: self._tasks.begin(self._tell_stored(dialog, chosen)))
        dialog.preview_requested.connect(lambda plan: self._tasks.begin(preview.show(plan)))
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

    def copy(
        self, symbol: Symbol, interval: Interval, visible_us: tuple[int, int] | None, file_format: FileFormat
    ) -> None:
        """Put the candles in view on the clipboard, as text of that format; spreadsheets take TSV."""
        if visible_us is not None:
            range_us = whole_candles(interval, *visible_us, self._engine.exchange_clock.now_us())
            self._tasks.begin(self._copy(CandleRequest(symbol.name, interval, *range_us), file_format))

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _start(self, dialog: ExportDialog, request: ExportRequest) -> None:
        # The folder of several files is suggested for the next several.
        self._folder.note(request.path / "file" if request.plan.is_several else request.path)
        self._task = asyncio.get_event_loop().create_task(self._export(dialog, request))

    async def _export(self, dialog: ExportDialog, request: ExportRequest) -> None:
        database = self._engine.database
        if database is None:
            dialog.failed(f"Nothing was written: {self._engine.database_reason}")
            return
        written = list[WrittenFile]()
        try:
            await self._write(database, dialog, request, written)
        except asyncio.CancelledError:
            dialog.cancelled(written)
            raise
        except CryptopipeError as error:
            dialog.failed(str(error), written)
        except Exception as error:
            logger.critical("export failed", exc_info=error)
            dialog.failed(f"The export failed inside ({type(error).__name__}); the log file tells more.", written)
        else:
            dialog.completed(written)

    async def _write(
        self, database: OpenedDatabase, dialog: ExportDialog, request: ExportRequest, written: list[WrittenFile]
    ) -> None:
        """Write the files, and add each that is whole to ``written``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                await self._engine.drain()
        await database.writer.flush(_FLUSH_S)
        if request.plan.is_several:
            make_folder(request.path)
        else:
            check_target(request.path)
        exports = Exports(
            request.plan,
            _sources(self._engine, database),
            partial(_opened, request),
            VERSION,
            _Shown(dialog, Pace(self._engine.clock)).show,
        )
        async with aclosing(exports.run()) as files:
            async for one in files:
                written.append(WrittenFile(one.request, one.path or request.path, one.rows, one.lack))

    async def _copy(self, request: CandleRequest, file_format: FileFormat) -> None:
        database = self._engine.database
        if database is None:
            self._window.toasts.show(f"Nothing was copied: {self._engine.database_reason}")
            return
        if len(request.slots) > _MOST_COPIED:
            self._window.toasts.show(f"More than {_MOST_COPIED:,} candles are in view: export them to a file.")
            return
        text = io.BytesIO()
        plan = ExportPlan((RowsRequest(request.symbol, request.interval),), file_format)
        try:
            transfer = CandleTransfer(request, self._engine.history, database.store, self._engine.exchange_clock)
            file = await in_background(partial(_file, plan, plan.files[0], OpenStream(text)), "open-file")
            await transfer.run(file, VERSION)
        except CryptopipeError as error:
            self._window.toasts.show(str(error))
        else:
            self._window.copy_text(text.getvalue().decode())

    async def _tell_stored(self, dialog: ExportDialog, chosen: Sequence[tuple[str, Interval]]) -> None:
        """Tell the dialog what is stored; without a database nothing is."""
        price = dialog.form.rows.chosen_price
        for symbol, interval in chosen:
            database, stored, calendar = self._engine.database, StoredTimes(), None
            if database is not None:
                try:
                    read = partial(_stored, database.store, symbol, interval, price)
                    stored, calendar = await in_background(read, "read-stored-times")
                except StoreError as error:
                    logger.info("what is stored of %s is not known: %s", symbol, error, extra={"symbol": symbol})
            if not isValid(dialog) or dialog.form.rows.chosen_price is not price:
                return  # it was closed meanwhile, or asks about another price by now
            dialog.set_stored(symbol, interval, stored, calendar)


class _Preview:
    """Reads the first rows for one dialog, one after another; what is no longer wanted by then is left out."""

    def __init__(self, engine: Engine, dialog: ExportDialog) -> None:
        self._engine, self._dialog = engine, dialog
        self._turn = asyncio.Lock()
        self._wanted: ExportPlan | None = None
        self._gaps: dict[str, Sequence[StoredGap]] = {}

    async def show(self, plan: ExportPlan) -> None:
        """Show the first rows of the plan's file in the dialog."""
        self._wanted = plan
        async with self._turn:
            database = self._engine.database
            if database is None or self._wanted != plan or not isValid(self._dialog):
                return
            from storage.files.preview_file import PreviewFile  # here: Arrow takes a quarter of a second

            rows, layout = plan.files[0].rows, plan.layout_of(plan.files[0])
            missing = "No candle of this range is stored." if not plan.fetches else _FETCHED_LATER
            note = _NO_ROWS[rows] if isinstance(rows, RowsOf) else missing
            make = partial(PreviewFile, plan.file_format, layout, rows, PREVIEW_ROWS)
            header: Sequence[str] = ()
            shown: Sequence[Sequence[str]] = ()
            try:
                file = await in_background(make, "open-file")
                sources = _sources(self._engine, database)._replace(gaps=partial(self._gaps_of, database))
                if await write_first_rows(plan, sources, file, PREVIEW_ROWS):
                    note = ""
                header, shown = file.names, file.rows
            except (UsageError, StoreError) as error:
                note = str(error)
            if isValid(self._dialog):
                self._dialog.set_preview(plan, header, shown, note)

    def _gaps_of(self, database: OpenedDatabase, symbol: str) -> Sequence[StoredGap]:
        """Return the gaps, read once: the times around each cost two look-ups."""
        if symbol not in self._gaps:
            self._gaps[symbol] = database.gaps(symbol)
        return self._gaps[symbol]


class _Shown:
    """Shows the progress of an export in its dialog."""

    def __init__(self, dialog: ExportDialog, pace: Pace) -> None:
        self._dialog, self._pace, self._file = dialog, pace, -1

    def show(self, progress: ExportProgress) -> None:
        now = progress.now
        if progress.done != self._file:
            self._file = progress.done
            self._pace.restart()
        words = self._pace.words(now.done, now.total)
        self._dialog.set_progress(progress.request, progress.done, now.done, now.total, words, now.waits_because)


def _stored(
    store: MarketStore, symbol: str, interval: Interval, price: PriceSide
) -> tuple[StoredTimes, Calendar | None]:
    """Return what is stored of candles, and when their market is open if they are of quotes. Blocks."""
    if has_trades(symbol):
        return store.stored_times(symbol, interval), None
    return store.of_side(price).stored_times(symbol, interval), store.calendar_of(symbol)


def _sources(engine: Engine, database: OpenedDatabase) -> ExportSources:
    return ExportSources(engine.history, database.store, engine.exchange_clock, database.gaps, database.ticks)


def _opened(request: ExportRequest, rows: RowsRequest, name: str | None) -> ExportFile:
    """Open the file of these rows; ``name``: its own in a folder. Blocks."""
    path: Path = request.path
    if request.plan.is_several:
        return _file(request.plan, rows, NewFile(path, name))
    return _file(request.plan, rows, NewFile(path.parent, path.name if request.is_named else None, keeps_others=True))


def _file(plan: ExportPlan, rows: RowsRequest, target: Target) -> ExportFile:
    from storage.files.export_file import rows_file  # here: Arrow takes a quarter of a second

    return rows_file(target, plan.file_format, plan.layout_of(rows), rows.rows)
