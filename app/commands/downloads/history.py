"""
``cryptopipe history``: brings past trades or candles into the database, from the exchange's archive and by REST.

`app.live.transfers.downloads` fetches and stores. This module checks what was typed, opens the database, the archive
and the exchange, and says what was stored; `download_run` does what all downloads share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from app.commands.cancellable_database import measure_exchange_clock
from app.commands.downloads.download_run import (
    ChosenRange,
    check_parallel,
    chosen_range,
    exit_code,
    print_report,
    recording_database,
    run_download,
    typed_symbols,
)
from app.commands.line_output import ProgressLines, send
from app.commands.options import Options
from app.commands.progress import Progress
from app.commands.symbol_names import listed_symbol, stored_symbol
from app.concurrency.background import in_background
from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings
from app.live.charts.candle_history import CandleHistory
from app.live.environment.clocks import ExchangeClock
from app.live.transfers.downloads.download import Download, DownloadProgress, DownloadRequest, Source
from app.live.transfers.downloads.outcome import DownloadOutcome
from app.live.transfers.downloads.plan import moment
from app.live.transfers.downloads.report import DownloadReport
from app.live.transfers.downloads.resources import Resources
from app.market.errors import FeedError, UsageError
from app.market.interval import SECOND_US, Interval
from app.market.ports.archive import DAY_US
from app.market.ports.exchange import SymbolSource
from app.market.symbol import BROKER, broker_of, read_symbol
from app.runtime.exchange_addresses import check_addresses
from app.runtime.shutdown import StopEvent, at_end_of_stdin, unless_stopped
from app.runtime.wiring import exchange_archive, exchange_rest
from storage.files.readers.open_rows import open_rows
from storage.sides.market_store import MarketStore

_TRADES, _QUOTES = "trades", "quotes"
_MOST_PARALLEL = 32
_LISTING_S = 20.0
_WEIGHT_SHARE = 0.6  # of each minute's weight: a window on the same address must be able to load its charts
_SETTLED_US = 61 * SECOND_US  # after its end, a candle is final; no download waits for one


class _Wanted(NamedTuple):
    """What to fetch, checked as far as possible without database and exchange."""

    symbols: tuple[str, ...]
    interval: Interval | None
    chosen: ChosenRange
    source: Source
    parallel: int
    keep_files: bool
    in_lines: bool

    @property
    def what(self) -> str:
        return _TRADES if self.interval is None else f"{self.interval} candles"


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that fetches; after Ctrl-C what is stored stays, and the next run goes on from there.

    Raises:
        UsageError: If an option is wrong.
        SettingsError: If an address of the exchange has a wrong form.
    """
    if options.group and not options.what:  # cryptopipe history quotes --group majors
        options.symbols, options.what = "", options.symbols
    if not options.what:
        raise UsageError("Say what to fetch: trades, quotes, or candles of an interval such as 1m.")
    symbols = tuple(typed_symbols(options))
    if _is_of_quotes(symbols, options.group):
        from app.commands.downloads import quote_history

        return quote_history.prepare(settings, options)
    if not symbols:
        raise UsageError("Name at least one symbol, such as BTCUSDT.")
    what = options.what.strip().lower()
    if what == _QUOTES:
        raise UsageError(f"{symbols[0]} has trades, not {_QUOTES}: name trades, or a symbol such as dukascopy:EURUSD.")
    interval = None if what == _TRADES else Interval.parse(options.what)
    chosen = chosen_range(options)
    check_parallel(options.parallel, _MOST_PARALLEL)
    check_addresses(settings)
    wanted = _Wanted(
        symbols,
        interval,
        chosen,
        Source(options.source or Source.ANY),
        options.parallel,
        options.keep_files or settings.archive_keep,
        options.in_lines,
    )
    return partial(_run_history, settings, wanted, as_json=options.as_json)


def _is_of_quotes(texts: Sequence[str], group: str) -> bool:
    """
    Whether the symbols that were typed, or the group, are of a broker of quotes.

    Raises:
        UsageError: If one is not written as a symbol, or some have quotes and others trades.
    """
    are_quoted = {broker_of(read_symbol(text)) != BROKER for text in texts} | ({True} if group else set())
    if len(are_quoted) > 1:
        raise UsageError("Name symbols of one broker at a time: those of Binance, or those of the others.")
    return True in are_quoted


def _run_history(settings: Settings, wanted: _Wanted, *, as_json: bool) -> int:
    stop = StopEvent()
    if wanted.in_lines:
        at_end_of_stdin(stop.set)
    report = run_download(partial(_downloaded, settings, wanted), "hours", stop)
    if wanted.in_lines:
        if report is not None:
            send(DownloadOutcome.of(report))
        return exit_code(report)
    return print_report(report, partial(_summary, wanted), as_json=as_json)


async def _downloaded(
    settings: Settings,
    wanted: _Wanted,
    stop: StopEvent,
    begin_shutdown: Callable[[], None],
    shown: Progress,
) -> DownloadReport | None:
    """Return the report; None if ``stop`` was set first."""
    show = ProgressLines().show if wanted.in_lines else partial(_show_progress, shown)
    async with recording_database(settings, stop, begin_shutdown) as database:
        if database is None:
            return None
        exchange_clock = ExchangeClock(SystemClock())
        async with (
            exchange_rest(settings, exchange_clock, share=_WEIGHT_SHARE) as rest,
            exchange_archive(settings) as archive,
        ):
            resources = Resources(
                archive,
                rest,
                CandleHistory(rest, database.store),
                database,
                exchange_clock,
                open_rows,
                wanted.keep_files,
            )

            async def work() -> DownloadReport:
                may_ask = wanted.source is not Source.ARCHIVE
                if may_ask and _is_recent(wanted):
                    await measure_exchange_clock(exchange_clock, rest)
                symbols = await _symbols(database.store, rest if may_ask else None, wanted.symbols)
                request = _request(wanted, symbols, exchange_clock.now_us())
                return await Download(request, resources, show).run()

            return await unless_stopped(work(), stop)


def _request(wanted: _Wanted, symbols: Sequence[str], now_us: int) -> DownloadRequest:
    """Return the request with both ends; without --to it ends with what is final by now."""
    end_us = wanted.chosen.end_us
    if end_us is None:
        end_us = now_us - _SETTLED_US
        end_us = end_us - end_us % SECOND_US if wanted.interval is None else wanted.interval.open_time_us(end_us)
    start_us = wanted.chosen.begin_us(end_us)
    if end_us <= start_us:
        raise UsageError("No whole candle lies in that range yet: begin earlier.")
    return DownloadRequest(symbols, wanted.interval, start_us, end_us, wanted.source, wanted.parallel)


def _is_recent(wanted: _Wanted) -> bool:
    """Whether it matters that our clock may differ from the exchange's."""
    end_us = wanted.chosen.end_us
    return end_us is None or end_us > SystemClock().now_us() - DAY_US


async def _symbols(store: MarketStore, exchange: SymbolSource | None, texts: Sequence[str]) -> list[str]:
    """
    Return the symbols' names: those in the database, else those that the exchange lists; it is asked once.

    Raises:
        UsageError: If the exchange answers and has no such symbol; the sentence names the nearest that it has.
    """
    names: list[str] = []
    listed: set[str] | None = None
    for text in texts:
        try:
            names.append(await in_background(partial(stored_symbol, store, text), "read-symbols"))
            continue
        except UsageError:
            if exchange is None:  # the archive tells whether there is such a symbol
                names.append(read_symbol(text))
                continue
        if listed is None:
            listed = await _listed(store, exchange)
        names.append(listed_symbol(text, listed) if listed else read_symbol(text))
    return list(dict.fromkeys(names))


async def _listed(store: MarketStore, exchange: SymbolSource) -> set[str]:
    """Return the names of all symbols, which are saved, too; empty if the exchange does not answer."""
    try:
        async with asyncio.timeout(_LISTING_S):
            symbols = await exchange.symbols()
    except (FeedError, TimeoutError):
        return set()  # the download will say that the exchange does not answer
    await in_background(partial(store.save_symbols, symbols), "save-symbols")
    return {one.name for one in symbols}


def _show_progress(shown: Progress, now: DownloadProgress) -> None:
    waits = f"Waiting ({now.waits_because.rstrip('.')})"
    work = waits if now.waits_because else f"Downloading {now.work} · {now.rows:,} rows"
    shown.update(int(now.done), total=int(now.total), description=work)


def _summary(wanted: _Wanted, report: DownloadReport) -> str:
    rows, what = report.rows, wanted.what
    if not report.done and not report.skipped:
        done = "all of it is stored already: nothing was fetched."
    else:
        files = len({one.path for one in report.done if one.path is not None})
        parts = [f"{rows.read:,} {what} read", f"{rows.stored:,} stored", f"{rows.held:,} held already"]
        counted = "1 file" if files == 1 else f"{files:,} files"
        done = f"{', '.join(parts)}; {counted} from the archive."
    is_since = wanted.chosen.days is not None
    sentences = [f"Since {moment(report.start_us)}: {done}" if is_since else done[0].upper() + done[1:]]
    sentences += [f"{symbol} is traded since {moment(at_us)}." for symbol, at_us in report.listed_us.items()]
    return " ".join(sentences)
