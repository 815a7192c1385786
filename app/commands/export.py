"""
``cryptopipe export``: writes candles, stored ones and the exchange's, trades, quotes, gaps and sessions to files.

`app.commands.export_options` reads the request, `app.live.transfers.exports` fills the files. This module opens the
database and the exchange, hears signals, and says what the files have and what they lack.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import partial

from app.commands.cancellable_database import measure_exchange_clock, opened_database
from app.commands.export_options import Wanted, wanted_of
from app.commands.export_target import open_file
from app.commands.options import Options
from app.commands.progress import Progress, progress
from app.commands.styling import print_styled
from app.commands.symbol_names import listed_symbol, stored_symbol
from app.concurrency.background import in_background
from app.concurrency.one_heap import share_one_heap
from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings
from app.config.version import VERSION
from app.live.charts.candle_history import CandleHistory
from app.live.environment.clocks import ExchangeClock
from app.live.transfers.exports import ExportedFile, ExportProgress, Exports, ExportSources
from app.live.transfers.ticks.quote_candle_download import CandleProgress
from app.market.errors import CryptopipeError, FeedError, UsageError
from app.market.interval import Interval
from app.market.ports.exchange import SymbolSource
from app.market.symbol import read_symbol
from app.runtime.exchange_addresses import check_addresses
from app.runtime.open_database import has_database
from app.runtime.shutdown import StopEvent, bounded_shutdown, on_signals, unless_stopped
from app.runtime.wiring import exchange_rest
from storage.sides.market_store import MarketStore

_LISTING_S = 5.0
_FAILED, _DONE_IN_PART = 1, 3
_NAMED = 10  # files in a sentence; --json names all

logger = logging.getLogger(__name__)


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that writes the file; Ctrl-C leaves none.

    Raises:
        UsageError: If an option is wrong, or --stored finds no database. No file was made.
        SettingsError: If an address of the exchange has a wrong form.
    """
    wanted = wanted_of(options)
    files = wanted.plan.files
    # All other rows are only in the database, and so are quotes, of which candles of quotes are made.
    fetches = wanted.plan.fetch and all(isinstance(one.rows, Interval) and not one.is_of_quotes for one in files)
    if fetches:
        check_addresses(settings)
    if (not fetches or wanted.start_us is None) and not has_database(settings):
        instead = "say with --from which candles to fetch" if fetches else "leave out --stored to fetch candles"
        raise UsageError(f"Nothing is recorded in {settings.data_dir} yet: {instead}, or name another --data-dir.")
    return partial(_run_export, settings, wanted, as_json=options.as_json)


def _run_export(settings: Settings, wanted: Wanted, *, as_json: bool) -> int:
    share_one_heap()
    stop = StopEvent()
    done = list[ExportedFile]()
    named = f"{','.join(wanted.symbols)} {','.join(map(str, wanted.kinds))}"
    any_candles = any(isinstance(kind, Interval) for kind in wanted.kinds)
    with (
        on_signals(stop.set),
        bounded_shutdown() as begin_shutdown,
        progress(f"Exporting {named}", None, "candles" if any_candles else "rows") as shown,
    ):
        failure = ""
        try:
            if not asyncio.run(_export(settings, wanted, stop, begin_shutdown, shown, done.append)):
                failure = f"the export was cancelled {_left(wanted)}." if not done else "the export was cancelled."
        except CryptopipeError as error:
            if not done:
                raise
            logger.error("failed: %s", error)
            failure = str(error)
    if done or not failure:
        _print(done, wanted, failure, as_json=as_json)
    if failure:
        _say(f"{failure} {_whole_ones(done)}" if done else failure)
        return _FAILED
    for one in done:
        if one.lack:
            _say(f"{one.request.subject}: {one.lack}" if wanted.plan.is_several else one.lack)
    # Who names no range and wants what is stored has got it.
    in_part = [one for one in done if one.lack and (wanted.has_range or (wanted.plan.fetch and _has_candles(one)))]
    return _DONE_IN_PART if in_part else 0


def _print(done: Sequence[ExportedFile], wanted: Wanted, failure: str, *, as_json: bool) -> None:
    """Print the files that are whole; ``failure``: why there are no more, else empty."""
    if not as_json:
        for one in done:
            if one.path is not None:
                print(f"{_rows_of(one)} written to {one.path}.")
        return
    documents = [_document(one, wanted) for one in done]
    document = documents[0]
    if wanted.plan.is_several:
        complete = not failure and all(one["complete"] for one in documents)
        document = {"complete": complete, **({"failure": failure} if failure else {}), "files": documents}
    print(json.dumps(document, indent=2))


def _whole_ones(done: Sequence[ExportedFile]) -> str:
    """Return which files are whole although others are not there."""
    named = ", ".join(str(one.path) for one in done[:_NAMED])
    more = f" and {len(done) - _NAMED:,} more" if len(done) > _NAMED else ""
    return f"1 file is whole: {named}." if len(done) == 1 else f"{len(done):,} files are whole: {named}{more}."


def _rows_of(one: ExportedFile) -> str:
    """Return “60 candles of BTCUSDT 1m”, “7 trades of BTCUSDT”."""
    symbol, rows = one.request.symbol, one.request.rows
    return f"{one.rows_in_words} of {f'{symbol} {rows}' if _has_candles(one) else symbol}"


def _has_candles(one: ExportedFile) -> bool:
    return isinstance(one.request.rows, Interval)


def _document(one: ExportedFile, wanted: Wanted) -> dict[str, object]:
    path = None if one.path is None else str(one.path)
    return {"path": path, **one.facts, "zone": wanted.plan.layout.zone}


def _left(wanted: Wanted) -> str:
    return "and what was printed is not whole" if wanted.is_stream else "and left no file"


async def _export(
    settings: Settings,
    wanted: Wanted,
    stop: StopEvent,
    begin_shutdown: Callable[[], None],
    shown: Progress,
    on_file: Callable[[ExportedFile], None],
) -> bool:
    """Write the files, one after another; return False if ``stop`` was set first."""
    async with opened_database(settings, stop, begin_shutdown) as database:
        if database is None:
            return False
        exchange_clock = ExchangeClock(SystemClock())
        async with exchange_rest(settings, exchange_clock) as rest:
            history = CandleHistory(rest, database.store)

            async def work() -> bool:
                if wanted.plan.fetches:
                    await measure_exchange_clock(exchange_clock, rest)
                exchange = rest if wanted.plan.fetches else None
                plan = wanted.of_symbols([await _symbol(database.store, exchange, one) for one in wanted.symbols])
                if wanted.plan.fetch and any(one.is_of_quotes for one in plan.files):
                    from app.commands.downloads import quote_candle_history  # here: only quotes need it

                    show = partial(_show_fetching, shown)
                    why = await quote_candle_history.fetch_missing(settings, database, plan.files, plan.price, show)
                    if why:
                        _say(f"what is not recorded was not fetched: {why}")
                sources = ExportSources(history, database.store, exchange_clock, database.gaps, database.ticks)
                exports = Exports(
                    plan, sources, partial(open_file, wanted.plan, wanted.path), VERSION, partial(_show_progress, shown)
                )
                async with aclosing(exports.run()) as files:
                    async for one in files:
                        on_file(one)
                return True

            return bool(await unless_stopped(work(), stop))


async def _symbol(store: MarketStore, exchange: SymbolSource | None, text: str) -> str:
    """Return the name of the symbol written as ``text``: one in the database, else one that the exchange lists."""
    try:
        return await in_background(partial(stored_symbol, store, text), "read-symbols")
    except UsageError:
        if exchange is None:
            raise
    try:
        async with asyncio.timeout(_LISTING_S):
            listed = await exchange.symbols()
    except (FeedError, TimeoutError):
        return read_symbol(text)  # the export will say that the exchange does not answer
    name = listed_symbol(text, {one.name for one in listed})
    await in_background(partial(store.save_symbols, listed), "save-symbols")
    return name


def _show_progress(shown: Progress, progress: ExportProgress) -> None:
    now, request = progress.now, progress.request
    is_candles = isinstance(request.rows, Interval)
    work = f"Exporting {request.subject}" if is_candles else f"Exporting the {request.rows} of {request.symbol}"
    waits = f"Waiting ({now.waits_because.rstrip('.')})"
    shown.update(now.done, total=now.total, description=waits if now.waits_because else work)


def _show_fetching(shown: Progress, now: CandleProgress) -> None:
    shown.update(now.done, total=now.total, description=now.work)


def _say(sentence: str) -> None:
    print_styled(("cryptopipe:", "bold yellow"), f" {sentence}", to=sys.stderr)
