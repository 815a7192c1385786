"""
``cryptopipe export``: writes candles to files, stored ones and the exchange's.

`app.live.transfers` brings the candles, `storage.files` writes them, `app.commands.export_options` reads the request.
This module opens the database and the exchange, hears signals, and says what the files have and what they lack.
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

from app.commands.export_options import STREAM, Wanted, wanted_of
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
from app.market.file_format import Preset, check_rows, freqtrade_name, name_in_folder
from app.market.interval import Interval
from app.market.ports.exchange import SymbolSource, TimeSource
from app.market.ports.files import ExportFile
from app.market.symbol import read_symbol
from app.runtime.exchange_addresses import check_addresses
from app.runtime.open_database import has_database, open_database
from app.runtime.shutdown import StopEvent, bounded_shutdown, on_signals, unless_stopped
from app.runtime.wiring import exchange_rest
from storage.candles.store import PostgresStore
from storage.database import Database
from storage.files.target import NewFile, OpenStream

_OPEN_AFTER_CANCEL_S = 5.0
_CLOSE_S = 10.0
_CLOCK_S = 5.0
_CANCELLED, _DONE_IN_PART = 1, 3


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that writes the file; Ctrl-C leaves none.

    Raises:
        UsageError: If an option is wrong, or --stored finds no database. No file was made.
        SettingsError: If an address of the exchange has a wrong form.
    """
    wanted = wanted_of(options)
    if wanted.fetch:
        check_addresses(settings)
    if (not wanted.fetch or wanted.start_us is None) and not has_database(settings):
        instead = "say with --from which candles to fetch" if wanted.fetch else "leave out --stored to fetch candles"
        raise UsageError(f"Nothing is recorded in {settings.data_dir} yet: {instead}, or name another --data-dir.")
    return partial(_run_export, settings, wanted, as_json=options.as_json)


def _run_export(settings: Settings, wanted: Wanted, *, as_json: bool) -> int:
    stop = StopEvent()
    done = list[TransferOutcome]()
    named = f"{','.join(wanted.symbols)} {','.join(map(str, wanted.intervals))}"
    with (
        on_signals(stop.set),
        bounded_shutdown() as begin_shutdown,
        progress(f"Exporting {named}", None, "candles") as shown,
    ):
        is_whole = asyncio.run(_export(settings, wanted, stop, begin_shutdown, shown, done.append))
    if not as_json:
        for one in done:
            _tell(one)
    if not is_whole:
        _say(f"the export was cancelled {_left(wanted, len(done))}.")
        return _CANCELLED
    if as_json:
        documents = [_document(one, wanted) for one in done]
        complete = all(one.report.complete for one in done)
        print(json.dumps({"complete": complete, "files": documents} if wanted.is_several else documents[0], indent=2))
    for one in done:
        if one.report.lack:
            request = one.report.request
            _say(f"{request.symbol} {request.interval}: {one.report.lack}" if wanted.is_several else one.report.lack)
    # Who names no range and wants what is stored has got it.
    asked = wanted.has_range or wanted.fetch
    return _DONE_IN_PART if asked and not all(one.report.complete for one in done) else 0


def _left(wanted: Wanted, done: int) -> str:
    if wanted.is_stream:
        return "and what was printed is not whole"
    return "and left no file" if not done else f"after {done} whole file{'' if done == 1 else 's'}"


def _tell(outcome: TransferOutcome) -> None:
    """Print what was written into which file; nothing of a stream."""
    report = outcome.report
    if outcome.path is not None:
        candles = "1 candle" if report.rows == 1 else f"{report.rows} candles"
        print(f"{candles} of {report.request.symbol} {report.request.interval} written to {outcome.path}.")


def _document(outcome: TransferOutcome, wanted: Wanted) -> dict[str, object]:
    report = outcome.report
    about = {"path": None if outcome.path is None else str(outcome.path), **report.facts(VERSION)}
    about["zone"] = wanted.layout.zone
    return {**about, "missing_candles": report.missing_candles, "reasons": report.reasons}


async def _export(
    settings: Settings,
    wanted: Wanted,
    stop: StopEvent,
    begin_shutdown: Callable[[], None],
    shown: Progress,
    on_file: Callable[[TransferOutcome], None],
) -> bool:
    """Write the files, one after another; return False if ``stop`` was set first."""
    async with _opened(settings, stop, begin_shutdown) as database:
        if database is None:
            return False
        clock = SystemClock()
        exchange_clock = ExchangeClock(clock)
        async with exchange_rest(settings, exchange_clock) as rest:
            history = CandleHistory(rest, database.store)

            async def work() -> bool:
                if wanted.fetch:
                    await _measure(exchange_clock, clock, rest)
                exchange = rest if wanted.fetch else None
                symbols = [await _symbol(database.store, exchange, one) for one in wanted.symbols]
                for symbol in dict.fromkeys(symbols):
                    for interval in wanted.intervals:
                        request = await _request(database.store, wanted, symbol, interval, exchange_clock.now_us())
                        show = partial(_show_progress, shown, f"Exporting {symbol} {interval}")
                        transfer = CandleTransfer(request, history, database.store, exchange_clock, show)
                        on_file(await _into_file(transfer, request, wanted, database.store))
                return True

            return bool(await unless_stopped(work(), stop))


async def _request(store: PostgresStore, wanted: Wanted, symbol: str, interval: Interval, now_us: int) -> CandleRequest:
    """Return the candles asked for, with both ends of their range. Raises UsageError."""
    ends = partial(
        whole_request,
        store,
        symbol,
        interval,
        wanted.start_us,
        wanted.end_us,
        now_us=now_us,
        fetch=wanted.fetch,
        include_open=wanted.include_open,
    )
    request = await in_background(ends, "read-candles")
    check_rows(len(request.slots), wanted.file_format)
    return request


async def _into_file(
    transfer: CandleTransfer, request: CandleRequest, wanted: Wanted, store: PostgresStore
) -> TransferOutcome:
    def opened() -> ExportFile:
        from storage.files.export_file import candle_file  # here, because Arrow takes a quarter of a second

        name = _name(request, wanted, store)
        target = _target(wanted, name)
        return candle_file(target, wanted.file_format, wanted.layout, request.interval, name or request.symbol)

    return await transfer.run(await in_background(opened, "open-file"), VERSION, wanted.file_format)


def _name(request: CandleRequest, wanted: Wanted, store: PostgresStore) -> str | None:
    """Return the file's name where the preset or the number of files decides it; None: that of what is in it."""
    if wanted.layout.preset is Preset.FREQTRADE:
        known = next((one for one in store.symbols() if one.name == request.symbol), None)
        pair = (known.base, known.quote) if known is not None and known.base and known.quote else None
        return freqtrade_name(request.symbol, request.interval, wanted.file_format, pair)
    return name_in_folder(request.symbol, request.interval.name, wanted.file_format) if wanted.is_several else None


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


def _target(wanted: Wanted, name: str | None) -> NewFile | OpenStream:
    path = wanted.path
    if path == STREAM:
        return OpenStream(sys.stdout.buffer)
    if path is None:
        return NewFile(Path(), name)
    if wanted.is_several:
        _make_folder(path)
    return NewFile(path, name) if os.path.isdir(path) else NewFile(path.parent, path.name)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"The folder {path} cannot be made: {error.strerror}. Choose another.") from error


def _show_progress(shown: Progress, work: str, now: TransferProgress) -> None:
    waits = f"Waiting ({now.waits_because.rstrip('.')})"
    shown.update(now.done, total=now.total, description=waits if now.waits_because else work)


def _say(sentence: str) -> None:
    print_styled(("cryptopipe:", "bold yellow"), f" {sentence}", to=sys.stderr)
