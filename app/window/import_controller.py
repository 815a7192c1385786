"""
Runs the imports of the import dialog: one at a time, with progress and cancelling, while recording goes on.

`app.live.transfers.imports` reads and stores, in threads of its own; `storage.files.readers` says what a file is. This
module asks both, tells the dialog, and lets the engine read the ids again that are stored now.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from shiboken6 import isValid

from app.concurrency.background import in_background
from app.concurrency.tasks import Tasks
from app.live.engine import Engine
from app.live.transfers.import_report import FileReport
from app.live.transfers.imports import FileImport, ImportProgress
from app.live.transfers.refused_rows import SUFFIX
from app.market.durations import length
from app.market.errors import CryptopipeError, FileError, UsageError
from app.market.ports.database import OpenedDatabase
from app.market.ports.row_files import ReadingOptions
from storage.files.readers.open_rows import open_rows
from storage.files.readers.preview import MAPPABLE_COLUMNS, preview
from widgets.dialogs.import_dialog import ImportDialog, ImportFileView, ImportOutcomeView
from widgets.window.main_window import MainWindow

logger = logging.getLogger(__name__)

_TOLD_EVERY_S = 0.1
_PACE_KNOWN_S = 1.0

Wanted = tuple[Path, ReadingOptions]


class ImportController:
    """Opens the import dialog over ``window``. ``imported`` is called with the symbols of which rows were stored."""

    def __init__(self, engine: Engine, window: MainWindow, imported: Callable[[Sequence[str]], None]) -> None:
        self._engine, self._window, self._imported = engine, window, imported
        self._tasks = Tasks("the import dialog")
        self._dialog: ImportDialog | None = None
        self._work: FileImport | None = None
        self._is_cancelled = False

    def open(self, paths: Sequence[Path] = ()) -> ImportDialog:
        """Show the dialog with these files and folders, and return it; it closes itself. There is one at a time."""
        if self._dialog is not None and isValid(self._dialog):
            self._dialog.add(paths)
            return self._dialog
        dialog = self._dialog = ImportDialog(paths, palette=self._window.colours, parent=self._window)
        dialog.preview_requested.connect(lambda path, options: self._tasks.begin(_tell(dialog, path, options)))
        dialog.import_requested.connect(lambda wanted: self._tasks.begin(self._import(dialog, wanted)))
        dialog.cancel_requested.connect(self._cancel)
        dialog.folder_requested.connect(lambda path: QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent))))
        dialog.finished.connect(self._forget)
        dialog.open()
        dialog.begin()
        return dialog

    async def stop(self) -> None:
        """Stop a running import after its batch in hand."""
        self._cancel()
        await self._tasks.end()

    def _forget(self) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None

    def _cancel(self) -> None:
        self._is_cancelled = True
        if self._work is not None:
            self._work.cancel()

    async def _import(self, dialog: ImportDialog, wanted: Sequence[Wanted]) -> None:
        self._is_cancelled = False
        database = self._engine.database
        if database is None:
            dialog.failed(f"Nothing was imported: {self._engine.database_reason}")
            return
        loop = asyncio.get_running_loop()
        told = _Told(lambda *values: loop.call_soon_threadsafe(_show, dialog, *values), len(wanted))
        try:
            reports, why = await in_background(partial(self._run, database, wanted, told), "import", to_its_end=True)
        except CryptopipeError as error:
            if isValid(dialog):
                dialog.failed(str(error))
            return
        except Exception as error:
            logger.critical("import failed", exc_info=error)
            if isValid(dialog):
                dialog.failed(f"The import failed inside ({type(error).__name__}); the log file tells more.")
            return
        symbols = sorted({name for report in reports for name in report.symbols if report.stored})
        if isValid(dialog):
            dialog.completed([_outcome(report) for report in reports], why)
        await self._engine.read_coverage(symbols)
        self._imported(symbols)

    def _run(self, database: OpenedDatabase, wanted: Sequence[Wanted], told: _Told) -> tuple[list[FileReport], str]:
        """Import all, and return what became of each file, and why it ended early. Blocks."""
        reports, why = list[FileReport](), ""
        with contextlib.closing(database.bulk_loader()) as loader:
            # Neighbours with the same options share a run: statistics are refreshed once.
            for options, group in groupby(wanted, key=lambda one: one[1]):
                paths = [path for path, _ in group]
                work = self._work = FileImport(paths, options, open_rows, loader, on_progress=told.note)
                if self._is_cancelled:
                    work.cancel()
                report = work.run()
                told.next_run(len(paths))
                reports += report.files
                if report.stopped_because:
                    why = report.stopped_because
                    break
        self._work = None
        return reports, why


class _Told:
    """Tells of the progress at the pace of the eye. `note` is called in the importing thread."""

    def __init__(self, tell: Callable[[Path, int, float, str], object], paths: int) -> None:
        self._tell, self._paths = tell, paths
        self._done_paths, self._run_paths, self._rows_before, self._rows = 0, paths, 0, 0
        self._began_s = self._told_s = time.monotonic()

    def note(self, progress: ImportProgress) -> None:
        now_s = time.monotonic()
        self._rows = progress.rows
        if now_s < self._told_s + _TOLD_EVERY_S:
            return
        self._told_s = now_s
        share = (self._done_paths + progress.share * (self._paths - self._done_paths)) / self._paths
        rows, elapsed_s = self._rows_before + progress.rows, now_s - self._began_s
        pace = ""
        if elapsed_s >= _PACE_KNOWN_S and rows and share:
            pace = f"{rows / elapsed_s:,.0f} rows/s, {length(elapsed_s * (1 - share) / share)} left"
        self._tell(progress.path, rows, share, pace)

    def next_run(self, paths: int) -> None:
        self._done_paths += paths
        self._rows_before += self._rows
        self._rows = 0


def _show(dialog: ImportDialog, path: Path, rows: int, share: float, pace: str) -> None:
    if isValid(dialog):
        dialog.set_progress(path, rows, share, pace)


async def _tell(dialog: ImportDialog, path: Path, options: ReadingOptions) -> None:
    """Tell the dialog what a path is."""
    view = await in_background(partial(recognised, path, options), "preview-file")
    if isValid(dialog):
        dialog.set_file(view)


def recognised(path: Path, options: ReadingOptions) -> ImportFileView:
    """Return what a file or a folder is, as it is read with these options. Blocks; raises nothing for a bad file."""
    if path.is_dir():
        return _folder(path, options)
    try:
        size_bytes = path.stat().st_size
        found = preview(path, options)
    except (FileError, UsageError) as error:
        return ImportFileView(path, _size(path), options, problem=_in_window(path, str(error)))
    except OSError as error:
        return ImportFileView(path, 0, options, problem=f"{path.name} cannot be read: {error.strerror}.")
    kind = found.kind or options.kind
    words = [found.recognised_by or "", "" if kind is None else str(kind), found.interval or "", found.symbol or ""]
    return ImportFileView(
        path,
        size_bytes,
        options,
        about=" · ".join(filter(None, words)) or "A table",
        problem=_in_window(path, found.problem),
        kind=found.kind,
        symbol=found.symbol or "",
        header=found.header,
        columns=dict(found.columns),
        rows=found.rows,
        choices=MAPPABLE_COLUMNS[kind] if kind is not None else (),
    )


def _in_window(path: Path, problem: str) -> str:
    """Return the sentence without the file's path, which stands beside it, and without the command's options."""
    said = problem.removeprefix(f"{path}: ")
    sentence = problem.replace(str(path), path.name) if said == problem else said[:1].upper() + said[1:]
    before, option, _ = sentence.partition(": say which is what with --map")
    return f"{before}. Choose what the rows are, then what each column is." if option else sentence


def _folder(path: Path, options: ReadingOptions) -> ImportFileView:
    try:
        files = [one for one in path.rglob("*") if one.is_file()]
    except OSError as error:
        return ImportFileView(path, 0, options, problem=f"{path.name} cannot be read: {error.strerror}.")
    size_bytes = sum(map(_size, files))
    number = "1 file" if len(files) == 1 else f"{len(files):,} files"
    problem = "" if files else f"{path} holds no file."
    return ImportFileView(path, size_bytes, options, about=f"Folder · {number}", problem=problem)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _outcome(report: FileReport) -> ImportOutcomeView:
    beside = report.path.with_name(report.path.name + SUFFIX)
    return ImportOutcomeView(
        report.path,
        report.read,
        report.stored,
        report.held,
        report.refused,
        report.missing,
        report.reason,
        beside if report.refused else None,
    )
