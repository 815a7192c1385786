"""
Brings past ticks of a range into the database, hour by hour, newest first.

An hour that was fetched before is not asked for again, nor one in which the market was closed all the time; an hour
without a tick is an answer and is remembered. An hour that cannot be had is listed with its reason, and the others go
on. Each hour is stored in one transaction with the note that it was fetched, so a download that was cancelled or killed
is simply begun again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from app.concurrency.background import in_background
from app.market.calendar.calendar import Calendar
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US
from app.market.ports.database import OpenedDatabase
from app.market.ports.quote_history import HOUR_US, TickHistory

_NAMED = 10  # hours in the lines for people; the JSON has all


class SkippedHour(NamedTuple):
    """An hour of a symbol that could not be had, and why, in one sentence. ``start_us``: UTC microseconds."""

    symbol: str
    start_us: int
    reason: str

    @property
    def name(self) -> str:
        """The hour as ``2019-02-05T10:00``, UTC."""
        return f"{datetime.fromtimestamp(self.start_us // SECOND_US, UTC):%Y-%m-%dT%H:%M}"


@dataclass(slots=True)
class TickReport:
    """
    The outcome of a download of ticks: read = stored + held + refused.

    ``hours`` were fetched, ``empty`` of them without a tick; ``known`` hours had been fetched before, and ``closed``
    ones were not asked for.
    """

    read: int = 0
    stored: int = 0
    held: int = 0
    refused: int = 0
    hours: int = 0
    empty: int = 0
    known: int = 0
    closed: int = 0
    skipped: list[SkippedHour] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked for and exists is stored."""
        return not self.skipped and not self.refused

    @property
    def lacks(self) -> list[str]:
        """Return what is missing, newest first, a sentence each; none where nothing is."""
        ordered = sorted(self.skipped, key=lambda one: one.start_us, reverse=True)
        sentences = [f"missing: {one.symbol} {one.name}: {one.reason}" for one in ordered[:_NAMED]]
        if len(ordered) > _NAMED:
            sentences.append(f"and {len(ordered) - _NAMED} hours more; --json lists all.")
        if self.refused:
            sentences.append(
                f"{self.refused:,} ticks were refused: the table refused_quotes has them, with the reasons."
            )
        return sentences

    def facts(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "read": self.read,
            "stored": self.stored,
            "held": self.held,
            "refused": self.refused,
            "missing": len(self.skipped),
            "hours": {"fetched": self.hours, "empty": self.empty, "known": self.known, "closed": self.closed},
            "skipped": [
                {"symbol": one.symbol, "hour": one.name, "reason": one.reason}
                for one in sorted(self.skipped, key=lambda one: (one.symbol, one.start_us))
            ],
        }


class TickProgress(NamedTuple):
    """``done`` of ``total`` hours; ``ticks`` read by now; ``work``: the hour that was answered last."""

    done: int
    total: int
    ticks: int
    work: str


async def download_ticks(
    symbols: Sequence[str],
    start_us: int,
    end_us: int,
    *,
    history: TickHistory,
    database: OpenedDatabase,
    calendars: Mapping[str, Calendar] = MappingProxyType({}),
    parallel: int = 6,
    on_progress: Callable[[TickProgress], None] = lambda _: None,
) -> TickReport:
    """
    Fetch the ticks of the hours that ``[start_us, end_us)`` (UTC microseconds) touches, and store them.

    ``calendars``: when the markets of symbols are closed; of a symbol without one every hour is asked for.
    ``parallel``: hours asked for at once. Cancel the task to stop; what is stored stays.

    Raises:
        FeedRejected: If the broker has no such symbol.
        StoreError: If the database does not take the ticks.
    """
    report = TickReport()
    wanted: list[tuple[int, str]] = []
    for symbol in symbols:
        fetched = await in_background(partial(database.ticks.fetched_ticks, symbol), "read-fetched-ticks")
        wanted += [(at, symbol) for at in _to_fetch(start_us, end_us, fetched, calendars.get(symbol), report)]
    hours = iter(sorted(wanted, reverse=True))
    total = len(wanted)
    loader = await in_background(database.tick_loader, "open-tick-loader")
    storing = asyncio.Lock()  # a loader has one connection

    async def work() -> None:
        for start_us, symbol in hours:
            hour = await history.hour(symbol, start_us)
            if hour.skipped:
                report.skipped.append(SkippedHour(symbol, start_us, hour.skipped))
            else:
                span = (symbol, start_us, start_us + HOUR_US)
                async with storing:
                    count = await in_background(partial(loader.store_ticks, list(hour.ticks), span), "store-ticks")
                report.read += len(hour.ticks)
                report.stored += count.stored
                report.held += count.held
                report.refused += count.refused
                report.hours += 1
                report.empty += hour.is_empty
            done = report.hours + len(report.skipped)
            on_progress(TickProgress(done, total, report.read, SkippedHour(symbol, start_us, "").name))

    workers = [asyncio.ensure_future(work()) for _ in range(min(parallel, total))]
    try:
        await asyncio.gather(*workers)
        await in_background(loader.finish, "finish-ticks")
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await in_background(loader.close, "close-tick-loader")
    return report


def _to_fetch(
    start_us: int, end_us: int, fetched: IdRanges, calendar: Calendar | None, report: TickReport
) -> Iterator[int]:
    """Yield the begins of the hours to ask for; count the others."""
    first_us = start_us - start_us % HOUR_US
    closed = IdRanges()
    if calendar is not None and calendar.closes:
        for from_us, until_us in calendar.closed_spans(first_us, end_us + HOUR_US).tolist():
            closed.add_range(from_us, until_us - 1)
    for at_us in range(first_us, end_us, HOUR_US):
        if not fetched.missing(at_us, at_us + HOUR_US - 1):
            report.known += 1
        elif not closed.missing(at_us, at_us + HOUR_US - 1):
            report.closed += 1
        else:
            yield at_us
