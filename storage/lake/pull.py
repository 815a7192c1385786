"""
Pulls days of trades out of the lake into the database, by way of the import of trades.

So each trade is stored exactly once, in one transaction with its coverage and candles, and a pull may be killed at any
moment and begun again. Days whose trades are all held are not downloaded. One thread downloads, checks and prepares,
another stores.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from app.market.columns.wide_decimals import halves_of
from app.market.coverage import IdRanges
from app.market.ports.loading import BulkLoader, PreparedLoad
from app.market.ports.row_files import Ints, TradeBatch
from storage.lake.lake import Lake
from storage.lake.manifest import Manifest
from storage.lake.partition import Partition
from storage.lake.read_ahead import read_ahead


class PulledTrades(Protocol):
    """What a pull needs of the store beside the loader; each call may raise StoreError."""

    def coverage(self, symbol: str) -> IdRanges:
        """Return the ids that are not missing."""

    def save_absent(self, symbol: str, absent: Sequence[tuple[int, int]]) -> None:
        """Record ids that the exchange has no trades of."""

    def save_fetched_trades(self, symbol: str, start_us: int, end_us: int) -> None:
        """Record that all trades of that time are stored."""


class PullProgress(NamedTuple):
    """``rows`` of ``total`` have been stored or are held; ``partition`` is in hand."""

    rows: int
    total: int
    partition: Partition


@dataclass(slots=True)
class PulledDay:
    """What became of a day's rows: ``rows`` = ``stored`` + ``held`` + ``refused``; ``reason`` of the first refused."""

    manifest: Manifest
    stored: int = 0
    held: int = 0
    refused: int = 0
    reason: str = ""


@dataclass(slots=True)
class PullReport:
    """What a pull did, day by day."""

    days: list[PulledDay] = field(default_factory=list)
    is_cancelled: bool = False

    def total(self, name: str) -> int:
        """Return the sum of ``stored``, ``held`` or ``refused``."""
        return sum(getattr(one, name) for one in self.days)


class _Rows(NamedTuple):
    manifest: Manifest
    prepared: PreparedLoad | None
    ids: Ints | None
    rows: int


class Pull:
    """One pull out of ``lake``; call `run` once, in any thread. ``loader`` belongs to it until then."""

    def __init__(
        self,
        lake: Lake,
        loader: BulkLoader,
        store: PulledTrades,
        *,
        on_progress: Callable[[PullProgress], None] = lambda _: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._lake = lake
        self._loader = loader
        self._store = store
        self._on_progress = on_progress
        self._is_cancelled = is_cancelled
        self._rows = self._total = 0
        self.report = PullReport()

    def run(self, days: Sequence[Partition]) -> PullReport:
        """
        Store the trades of these days. Blocks.

        Raises:
            LakeDamaged: If a file is not what its manifest says; nothing of that file was stored.
            LakeError: If the lake cannot be read.
            StoreError: If the database cannot be written.
        """
        manifests = []
        for one in self._lake.manifests(days):
            if isinstance(one, Exception):
                raise one
            manifests.append(one)
        self._total = sum(one.rows for one in manifests)
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
        if step.prepared is not None and step.ids is not None:
            result = self._loader.load(step.prepared)
            day.stored += result.stored
            day.held += result.held
            day.refused += len(result.refused)
            if result.refused and not day.reason:
                first = result.refused[0]
                day.reason = f"trade {int(step.ids[first.place])} is refused: {first.reason}"
        else:
            day.held += step.rows
        self._rows += step.rows
        self._on_progress(PullProgress(self._rows, self._total, step.manifest.partition))
        if day.stored + day.held + day.refused == step.manifest.rows:
            self._finish_day(day)

    def _finish_day(self, day: PulledDay) -> None:
        partition = day.manifest.partition
        self._store.save_absent(partition.symbol, day.manifest.absent)
        if not day.refused:
            self._store.save_fetched_trades(partition.symbol, partition.start_us, partition.end_us)

    # In the reading thread

    def _read(self, manifests: Sequence[Manifest]) -> Generator[_Rows, None, None]:
        covered: dict[str, IdRanges] = {}
        for manifest in manifests:
            symbol = manifest.partition.symbol
            if symbol not in covered:
                covered[symbol] = self._store.coverage(symbol)
            if _is_held(manifest, covered[symbol]):
                yield _Rows(manifest, None, None, manifest.rows)
                continue
            for batch in self._lake.batches(manifest):
                trades = _trades_of(symbol, batch)
                yield _Rows(manifest, self._loader.prepare(trades), trades.trade_id, trades.rows)


def _is_held(manifest: Manifest, covered: IdRanges) -> bool:
    """Whether the database needs no trade of the day; one without trades is held."""
    if manifest.first is None or manifest.last is None:
        return True
    return not (covered | IdRanges(manifest.absent)).missing(manifest.first, manifest.last)


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
    """Return amounts as counts of 1e-8; those that 64 bits do not hold become 0, which the import refuses."""
    low, high = halves_of(column)
    counts: Ints = low.view("int64").copy()
    counts[(high != 0) | (counts < 0)] = 0
    return counts
