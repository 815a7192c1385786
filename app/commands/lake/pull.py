"""``cryptopipe lake pull``: days of trades and quotes out of the lake into the database."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Sequence
from functools import partial

from app.commands.database_session import check_may_record, whole_database
from app.commands.imports.import_files import keep_sessions
from app.commands.lake.lake_options import LakeRequest, request_of, symbols_in_lake
from app.commands.lake.lake_report import other_facts, partition_facts, say, say_problems
from app.commands.options import Options
from app.commands.progress import Progress, progress
from app.config.settings import Settings
from app.market.errors import LakeError
from app.market.export_plan import number_of
from app.runtime.lakes import open_lake
from app.runtime.shutdown import bounded_shutdown, on_signals
from storage.lake.lake import Lake, missing_partitions
from storage.lake.partition import LakeKind, Partition
from storage.lake.pull import Pull, PullProgress, PullReport
from storage.lake.reading.other_files import OtherFile, other_files
from storage.lake.reading.other_pull import OtherReport, read_others

_FAILED, _DONE_IN_PART = 1, 3
_MOST_SHOWN = 20


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that pulls; after Ctrl-C stored rows stay, and the next run goes on from there.

    Raises:
        UsageError: If an option is wrong.
        LakeError: If there is no key for the lake's bucket.
    """
    request = request_of(settings, options)
    lake = open_lake(settings, request.lake)
    return partial(_run, settings, lake, request, as_json=options.as_json)


def _run(settings: Settings, lake: Lake, request: LakeRequest, *, as_json: bool) -> int:
    cancelled = threading.Event()
    with (
        on_signals(cancelled.set),
        bounded_shutdown() as begin_shutdown,
        progress("Pulling", None, "rows") as shown,
    ):
        days, missing, others = _chosen(lake, request)
        with whole_database(settings, begin_shutdown) as database:
            check_may_record(database.read_only_reason)
            with contextlib.closing(database.bulk_loader()) as loader:
                pull = Pull(
                    lake,
                    loader,
                    database.store,
                    database.store.tick_store,
                    on_progress=partial(_show, shown),
                    is_cancelled=cancelled.is_set,
                )
                report = pull.run(days)
                show_file = partial(_show_file, shown)
                read = read_others(lake, others, loader, on_progress=show_file, is_cancelled=cancelled.is_set)
            if loader.quoted:
                keep_sessions(database, loader.quoted)
    _print(lake, report, read, missing, request, as_json=as_json)
    if report.is_cancelled or read.is_cancelled:
        return _FAILED
    return _DONE_IN_PART if missing or report.total("refused") or read.problems.count else 0


def _chosen(lake: Lake, request: LakeRequest) -> tuple[list[Partition], list[Partition], list[OtherFile]]:
    """Return the days to pull, the days of the range that the lake lacks, and files without a manifest."""
    found = [one for one in lake.series() if one[0] in request.kinds]
    others = other_files(lake) if LakeKind.TRADES in request.kinds else []
    known = {symbol for _, symbol, _ in found} | {one.symbol for one in others}
    if not known:
        raise LakeError(f"There is no lake at {lake.name}, or nothing to pull in it: name another.")
    names = set(symbols_in_lake(request.symbols, known, lake.name))
    others = [one for one in others if one.symbol in names and one.overlaps(request.start_us, request.end_us)]
    has_others = {one.symbol for one in others}
    days, missing = list[Partition](), list[Partition]()
    for kind, symbol, interval in found:
        if symbol in names:
            there = lake.partitions(kind, symbol, request.start_us, request.end_us, interval)
            days += there
            if request.is_ranged and symbol not in has_others:
                missing += missing_partitions(there, kind, symbol, interval, request.start_us, request.end_us)
    return days, missing, others


def _show_file(shown: Progress, file: OtherFile, rows: int) -> None:
    shown.update(rows, total=None, description=f"Pulling {file.key}")


def _show(shown: Progress, now: PullProgress) -> None:
    shown.update(now.rows, total=now.total, description=f"Pulling {now.partition.symbol} {now.partition.period}")


def _print(
    lake: Lake,
    report: PullReport,
    read: OtherReport,
    missing: Sequence[Partition],
    request: LakeRequest,
    *,
    as_json: bool,
) -> None:
    names = ("stored", "held", "refused")
    stored, held, refused = (report.total(name) + getattr(read, name) for name in names)
    if as_json:
        facts = {
            "lake": lake.name,
            "days": [
                partition_facts(one.manifest.partition)
                | {
                    "rows": one.manifest.rows,
                    "stored": one.stored,
                    "held": one.held,
                    "refused": one.refused,
                    "reason": one.reason or None,
                }
                for one in report.days
            ],
            "missing": [partition_facts(one) for one in missing],
            "stored": stored,
            "held": held,
            "refused": refused,
            "other_files": other_facts(read),
            "cancelled": report.is_cancelled or read.is_cancelled,
        }
        print(json.dumps(facts, indent=2))
    else:
        parts = [f"{stored:,} rows stored", f"{held:,} held already", *([f"{refused:,} refused"] if refused else [])]
        files = f" and {number_of(read.read, 'file')} without a manifest" if read.read else ""
        print(f"{number_of(len(report.days), request.noun)}{files} pulled from {lake.name}: {', '.join(parts)}.")
    say_problems(read.problems)
    for one in report.days:
        if one.reason:
            partition = one.manifest.partition
            say(f"{partition.symbol} {partition.period}: {number_of(one.refused, 'row')} refused; {one.reason}.")
    for partition in missing[:_MOST_SHOWN]:
        say(f"{partition.symbol} {partition.period} is not in the lake {lake.name}.")
    if len(missing) > _MOST_SHOWN:
        say(f"{len(missing) - _MOST_SHOWN:,} more days are not in the lake; --json lists them.")
    if report.is_cancelled or read.is_cancelled:
        say("the pull was cancelled; what is stored stays, and the same command goes on from there.")
