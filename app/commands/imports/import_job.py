"""
``cryptopipe import-job``: imports files for a window, as a process of its own.

Not for people: the job comes on standard input, and progress and report go to standard output
(`app.live.transfers.import_job`). When standard input ends, the window cancels or is gone; the import then ends after
the batch in hand.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial

from app.commands.imports.import_files import opened_loader
from app.commands.line_output import ProgressLines, send
from app.config.settings import Settings
from app.live.transfers.import_job import ImportFailure, ImportJob
from app.live.transfers.imports import FileImport, ImportSource
from app.live.transfers.process_lines import message_of
from app.market.errors import CryptopipeError, UsageError
from app.runtime.file_readers import open_rows
from app.runtime.shutdown import at_end_of_stdin, bounded_shutdown, on_signals

_FAILED = 1


def prepare(settings: Settings) -> Callable[[], int]:
    """
    Return the function that does the import which standard input asks for. Waits for that line.

    Raises:
        UsageError: If it asks for none.
    """
    try:
        job = message_of(b"" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.readline(), ImportJob)
    except ValueError as error:
        raise UsageError("import-job is for the window alone: write cryptopipe import FILE….") from error
    return partial(_run, settings, job.sources)


def _run(settings: Settings, sources: Sequence[ImportSource]) -> int:
    cancelled, works = threading.Event(), list[FileImport]()
    with bounded_shutdown() as begin_shutdown:

        def cancel() -> None:
            cancelled.set()
            for work in works:
                work.cancel()
            begin_shutdown()

        with on_signals(cancel):
            at_end_of_stdin(cancel)
            try:
                with opened_loader(settings, begin_shutdown) as loader:
                    work = FileImport(sources, open_rows, loader, on_progress=ProgressLines().show)
                    works.append(work)
                    if cancelled.is_set():
                        work.cancel()
                    report = work.run()
            except CryptopipeError as error:
                send(ImportFailure(str(error)))
                return _FAILED
            send(report)
    return _FAILED if report.stopped_because else 0
