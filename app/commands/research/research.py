"""``cryptopipe research …``: the tables ``ohlcv_{N}m`` of rolling windows; `storage.research` does the work."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

from app.commands.database_session import check_may_record
from app.commands.options import Options
from app.commands.progress import progress
from app.commands.reports.status_report import aligned, data_size
from app.commands.symbol_names import names_among
from app.config.settings import Settings
from app.market.errors import StoreError, UsageError
from app.market.indicators.research_names import named_indicators
from app.runtime.open_database import has_database, open_database
from app.runtime.shutdown import on_signals
from storage.database import Database
from storage.files.times import format_time, parse_time
from storage.research.series_builder import BuiltSeries
from storage.research.status import SeriesStatus
from storage.research.tables import check_minutes

_IN_PART = 3


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that runs the ``research`` command of ``options``.

    Raises:
        UsageError: If a length, a time or an indicator is wrong. No file was made.
        StoreError: If there is no database yet.
    """
    lengths = _lengths(options.minutes)
    if options.command != "research status":
        _check_named(options)
    if options.command == "research build":
        if options.indicators:
            named_indicators(options.indicators)
        start_us, end_us = (parse_time(text) if text else None for text in (options.start, options.end))
        if start_us is not None and end_us is not None and start_us >= end_us:
            raise UsageError("--from must be before --to.")
        work = partial(_build, lengths=lengths, start_us=start_us, end_us=end_us)
    else:
        work = partial(_drop if options.command == "research drop" else _status, lengths=lengths)
    if not has_database(settings):
        raise StoreError(
            f"Nothing is recorded in {settings.data_dir} yet: record or import something first, or name another "
            "--data-dir."
        )
    return partial(_run, work, settings, options)


def _check_named(options: Options) -> None:
    """Refuse names that are empty, which would mean all, or nothing."""
    if not options.symbol.strip(" ,"):
        raise UsageError("Name symbols, such as BTCUSDT,ETHUSDT.")
    if not options.minutes.strip(" ,") and (options.command == "research build" or options.minutes):
        raise UsageError("Name lengths in minutes, such as 1,5,13,60,181.")


def _lengths(text: str) -> list[int]:
    found: list[int] = []
    for part in filter(str.strip, text.split(",")):
        if not part.strip().isdecimal():
            raise UsageError(f"“{part.strip()[:20]}” is no number of minutes: write lengths like 1,5,13,60,181.")
        check_minutes(int(part))
        found.append(int(part))
    return list(dict.fromkeys(found))


def _run(work: Callable[[Database, Options], int], settings: Settings, options: Options) -> int:
    try:
        with _opened(settings) as database:
            return work(database, options)
    except KeyboardInterrupt:
        print("cryptopipe: interrupted; run it again, and it goes on with what is left.", file=sys.stderr)
        return 1


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    """The open database; Ctrl-C and SIGTERM raise KeyboardInterrupt, which cancels the statement that runs."""
    database = open_database(settings)
    try:
        with on_signals(_interrupt):
            yield database
    finally:
        database.close()


def _interrupt() -> None:
    raise KeyboardInterrupt


def _symbols(database: Database, text: str) -> list[str]:
    return names_among(filter(str.strip, text.split(",")), database.store.symbol_names()) if text else []


def _build(database: Database, options: Options, lengths: list[int], start_us: int | None, end_us: int | None) -> int:
    check_may_record(database.read_only_reason)
    symbols = _symbols(database, options.symbol)
    done: Counter[str] = Counter()
    with progress("Rows", None, "rows") as shown:

        def on_progress(work: str, count: int) -> None:
            shown.update(done[work] + count, description=work)
            done[work] += count

        built = database.research().build(
            symbols,
            lengths,
            start_us,
            end_us,
            indicators=options.indicators,
            keep=options.keep,
            on_progress=on_progress,
        )
    if options.as_json:
        print(json.dumps([_built_json(one) for one in built], indent=2))
    else:
        print(_built_text(built))
    empty = [one for one in built if not one.rows]
    if empty and len(empty) == len(built):
        raise StoreError("No minutes of that range are stored, so there are no rows: import or record some first.")
    if empty:
        said = ", ".join(f"{one.symbol} {one.minutes}" for one in empty)
        print(f"cryptopipe: no rows of {said}: fewer minutes are stored than a window has.", file=sys.stderr)
    return _IN_PART if empty else 0


def _drop(database: Database, options: Options, lengths: list[int]) -> int:
    check_may_record(database.read_only_reason)
    dropped = database.research().drop(_symbols(database, options.symbol), lengths)
    if options.as_json:
        print(json.dumps([{"symbol": symbol, "minutes": minutes} for symbol, minutes in dropped], indent=2))
    else:
        print("\n".join(f"Dropped the rows of {symbol} in ohlcv_{minutes}m." for symbol, minutes in dropped))
    return 0


def _status(database: Database, options: Options, lengths: list[int]) -> int:
    found = database.research().status(_symbols(database, options.symbol), lengths)
    if options.as_json:
        print(json.dumps([_status_json(one) for one in found], indent=2))
    elif found:
        print(_status_text(found))
    elif options.symbol or lengths:
        print("There are no such rows: cryptopipe research status lists all that are there.")
    else:
        print("There are no tables of rolling windows yet: cryptopipe research build makes them.")
    return 0


def _built_json(one: BuiltSeries) -> dict[str, Any]:
    return {
        "table": f"ohlcv_{one.minutes}m",
        "symbol": one.symbol,
        "minutes": one.minutes,
        "rows": one.rows,
        "written": one.written,
        "incomplete": one.incomplete,
        "updated": one.updated,
        "first": None if one.first_us is None else format_time(one.first_us),
        "last": None if one.last_us is None else format_time(one.last_us),
    }


def _built_text(built: list[BuiltSeries]) -> str:
    head = ("table", "symbol", "rows", "written", "incomplete", "values updated")
    rows = [
        (
            f"ohlcv_{one.minutes}m",
            one.symbol,
            f"{one.rows:,}",
            f"{one.written:,}",
            f"{one.incomplete:,}",
            f"{one.updated:,}",
        )
        for one in built
    ]
    return aligned(head, rows, left=2)


def _status_json(one: SeriesStatus) -> dict[str, Any]:
    times = {name: None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}" for name, moment in _times(one)}
    return asdict(one) | {"hot_share": round(one.hot_share, 4)} | times


def _times(one: SeriesStatus) -> list[tuple[str, Any]]:
    return [("first", one.first), ("last", one.last)]


def _status_text(found: list[SeriesStatus]) -> str:
    head = ("table", "symbol", "last row (UTC)", "rows", "months", "size", "updated", "HOT", "a month reads", "kept")
    rows = [
        (
            one.table,
            one.symbol,
            "" if one.last is None else f"{one.last:%Y-%m-%d %H:%M}",
            f"{one.rows:,}",
            f"{one.partitions:,}",
            data_size(one.bytes),
            f"{one.updates:,}",
            f"{one.hot_share:.1%}" if one.updates else "",
            f"{one.month_reads} partition{'s' if one.month_reads != 1 else ''}",
            "yes" if one.kept else "no",
        )
        for one in found
    ]
    names = ", ".join(found[0].indicators) or "none"
    due = [f"{one.table} of {one.symbol} lacks values of {', '.join(one.due)}." for one in found if one.due]
    return "\n".join([aligned(head, rows, left=3), "", f"Indicators: {names}.", *due])
