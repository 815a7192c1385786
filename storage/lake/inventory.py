"""The inventory of a lake, symbol by symbol: days, ids, rows, bytes, and missing days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.market.errors import LakeDamaged
from storage.lake.lake import Lake, missing_partitions, overlaps
from storage.lake.manifest import Manifest
from storage.lake.partition import LakeKind


@dataclass(frozen=True, slots=True)
class LakeSeries:
    """
    The partitions of one symbol; of candles, of one interval. ``manifests`` are in order; ``damaged`` has a sentence
    for each unusable manifest; ``unfinished`` counts the partitions with parts and without a manifest.
    """

    kind: LakeKind
    symbol: str
    interval: str
    manifests: tuple[Manifest, ...]
    damaged: tuple[str, ...] = ()
    unfinished: int = 0

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.manifests)

    @property
    def size(self) -> int:
        """The bytes of all parts."""
        return sum(one.size for one in self.manifests)

    @property
    def first(self) -> int | None:
        return next((one.first for one in self.manifests if one.first is not None), None)

    @property
    def last(self) -> int | None:
        return next((one.last for one in reversed(self.manifests) if one.last is not None), None)

    @property
    def missing(self) -> int:
        """The number of missing days, or years, between the first and the last."""
        there = [one.partition for one in self.manifests]
        return len(missing_partitions(there, self.kind, self.symbol, self.interval, None, None))

    @property
    def completeness(self) -> str:
        """Return ``complete``, ``sampled`` or ``as published``; more than one word where days differ."""
        return ", ".join(dict.fromkeys(one.completeness for one in self.manifests))


def series_of(
    lake: Lake, kind: LakeKind, symbol: str, interval: str, start_us: int | None, end_us: int | None
) -> LakeSeries:
    """Return the series of a symbol in ``[start_us, end_us)``. Raises LakeError."""
    contents = lake.contents(kind, symbol, interval)
    there = [one for one in contents.there if overlaps(one, start_us, end_us)]
    found = list(lake.manifests(there))
    return LakeSeries(
        kind,
        symbol,
        interval,
        tuple(one for one in found if isinstance(one, Manifest)),
        tuple(str(one) for one in found if isinstance(one, LakeDamaged)),
        sum(overlaps(one, start_us, end_us) for one in contents.unfinished),
    )


def sample_of(lake: Lake, manifests: Sequence[Manifest], rows: int) -> Any:
    """Return the last rows of the newest part as an Arrow Table; None without rows. Raises LakeDamaged, LakeError."""
    import pyarrow as pa  # here: a list without a sample needs no Arrow

    from storage.lake.parquet_part import rows_of

    for manifest in reversed(manifests):
        if manifest.parts:
            table = pa.Table.from_batches(rows_of(lake.content(manifest, manifest.parts[-1])))
            return table.slice(max(0, table.num_rows - rows))
    return None
