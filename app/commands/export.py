"""
``cryptopipe export``: writes stored candles to a file.

`storage.files.candle_csv` knows the format; this module checks the request, opens the database and hears signals.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from app.commands.database_session import show_progress
from app.commands.options import Options
from app.commands.symbol_names import stored_symbol
from app.config.settings import Settings
from app.market.errors import UsageError
from app.market.interval import Interval
from app.market.symbol import read_symbol
from app.runtime.open_database import has_database, open_database
from app.runtime.shutdown import on_signals
from storage.database import Database
from storage.files.candle_csv import ExportCancelled, check_target, parse_time, write_csv

_POLL_S = 0.1
_OPEN_AFTER_CANCEL_S = 5.0
_CLOSE_S = 10.0


class _CandleExport(NamedTuple):
    """The candles to export, checked as far as possible without the database."""

    symbol: str
    interval: Interval
    start_us: int | None
    end_us: int | None


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that writes stored candles to a file; Ctrl-C leaves no file.

    Raises:
        UsageError: If an option is wrong, or nothing is recorded yet. No file was made.
    """
    interval = Interval.parse(options.interval)
    start_us = parse_time(options.start) if options.start else None
    end_us = parse_time(options.end) if options.end else None
    if start_us is not None and end_us is not None and end_us <= start_us:
        raise UsageError("--to must be later than --from: nothing was written.")
    check_target(options.path)
    if not has_database(settings):
        raise UsageError(
            f"Nothing is recorded in {settings.data_dir} yet: record with the window or cryptopipe collect first, or "
            "name another --data-dir."
        )
    request = _CandleExport(read_symbol(options.symbol), interval, start_us, end_us)
    return partial(_run_export, settings, options, request)


def _run_export(settings: Settings, options: Options, request: _CandleExport) -> int:
    cancelled = threading.Event()
    with on_signals(cancelled.set):
        try:
            count = _export(settings, options, request, cancelled)
        except ExportCancelled:
            print("cryptopipe: the export was cancelled and left no file.", file=sys.stderr)
            return 1
        finally:
            show_progress("")
    print(f"{count} candles of {request.symbol} {request.interval} written to {options.path}.")
    return 0


def _export(settings: Settings, options: Options, request: _CandleExport, cancelled: threading.Event) -> int:
    database = _open_unless_cancelled(settings, cancelled)
    try:
        store = database.store
        request = request._replace(symbol=stored_symbol(store, options.symbol))
        batches = store.iter_candles(request.symbol, request.interval, start_us=request.start_us, end_us=request.end_us)
        return write_csv(
            batches,
            options.path,
            cancelled=cancelled,
            progress=lambda written, _: show_progress(f"{written} candles written"),
        )
    finally:
        database.close(_CLOSE_S)


class _OpeningThread(threading.Thread):
    """Opens the database while the main thread hears signals; a daemon, so the process does not wait for it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="open-database", daemon=True)
        self._settings = settings
        self.database: Database | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.database = open_database(self._settings)
        except BaseException as error:  # noqa: BLE001  # because the main thread raises it
            self.error = error


def _open_unless_cancelled(settings: Settings, cancelled: threading.Event) -> Database:
    """Open the database. Raises ExportCancelled if ``cancelled`` is set meanwhile."""
    opening = _OpeningThread(settings)
    opening.start()
    while opening.is_alive() and not cancelled.is_set():
        opening.join(_POLL_S)
    # A server that is being started for us must be stopped again, so wait for it; but not for one that hangs.
    opening.join(_OPEN_AFTER_CANCEL_S)
    if cancelled.is_set():
        if opening.database is not None:
            opening.database.close(_CLOSE_S)
        raise ExportCancelled
    if opening.error is not None:
        raise opening.error
    assert opening.database is not None
    return opening.database
