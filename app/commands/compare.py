"""
``cryptopipe db compare``: holds candles counted from the stored trades against the exchange's, field by field.

`app.live.transfers.comparison` compares. This module checks the request, opens the database and the exchange, hears
signals, and says what differs and what could not be compared. The differences wait in a temporary file until the end,
so their number is not limited by memory.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import IO, NamedTuple

from app.commands.cancellable_database import measure_exchange_clock, opened_database
from app.commands.options import Options
from app.commands.progress import Progress, progress
from app.commands.reports.status_report import aligned
from app.commands.styling import print_styled
from app.commands.symbol_names import check_have_trades, stored_symbol
from app.concurrency.background import in_background
from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings
from app.live.charts.candle_history import CandleHistory
from app.live.environment.clocks import ExchangeClock
from app.live.transfers.candle_transfer import TransferProgress
from app.live.transfers.comparison import CandleComparison, ComparisonReport
from app.market.candle_request import CandleRequest
from app.market.comparison import FieldDifference
from app.market.errors import StoreError, UsageError
from app.market.interval import Interval
from app.market.symbol import read_symbol
from app.runtime.exchange_addresses import check_addresses
from app.runtime.open_database import has_database
from app.runtime.shutdown import StopEvent, bounded_shutdown, on_signals, unless_stopped
from app.runtime.wiring import exchange_rest
from storage.database import Database
from storage.files.times import format_time, parse_time

_IN_MEMORY_BYTES = 4_000_000
_MAX_ROWS = 20
_CANCELLED, _DONE_IN_PART = 1, 3


class _Wanted(NamedTuple):
    symbol: str
    interval: Interval
    start_us: int
    end_us: int


class _Found:
    """The differences so far: one JSON object a line in a file, the first few and their number by field in memory."""

    def __init__(self, lines: IO[str]) -> None:
        self.lines = lines
        self.first: list[FieldDifference] = []
        self.by_field: Counter[str] = Counter()

    def note(self, found: list[FieldDifference]) -> None:
        for one in found:
            row = {
                "open_time": format_time(one.open_time_us),
                "field": one.field,
                "stored": one.stored,
                "exchange": one.exchange,
            }
            self.lines.write(json.dumps(row) + "\n")
            self.by_field[one.field] += 1
        self.first += found[: _MAX_ROWS - len(self.first)]


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that compares.

    Raises:
        UsageError: If an argument is wrong.
        SettingsError: If an address of the exchange has a wrong form.
        StoreError: If there is no database yet.
    """
    if options.start is None or options.end is None:
        lacking = "--from" if options.start is None else "--to"
        raise UsageError(f"{lacking} is missing: say what to compare with --from 2024-08-08 --to 2024-08-09.")
    interval = Interval.parse(options.interval)
    start_us, end_us = parse_time(options.start), parse_time(options.end)
    if end_us <= start_us:
        raise UsageError("--to must be later than --from: nothing was compared.")
    if not CandleRequest("", interval, start_us, end_us).slots:
        raise UsageError(f"No whole candle of {interval} lies in that range: choose a longer one.")
    read_symbol(options.symbol)
    check_have_trades([options.symbol], "no candles are counted from them")
    check_addresses(settings)
    if not has_database(settings):
        raise StoreError(
            f"Nothing is recorded in {settings.data_dir} yet, so nothing can be compared: record or import trades "
            "first, or name another --data-dir."
        )
    return partial(_run, settings, _Wanted(options.symbol, interval, start_us, end_us), as_json=options.as_json)


def _run(settings: Settings, wanted: _Wanted, *, as_json: bool) -> int:
    stop = StopEvent()
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, mode="w+", encoding="utf-8") as lines:
        found = _Found(lines)
        with (
            on_signals(stop.set),
            bounded_shutdown() as begin_shutdown,
            progress(f"Comparing {wanted.symbol} {wanted.interval}", None, "candles") as shown,
        ):
            report = asyncio.run(_report(settings, wanted, found, stop, begin_shutdown, shown))
        if report is None:
            print_styled(("cryptopipe:", "bold yellow"), " the comparison was cancelled.", to=sys.stderr)
            return _CANCELLED
        if as_json:
            _print_json(report, found)
        else:
            print(_text(report, found))
    return _concluded(report, found)


def _concluded(report: ComparisonReport, found: _Found) -> int:
    """Return the exit code; the reason of a failure is raised."""
    request = report.request
    if report.differing:
        are = "1 candle differs" if report.differing == 1 else f"{report.differing:,} candles differ"
        raise StoreError(
            f"{are} from the exchange's in {_counted(found.by_field.total(), 'field')}: cryptopipe db verify "
            f"{request.symbol} says whether the database agrees with itself.{_also(report)}"
        )
    if not report.compared:
        raise StoreError(f"Nothing of {request.symbol} {request.interval} could be compared. {report.lack}")
    if report.missing:
        print_styled(("cryptopipe:", "bold yellow"), f" {report.lack}", to=sys.stderr)
        return _DONE_IN_PART
    return 0


def _also(report: ComparisonReport) -> str:
    return f" {report.lack}" if report.lack else ""


async def _report(
    settings: Settings,
    wanted: _Wanted,
    found: _Found,
    stop: StopEvent,
    begin_shutdown: Callable[[], None],
    shown: Progress,
) -> ComparisonReport | None:
    """Return the outcome; None if ``stop`` was set first."""
    async with opened_database(settings, stop, begin_shutdown) as database:
        if database is None:
            return None
        return await unless_stopped(_compared(settings, wanted, database, found, shown), stop)


async def _compared(
    settings: Settings, wanted: _Wanted, database: Database, found: _Found, shown: Progress
) -> ComparisonReport:
    exchange_clock = ExchangeClock(SystemClock())
    try:
        symbol = await in_background(partial(stored_symbol, database.store, wanted.symbol), "read-symbols")
    except UsageError as error:  # written as a symbol is, but nothing of it is there to be compared
        raise StoreError(f"{error}") from error
    async with exchange_rest(settings, exchange_clock) as rest:
        await measure_exchange_clock(exchange_clock, rest)
        request = CandleRequest(symbol, wanted.interval, wanted.start_us, wanted.end_us)
        history = CandleHistory(rest, database.store)
        show = partial(_show_progress, shown, f"Comparing {symbol} {wanted.interval}")
        return await CandleComparison(request, history, database.store, exchange_clock, found.note, show).run()


def _show_progress(shown: Progress, work: str, now: TransferProgress) -> None:
    waits = f"Waiting ({now.waits_because.rstrip('.')})"
    shown.update(now.done, total=now.total, description=waits if now.waits_because else work)


def _print_json(report: ComparisonReport, found: _Found) -> None:
    """Print one document; its differences come line by line, however many there are."""
    request = report.request
    facts = {
        "symbol": request.symbol,
        "interval": request.interval.name,
        "from": format_time(request.start_us),
        "to": format_time(request.end_us),
        "compared": report.compared,
        "missing": [[format_time(start_us), format_time(end_us)] for start_us, end_us in report.missing],
    }
    print(json.dumps(facts, indent=2).removesuffix("\n}") + ',\n  "differences": [', end="")
    found.lines.seek(0)
    for number, line in enumerate(found.lines):
        print("," * bool(number) + "\n    " + line.rstrip("\n"), end="")
    print("\n  ]\n}" if found.by_field else "]\n}")


def _text(report: ComparisonReport, found: _Found) -> str:
    request = report.request
    compared = f"{_counted(report.compared, 'candle')} of {request.symbol} {request.interval} compared"
    if not found.by_field:
        return f"{compared}: nothing differs." if report.compared else f"{compared}."
    rows = [(format_time(one.open_time_us), one.field, str(one.stored), str(one.exchange)) for one in found.first]
    more = found.by_field.total() - len(rows)
    lines = [aligned(("candle", "field", "from trades", "exchange"), rows, left=2)]
    lines += [f"… and {_counted(more, 'difference')} more: --json lists all."] if more else []
    fields = ", ".join(f"{field} {number:,}" for field, number in found.by_field.most_common())
    return "\n".join([*lines, "", f"{compared}; {report.differing:,} differ: {fields}."])


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
