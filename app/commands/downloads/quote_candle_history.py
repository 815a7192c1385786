"""
``cryptopipe history`` for candles that a broker of quotes makes itself: those of bid, ask and mid into the database.

`app.live.transfers.ticks.quote_candle_download` fetches and stores; `quote_history` has checked what was typed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from app.commands.downloads.download_run import RangeEnds, print_report, recording_database, run_download
from app.commands.progress import Progress
from app.concurrency.background import in_background
from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings
from app.live.transfers.ticks.quote_candle_download import CandleProgress, QuoteCandleReport, download_quote_candles
from app.market.coverage import IdRanges
from app.market.errors import FeedError, UsageError
from app.market.export_plan import RowsRequest
from app.market.interval import Interval
from app.market.ports.database import OpenedDatabase
from app.market.quotes.tick import PriceSide
from app.market.symbol import broker_of
from app.runtime.calendars import check_calendars
from app.runtime.quote_sources import candle_source, has_candles
from app.runtime.shutdown import StopEvent, unless_stopped


def run(settings: Settings, symbols: Sequence[str], interval: Interval, ends: RangeEnds, *, as_json: bool) -> int:
    """Fetch the candles that open in a range, print what was stored, and return the exit code."""
    range_us = ends.start_us, ends.end_us
    report = run_download(partial(_downloaded, settings, symbols, interval, range_us), "pieces")
    return print_report(report, lambda one: _summary(one) + ends.sentence, as_json=as_json, more=ends.facts)


async def _downloaded(
    settings: Settings,
    symbols: Sequence[str],
    interval: Interval,
    range_us: tuple[int, int],
    stop: StopEvent,
    begin_shutdown: Callable[[], None],
    shown: Progress,
) -> QuoteCandleReport | None:
    """Return the report; None if ``stop`` was set first."""
    clock = SystemClock()
    await check_calendars(settings.calendars, symbols)
    # The broker first: without a token no database need be started.
    async with candle_source(settings, broker_of(symbols[0]), clock) as source:
        if not source.has_candles_of(interval):
            raise UsageError(f"The broker has no candles of {interval}: fetch 1m or 1d, of which longer ones are made.")
        async with recording_database(settings, stop, begin_shutdown) as database:
            if database is None:
                return None

            async def work() -> QuoteCandleReport:
                report = await download_quote_candles(
                    symbols,
                    interval,
                    *range_us,
                    source=source,
                    store=database.store,
                    calendar_of=database.store.calendar_of,
                    clock=clock,
                    on_progress=partial(_show_progress, shown),
                )
                keep = partial(database.store.keep_sessions, clock.now_us(), symbols, whole=True)
                await in_background(keep, "keep-sessions")
                return report

            return await unless_stopped(work(), stop)


async def fetch_missing(
    settings: Settings,
    database: OpenedDatabase,
    requests: Iterable[RowsRequest],
    price: PriceSide,
    show: Callable[[CandleProgress], None],
) -> str:
    """
    Store the broker's candles of what is not recorded of these, where it makes such; return why some are not there.

    ``price``: the price wanted; all three are fetched. Requests without a start, or of a broker without candles, are
    skipped. Raises StoreError.
    """
    clock = SystemClock()
    for request in requests:
        interval, symbol, start_us = request.candles, request.symbol, request.start_us
        if interval is None or not request.is_of_quotes or start_us is None:
            continue
        if not has_candles(broker_of(symbol)) or database.read_only_reason:
            continue
        end_us = clock.now_us() if request.end_us is None else min(request.end_us, clock.now_us())
        end_us = interval.open_time_us(end_us)  # what is not over yet is not asked for
        known = await in_background(partial(_known, database, symbol, interval, price), "read-candles")
        missing = list(known.missing(start_us, end_us - 1)) if end_us > start_us else []
        if not missing:
            continue
        try:
            async with candle_source(settings, broker_of(symbol), clock) as source:
                if not source.has_candles_of(interval):
                    continue
                report = await download_quote_candles(
                    [symbol],
                    interval,
                    missing[0][0],
                    missing[-1][1] + 1,
                    source=source,
                    store=database.store,
                    calendar_of=database.store.calendar_of,
                    clock=clock,
                    on_progress=show,
                )
        except FeedError as error:
            return str(error)
        if report.missing:
            return report.missing[0].reason
    return ""


def _known(database: OpenedDatabase, symbol: str, interval: Interval, price: PriceSide) -> IdRanges:
    """Return the microseconds of which all ticks, or the broker's candles of that price, are stored."""
    return database.ticks.fetched_ticks(symbol) | database.store.of_side(price).fetched_klines(symbol, interval)


def _show_progress(shown: Progress, now: CandleProgress) -> None:
    shown.update(now.done, total=now.total, description=f"{now.work} · {now.candles:,} candles")


def _summary(report: QuoteCandleReport) -> str:
    if not report.read and report.is_whole:
        return "Nothing was stored: all was fetched before, the market was closed, or the broker has no candles."
    counted = f"{report.changed:,} stored, {report.read - report.changed:,} held already"
    return f"{report.read:,} {report.interval} candles of bid, ask and mid read, {counted}."
