"""
Brings files of trades, quotes and candles into the database.

One thread reads and parses; the thread of `FileImport.run` stores. At most `_WAITING` batches lie between the
two, so the memory does not grow with the files, whichever of the two is slower. A batch is stored whole or not at all
and each row once, so an import that was cancelled or killed is simply begun again: what is stored counts as held.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, cast

from app.live.transfers.import_report import FileReport, ImportReport
from app.live.transfers.quotes.quote_rows import NumberedTicks, collected_ticks
from app.live.transfers.refused_rows import SUFFIX, RefusedRows
from app.live.transfers.report import minute
from app.live.transfers.row_batches import (
    NumberedTrades,
    RowNumbers,
    agg_trade_text,
    candle_text,
    collected,
    side_candle_text,
)
from app.market.aggregated_trades import AggregatedMinutes
from app.market.coverage import IdRanges
from app.market.errors import FileError, StoreError
from app.market.ports.loading import BulkLoader, PreparedLoad
from app.market.ports.row_files import (
    AggTradeBatch,
    CandleBatch,
    Ints,
    OpenRows,
    QuoteBatch,
    ReadingOptions,
    RefusedFile,
    RefusedRow,
    RowFile,
    RowKind,
    SideCandleBatch,
    TradeBatch,
    named,
)

_WAITING = 1
_POLL_S = 0.1
_DAY_US = 86_400_000_000
MOST_MINUTES = 50_000  # of aggregated trades, some 40 MB; more than a month


class ImportSource(NamedTuple):
    """A file or a folder to import, and what the user says of it."""

    path: Path
    options: ReadingOptions


class ImportProgress(NamedTuple):
    """``rows`` read and stored by now, about ``share`` of all (0 to 1), and the file in hand."""

    rows: int
    share: float
    path: Path


@dataclass(slots=True)
class _ImportedFile:
    """
    A file, or a table of one, under way: its report, the file's refused rows, and by symbol the lowest and highest of
    the ids it brought, the ids of its aggregated trades, and the times of its trades.
    """

    report: FileReport
    refused: RefusedRows
    ids: dict[str, tuple[int, int]] = field(default_factory=dict)
    aggregated: dict[str, IdRanges] = field(default_factory=dict)
    times: dict[str, tuple[int, int]] = field(default_factory=dict)

    def note(self, symbol: str, rows: int, stored: int, refused: Sequence[RefusedRow]) -> None:
        report = self.report
        if symbol not in report.symbols:
            report.symbols.append(symbol)
        report.read += rows
        report.stored += stored
        report.refused += len(refused)
        report.held += rows - stored - len(refused)
        if refused and report.refused == len(refused):
            report.reasons.append(f"Row {refused[0].number} is the first refused: {refused[0].reason}.")
        self.refused.add(refused, report.table)

    def note_times(self, symbol: str, times_us: Ints) -> None:
        if len(times_us):
            known = [*self.times.get(symbol, ()), int(times_us.min()), int(times_us.max())]
            self.times[symbol] = min(known), max(known)

    def note_ids(self, symbol: str, first_id: int | None, last_id: int | None) -> None:
        if first_id is not None and last_id is not None:
            low, high = self.ids.get(symbol, (first_id, last_id))
            self.ids[symbol] = min(low, first_id), max(high, last_id)


class _Trades(NamedTuple):
    """A batch of trades to store; ``share`` of all files has been read with it."""

    file: _ImportedFile
    trades: NumberedTrades
    prepared: PreparedLoad
    share: float


class _Ticks(NamedTuple):
    """A batch of quotes to store; ``share`` of all files has been read with it."""

    file: _ImportedFile
    ticks: NumberedTicks
    share: float


class _Candles(NamedTuple):
    """A batch of candles to store, with the number in the file of each."""

    file: _ImportedFile
    batch: CandleBatch | SideCandleBatch
    numbers: Ints
    share: float


class _AggregatedRows(NamedTuple):
    """``rows`` aggregated trades of one symbol that were read, and those ``refused`` of them; the others wait."""

    file: _ImportedFile
    symbol: str
    rows: int
    refused: list[RefusedRow]
    share: float


class _Aggregated(NamedTuple):
    """Minutes of the aggregated trades of one symbol, of ``rows`` rows."""

    file: _ImportedFile
    symbol: str
    minutes: AggregatedMinutes
    rows: int


class _End(NamedTuple):
    """
    The end of a file; ``failure``: why it could not be read any further, else empty; ``shortfall``: see `RowFile`.
    """

    file: _ImportedFile
    failure: str
    shortfall: str | None = None


_Step = _ImportedFile | _Trades | _Ticks | _Candles | _AggregatedRows | _Aggregated | _End | BaseException | None
"""What the reading thread hands over: a file's beginning, rows, and end; an error to raise; None after all."""


class FileImport:
    """
    One import; call `run` once, in a worker thread, and `cancel` from any.

    ``is_dry``: ``loader`` stores nothing, and neither is a file of refused rows made. ``on_progress`` is called in the
    thread of `run`, after each batch.
    """

    def __init__(
        self,
        sources: Sequence[ImportSource],
        open_rows: OpenRows,
        loader: BulkLoader,
        *,
        is_dry: bool = False,
        on_progress: Callable[[ImportProgress], None] = lambda _: None,
    ) -> None:
        self._sources = sources
        self._open_rows = open_rows
        self._loader = loader
        self._is_dry = is_dry
        self._on_progress = on_progress
        self._stop = threading.Event()
        self._is_cancelled = False
        self._steps: queue.Queue[_Step] = queue.Queue(_WAITING)
        self._rows = 0

    def cancel(self) -> None:
        """Stop after the batch in hand; `run` then returns what was stored."""
        self._is_cancelled = True
        self._stop.set()

    def run(self) -> ImportReport:
        """Read and store all files, and return what became of them. Blocks. Raises nothing for a file or a database."""
        reading = threading.Thread(target=self._read, name="read-files")
        reading.start()
        files: list[_ImportedFile] = []
        stopped_because = ""
        try:
            while (step := self._next()) is not None:
                self._take(step, files)
            if files and not self._stop.is_set():
                self._finish_refused(files)
            for earlier, later in pairwise(files):
                self._find_cut_off(earlier, later)
            self._loader.finish()
        except StoreError as error:
            stopped_because = str(error)
        finally:
            self._stop.set()
            reading.join()
            for file in files:
                file.refused.discard()
        if self._is_cancelled and not stopped_because:
            stopped_because = "The import was cancelled; run it again to go on."
        return ImportReport([file.report for file in files], self._is_dry, stopped_because)

    # In the thread of `run`

    def _next(self) -> _Step:
        """Return the next step; None after the last, and once the import is cancelled."""
        while not self._stop.is_set():
            with contextlib.suppress(queue.Empty):
                return self._steps.get(timeout=_POLL_S)
        return None

    def _take(self, step: _Step, files: list[_ImportedFile]) -> None:
        if isinstance(step, _Trades):
            self._store_trades(step)
        elif isinstance(step, _Ticks):
            self._store_ticks(step)
        elif isinstance(step, _Candles):
            self._store_candles(step)
        elif isinstance(step, _AggregatedRows):
            step.file.note(step.symbol, len(step.refused), 0, step.refused)
            self._note_progress(step.file, step.rows, step.share)
        elif isinstance(step, _Aggregated):
            self._store_aggregated(step)
        elif isinstance(step, _End):
            self._end(step)
        elif isinstance(step, _ImportedFile):
            if files and files[-1].refused is not step.refused:
                self._finish_refused(files)
            files.append(step)
        elif step is not None:
            raise step

    def _store_trades(self, step: _Trades) -> None:
        file, trades = step.file, step.trades
        result = self._loader.load(step.prepared)
        refused = [trades.refused_row(place, reason) for place, reason in result.refused]
        file.note(trades.batch.symbol, trades.rows, result.stored, sorted([*trades.unread, *refused]))
        file.note_ids(trades.batch.symbol, step.prepared.first_id, step.prepared.last_id)
        file.note_times(trades.batch.symbol, trades.batch.time_us)
        self._note_progress(file, trades.rows, step.share)

    def _store_ticks(self, step: _Ticks) -> None:
        file, ticks = step.file, step.ticks
        result = self._loader.load_ticks(ticks.ticks, ticks.whole)
        refused = [ticks.refused_row(place, reason) for place, reason in result.refused]
        file.note(ticks.ticks.symbol, ticks.rows, result.stored, sorted([*ticks.unread, *refused]))
        file.report.is_answer = file.report.is_answer or ticks.whole is not None
        self._note_progress(file, ticks.rows, step.share)

    def _store_candles(self, step: _Candles) -> None:
        file, batch = step.file, step.batch
        if isinstance(batch, SideCandleBatch):
            result = self._loader.load_side_candles(batch.symbol, batch.interval, batch.side, batch.candles)
            texts = {place: side_candle_text(batch.candles[place]) for place, _ in result.refused}
            file.report.is_answer = True
        else:
            is_published = file.report.kind is RowKind.KLINES
            result = self._loader.load_candles(batch.symbol, batch.interval, batch.candles, published=is_published)
            texts = {place: candle_text(batch.candles[place]) for place, _ in result.refused}
        refused = [RefusedRow(int(step.numbers[place]), reason, texts[place]) for place, reason in result.refused]
        file.note(batch.symbol, batch.rows, result.stored, sorted([*batch.refused, *refused]))
        self._note_progress(file, batch.rows, step.share)

    def _store_aggregated(self, step: _Aggregated) -> None:
        minutes = step.minutes.candles()
        changed = self._loader.load_aggregated(step.symbol, minutes) if minutes else set()
        stored = sum(rows for open_us, rows in step.minutes.rows.items() if open_us in changed)
        step.file.note(step.symbol, step.rows, stored, ())
        if minutes:
            ids = step.minutes.ids
            step.file.note_ids(step.symbol, ids.first, ids.last)
            step.file.aggregated[step.symbol] = ids

    def _end(self, step: _End) -> None:
        file, report = step.file, step.file.report
        if step.failure:
            report.is_broken = True
            report.reasons.append(step.failure)
        elif not report.read and not report.is_answer:
            report.reasons.append(named(f"{report.path} has no rows.", report.path, report.table))
        if step.shortfall:
            report.is_short = True
            report.reasons.append(step.shortfall)
        for symbol, (first_id, last_id) in file.ids.items():
            held = self._loader.held(symbol, first_id, last_id) | file.aggregated.get(symbol, IdRanges())
            gaps = held.missing(first_id, last_id)
            missing = sum(last - first + 1 for first, last in gaps)
            if missing:
                report.missing += missing
                are = f"1 id of {symbol} is" if missing == 1 else f"{missing:,} ids of {symbol} are"
                report.reasons.append(f"{are} missing inside, the first is {gaps[0][0]}.")
        for symbol, (start_us, end_us) in file.times.items():
            self._compare_with_klines(report, symbol, start_us, end_us)

    def _finish_refused(self, files: Sequence[_ImportedFile]) -> None:
        """Name the refused rows of the last file, or remove those of an earlier import if it has none now."""
        file = files[-1]
        tables = [one.report for one in files if one.refused is file.refused]
        if self._is_dry:
            file.refused.discard()
        elif any(one.refused or one.is_broken or not one.read for one in tables):
            file.refused.finish()
        else:
            file.refused.remove_earlier()
        if file.refused.failure:
            file.report.reasons.append(file.refused.failure)

    def _compare_with_klines(self, report: FileReport, symbol: str, start_us: int, end_us: int) -> None:
        differences = self._loader.kline_differences(symbol, start_us, end_us + 1)
        minutes = len({one.open_time_us for one in differences})
        if minutes:
            report.differing += minutes
            first = differences[0]
            values = f"{first.field} {first.stored} instead of {first.exchange}"
            differ = f"1 minute of {symbol} differs" if minutes == 1 else f"{minutes:,} minutes of {symbol} differ"
            report.reasons.append(
                f"{differ} from the exchange's klines, the first is "
                f"{minute(first.open_time_us)} ({values}): cryptopipe db compare lists them."
            )

    def _find_cut_off(self, earlier: _ImportedFile, later: _ImportedFile) -> None:
        """Note the ids between two files of one symbol where the later goes on the same day or the day after."""
        for symbol in earlier.times.keys() & later.times.keys():
            days = later.times[symbol][0] // _DAY_US - earlier.times[symbol][1] // _DAY_US
            last_id, next_id = earlier.ids[symbol][1], later.ids[symbol][0]
            if days in (0, 1) and next_id > last_id + 1:
                gaps = self._loader.held(symbol, last_id, next_id).missing(last_id, next_id)
                if missing := sum(last - first + 1 for first, last in gaps):
                    earlier.report.missing += missing
                    name = later.report.path.name
                    ids = f"{missing:,} id{'' if missing == 1 else 's'}"
                    earlier.report.reasons.append(f"It ends {ids} of {symbol} before {name} begins: it may be cut off.")

    def _note_progress(self, file: _ImportedFile, rows: int, share: float) -> None:
        self._rows += rows
        self._on_progress(ImportProgress(self._rows, share, file.report.path))

    # In the reading thread

    def _read(self) -> None:
        try:
            given = {source.path for source in self._sources}
            share = _Share(sum(_size(source.path) for source in self._sources))
            refused: RefusedRows | None = None
            for opened in (one for source in self._sources for one in self._open_rows(*source, self._stop.is_set)):
                if self._stop.is_set():
                    break
                if opened.path.name.endswith(SUFFIX):
                    if opened.path in given:
                        self._refuse(opened.path)
                else:
                    share.begin(opened.path)
                    if refused is None or refused.source != opened.path:
                        refused = RefusedRows(opened.path)
                    self._read_file(opened, refused, share)
            self._put(None)
        except BaseException as error:  # noqa: BLE001  # because `run` raises it, also what a library's panic raises
            self._put(error)

    def _refuse(self, path: Path) -> None:
        """Refuse a file of refused rows that was named; in a folder it is passed over."""
        file = _ImportedFile(FileReport(path), RefusedRows(path))
        self._put(file)
        origin = path.name.removesuffix(SUFFIX)
        self._put(_End(file, f"{path} holds rows that were refused: correct them in {origin}, and import that again."))

    def _read_file(self, opened: RowFile | RefusedFile, refused: RefusedRows, share: _Share) -> None:
        file = _ImportedFile(FileReport(opened.path), refused)
        self._put(file)
        if isinstance(opened, RefusedFile):
            self._put(_End(file, opened.reason))
            return
        file.report.kind, file.report.table = opened.kind, opened.table
        if opened.symbol is not None:
            file.report.symbols.append(opened.symbol)
        failure = ""
        try:
            for step in self._rows_of(file, opened, share):
                self._put(step)
                if self._stop.is_set():
                    return
        except FileError as error:
            failure = named(str(error), opened.path, opened.table)
        # Of trades the ids tell, once the next day's file is read.
        shortfall = opened.shortfall() if opened.kind is RowKind.KLINES and not failure else None
        self._put(_End(file, failure, shortfall))

    def _rows_of(self, file: _ImportedFile, opened: RowFile, share: _Share) -> Iterator[_Step]:
        if opened.kind is RowKind.TRADES:
            for trades in collected(cast("Iterator[TradeBatch]", opened.batches())):
                yield _Trades(file, trades, self._loader.prepare(trades.batch), share.of(opened))
        elif opened.kind is RowKind.QUOTES:
            for ticks in collected_ticks(cast("Iterator[QuoteBatch]", opened.batches())):
                yield _Ticks(file, ticks, share.of(opened))
        elif opened.kind is RowKind.AGGTRADES:
            yield from self._aggregated_of(file, opened, share)
        else:
            numbers = RowNumbers()
            for batch in cast("Iterator[CandleBatch | SideCandleBatch]", opened.batches()):
                yield _Candles(file, batch, numbers.of(batch, len(batch.candles)), share.of(opened))

    def _aggregated_of(self, file: _ImportedFile, opened: RowFile, share: _Share) -> Iterator[_Step]:
        """
        Yield the minutes of each symbol.

        A minute may go on in any later row, so they wait for the end of the file, unless its rows are in order.
        """
        by_symbol: dict[str, AggregatedMinutes] = {}
        usable: Counter[str] = Counter()
        numbers = RowNumbers()
        failure: FileError | None = None
        try:
            for batch in cast("Iterator[AggTradeBatch]", opened.batches()):
                minutes = by_symbol.setdefault(batch.symbol, AggregatedMinutes())
                number = numbers.of(batch, len(batch.agg_id))
                added = minutes.add(batch).refused
                refused = [RefusedRow(int(number[at]), reason, agg_trade_text(batch, at)) for at, reason in added]
                refused = sorted([*batch.refused, *refused])
                usable[batch.symbol] += batch.rows - len(refused)
                yield _AggregatedRows(file, batch.symbol, batch.rows, refused, share.of(opened))
                if len(minutes.rows) > MOST_MINUTES and minutes.is_in_order:
                    ended, read = minutes.take_ended(), usable[batch.symbol]
                    usable[batch.symbol] = sum(minutes.rows.values())
                    yield _Aggregated(file, batch.symbol, ended, read - usable[batch.symbol])
        except FileError as error:
            failure = error
        for symbol, minutes in by_symbol.items():
            yield _Aggregated(file, symbol, minutes, usable[symbol])
        if failure is not None:
            raise failure

    def _put(self, step: _Step) -> None:
        """Hand a step over once there is room; drop it if the import has stopped."""
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._steps.put(step, timeout=_POLL_S)
                return


class _Share:
    """How much of all bytes has been read; ``total``: of all files."""

    def __init__(self, total: int) -> None:
        self._total = max(1, total)
        self._before = 0
        self._path: Path | None = None

    def begin(self, path: Path) -> None:
        """Count the file before as read; ``path`` may come again, for another table in it."""
        if self._path is not None and path != self._path:
            self._before += _size(self._path)
        self._path = path

    def of(self, opened: RowFile) -> float:
        """Return how much of all has been read, 0 to 1."""
        return min(1.0, (self._before + _size(opened.path) * opened.progress()) / self._total)


def _size(path: Path) -> int:
    """Return the bytes of a file, or of the files in a folder; 0 if that cannot be read."""
    try:
        return sum(map(_size, path.iterdir())) if path.is_dir() else path.stat().st_size
    except OSError:
        return 0
