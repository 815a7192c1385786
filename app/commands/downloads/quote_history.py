"""
``cryptopipe history`` for a broker of quotes: brings past ticks into the database, hour by hour.

Of a broker without past ticks, the candles that it makes itself are fetched instead (`quote_candle_history`).

`app.live.transfers.ticks` fetches and stores. This module checks what was typed, opens the database and the broker, and
says what was stored; `download_run` does what all downloads share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from app.commands.downloads.download_run import (
    ChosenRange,
    RangeEnds,
    check_parallel,
    chosen_range,
    print_report,
    recording_database,
    run_download,
    typed_symbols,
)
from app.commands.options import Options
from app.commands.progress import Progress
from app.concurrency.background import in_background
from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings
from app.live.transfers.ticks.tick_download import TickProgress, TickReport, download_ticks
from app.market.calendar.calendar import Calendar
from app.market.errors import UsageError
from app.market.interval import Interval
from app.market.ports.database import OpenedDatabase
from app.market.ports.quote_history import HOUR_US
from app.market.symbol import broker_of, read_symbol
from app.runtime.calendars import check_calendars
from app.runtime.quote_sources import TickSource, check_has_ticks, has_ticks, symbols_of_group, tick_source
from app.runtime.shutdown import StopEvent, unless_stopped

_TRADES, _QUOTES = "trades", "quotes"
_MOST_PARALLEL = 10
_PUBLISHED_US = 600_000_000  # after its end, an hour is there


class _Wanted(NamedTuple):
    symbols: tuple[str, ...]
    chosen: ChosenRange
    parallel: int


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that fetches; after Ctrl-C what is stored stays, and the next run goes on from there.

    Raises:
        UsageError: If an option is wrong.
        SettingsError: If an address of the broker has a wrong form.
    """
    what = options.what.strip().lower()
    symbols = [read_symbol(text) for text in typed_symbols(options)] + (
        symbols_of_group(options.group) if options.group else []
    )
    broker = _broker(symbols)
    if what == _TRADES:
        raise UsageError(f"“{_TRADES}” are not published by brokers of quotes: write {_QUOTES} instead, or 1m.")
    interval = None if what == _QUOTES else Interval.parse(options.what)
    if interval is None:
        check_has_ticks(broker)
    chosen = chosen_range(options)
    check_parallel(options.parallel, _MOST_PARALLEL)
    wanted = _Wanted(tuple(dict.fromkeys(symbols)), chosen, options.parallel)
    if interval is None or has_ticks(broker):  # candles of every interval are made of ticks
        return partial(_run, settings, wanted, as_json=options.as_json)
    from app.commands.downloads import quote_candle_history

    ends = _range(wanted, SystemClock().now_us(), interval)
    return partial(quote_candle_history.run, settings, wanted.symbols, interval, ends, as_json=options.as_json)


def _run(settings: Settings, wanted: _Wanted, *, as_json: bool) -> int:
    ends = _range(wanted, SystemClock().now_us())
    report = run_download(partial(_downloaded, settings, wanted, ends), "hours")
    return print_report(report, lambda one: _summary(one) + ends.sentence, as_json=as_json, more=ends.facts)


async def _downloaded(
    settings: Settings,
    wanted: _Wanted,
    ends: RangeEnds,
    stop: StopEvent,
    begin_shutdown: Callable[[], None],
    shown: Progress,
) -> TickReport | None:
    """Return the report; None if ``stop`` was set first."""
    clock = SystemClock()
    await check_calendars(settings.calendars, wanted.symbols)
    async with recording_database(settings, stop, begin_shutdown) as database:
        if database is None:
            return None
        async with tick_source(settings, _broker(wanted.symbols), clock) as source:

            async def work() -> TickReport:
                calendars = {symbol: await _calendar(database, source, symbol) for symbol in wanted.symbols}
                report = await download_ticks(
                    wanted.symbols,
                    ends.start_us,
                    ends.end_us,
                    history=source.history,
                    database=database,
                    calendars=calendars,
                    parallel=wanted.parallel,
                    on_progress=partial(_show_progress, shown),
                )
                keep = partial(database.store.keep_sessions, clock.now_us(), wanted.symbols, whole=True)
                await in_background(keep, "keep-sessions")
                return report

            return await unless_stopped(work(), stop)


async def _calendar(database: OpenedDatabase, source: TickSource, symbol: str) -> Calendar:
    """Return when the market of a symbol is open; its description by the broker, if there is one, is kept."""
    described = await source.described(symbol)
    if described is not None:
        as_described, calendar = described
        await in_background(partial(database.store.save_symbols, [as_described]), "save-symbols")
        database.store.learn_calendar(symbol, calendar)
    return await in_background(partial(database.store.calendar_of, symbol), "read-calendar")


def _broker(symbols: Sequence[str]) -> str:
    brokers = sorted({broker_of(symbol) for symbol in symbols})
    if len(brokers) != 1:
        raise UsageError(f"Name symbols of one broker at a time, of {' or '.join(brokers)}.")
    return brokers[0]


def _range(wanted: _Wanted, now_us: int, interval: Interval | None = None) -> RangeEnds:
    """Return both ends; no later than what is published by now: whole hours of ticks, or closed candles."""
    latest_us = now_us - _PUBLISHED_US
    latest_us = latest_us - latest_us % HOUR_US if interval is None else interval.open_time_us(now_us)
    asked_us = latest_us if wanted.chosen.end_us is None else wanted.chosen.end_us
    start_us, end_us = wanted.chosen.begin_us(asked_us), min(asked_us, latest_us)
    if end_us <= start_us:
        what = "hour" if interval is None else "candle"
        raise UsageError(f"No whole {what} lies in that range yet: begin earlier.")
    return RangeEnds(start_us, end_us, end_us < asked_us)


def _show_progress(shown: Progress, now: TickProgress) -> None:
    shown.update(now.done, total=now.total, description=f"Downloading {now.work} · {now.ticks:,} ticks")


def _summary(report: TickReport) -> str:
    if not report.hours and not report.skipped:
        return "All of it is stored already, or the market was closed: nothing was fetched."
    counted = f"{report.read:,} ticks read, {report.stored:,} stored, {report.held:,} held already"
    hours = f"{report.hours:,} hours fetched, {report.empty:,} of them without a tick"
    return f"{counted}; {hours}; {report.known:,} hours known before, {report.closed:,} closed."
