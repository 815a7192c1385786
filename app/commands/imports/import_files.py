"""
``cryptopipe import``: brings files of trades, quotes and candles into the database.

`app.live.transfers.imports` reads and stores, `storage.files.readers` knows the formats. This module checks what was
typed, opens the database, hears signals, and says what became of each file.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from app.commands.database_session import whole_database
from app.commands.options import Options
from app.commands.progress import Progress, progress
from app.commands.styling import print_styled
from app.config.settings import Settings
from app.live.transfers.import_report import FileReport, ImportReport
from app.live.transfers.imports import FileImport, ImportProgress, ImportSource
from app.market.errors import StoreError, UsageError
from app.market.interval import Interval
from app.market.ports.loading import BulkLoader
from app.market.ports.row_files import ReadingOptions, RowKind, named
from app.runtime.file_readers import open_rows
from app.runtime.shutdown import bounded_shutdown, on_signals
from storage.database import Database
from storage.files.readers.names import symbol_name
from storage.loading.dry_run import DryRunLoader

logger = logging.getLogger(__name__)

_FAILED, _DONE_IN_PART = 1, 3


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that imports the files; after Ctrl-C what is stored stays.

    Raises:
        UsageError: If an option is wrong.
    """
    reading = ReadingOptions(
        symbol=symbol_name(options.symbol) if options.symbol else None,
        kind=_kind(options.kind),
        interval=Interval.parse(options.interval) if options.interval else None,
        columns=dict(map(_mapping, options.columns)) or None,
    )
    return partial(_run, settings, options.paths, reading, is_dry=options.dry_run, as_json=options.as_json)


def _kind(text: str | None) -> RowKind | None:
    if text is None:
        return None
    try:
        return RowKind(text.lower())
    except ValueError:
        raise UsageError(f"“{text}” is not a kind of rows: choose {', '.join(RowKind)}.") from None


def _mapping(text: str) -> tuple[str, str]:
    name, separator, column = text.partition("=")
    if not (separator and name.strip() and column.strip()):
        raise UsageError(f"“{text}” is not a column: write --map time=timestamp, our name first.")
    return name.strip().lower(), column.strip()


def _run(settings: Settings, paths: Sequence[Path], reading: ReadingOptions, *, is_dry: bool, as_json: bool) -> int:
    with (
        bounded_shutdown() as begin_shutdown,
        progress("Importing", None, "rows") as shown,
        contextlib.nullcontext(DryRunLoader()) if is_dry else opened_loader(settings, begin_shutdown) as loader,
    ):
        show = partial(_show_progress, shown)
        work = FileImport(
            [ImportSource(path, reading) for path in paths], open_rows, loader, is_dry=is_dry, on_progress=show
        )
        with on_signals(work.cancel):
            report = work.run()
    _print(report, as_json=as_json)
    if report.stopped_because or report.unusable:
        return _FAILED
    return 0 if report.is_whole else _DONE_IN_PART


@contextlib.contextmanager
def opened_loader(settings: Settings, begin_shutdown: Callable[[], None]) -> Iterator[BulkLoader]:
    """
    Yield a loader into the settings' database; both are closed afterwards, the database after ``begin_shutdown``.

    Raises:
        StoreError: If the database cannot be opened, or may only be read; the sentence says why.
    """
    with whole_database(settings, begin_shutdown) as database:
        with contextlib.closing(database.bulk_loader()) as loader:
            yield loader
        if loader.quoted:
            keep_sessions(database, loader.quoted)


def keep_sessions(database: Database, symbols: Collection[str]) -> None:
    """Keep the sessions of the markets that quotes were stored of; a failure is logged, for these are stored."""
    try:
        database.store.keep_sessions(time.time_ns() // 1_000, sorted(symbols), whole=True)
    except StoreError as error:
        logger.warning("The sessions of markets were not stored: %s", error)


def _show_progress(shown: Progress, now: ImportProgress) -> None:
    total = int(now.rows / now.share) if now.share else now.rows
    shown.update(now.rows, total=total, description=f"Importing {now.path.name}")


def _print(report: ImportReport, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report.facts(), indent=2))
    elif report.files:
        stored = "would be stored" if report.dry_run else "stored"
        parts = [f"{report.total('stored'):,} {stored}", f"{report.total('held'):,} held already"]
        if refused := report.total("refused"):
            parts.append(f"{refused:,} refused")
        files = "1 file" if len(report.files) == 1 else f"{len(report.files):,} files"
        print(f"{report.total('read'):,} rows read from {files}: {', '.join(parts)}.")
    for file in report.files:
        if file.reasons:
            _say(_about(file))
    if report.stopped_because:
        _say(report.stopped_because)


def _about(file: FileReport) -> str:
    reason = file.reason
    return reason if reason.startswith(str(file.path)) else f"{named(str(file.path), file.path, file.table)}: {reason}"


def _say(sentence: str) -> None:
    print_styled(("cryptopipe:", "bold yellow"), f" {sentence}", to=sys.stderr)
