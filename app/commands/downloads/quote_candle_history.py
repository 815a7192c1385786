"""
``cryptopipe history`` for candles that a broker of quotes makes itself: those of bid, ask and mid into the database.

`app.live.transfers.ticks.quote_candle_download` fetches and stores; `quote_history` has checked what was typed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from functools import partial

from app.commands.cancellable_database import opened_database
from app.commands.progress import Progress, progress
from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings
from app.live.transfers.ticks.quote_candle_download import CandleProgress, QuoteCandleReport, download_quote_candles
from app.market.calendar.of_symbol import usual_calendar
from app.market.errors import StoreError, UsageError
from app.market.interval import Interval
from app.market.symbol import broker_of
from app.runtime.quote_sources import candle_source
from app.runtime.shutdown import StopEvent, bounded_shutdown, on_signals, unless_stopped


def run(
    settings: Settings,
    symbols: Sequence[str],
    interval: Interval,
    range_us: tuple[int, int],
    say: Callable[[str], None],
    *,
    as_json: bool,
) -> int:
    """Fetch the candles that open in ``range_us``, and print what was stored; ``say`` prints what is missing."""
    stop = StopEvent()
    with (
        on_signals(stop.set),
        bounded_shutdown() as begin_shutdown,
        progress("Downloading", None, "pieces") as shown,
    ):
        show = partial(_show_progress, shown)
        report = asyncio.run(_downloaded(settings, symbols, interval, range_us, stop, begin_shutdown, show))
    if report is None:
        say("the download was cancelled; what is stored stays, and the same command goes on from there.")
        return 1
    counted = f"{report.changed:,} stored, {report.read - report.changed:,} held already"
    summary = f"{report.read:,} {interval} candles of bid, ask and mid read, {counted}."
    print(json.dumps(report.facts(), indent=2) if as_json else summary)
    for sentence in report.lacks:
        say(sentence)
    return 0 if report.is_whole else 3


async def _downloaded(
    settings: Settings,
    symbols: Sequence[str],
    interval: Interval,
    range_us: tuple[int, int],
    stop: StopEvent,
    begin_shutdown: Callable[[], None],
    show: Callable[[CandleProgress], None],
) -> QuoteCandleReport | None:
    """Return the report; None if ``stop`` was set first."""
    clock = SystemClock()
    # The broker first: without a token no database need be started.
    async with candle_source(settings, broker_of(symbols[0]), clock) as source:
        if not source.has_candles_of(interval):
            raise UsageError(f"The broker has no candles of {interval}: fetch 1m or 1d, of which longer ones are made.")
        async with opened_database(settings, stop, begin_shutdown) as database:
            if database is None:
                return None
            if database.read_only_reason:
                raise StoreError(f"{database.read_only_reason} Name a user who may record: docs/database.md says how.")
            work = download_quote_candles(
                symbols,
                interval,
                *range_us,
                source=source,
                store=database.store,
                calendar_of=usual_calendar,
                clock=clock,
                on_progress=show,
            )
            return await unless_stopped(work, stop)


def _show_progress(shown: Progress, now: CandleProgress) -> None:
    shown.update(now.done, total=now.total, description=f"{now.work} · {now.candles:,} candles")
