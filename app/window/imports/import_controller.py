"""
Runs the imports of the import dialog: one at a time, with progress and cancelling, while recording goes on.

An import goes on while its dialog is hidden; its end is announced then, and the dialog can be shown again.

A process of its own reads and stores (`app.window.imports.import_process`); `storage.files.readers` says what a file
is. This module asks both, shows the answers in the dialog, and lets the engine read the ids again that are stored now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from shiboken6 import isValid

from app.concurrency.background import in_background
from app.concurrency.tasks import Tasks
from app.config.settings import Settings
from app.live.engine import Engine
from app.live.transfers.import_report import FileReport
from app.live.transfers.imports import ImportProgress, ImportSource
from app.live.transfers.pace import Pace
from app.live.transfers.refused_rows import SUFFIX
from app.market.errors import FileError, ImportFailed, UsageError
from app.market.ports.row_files import ReadingOptions
from app.window.imports.import_process import ImportProcess
from storage.files.readers.preview import MAPPABLE_COLUMNS, preview
from widgets.dialogs.import_dialog import ImportDialog, ImportFileView, ImportOutcomeView
from widgets.window.main_window import MainWindow
from widgets.window.window_placement import bring_to_front


class ImportController:
    """
    Opens the import dialog over ``window``, with the ``settings`` of the window's program.

    ``imported`` is called with the symbols of which rows were stored.
    """

    def __init__(
        self, engine: Engine, window: MainWindow, settings: Settings, imported: Callable[[Sequence[str]], None]
    ) -> None:
        self._engine, self._window, self._settings, self._imported = engine, window, settings, imported
        self._tasks = Tasks("the import dialog")
        self._dialog: ImportDialog | None = None
        self.process: ImportProcess | None = None
        """The one that imports now, if any."""

    def open(self, paths: Sequence[Path] = ()) -> ImportDialog:
        """Show the dialog, that of a running import if there is one, with these files and folders, and return it."""
        dialog = self._dialog
        if dialog is None or not isValid(dialog) or not (dialog.isVisible() or dialog.is_running):
            dialog = self._dialog = self._new_dialog()
        self._raise(dialog)
        if paths and dialog.is_running:
            self._window.toasts.show("An import is running: add more files once it has ended.")
        elif paths:
            dialog.add(paths)
        return dialog

    async def stop(self) -> None:
        """Cancel a running import, and return once its process has ended."""
        await self._tasks.end()

    def _new_dialog(self) -> ImportDialog:
        if self._dialog is not None and isValid(self._dialog):
            self._dialog.deleteLater()
        dialog = ImportDialog(palette=self._window.colours, parent=self._window)
        dialog.preview_requested.connect(lambda path, options: self._tasks.begin(_show_file(dialog, path, options)))
        dialog.import_requested.connect(lambda wanted: self._tasks.begin(self._import(dialog, wanted)))
        dialog.cancel_requested.connect(self._cancel)
        dialog.folder_requested.connect(lambda path: QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent))))
        dialog.palette_changed.connect(lambda: dialog.set_palette(self._window.colours))
        return dialog

    def _raise(self, dialog: ImportDialog) -> None:
        if not isValid(dialog):  # a toast may name one that another has replaced since
            self.open()
        else:
            bring_to_front(dialog)

    def _announce_end(self, dialog: ImportDialog, sentence: str) -> None:
        if not dialog.isVisible():
            self._window.toasts.show(sentence, "Show", lambda: self._raise(dialog))

    def _cancel(self) -> None:
        if self.process is not None:
            self.process.cancel()

    async def _import(self, dialog: ImportDialog, wanted: Sequence[tuple[Path, ReadingOptions]]) -> None:
        database = self._engine.database
        if database is None:
            dialog.failed(f"Nothing was imported: {self._engine.database_reason}")
            return
        pace = Pace(self._engine.clock, "rows/s")

        def show(progress: ImportProgress) -> None:
            if isValid(dialog):
                dialog.set_progress(
                    progress.path, progress.rows, progress.share, pace.words(progress.share, 1.0, progress.rows)
                )

        process = self.process = ImportProcess(self._settings, database, show)
        try:
            report = await process.run([ImportSource(*one) for one in wanted])
        except ImportFailed as error:
            if isValid(dialog):
                dialog.failed(str(error))
                self._announce_end(dialog, str(error))
            symbols = list(self._engine.recorder.symbols)  # batches of any of them may have been stored
        else:
            if isValid(dialog):
                dialog.completed([_outcome(one) for one in report.files], report.stopped_because)
                self._announce_end(dialog, f"The import has ended. {dialog.outcome.text()}")
            symbols = sorted({name for one in report.files for name in one.symbols if one.stored})
        finally:
            self.process = None
        await self._engine.read_coverage(symbols)
        self._imported(symbols)


async def _show_file(dialog: ImportDialog, path: Path, options: ReadingOptions) -> None:
    """Show in the dialog what a path is."""
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
