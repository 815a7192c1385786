"""
Pulls days of trades and quotes, and years of candles, out of the lake into the database, by way of their imports.

So each row is stored exactly once, in one transaction with its coverage and candles, and a pull may be killed at any
moment and repeated. Rows that retention dropped are stored again, too. Days whose rows are all stored are not
downloaded. One thread downloads, checks and prepares, another stores.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from app.market.candle import Candle
from app.market.columns.candle_columns import candles_of
from app.market.columns.wide_decimals import halves_of
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.ports.loading import LoadResult, PreparedLoad, RestoringLoader
from app.market.ports.row_files import Ints, TradeBatch
from app.market.quotes.tick_columns import TickColumns, no_ticks, tick_columns
from storage.lake.lake import Lake
from storage.lake.manifest import Manifest
from storage.lake.partition import LakeKind, Partition
from storage.lake.read_ahead import read_ahead


class PulledStore(Protocol):
    """The calls of the store that a pull uses beside the loader; each may raise StoreError."""

    def coverage(self, symbol: str) -> IdRanges:
        """Return the ids that are not missing."""

    def kept_trades_from(self) -> int | None:
        """Return the time before which retention may have dropped trades."""

    def count_trades(self, symbol: str, start_us: int, end_us: int) -> int:
        """Return the number of stored trades of that time."""

    def fetched_klines(self, symbol: str, interval: Interval) -> IdRanges:
        """Return the times whose klines are all stored."""

    def save_klines(
        self, symbol: str, interval: Interval, candles: Sequence[Candle], fetched: tuple[int, int] | None = None
    ) -> int:
        """Record, without candles, that all klines of that time are stored."""

    def save_absent(self, symbol: str, absent: Sequence[tuple[int, int]]) -> None:
        """Record ids without a trade on the exchange."""

    def save_fetched_trades(self, symbol: str, start_us: int, end_us: int) -> None:
        """Record that all trades of that time are stored."""


class PulledTicks(Protocol):
    """The same for quotes: `storage.quotes.tick_store.TickStore`."""

    def fetched_ticks(self, symbol: str) -> IdRanges:
        """Return the times, UTC microseconds, whose quotes are all stored."""

    def kept_ticks_from(self) -> int | None:
        """Return the time before which retention may have dropped quotes."""

    def count_ticks(self, symbol: str, start_us: int, end_us: int) -> int:
        """Return the number of stored quotes of that time."""


class PullProgress(NamedTuple):
    """``rows`` of ``total`` have been stored or are held; ``partition`` is in hand."""

    rows: int
    total: int
    partition: Partition


@dataclass(slots=True)
class PulledDay:
    """The outcome of a day: its rows are ``stored``, ``held`` or ``refused``; ``reason`` is of the first refused."""

    manifest: Manifest
    stored: int = 0
    held: int = 0
    refused: int = 0
    reason: str = ""

    def note(self, result: LoadResult, stored: int) -> None:
        """Add a batch, of which ``stored`` rows were stored."""
        self.stored += stored
        self.held += result.stored + result.held - stored
        self.refused += len(result.refused)


@dataclass(slots=True)
class PullReport:
    """The outcome of a pull, day by day."""

    days: list[PulledDay] = field(default_factory=list)
    is_cancelled: bool = False

    def total(self, name: str) -> int:
        """Return the sum of ``stored``, ``held`` or ``refused``."""
        return sum(getattr(one, name) for one in self.days)


class _Rows(NamedTuple):
    """Rows of a partition, of one kind; without any, all ``rows`` are held, or it is the partition's end."""

    manifest: Manifest
    rows: int
    trades: tuple[PreparedLoad, Ints] | None = None
    ticks: TickColumns | None = None
    candles: Sequence[Candle] | None = None
    is_end: bool = False


class Pull:
    """One pull out of ``lake``; call `run` once, in any thread. ``loader`` belongs to it until then."""

    def __init__(
        self,
        lake: Lake,
        loader: RestoringLoader,
        store: PulledStore,
        ticks: PulledTicks,
        *,
        on_progress: Callable[[PullProgress], None] = lambda _: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._lake = lake
        self._loader = loader
        self._store = store
        self._ticks = ticks
        self._on_progress = on_progress
        self._is_cancelled = is_cancelled
        self._rows = self._total = 0
        self._kept_from_us: dict[LakeKind, int | None] = {}
        self.report = PullReport()

    def run(self, days: Sequence[Partition]) -> PullReport:
        """
        Store the rows of these days. Blocks.

        Raises:
            LakeDamaged: If a file differs from its manifest; none of its rows was stored.
            LakeError: If the lake cannot be read.
            StoreError: If the database cannot be written.
        """
        manifests = self._lake.sound_manifests(days, self._is_cancelled)
        if self._is_cancelled():
            self.report.is_cancelled = True
            return self.report
        self._total = sum(one.rows for one in manifests)
        self._kept_from_us = {
            LakeKind.TRADES: self._store.kept_trades_from(),
            LakeKind.QUOTES: self._ticks.kept_ticks_from(),
        }
        with contextlib.closing(read_ahead(self._read(manifests), "read-lake")) as steps:
            for step in steps:
                if self._is_cancelled():
                    self.report.is_cancelled = True
                    break
                self._store_rows(step)
        self._loader.finish()
        return self.report

    def _store_rows(self, step: _Rows) -> None:
        if not self.report.days or self.report.days[-1].manifest is not step.manifest:
            self.report.days.append(PulledDay(step.manifest))
        day = self.report.days[-1]
        if step.is_end:
            self._finish_day(day)
        elif step.trades is not None:
            self._store_trades(day, *step.trades)
        elif step.ticks is not None:
            store = self._loader.restore_ticks if self._may_be_dropped(day.manifest) else self._loader.load_ticks
            self._note(day, store(step.ticks), "quote")
        elif step.candles is not None:
            partition = day.manifest.partition
            interval = Interval.parse(partition.interval)
            loaded = self._loader.load_candles(partition.symbol, interval, step.candles, published=True)
            self._note(day, loaded, "candle")
        else:
            day.held += step.rows
        self._rows += step.rows
        self._on_progress(PullProgress(self._rows, self._total, step.manifest.partition))

    def _note(self, day: PulledDay, result: LoadResult, noun: str) -> None:
        day.note(result, result.stored)
        if result.refused and not day.reason:
            day.reason = f"a {noun} is refused: {result.refused[0].reason}"

    def _store_trades(self, day: PulledDay, prepared: PreparedLoad, ids: Ints) -> None:
        result = self._loader.load(prepared)
        may_be_dropped = result.held and self._may_be_dropped(day.manifest)
        restored = self._loader.restore(prepared) if may_be_dropped else 0
        day.note(result, result.stored + restored)
        if result.refused and not day.reason:
            first = result.refused[0]
            day.reason = f"trade {int(ids[first.place])} is refused: {first.reason}"

    def _finish_day(self, day: PulledDay) -> None:
        partition = day.manifest.partition
        span = (partition.start_us, partition.end_us)
        if partition.kind is LakeKind.TRADES:
            self._store.save_absent(partition.symbol, day.manifest.absent)
            if not day.refused:
                self._store.save_fetched_trades(partition.symbol, *span)
        elif partition.kind is LakeKind.CANDLES:
            self._store.save_klines(partition.symbol, Interval.parse(partition.interval), [], span)
        elif not day.refused:
            self._loader.load_ticks(no_ticks(partition.symbol), span)

    def _may_be_dropped(self, manifest: Manifest) -> bool:
        """Whether retention may have dropped rows of the day, whose ids or times are held all the same."""
        kept_from_us = self._kept_from_us.get(manifest.partition.kind)
        return kept_from_us is not None and manifest.partition.start_us < kept_from_us

    # In the reading thread

    def _read(self, manifests: Sequence[Manifest]) -> Generator[_Rows, None, None]:
        known: dict[Partition, IdRanges] = {}
        for manifest in manifests:
            partition = manifest.partition
            symbol, series = partition.symbol, partition._replace(period="")
            if series not in known:
                known[series] = self._known(series)
            if _is_held(manifest, known[series]) and self._is_stored(manifest):
                yield _Rows(manifest, manifest.rows)
            elif partition.kind is LakeKind.TRADES:
                for batch in self._lake.batches(manifest):
                    trades = _trades_of(symbol, batch)
                    yield _Rows(manifest, trades.rows, trades=(self._loader.prepare(trades), trades.trade_id))
            elif partition.kind is LakeKind.QUOTES:
                for ticks in _ticks_of(symbol, self._lake.batches(manifest)):
                    yield _Rows(manifest, len(ticks), ticks=ticks)
            else:
                for batch in self._lake.batches(manifest):
                    yield _Rows(manifest, batch.num_rows, candles=candles_of(batch))
            yield _Rows(manifest, 0, is_end=True)

    def _known(self, series: Partition) -> IdRanges:
        """Return the ids of held trades; of other rows, the times whose rows are all held."""
        if series.kind is LakeKind.TRADES:
            return self._store.coverage(series.symbol)
        if series.kind is LakeKind.QUOTES:
            return self._ticks.fetched_ticks(series.symbol)
        return self._store.fetched_klines(series.symbol, Interval.parse(series.interval))

    def _is_stored(self, manifest: Manifest) -> bool:
        """Whether the rows of a day that is held are still stored."""
        if not self._may_be_dropped(manifest):
            return True
        partition = manifest.partition
        count = self._store.count_trades if partition.kind is LakeKind.TRADES else self._ticks.count_ticks
        return count(partition.symbol, partition.start_us, partition.end_us) >= manifest.rows


def _is_held(manifest: Manifest, known: IdRanges) -> bool:
    """Whether the database needs no row of the day; ``known``: ids of trades, else the times fetched of quotes."""
    partition = manifest.partition
    if partition.kind is not LakeKind.TRADES:
        return not known.missing(partition.start_us, partition.end_us - 1)
    if manifest.first is None or manifest.last is None:
        return True
    return not (known | IdRanges(manifest.absent)).missing(manifest.first, manifest.last)


def _ticks_of(symbol: str, batches: Iterator[Any]) -> Iterator[TickColumns]:
    """Yield the quotes with their places; quotes of one time stay in one batch, as places count within a time."""
    import pyarrow as pa

    held: Any = None
    for batch in batches:
        joined = batch if held is None else pa.Table.from_batches([held, batch]).combine_chunks().to_batches()[0]
        times = joined.column("time").view(pa.int64()).to_numpy()
        whole = int(np.searchsorted(times, times[-1]))  # more quotes of the last time may follow
        if whole:
            yield _tick_columns(symbol, joined.slice(0, whole))
        held = joined.slice(whole)
    if held is not None:
        yield _tick_columns(symbol, held)


def _tick_columns(symbol: str, batch: Any) -> TickColumns:
    import pyarrow as pa

    names = ("bid", "ask", "bid_size", "ask_size")
    times = batch.column("time").view(pa.int64()).to_numpy()
    return tick_columns(symbol, times, *(_counts(batch.column(name)) for name in names))


def _trades_of(symbol: str, batch: Any) -> TradeBatch:
    import pyarrow as pa  # here: the package is large, and few commands read a lake

    return TradeBatch(
        symbol,
        batch.num_rows,
        batch.column("trade_id").to_numpy(),
        batch.column("time").view(pa.int64()).to_numpy(),
        _counts(batch.column("price")),
        _counts(batch.column("quantity")),
        batch.column("is_buyer_maker").to_numpy(zero_copy_only=False),
    )


def _counts(column: Any) -> Ints:
    """Return amounts as counts of 1e-8; amounts above 64 bits become 0, which the import refuses."""
    low, high = halves_of(column)
    counts: Ints = low.view("int64").copy()
    counts[(high != 0) | (counts < 0)] = 0
    return counts
