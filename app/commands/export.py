"""
``cryptopipe export``: writes candles to a file, stored ones and the exchange's.

`app.live.transfers` brings the candles, `storage.files` writes them. This module checks the request, opens the database
and the exchange, hears signals, and says what the file has and what it lacks.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from app.commands.options import Options
from app.commands.progress import Progress, progress
from app.commands.styling import print_styled
from app.commands.symbol_names import listed_symbol, stored_symbol
from app.concurrency.background import Background, in_background
from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings
from app.config.version import VERSION
from app.live.charts.candle_history import CandleHistory
from app.live.environment.clocks import ExchangeClock
from app.live.transfers.candle_transfer import CandleTransfer, TransferOutcome, TransferProgress
from app.live.transfers.range_ends import whole_request
from app.market.candle_request import CandleRequest
from app.market.errors import CryptopipeError, FeedError, UsageError
from app.market.interval import Interval
from app.market.ports.exchange import SymbolSource, TimeSource
from app.market.symbol import read_symbol
from app.runtime.exchange_addresses import check_addresses
from app.runtime.open_database import has_database, open_database
from app.runtime.shutdown import StopEvent, bounded_shutdown, on_signals, unless_stopped
from app.runtime.wiring import exchange_rest
from storage.candles.store import PostgresStore
from storage.database import Database
from storage.files.candle_csv import CandleCsv, parse_time
from storage.files.target import NewFile, OpenStream, check_target

_STREAM = Path("-")
_OPEN_AFTER_CANCEL_S = 5.0
_CLOSE_S = 10.0
_CLOCK_S = 5.0
_CANCELLED, _DONE_IN_PART = 1, 3


class _Wanted(NamedTuple):
    """What to export, checked as far as possible without database and exchange; None: not given."""

    symbol: str
    interval: Interval
    start_us: int | None
    end_us: int | None
    fetch: bool
    include_open: bool
    path: Path | None

    @property
    def is_stream(self) -> bool:
        return self.path == _STREAM

    @property
    def has_range(self) -> bool:
        return self.start_us is not None or self.end_us is not None


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that writes the file; Ctrl-C leaves none.

    Raises:
        UsageError: If an option is wrong, or --stored finds no database. No file was made.
        SettingsError: If an address of the exchange has a wrong form.
    """
    interval = Interval.parse(options.interval)
    start_us = parse_time(options.start) if options.start else None
    end_us = parse_time(options.end) if options.end else None
    if start_us is not None and end_us is not None and end_us <= start_us:
        raise UsageError("--to must be later than --from: nothing was written.")
    read_symbol(options.symbol)
    wanted = _Wanted(options.symbol, interval, start_us, end_us, not options.stored, options.include_open, options.path)
    if start_us is not None and end_us is not None:
        CandleRequest(wanted.symbol, interval, start_us, end_us, wanted.fetch, wanted.include_open).check()
    if wanted.is_stream and options.as_json:
        raise UsageError("--json and --out - would both print on standard output: leave one of them out.")
    if wanted.path is not None and not wanted.is_stream and not os.path.isdir(wanted.path):
        check_target(wanted.path)
    if wanted.fetch:
        check_addresses(settings)
    if (not wanted.fetch or start_us is None) and not has_database(settings):
        instead = "say with --from which candles to fetch" if wanted.fetch else "leave out --stored to fetch candles"
        raise UsageError(f"Nothing is recorded in {settings.data_dir} yet: {instead}, or name another --data-dir.")
    return partial(_run_export, settings, wanted, as_json=options.as_json)


def _run_export(settings: Settings, wanted: _Wanted, *, as_json: bool) -> int:
    stop = StopEvent()
    with (
        on_signals(stop.set),
        bounded_shutdown() as begin_shutdown,
        progress(f"Exporting {wanted.symbol} {wanted.interval}", None, "candles") as shown,
    ):
        outcome = asyncio.run(_outcome(settings, wanted, stop, begin_shutdown, shown))
    if outcome is None:
        left = "and what was printed is not whole" if wanted.is_stream else "and left no file"
        _say(f"the export was cancelled {left}.")
        return _CANCELLED
    report, path = outcome
    request = report.request
    if as_json:
        about = {"path": None if path is None else str(path), **report.facts(VERSION)}
        print(json.dumps({**about, "missing_candles": report.missing_candles, "reasons": report.reasons}, indent=2))
    elif path is not None:
        candles = "1 candle" if report.rows == 1 else f"{report.rows} candles"
        print(f"{candles} of {request.symbol} {request.interval} written to {path}.")
    if report.lack:
        _say(report.lack)
    # Who names no range and wants what is stored has got it.
    asked = wanted.has_range or wanted.fetch
    return _DONE_IN_PART if asked and not report.complete else 0


async def _outcome(
    settings: Settings, wanted: _Wanted, stop: StopEvent, begin_shutdown: Callable[[], None], shown: Progress
) -> TransferOutcome | None:
    """Return the outcome; None if ``stop`` was set first."""
    async with _opened(settings, stop, begin_shutdown) as database:
        if database is None:
            return None
        clock = SystemClock()
        exchange_clock = ExchangeClock(clock)
        async with exchange_rest(settings, exchange_clock) as rest:
            history = CandleHistory(rest, database.store)

            async def work() -> TransferOutcome:
                if wanted.fetch:
                    await _measure(exchange_clock, clock, rest)
                symbol = await _symbol(database.store, rest if wanted.fetch else None, wanted.symbol)
                ends = partial(
                    whole_request,
                    database.store,
                    symbol,
                    wanted.interval,
                    wanted.start_us,
                    wanted.end_us,
                    now_us=exchange_clock.now_us(),
                    fetch=wanted.fetch,
                    include_open=wanted.include_open,
                )
                request = await in_background(ends, "read-candles")
                show = partial(_show_progress, shown, f"Exporting {symbol} {wanted.interval}")
                transfer = CandleTransfer(request, history, database.store, exchange_clock, show)
                return await transfer.run(CandleCsv(_target(wanted.path)), VERSION)

            return await unless_stopped(work(), stop)


@asynccontextmanager
async def _opened(
    settings: Settings, stop: StopEvent, begin_shutdown: Callable[[], None]
) -> AsyncIterator[Database | None]:
    """Yield the open database, closed afterwards; None if ``stop`` was set first."""
    opening = Background(partial(open_database, settings), lambda one: one.close(_CLOSE_S), "open-database")
    database = await unless_stopped(opening.result(), stop)
    is_stopped = database is None
    if database is None:
        # A server that is being started for us must be stopped again, so wait for it; but not for one that hangs.
        with contextlib.suppress(TimeoutError, CryptopipeError):
            async with asyncio.timeout(_OPEN_AFTER_CANCEL_S):
                database = await opening.result()
    try:
        yield None if is_stopped else database
    finally:
        begin_shutdown()
        if database is not None:
            await in_background(partial(database.close, _CLOSE_S), "close-database", to_its_end=True)


async def _measure(exchange_clock: ExchangeClock, clock: SystemClock, exchange: TimeSource) -> None:
    """Take over the exchange's time; without an answer this computer's stays in force."""
    asked_us = clock.now_us()
    with contextlib.suppress(FeedError, TimeoutError):
        async with asyncio.timeout(_CLOCK_S):
            exchange_clock.note_measurement(await exchange.server_time_us(), asked_us, clock.now_us())


async def _symbol(store: PostgresStore, exchange: SymbolSource | None, text: str) -> str:
    """Return the name of the symbol written as ``text``: one in the database, else one that the exchange lists."""
    try:
        return await in_background(partial(stored_symbol, store, text), "read-symbols")
    except UsageError:
        if exchange is None:
            raise
    try:
        async with asyncio.timeout(_CLOCK_S):
            listed = await exchange.symbols()
    except (FeedError, TimeoutError):
        return read_symbol(text)  # the export will say that the exchange does not answer
    name = listed_symbol(text, {one.name for one in listed})
    await in_background(partial(store.save_symbols, listed), "save-symbols")
    return name


def _target(path: Path | None) -> NewFile | OpenStream:
    if path == _STREAM:
        return OpenStream(sys.stdout.buffer)
    if path is None or os.path.isdir(path):
        return NewFile(path or Path())
    return NewFile(path.parent, path.name)


def _show_progress(shown: Progress, work: str, now: TransferProgress) -> None:
    waits = f"Waiting ({now.waits_because.rstrip('.')})"
    shown.update(now.done, total=now.total, description=waits if now.waits_because else work)


def _say(sentence: str) -> None:
    print_styled(("cryptopipe:", "bold yellow"), f" {sentence}", to=sys.stderr)
