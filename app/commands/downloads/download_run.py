"""
The parts that all downloads of ``cryptopipe history`` share: typed symbols and range, the run, and its report.

A run ends on Ctrl-C; what is stored stays. What is missing goes to standard error, a sentence each.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

from app.commands.cancellable_database import opened_database
from app.commands.database_session import check_may_record
from app.commands.options import Options
from app.commands.progress import Progress, progress
from app.commands.styling import print_styled
from app.config.settings import Settings
from app.live.transfers.report import iso, minute
from app.market.errors import UsageError
from app.market.ports.archive import DAY_US
from app.runtime.shutdown import LONGEST_DAYS, StopEvent, bounded_shutdown, on_signals
from storage.database import Database
from storage.files.times import parse_time

_CANCELLED, _DONE_IN_PART = 1, 3


class Report(Protocol):
    """What a download brought."""

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked for and exists is stored."""
        ...

    @property
    def lacks(self) -> list[str]:
        """What is missing, a sentence each."""
        ...

    def facts(self) -> dict[str, object]:
        """Return it for JSON."""
        ...


AnyReport = TypeVar("AnyReport", bound=Report)


class ChosenRange(NamedTuple):
    """
    The range that was typed, in UTC microseconds; ``end_us`` is None for now.

    It begins at ``start_us``; if that is None, ``days`` whole days before the day of its end.
    """

    start_us: int | None
    end_us: int | None
    days: int | None

    def begin_us(self, end_us: int) -> int:
        """Return its begin if it ends at ``end_us``."""
        if self.start_us is not None:
            return self.start_us
        return end_us - end_us % DAY_US - (self.days or 0) * DAY_US


class RangeEnds(NamedTuple):
    """The range to fetch, ``[start_us, end_us)`` (UTC microseconds); ``is_cut``: more was asked for."""

    start_us: int
    end_us: int
    is_cut: bool

    @property
    def facts(self) -> dict[str, str]:
        """Return it for JSON."""
        return {"until": iso(self.end_us)} if self.is_cut else {}

    @property
    def sentence(self) -> str:
        """Return a sentence for the end of a summary if the range was cut, else nothing."""
        return (
            f" Data after {minute(self.end_us)} UTC is not complete yet and was not requested." if self.is_cut else ""
        )


def typed_symbols(options: Options) -> list[str]:
    """Return the symbols as they were typed, each once."""
    return list(dict.fromkeys(text for text in options.symbols.split(",") if text.strip()))


def chosen_range(options: Options) -> ChosenRange:
    """Return the range of ``--from``, ``--to`` and ``--days``. Raises UsageError if one is wrong."""
    start_us = parse_time(options.start) if options.start else None
    end_us = parse_time(options.end) if options.end else None
    if (start_us is None) == (options.days is None):
        raise UsageError("Say from when on: either --from 2024-08-08 or --days 30.")
    if options.days is not None and not 1 <= options.days <= LONGEST_DAYS:
        raise UsageError(f"--days must be a number from 1 to {LONGEST_DAYS}.")
    if start_us is not None and end_us is not None and end_us <= start_us:
        raise UsageError("--to must be later than --from: nothing was fetched.")
    return ChosenRange(start_us, end_us, options.days)


def check_parallel(parallel: int, most: int) -> None:
    """Raise UsageError unless so many may be fetched at once."""
    if not 1 <= parallel <= most:
        raise UsageError(f"--parallel must be a number from 1 to {most}.")


def run_download(
    download: Callable[[StopEvent, Callable[[], None], Progress], Coroutine[Any, Any, AnyReport | None]],
    unit: str,
    stop: StopEvent | None = None,
) -> AnyReport | None:
    """
    Return the report of ``download``; None if it was cancelled by Ctrl-C, SIGTERM or ``stop``.

    ``download`` takes the event that cancels it, what it calls before it closes anything, and the progress, which
    counts ``unit``.
    """
    stop = stop or StopEvent()
    with (
        on_signals(stop.set),
        bounded_shutdown() as begin_shutdown,
        progress("Downloading", None, unit) as shown,
    ):
        return asyncio.run(download(stop, begin_shutdown, shown))


def exit_code(report: Report | None) -> int:
    """Return the exit code of a download with this report."""
    return _CANCELLED if report is None else 0 if report.is_whole else _DONE_IN_PART


def print_report(
    report: AnyReport | None,
    summary: Callable[[AnyReport], str],
    *,
    as_json: bool,
    more: Mapping[str, object] = MappingProxyType({}),
) -> int:
    """Print what was stored, in one line or as JSON with ``more``; say what is missing; return the exit code."""
    if report is None:
        _say("the download was cancelled; what is stored stays, and the same command goes on from there.")
    else:
        print(json.dumps({**report.facts(), **more}, indent=2) if as_json else summary(report))
        for sentence in report.lacks:
            _say(sentence)
    return exit_code(report)


@contextlib.asynccontextmanager
async def recording_database(
    settings: Settings, stop: StopEvent, begin_shutdown: Callable[[], None]
) -> AsyncIterator[Database | None]:
    """Yield as `opened_database`. Raises StoreError, too, if the database may only be read."""
    async with opened_database(settings, stop, begin_shutdown) as database:
        if database is not None:
            check_may_record(database.read_only_reason)
        yield database


def _say(sentence: str) -> None:
    print_styled(("cryptopipe:", "bold yellow"), f" {sentence}", to=sys.stderr)
