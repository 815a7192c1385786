"""``cryptopipe lake verify``: checks that no day is missing, no byte has changed, and every count is true."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import partial

from app.commands.lake.lake_options import LakeRequest, request_of
from app.commands.lake.lake_report import other_facts, say, say_missing, say_problems
from app.commands.lake.lake_series import chosen_of
from app.commands.options import Options
from app.commands.progress import Progress, progress
from app.commands.reports.status_report import data_size
from app.config.settings import Settings
from app.market.export_plan import number_of
from app.runtime.lakes import open_lake
from app.runtime.shutdown import on_signals
from storage.lake.lake import Lake
from storage.lake.reading.other_files import OtherFile
from storage.lake.reading.other_pull import OtherReport, read_others
from storage.lake.verify import Verification, VerifyProgress, VerifyReport

_FAILED = 1
_MOST_SHOWN = 50


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that verifies; it exits with 0 only where nothing is wrong.

    Raises:
        UsageError: If an option is wrong.
        LakeError: If there is no key for the lake's bucket.
    """
    request = request_of(settings, options)
    lake = open_lake(settings, request.lake)
    return partial(_run, lake, request, as_json=options.as_json)


def _run(lake: Lake, request: LakeRequest, *, as_json: bool) -> int:
    cancelled = threading.Event()
    with on_signals(cancelled.set), progress("Verifying", None, "days") as shown:
        chosen = chosen_of(lake, request)
        work = Verification(lake, on_progress=partial(_show, shown), is_cancelled=cancelled.is_set)
        report = work.run(chosen.series, request.start_us, request.end_us)
        show_file = partial(_show_file, shown)
        others = read_others(lake, chosen.others, on_progress=show_file, is_cancelled=cancelled.is_set)
    _print(lake, report, others, as_json=as_json)
    is_wrong = report.problems or others.problems.count or any(others.missing.values())
    return _FAILED if is_wrong or report.is_cancelled or others.is_cancelled else 0


def _show_file(shown: Progress, file: OtherFile, rows: int) -> None:
    del rows
    shown.update(0, total=None, description=f"Verifying {file.key}")


def _show(shown: Progress, now: VerifyProgress) -> None:
    shown.update(now.done, total=now.total, description=f"Verifying {now.partition.symbol} {now.partition.period}")


def _print(lake: Lake, report: VerifyReport, others: OtherReport, *, as_json: bool) -> None:
    if as_json:
        facts = {
            "lake": lake.name,
            "partitions": report.partitions,
            "parts": report.parts,
            "rows": report.rows,
            "bytes": report.bytes,
            "problems": [{"path": one.path, "problem": one.what} for one in report.problems],
            "other_files": other_facts(others),
            "cancelled": report.is_cancelled or others.is_cancelled,
        }
        print(json.dumps(facts, indent=2))
    else:
        files = f"{number_of(report.partitions, 'partition')} with {number_of(report.parts, 'file')}"
        found = "nothing is wrong" if not report.problems else number_of(len(report.problems), "problem")
        print(f"{files}, {report.rows:,} rows and {data_size(report.bytes)} verified in {lake.name}: {found}.")
        if others.read or others.problems.count:
            print(f"{number_of(others.read, 'file')} without a manifest, {others.rows:,} trades in them.")
    for problem in report.problems[:_MOST_SHOWN]:
        say(problem.what)
    say_problems(others.problems)
    say_missing(others)
    if len(report.problems) > _MOST_SHOWN:
        say(f"{number_of(len(report.problems) - _MOST_SHOWN, 'more problem')}; --json lists them.")
    if report.is_cancelled or others.is_cancelled:
        say("the verification was cancelled: not all was looked at.")
