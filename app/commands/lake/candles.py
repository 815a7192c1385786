"""``cryptopipe lake candles``: candles of any interval from the lake's trades, into files or into the database."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from app.commands.database_session import check_may_record, whole_database
from app.commands.export_target import STREAM, check_path, open_file
from app.commands.lake.lake_options import LakeRequest, request_of, symbols_in_lake
from app.commands.lake.lake_report import say, say_problems
from app.commands.options import Options
from app.commands.progress import Progress, progress
from app.config.settings import Settings
from app.config.version import VERSION
from app.live.transfers.report import Delivery, Lack, TransferReport
from app.market.candle import Candle, CandleSource
from app.market.candle_request import CandleRequest, candle_file_name
from app.market.columns.candle_columns import columns_of
from app.market.errors import UsageError
from app.market.export_plan import ExportPlan, RowsRequest, files_of, number_of
from app.market.file_format import FileLayout, Preset, chosen_format, named_preset, named_zone
from app.market.interval import Interval
from app.market.ports.loading import BulkLoader
from app.runtime.lakes import open_lake
from app.runtime.shutdown import bounded_shutdown, on_signals
from storage.lake.lake import Lake
from storage.lake.partition import LakeKind
from storage.lake.reading.lake_candles import CandleProgress, LakeCandles
from storage.lake.reading.other_files import OtherFile, other_files
from storage.lake.reading.problem_list import ProblemList

_FAILED, _DONE_IN_PART = 1, 3
_UNSTORED = "Not in the lake with all their trades."


class Outcome(NamedTuple):
    """The outcome of one symbol and interval: ``sentence`` for people, ``facts`` for JSON, ``lack`` empty if whole."""

    sentence: str
    facts: dict[str, Any]
    lack: str


class Sink(Protocol):
    """Takes the candles of one symbol and interval, oldest first, all of them closed."""

    def take(self, candles: Sequence[Candle]) -> None:
        """Take some, at least one."""

    def finish(self) -> Outcome:
        """Return the outcome once all were taken."""

    def discard(self) -> None:
        """Leave nothing half; does nothing after `finish`."""


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that makes the candles; Ctrl-C leaves no file half, and what is stored stays.

    Raises:
        UsageError: If an option is wrong.
        LakeError: If there is no key for the lake's bucket.
    """
    texts, intervals = _words_and_intervals(options.words)
    if len(texts) > 2:
        raise UsageError(
            "Name one lake and one list of symbols, then intervals: cryptopipe lake candles ./lake BTCUSDT 1m,1h"
        )
    options.lake, options.symbols = (*texts, "", "")[:2]
    request = request_of(settings, options)
    if not request.symbols:
        raise UsageError("Name the symbols whose candles you want, such as BTCUSDT,ETHUSDT.")
    plan = _plan(options, request, intervals)
    lake = open_lake(settings, request.lake)
    return partial(_run, settings, lake, request, intervals, plan, options.path, as_json=options.as_json)


def _words_and_intervals(words: Sequence[str]) -> tuple[list[str], list[Interval]]:
    """Return the words before the intervals, and the intervals, each once."""
    rest, intervals = list(words), list[Interval]()
    while rest:
        try:
            found = [Interval.parse(one) for one in rest[-1].split(",") if one.strip()]
        except UsageError:
            break
        intervals[:0] = found
        rest.pop()
    if not intervals:
        raise UsageError("Name at least one interval after the symbols, such as 1m or 1m,13m,4h.")
    return rest, list(dict.fromkeys(intervals))


def _plan(options: Options, request: LakeRequest, intervals: Sequence[Interval]) -> ExportPlan:
    path: Path | None = options.path
    preset = named_preset(options.preset) if options.preset else Preset.DEFAULT
    several = len(request.symbols) * len(intervals) > 1
    is_file = path is not None and path != STREAM and not os.path.isdir(path)
    plan = ExportPlan(
        files_of(request.symbols, tuple(intervals), request.start_us, request.end_us),
        chosen_format(path if is_file and not several else None, options.format, preset),
        FileLayout(preset, named_zone(options.zone) if options.zone else "UTC"),
        fetch=False,
    )
    if path is None:
        if options.format or options.preset or options.zone:
            raise UsageError("--format, --preset and --zone are for files: name one with --out.")
    else:
        check_path(plan, path, as_json=options.as_json)
    return plan


def _run(
    settings: Settings,
    lake: Lake,
    request: LakeRequest,
    intervals: Sequence[Interval],
    plan: ExportPlan,
    path: Path | None,
    *,
    as_json: bool,
) -> int:
    cancelled = threading.Event()
    outcomes, problems = list[Outcome](), ProblemList()
    with contextlib.ExitStack() as stack:
        stack.enter_context(on_signals(cancelled.set))
        begin_shutdown = stack.enter_context(bounded_shutdown())
        shown = stack.enter_context(progress("Reading", None, "trades"))
        others = other_files(lake)
        known = sorted({*lake.symbols(LakeKind.TRADES), *(one.symbol for one in others)})
        symbols = symbols_in_lake(request.symbols, known, lake.name)
        open_sink: Callable[[str, Interval], Sink] = partial(_FileSink, plan, path, lake, request)
        if path is None:
            open_sink = stack.enter_context(_database_sinks(settings, lake, request, begin_shutdown))
        for symbol in symbols:
            sinks: dict[Interval, Sink] = {}
            try:
                for one in intervals:
                    sinks[one] = open_sink(symbol, one)
                mine: list[OtherFile] = [one for one in others if one.symbol == symbol]
                show = partial(_show, shown, symbol)
                work = LakeCandles(lake, symbol, intervals, mine, on_progress=show, is_cancelled=cancelled.is_set)
                report = work.run(partial(_give, sinks), request.start_us, request.end_us)
                if report.is_cancelled:
                    break
                problems.add(report.problems)
                outcomes += [sink.finish() for sink in sinks.values()]
            finally:
                for sink in sinks.values():
                    sink.discard()
    _print(lake, outcomes, problems, as_json=as_json)
    if cancelled.is_set():
        say("it was cancelled; no file is half, and what is stored stays.")
        return _FAILED
    for outcome in outcomes:
        if outcome.lack:
            say(outcome.lack)
    say_problems(problems)
    is_in_part = problems.count or (request.is_ranged and any(one.lack for one in outcomes))
    return _DONE_IN_PART if is_in_part else 0


def _give(sinks: Mapping[Interval, Sink], interval: Interval, candles: Sequence[Candle]) -> None:
    sinks[interval].take(candles)


def _show(shown: Progress, symbol: str, now: CandleProgress) -> None:
    shown.update(now.rows, total=now.total, description=f"Reading {symbol} {now.name}")


def _print(lake: Lake, outcomes: Sequence[Outcome], problems: ProblemList, *, as_json: bool) -> None:
    if as_json:
        document = {"lake": lake.name, "candles": [one.facts for one in outcomes], "problems": problems.sentences}
        print(json.dumps(document, indent=2))
    else:
        for one in outcomes:
            if one.sentence:
                print(one.sentence)


class _Counted:
    """Counts the candles of a range, and those that are missing in it."""

    def __init__(self, lake: Lake, symbol: str, interval: Interval, request: LakeRequest) -> None:
        self._lake, self._symbol, self._interval, self._request = lake, symbol, interval, request
        self._delivery: Delivery | None = None
        self._start_us = self._end_us = 0
        self._next_slot = 0

    def note(self, candles: Sequence[Candle], rows: Any) -> None:
        """Count candles, given as such and as columns."""
        slot_of = self._interval.slot
        if self._delivery is None:
            self._start_us = candles[0].open_time_us if self._request.start_us is None else self._request.start_us
            self._end_us = self._start_us
            self._delivery = Delivery(self._asked())
            self._next_slot = slot_of(self._start_us - 1) + 1
        for slot in [slot_of(one.open_time_us) for one in candles if one.complete]:
            if slot > self._next_slot:
                self._delivery.note_missing(self._next_slot, slot - 1, Lack.NOT_STORED)
            self._next_slot = slot + 1
        self._end_us = self._interval.next_open_us(candles[-1].open_time_us)
        self._delivery.note(rows)

    def report(self) -> TransferReport:
        """Return the outcome. Raises UsageError if there was no candle."""
        if self._delivery is None:
            raise UsageError(
                f"The lake {self._lake.name} has no whole candle of {self._symbol} {self._interval} in that range: "
                "cryptopipe lake list shows what it has."
            )
        if self._request.end_us is not None:
            self._end_us = self._request.end_us
        last = self._interval.slot(self._end_us) - 1
        if last >= self._next_slot:
            self._delivery.note_missing(self._next_slot, last, Lack.NOT_STORED)
        report = self._delivery.report("", None)
        return report._replace(request=self._asked(), reasons=[_UNSTORED] if report.missing else [])

    def _asked(self) -> CandleRequest:
        return CandleRequest(self._symbol, self._interval, self._start_us, self._end_us, fetch=False)


class _FileSink:
    def __init__(
        self, plan: ExportPlan, path: Path | None, lake: Lake, request: LakeRequest, symbol: str, interval: Interval
    ) -> None:
        self._plan, self._counted = plan, _Counted(lake, symbol, interval, request)
        wanted = RowsRequest(symbol, interval, request.start_us, request.end_us)
        self._file = open_file(plan, path, wanted, plan.name_of(wanted))

    def take(self, candles: Sequence[Candle]) -> None:
        rows = columns_of(candles)
        self._counted.note(candles, rows)
        self._file.write(rows)

    def finish(self) -> Outcome:
        report = self._counted.report()
        asked = report.request
        start_us, end_us = report.given or (asked.start_us, asked.end_us)
        name = candle_file_name(asked.symbol, asked.interval, start_us, end_us, self._plan.file_format)
        facts = report.facts(VERSION)
        path = self._file.finish(name, facts)
        subject = f"{asked.symbol} {asked.interval}"
        sentence = f"{number_of(report.rows, 'candle')} of {subject} written to {path}." if path else ""
        more = {"missing_candles": report.missing_candles, "reasons": report.reasons}
        lack = f"{subject}: {report.lack}" if report.lack else ""
        return Outcome(sentence, {"path": path and str(path), **facts, "zone": self._plan.layout.zone, **more}, lack)

    def discard(self) -> None:
        self._file.discard()


class _DatabaseSink:
    def __init__(self, loader: BulkLoader, lake: Lake, request: LakeRequest, symbol: str, interval: Interval) -> None:
        self._loader, self._symbol, self._interval = loader, symbol, interval
        self._counted = _Counted(lake, symbol, interval, request)
        self._stored = self._held = self._refused = 0

    def take(self, candles: Sequence[Candle]) -> None:
        whole = [one._replace(source=CandleSource.AGGTRADES) for one in candles if one.complete]
        self._counted.note(candles, columns_of(candles))
        done = self._loader.load_candles(self._symbol, self._interval, whole, published=False)
        self._stored += done.stored
        self._held += done.held
        self._refused += len(done.refused)

    def finish(self) -> Outcome:
        report = self._counted.report()
        subject = f"{self._symbol} {self._interval}"
        held = f"; {self._held:,} were there already" if self._held else ""
        lack = f"{subject}: {report.lack}" if report.lack else ""
        if self._refused:
            lack = f"{lack} {number_of(self._refused, 'candle')} differ from those stored, which stay.".strip()
        facts = report.facts(VERSION) | {"stored": self._stored, "held": self._held, "refused": self._refused}
        facts |= {"missing_candles": report.missing_candles, "reasons": report.reasons}
        return Outcome(f"{number_of(self._stored, 'candle')} of {subject} stored{held}.", facts, lack)

    def discard(self) -> None:
        """Nothing is half: each part was a transaction of its own."""


@contextlib.contextmanager
def _database_sinks(
    settings: Settings, lake: Lake, request: LakeRequest, begin_shutdown: Callable[[], None]
) -> Iterator[Callable[[str, Interval], Sink]]:
    with whole_database(settings, begin_shutdown) as database:
        check_may_record(database.read_only_reason)
        with contextlib.closing(database.bulk_loader()) as loader:
            yield partial(_DatabaseSink, loader, lake, request)
            loader.finish()
