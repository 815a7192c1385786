"""
Reads a lake: its symbols and days, and the rows of a day, which are checked before the first is returned.

    lake = app.runtime.lakes.open_lake(settings)
    for day in lake.partitions(LakeKind.TRADES, "BTCUSDT", start_us, end_us):
        for batch in lake.batches(lake.manifest(day)):
            ...

A day is there once it has a manifest. Every method blocks, and none changes anything; any number of threads may use it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from app.market.errors import LakeDamaged, LakeError
from storage.lake.manifest import Manifest, Part, read_manifest
from storage.lake.object_store import ObjectStore
from storage.lake.partition import (
    DAY_US,
    MANIFEST,
    LakeKind,
    Partition,
    day_text,
    part_range,
    partition_of,
    symbol_folder,
    symbol_of,
    year_text,
)

_AT_ONCE = 16  # manifests read at once: each waits for the network, not for this machine


class Contents(NamedTuple):
    """
    The listing of a symbol: for each partition the bytes of its parts by name, oldest first. Partitions ``there`` have
    a manifest, ``unfinished`` ones have none.
    """

    there: dict[Partition, dict[str, int]]
    unfinished: dict[Partition, dict[str, int]]


class Lake:
    """A lake for reading. ``name`` is its address as the user writes it."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.name = store.name

    def symbols(self, kind: LakeKind = LakeKind.TRADES) -> list[str]:
        """Return the symbols that have rows of that kind, as the program writes them, sorted. Raises LakeError."""
        found = []
        for broker in _values(self.store.folders(kind.value), "broker"):
            names = _values(self.store.folders(f"{kind}/broker={broker}"), "symbol")
            found += [symbol_of(broker, name) for name in names]
        return sorted(found)

    def series(self) -> list[tuple[LakeKind, str, str]]:
        """Return all series as (kind, symbol, interval); only candles have an interval. Raises LakeError."""
        found = [(kind, symbol, "") for kind in (LakeKind.TRADES, LakeKind.QUOTES) for symbol in self.symbols(kind)]
        for symbol in self.symbols(LakeKind.CANDLES):
            folders = self.store.folders(symbol_folder(LakeKind.CANDLES, symbol))
            found += [(LakeKind.CANDLES, symbol, interval) for interval in _values(folders, "interval")]
        return found

    def contents(self, kind: LakeKind, symbol: str, interval: str = "") -> Contents:
        """List the partitions of a symbol; one listing. Raises LakeError."""
        files: dict[Partition, dict[str, int]] = {}
        has_manifest = set[Partition]()
        for key, size in self.store.objects(symbol_folder(kind, symbol, interval)):
            located = partition_of(key)
            if located is None:
                continue
            partition, name = located
            if name == MANIFEST:
                has_manifest.add(partition)
                files.setdefault(partition, {})
            elif part_range(name) is not None:
                files.setdefault(partition, {})[name] = size
        ordered = sorted(files)
        return Contents(
            {one: files[one] for one in ordered if one in has_manifest},
            {one: files[one] for one in ordered if one not in has_manifest},
        )

    def partitions(
        self, kind: LakeKind, symbol: str, start_us: int | None = None, end_us: int | None = None, interval: str = ""
    ) -> list[Partition]:
        """
        Return the days (of candles the years) that are there and overlap ``[start_us, end_us)``, oldest first.

        One listing, whatever the range. Raises LakeError.
        """
        return [one for one in self.contents(kind, symbol, interval).there if overlaps(one, start_us, end_us)]

    def manifest(self, partition: Partition) -> Manifest:
        """
        Return a partition's manifest; one request.

        Raises:
            LakeDamaged: If it is damaged, or not there any more.
            LakeError: If the lake cannot be read.
        """
        content = self.store.get(partition.manifest_key)
        if content is None:
            key = partition.manifest_key
            raise LakeDamaged(f"{key} is missing in {self.name}: the partition is not there.", key)
        return read_manifest(partition, content)

    def manifests(
        self, partitions: Sequence[Partition], is_cancelled: Callable[[], bool] = lambda: False
    ) -> Iterator[Manifest | LakeDamaged]:
        """
        Yield the manifests in that order, an error for a damaged one; read in parallel.

        Ends early once ``is_cancelled``. Raises LakeError.
        """

        def read(partition: Partition) -> Manifest | LakeDamaged:
            try:
                return self.manifest(partition)
            except LakeDamaged as error:
                return error

        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="read-manifests") as pool:
            for found in pool.map(read, partitions):
                if is_cancelled():
                    pool.shutdown(cancel_futures=True)
                    return
                yield found

    def sound_manifests(
        self, partitions: Sequence[Partition], is_cancelled: Callable[[], bool] = lambda: False
    ) -> list[Manifest]:
        """
        Return the manifests in that order; only the first of them once ``is_cancelled``.

        Raises:
            LakeDamaged: If one is damaged.
            LakeError: If the lake cannot be read.
        """
        sound = []
        for one in self.manifests(partitions, is_cancelled):
            if isinstance(one, LakeDamaged):
                raise one
            sound.append(one)
        return sound

    def content(self, manifest: Manifest, part: Part) -> bytes:
        """
        Return a part's bytes, checked against its manifest.

        Raises:
            LakeDamaged: If they differ, or the part is missing.
            LakeError: If the lake cannot be read.
        """
        key = manifest.key_of(part)
        content = self.store.get(key)
        if content is None:
            raise LakeDamaged(f"{key} is missing in {self.name}.", key)
        if len(content) != part.bytes or hashlib.sha256(content).hexdigest() != part.sha256:
            raise LakeDamaged(f"{key} is damaged: its bytes have changed since it was written.", key)
        return content

    def batches(self, manifest: Manifest, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """
        Yield the rows as Arrow RecordBatches of `storage.lake.parquet_part.lake_schema`, in order: trades by id.

        ``columns``: only these. A part is checked against its SHA-256 before its first row; one is in memory at a time.

        Raises:
            LakeDamaged, LakeError: As `content`.
        """
        from storage.lake.parquet_part import rows_of  # here: it loads Arrow

        for part in manifest.parts:
            yield from rows_of(self.content(manifest, part), columns)

    def check_has(self, symbols: Iterable[str], kind: LakeKind) -> None:
        """Raise LakeError for the first symbol that has no rows of that kind here."""
        known = set(self.symbols(kind))
        for symbol in symbols:
            if symbol not in known:
                raise LakeError(
                    f"The lake {self.name} has no {kind} of {symbol}: cryptopipe lake list shows what it has."
                )


def overlaps(partition: Partition, start_us: int | None, end_us: int | None) -> bool:
    """Whether a partition has time of ``[start_us, end_us)``; None is open."""
    return (start_us is None or partition.end_us > start_us) and (end_us is None or partition.start_us < end_us)


def missing_partitions(
    there: Sequence[Partition], kind: LakeKind, symbol: str, interval: str, start_us: int | None, end_us: int | None
) -> list[Partition]:
    """Return the partitions that are not there between the first and the last, or in the range where it has ends."""
    if kind is LakeKind.CANDLES:
        years = [int(one.period) for one in there]
        first = int(year_text(start_us)) if start_us is not None else min(years, default=0)
        last = int(year_text(end_us - 1)) if end_us is not None else max(years, default=-1)
        periods = [f"{year:04d}" for year in range(first, last + 1)]
    else:
        begin = start_us if start_us is not None else there[0].start_us if there else 0
        end = end_us if end_us is not None else there[-1].end_us if there else 0
        periods = [day_text(day_us) for day_us in range(begin - begin % DAY_US, end, DAY_US)]
    known = {one.period for one in there}
    return [Partition(kind, symbol, period, interval) for period in periods if period not in known]


def _values(folders: Iterable[str], name: str) -> list[str]:
    return [one.removeprefix(f"{name}=") for one in folders if one.startswith(f"{name}=")]
