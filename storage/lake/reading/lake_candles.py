"""
Makes candles of any intervals from the trades of a lake; each file is read once.

The rules are `app.market.builder`'s, as for candles of the database. A pushed day is proved complete. A candle is
complete if all of its time lies in such days, or if the ids of its trades prove it; files without a manifest
(`storage.lake.reading.other_files`) have only their ids as proof. Files are read from the oldest to the newest, and
candles are handed on as they end. Memory: the candles of a day, and one part.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.market.builder import finish
from app.market.candle import Candle
from app.market.columns.trade_candles import TradeCandles
from app.market.columns.wide_decimals import halves_of
from app.market.coverage import IdRanges
from app.market.errors import LakeError
from app.market.interval import Interval
from app.market.ports.row_files import Ints, TradeBatch
from storage.lake.lake import Lake, overlaps
from storage.lake.manifest import Manifest
from storage.lake.parquet_part import rows_of
from storage.lake.partition import DAY_US, LakeKind, Partition
from storage.lake.read_ahead import read_ahead
from storage.lake.reading.other_files import OtherFile, trades_of_file
from storage.lake.reading.problem_list import ProblemList
from storage.postgres.batch_columns import ids_within

_LATE_US = 3_600_000_000  # how long after a later one a trade may stand: ids follow times within seconds


class CandleProgress(NamedTuple):
    """``rows`` of about ``total`` trades have been read; ``name`` is the day or file in hand."""

    rows: int
    total: int
    name: str


@dataclass(slots=True)
class LakeCandlesReport:
    """The number of ``files`` and ``rows`` that were read, and the problems with them."""

    files: int = 0
    rows: int = 0
    problems: ProblemList = field(default_factory=ProblemList)
    is_cancelled: bool = False


_Columns = tuple[Ints, Ints, Ints, Ints, NDArray[np.bool_]]

OnCandles = Callable[[Interval, list[Candle]], None]
"""Takes closed candles of an interval, oldest first, also from call to call."""


class LakeCandles:
    """
    The candles of one symbol; call `run` once, in any thread.

    ``others``: the symbol's files without a manifest. A range holds the candles that open in ``[start_us, end_us)`` and
    end at ``end_us`` or before; None is open.
    """

    def __init__(
        self,
        lake: Lake,
        symbol: str,
        intervals: Sequence[Interval],
        others: Sequence[OtherFile] = (),
        *,
        on_progress: Callable[[CandleProgress], None] = lambda _: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._lake = lake
        self._symbol = symbol
        self._series = [_Series(interval) for interval in intervals]
        self._others = others
        self._on_progress = on_progress
        self._is_cancelled = is_cancelled
        self._held = IdRanges()
        self._known = IdRanges()  # the microseconds all of whose trades are in the lake
        self._days = deque[Manifest]()
        self._total = 0
        self.report = LakeCandlesReport()

    def run(self, on_candles: OnCandles, start_us: int | None = None, end_us: int | None = None) -> LakeCandlesReport:
        """
        Make the candles. Blocks.

        Raises:
            LakeDamaged: If a file differs from its manifest, or cannot be used.
            LakeError: If the lake cannot be read, or a file's trades are in no usable order.
        """
        days, others, before = self._sources(start_us, end_us)
        if self._is_cancelled():
            self.report.is_cancelled = True
            return self.report
        self._days = deque(days)
        self._total = sum(one.rows for one in days)

        def give(ended: Callable[[_Series], list[Candle]]) -> None:
            for series in self._series:
                candles = [one for one in ended(series) if _is_wanted(one, series.interval, start_us, end_us)]
                if candles:
                    on_candles(series.interval, candles)

        if before is not None:
            self._read_close(before)
        for file in others:
            self._read_days(give, file.start_us or 0, has_more=True)
            self._read_file(file, give)
        self._read_days(give, None, has_more=False)
        if not self._is_cancelled():
            give(partial(_Series.rest, held=self._held, known=self._known))
        self.report.is_cancelled = self._is_cancelled()
        return self.report

    def _sources(
        self, start_us: int | None, end_us: int | None
    ) -> tuple[list[Manifest], list[OtherFile], Partition | None]:
        """Return the days and files of the range, and the day before its first day, if it is there."""
        # Without a manifest only the trades before and after a range prove what lies at its ends.
        before_us, after_us = (None if at is None else at + by for at, by in ((start_us, -DAY_US), (end_us, DAY_US)))
        listed = self._lake.partitions(LakeKind.TRADES, self._symbol, before_us, end_us)
        chosen = [one for one in listed if overlaps(one, start_us, end_us)]
        before = next((one for one in listed if chosen and one.end_us == chosen[0].start_us), None)
        days = self._lake.sound_manifests(chosen, self._is_cancelled)
        there = IdRanges((one.partition.start_us, one.partition.end_us - 1) for one in days)
        others = [
            one
            for one in self._others
            if one.overlaps(before_us, after_us)
            and (one.start_us is None or one.end_us is None or there.missing(one.start_us, one.end_us - 1))
        ]
        return days, others, before

    def _read_days(self, give: _Give, before_us: int | None, *, has_more: bool) -> None:
        """Read the days that begin before that time, and hand on ended candles; ``has_more``: a file follows."""
        while self._days and (before_us is None or self._days[0].partition.start_us < before_us):
            if self._is_cancelled():
                return
            partition = self._read_day(give).partition
            give(partial(_Series.ended, until_us=partition.end_us, held=self._held, known=self._known))
            is_broken = self._days[0].partition.start_us > partition.end_us if self._days else not has_more
            if is_broken:
                give(partial(_Series.broken, until_us=partition.end_us, held=self._held, known=self._known))

    def _read_close(self, before: Partition) -> None:
        """Read the last trades of the day before a range, for slots without a trade at its start."""
        manifest = self._lake.manifest(before)
        if manifest.last is None:
            return
        for batch in rows_of(self._lake.content(manifest, manifest.parts[-1])):
            rows = batch
        for series in self._series:
            series.folder.add(*_columns_of(rows))
        ids = rows.column("trade_id").to_numpy()
        self._held.add_range(int(ids[0]), manifest.last)

    def _read_day(self, give: _Give | None = None) -> Manifest:
        """Add the trades of the next day, all of which are there; with ``give``, give what ended an hour before."""
        manifest = self._days.popleft()
        partition = manifest.partition
        self._known.add_range(partition.start_us, partition.end_us - 1)
        if manifest.first is None or manifest.last is None:
            return manifest
        for first, last in ((manifest.first, manifest.last), *manifest.absent):
            self._held.add_range(first, last)
        self.report.files += len(manifest.parts)
        with contextlib.closing(read_ahead(_columns_of_day(self._lake, manifest), "read-lake")) as batches:
            for columns in batches:
                if self._is_cancelled():
                    break
                self._add(columns, partition.period)
                if give is not None:
                    until_us = int(columns[1].max()) - _LATE_US
                    give(partial(_Series.ended, until_us=until_us, held=self._held, known=self._known))
        return manifest

    def _read_file(self, file: OtherFile, give: _Give) -> None:
        """Add the trades of a file, without the ones that pushed days have, and the pushed days of its time."""
        self.report.files += 1
        with contextlib.closing(trades_of_file(self._lake, file)) as batches:
            for trades, refused in batches:
                if self._is_cancelled():
                    return
                if trades is None:
                    self.report.problems.add_file(*refused)
                    continue
                self.report.problems.add_rows(refused)
                if len(trades.trade_id):
                    self._read_batch(trades, file.key, give)

    def _read_batch(self, trades: TradeBatch, name: str, give: _Give) -> None:
        """Add a batch of a file's trades, and before it the pushed days that begin before its end."""
        reached_us = int(trades.time_us.max())
        while self._days and self._days[0].partition.start_us <= reached_us:
            self._read_day()
        columns = _sorted_columns(trades)
        ids, times_us = columns[:2]
        is_fresh = ~ids_within(ids, self._held.within(int(ids[0]), int(ids[-1])))
        is_fresh &= ~ids_within(times_us, self._known.within(int(times_us.min()), reached_us))
        self._add(_chosen(columns, is_fresh), name)
        self._held |= IdRanges.of_columns(ids, ids)
        give(partial(_Series.ended, until_us=reached_us - _LATE_US, held=self._held, known=self._known))

    def _add(self, columns: _Columns, name: str) -> None:
        self.report.rows += len(columns[0])
        self._on_progress(CandleProgress(self.report.rows, max(self._total, self.report.rows), name))
        try:
            for series in self._series:
                series.folder.add(*columns)
        except ValueError as error:
            raise LakeError(
                f"{name} in {self._lake.name} has trades more than an hour older than those before them: pull it "
                "instead, or sort it by trade id."
            ) from error


class _Series:
    """The candles of one interval; the last ended one waits for the next, which proves that none is missing between."""

    def __init__(self, interval: Interval) -> None:
        self.interval = interval
        self.folder = TradeCandles(interval)
        self._last: Candle | None = None

    def ended(self, until_us: int, held: IdRanges, known: IdRanges) -> list[Candle]:
        """Return the candles that ended by ``until_us``, without the last; call it once all trades before are added."""
        candles = self.folder.take_ended(until_us)
        if self._last is not None:
            candles.insert(0, self._last)
        if not candles:
            return []
        self._last = candles[-1]
        return self._judged(finish(candles, self.interval, held)[:-1], known)

    def broken(self, until_us: int, held: IdRanges, known: IdRanges) -> list[Candle]:
        """Return the last candle before ``until_us``, after which a day is missing."""
        candles = [] if self._last is None else finish([self._last], self.interval, held, now_us=until_us)
        self._last = None
        return self._judged(candles, known)

    def rest(self, held: IdRanges, known: IdRanges) -> list[Candle]:
        """Return the remaining candles after all trades; no trade follows them."""
        candles = self.folder.take_ended()
        if self._last is not None:
            candles.insert(0, self._last)
        return self._judged(finish(candles, self.interval, held), known)

    def _judged(self, candles: Sequence[Candle], known: IdRanges) -> list[Candle]:
        return [
            one if one.complete or not self._is_known(one, known) else one._replace(closed=True, complete=True)
            for one in candles
            if one.closed or self._is_known(one, known)
        ]

    def _is_known(self, candle: Candle, known: IdRanges) -> bool:
        return not known.missing(candle.open_time_us, self.interval.next_open_us(candle.open_time_us) - 1)


_Give = Callable[[Callable[[_Series], list[Candle]]], None]


def _is_wanted(candle: Candle, interval: Interval, start_us: int | None, end_us: int | None) -> bool:
    open_us = candle.open_time_us
    return (start_us is None or open_us >= start_us) and (end_us is None or interval.next_open_us(open_us) <= end_us)


def _columns_of_day(lake: Lake, manifest: Manifest) -> Generator[_Columns, None, None]:
    for batch in lake.batches(manifest):
        yield _columns_of(batch)


def _columns_of(batch: Any) -> _Columns:
    price, quantity = (
        np.ascontiguousarray(halves_of(batch.column(name))[0]).view(np.int64) for name in ("price", "quantity")
    )
    times = batch.column("time").view("int64").to_numpy()
    maker = batch.column("is_buyer_maker").to_numpy(zero_copy_only=False)
    return batch.column("trade_id").to_numpy(), times, price, quantity, maker


def _sorted_columns(trades: TradeBatch) -> _Columns:
    """Return a batch's columns by id, each id once."""
    ids, places = np.unique(trades.trade_id, return_index=True)
    return (
        ids,
        trades.time_us[places],
        trades.price_e8[places],
        trades.quantity_e8[places],
        trades.is_buyer_maker[places],
    )


def _chosen(columns: _Columns, rows: NDArray[np.bool_]) -> _Columns:
    if rows.all():
        return columns
    ids, times_us, price_e8, quantity_e8, maker = columns
    return ids[rows], times_us[rows], price_e8[rows], quantity_e8[rows], maker[rows]
