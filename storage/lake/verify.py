"""
Verifies a lake against itself: no day is missing, no byte has changed, and every count is true.

A day is read whole: its bytes are checked against the SHA-256 of its manifest, its rows against the counts of names,
footer and manifest. Between the first and the last day of a symbol, or of the range asked for, every day must be there,
and the ids of trades must go on from day to day. One part is in memory at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from app.market.coverage import IdRanges
from app.market.errors import LakeDamaged
from storage.lake.lake import Lake, missing_partitions, overlaps
from storage.lake.manifest import Manifest, Part
from storage.lake.parquet_part import facts_of, rows_of
from storage.lake.partition import ORDER_COLUMNS, LakeKind, Partition, part_range


class Problem(NamedTuple):
    """A fault of a file: ``path`` is its key in the lake, ``what`` a sentence that names it."""

    path: str
    what: str


class VerifyProgress(NamedTuple):
    """``done`` of ``total`` partitions are verified; ``partition`` is in hand."""

    done: int
    total: int
    partition: Partition


@dataclass(slots=True)
class VerifyReport:
    """The counts of what was read, and the problems in the order of the files."""

    partitions: int = 0
    parts: int = 0
    rows: int = 0
    bytes: int = 0
    problems: list[Problem] = field(default_factory=list)
    is_cancelled: bool = False


class Verification:
    """One verification; call `run` once, in any thread."""

    def __init__(
        self,
        lake: Lake,
        *,
        on_progress: Callable[[VerifyProgress], None] = lambda _: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._lake = lake
        self._on_progress = on_progress
        self._is_cancelled = is_cancelled
        self.report = VerifyReport()

    def run(
        self,
        chosen: Sequence[tuple[LakeKind, str, str]],
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> VerifyReport:
        """
        Verify these symbols, each as (kind, symbol, interval), as far as they overlap ``[start_us, end_us)``. Blocks.

        With both ends given, every day of the range must be there. Raises LakeError if the lake cannot be read.
        """
        for kind, symbol, interval in chosen:
            if self._is_cancelled():
                break
            self._verify_symbol(kind, symbol, interval, start_us, end_us)
        self.report.is_cancelled = self._is_cancelled()
        return self.report

    def run_days(self, manifests: Sequence[Manifest]) -> VerifyReport:
        """Verify these partitions, each whole; other files in their folders and missing days are not reported."""
        for manifest in manifests:
            if self._is_cancelled():
                break
            with self._noting():
                self._verify_partition(manifest, {})
        self.report.is_cancelled = self._is_cancelled()
        return self.report

    def _verify_symbol(
        self, kind: LakeKind, symbol: str, interval: str, start_us: int | None, end_us: int | None
    ) -> None:
        contents = self._lake.contents(kind, symbol, interval)
        there = {one: files for one, files in contents.there.items() if overlaps(one, start_us, end_us)}
        for partition, files in contents.unfinished.items():
            if overlaps(partition, start_us, end_us):
                for name in sorted(files):
                    key = f"{partition.folder}/{name}"
                    self._found(key, f"{key} belongs to no manifest: an interrupted push left it; push again.")
        for partition in missing_partitions(list(there), kind, symbol, interval, start_us, end_us):
            if partition not in contents.unfinished:
                self._found(
                    partition.manifest_key, f"{partition.manifest_key} is missing: {partition.period} is not there."
                )
        sound = list[Manifest]()
        for done, partition in enumerate(there):
            if self._is_cancelled():
                return
            self._on_progress(VerifyProgress(done, len(there), partition))
            with self._noting():
                manifest = self._lake.manifest(partition)
                sound.append(manifest)
                self._verify_partition(manifest, there[partition])
        for earlier, later in pairwise(sound):
            self._check_joined(earlier, later)

    def _verify_partition(self, manifest: Manifest, files: dict[str, int]) -> None:
        partition, report = manifest.partition, self.report
        report.partitions += 1
        for name in sorted(set(files) - {part.name for part in manifest.parts}):
            key = f"{partition.folder}/{name}"
            self._found(key, f"{key} is not in the manifest of {partition.period}: move it away.")
        for part in manifest.parts:
            with self._noting():
                content = self._lake.content(manifest, part)
                report.parts += 1
                report.bytes += len(content)
                self._verify_part(manifest, part, content)
        key = partition.manifest_key
        counted = sum(part.rows for part in manifest.parts)
        bounds = (manifest.parts[0].first, manifest.parts[-1].last) if manifest.parts else (None, None)
        if counted != manifest.rows or bounds != (manifest.first, manifest.last):
            self._found(key, f"{key} counts {manifest.rows:,} rows, but its parts have {counted:,}.")

    def _verify_part(self, manifest: Manifest, part: Part, content: bytes) -> None:
        partition, key = manifest.partition, manifest.key_of(part)
        try:
            counted, _ = facts_of(content)
            column, times = ORDER_COLUMNS[partition.kind], "open_time" if partition.kind is LakeKind.CANDLES else "time"
            rows, reached = 0, None
            first = last = None
            for batch in rows_of(content, list(dict.fromkeys((column, times)))):
                values = batch.column(column).view(pa.int64()).to_numpy()
                moments = batch.column(times).view(pa.int64()).to_numpy()
                step = 0 if partition.kind is LakeKind.QUOTES else 1
                is_rising = bool((np.diff(values) >= step).all()) and (reached is None or values[0] - reached >= step)
                if not is_rising:
                    raise LakeDamaged(f"{key} is not in order.", key)
                if moments.min() < partition.start_us or moments.max() >= partition.end_us:
                    raise LakeDamaged(f"{key} has rows of another time.", key)
                first = int(values[0]) if first is None else first
                last = reached = int(values[-1])
                rows += batch.num_rows
        except (pa.ArrowException, OSError, KeyError) as error:
            raise LakeDamaged(f"{key} cannot be read as Parquet.", key) from error
        self.report.rows += rows
        if not rows == counted == part.rows:
            raise LakeDamaged(f"{key} has {rows:,} rows, but its manifest counts {part.rows:,}.", key)
        if not (first, last) == (part.first, part.last) == part_range(part.name):
            raise LakeDamaged(f"{key} has rows from {first} to {last}, which its name and manifest do not say.", key)

    def _check_joined(self, earlier: Manifest, later: Manifest) -> None:
        """Note ids between two days that follow each other, unless the exchange has none of these ids."""
        is_next = earlier.partition.end_us == later.partition.start_us
        if earlier.partition.kind is not LakeKind.TRADES or not is_next or earlier.last is None or later.first is None:
            return
        if later.first <= earlier.last:  # ids and times are in another order around midnight
            return
        held = IdRanges(later.absent) | IdRanges([(earlier.last, earlier.last), (later.first, later.first)])
        if missing := held.missing(earlier.last, later.first):
            key = later.partition.manifest_key
            self._found(key, f"{key} begins at trade {later.first}, but the day before ends at {missing[0][0] - 1}.")

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except LakeDamaged as error:
            self._found(error.path, str(error))

    def _found(self, path: str, what: str) -> None:
        self.report.problems.append(Problem(path, what))
