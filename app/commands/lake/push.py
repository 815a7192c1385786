"""``cryptopipe lake push``: writes the complete days of the database that the lake lacks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import partial

from app.commands.database_session import whole_database
from app.commands.lake.lake_options import LakeRequest, request_of
from app.commands.lake.lake_report import manifest_facts, partition_facts, say
from app.commands.options import Options
from app.commands.progress import Progress, progress
from app.commands.reports.status_report import data_size
from app.commands.symbol_names import names_among
from app.config.settings import Settings
from app.config.version import VERSION
from app.market.export_plan import number_of
from app.runtime.lakes import open_lake
from app.runtime.shutdown import bounded_shutdown, on_signals
from storage.lake.kline_years import KlineYears
from storage.lake.lake import Lake
from storage.lake.push import Push, PushProgress, PushReport, PushSource
from storage.lake.quote_days import QuoteDays
from storage.lake.trade_days import TradeDays

_FAILED, _DONE_IN_PART = 1, 3
_MOST_SHOWN = 20


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that pushes; after Ctrl-C whole files stay, and the next run goes on from there.

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
        progress("Pushing", None, "rows") as shown,
        whole_database(settings, begin_shutdown) as database,
    ):
        store = database.store
        symbols = names_among(request.symbols, store.symbol_names()) if request.symbols else None
        sources: list[PushSource] = [
            TradeDays(store.pool),
            QuoteDays(store.pool, store.calendar_of),
            KlineYears(store.pool),
        ]
        push = Push(
            lake,
            [one for one in sources if one.kind in request.kinds],
            VERSION,
            on_progress=partial(_show, shown),
            is_cancelled=cancelled.is_set,
        )
        report = push.run(symbols, request.start_us, request.end_us)
    _print(lake, report, request, as_json=as_json)
    if report.is_cancelled:
        return _FAILED
    return _DONE_IN_PART if report.incomplete and request.is_ranged else 0


def _show(shown: Progress, now: PushProgress) -> None:
    shown.update(now.rows, total=now.total, description=f"Pushing {now.partition.symbol} {now.partition.period}")


def _print(lake: Lake, report: PushReport, request: LakeRequest, *, as_json: bool) -> None:
    is_ranged = request.is_ranged
    if as_json:
        facts = {
            "lake": lake.name,
            "pushed": [manifest_facts(one) for one in report.pushed],
            "there": report.there,
            "incomplete": [partition_facts(one) | {"reason": reason} for one, reason in report.incomplete],
            "rows": report.rows,
            "bytes": report.bytes,
            "cancelled": report.is_cancelled,
        }
        print(json.dumps(facts, indent=2))
    else:
        verb = "was" if report.there == 1 else "were"
        there = f"; {number_of(report.there, request.noun)} {verb} there already" if report.there else ""
        days = number_of(len(report.pushed), request.noun)
        print(f"{days} with {report.rows:,} rows pushed to {lake.name}, {data_size(report.bytes)}{there}.")
    if is_ranged or not as_json:
        put: Callable[[str], object] = say if is_ranged else print
        for one, reason in report.incomplete[:_MOST_SHOWN]:
            put(f"{one.symbol} {one.period} is not complete: {reason}.")
        if len(report.incomplete) > _MOST_SHOWN:
            put(f"{len(report.incomplete) - _MOST_SHOWN:,} more are not complete either; --json lists them.")
    if report.is_cancelled:
        say("the push was cancelled; what is in the lake stays, and the same command goes on from there.")
