"""Opens the files that an import can read: those of every program, and those of the brokers' own formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from app.market.ports.row_files import ReadingOptions, RefusedFile, RowFile, never
from storage.files.readers import open_rows as of_every_program


def open_rows(
    path: Path, options: ReadingOptions, is_stopped: Callable[[], bool] = never
) -> Iterator[RowFile | RefusedFile]:
    """See `storage.files.readers.open_rows.open_rows`; an `app.market.ports.row_files.OpenRows`."""
    return of_every_program.open_rows(path, options, is_stopped, {".bi5": _open_bi5})


def _open_bi5(path: Path, options: ReadingOptions) -> RowFile | RefusedFile:
    from app.brokers.dukascopy.row_files import open_bi5  # here: few imports need it

    return open_bi5(path, options)
