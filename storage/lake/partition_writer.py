"""
Writes one partition: its parts, then its manifest.

A part is written only if its name is free. A part of an interrupted push is adopted if it has the same rows. Other data
stays as it is, and the push fails with a sentence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from app.market.errors import LakeError
from storage.lake.manifest import Manifest, Part, read_manifest
from storage.lake.object_store import ObjectStore
from storage.lake.parquet_part import PART_ROWS, PartBuffer, rows_of
from storage.lake.partition import BOUND_NAMES, ORDER_COLUMNS, Partition, part_range


class PartitionWriter:
    """
    Takes the rows of ``partition`` in their order; call `finish` once after the last.

    ``leftovers``: the parts without a manifest, by name. ``completeness``, ``source``, ``version``:
    see `Manifest`. Every method may raise LakeError.
    """

    def __init__(
        self,
        store: ObjectStore,
        partition: Partition,
        leftovers: Mapping[str, int],
        *,
        completeness: str,
        source: str,
        version: str,
        part_rows: int = PART_ROWS,
    ) -> None:
        self._store = store
        self._partition = partition
        self._leftovers = set(leftovers)
        self._completeness, self._source, self._version = completeness, source, version
        self._part_rows = part_rows
        self._parts: list[Part] = []
        self._buffer = PartBuffer(partition.kind)
        self._bounds: tuple[int, int] | None = None
        self.rows = 0

    def write(self, rows: Any) -> None:
        """Add a RecordBatch of the kind's schema; writes each part that is full."""
        while rows.num_rows:
            some = rows.slice(0, self._part_rows - self._buffer.rows)
            self._add(some)
            rows = rows.slice(some.num_rows)
            if self._buffer.rows == self._part_rows:
                self._put_part()

    def finish(self, absent: tuple[tuple[int, int], ...] = ()) -> Manifest:
        """Write the last part and the manifest; return the manifest that the lake has."""
        if self._buffer.rows:
            self._put_part()
        if others := sorted(self._leftovers - {part.name for part in self._parts}):
            raise self._is_other(f"{self._partition.folder}/{others[0]}")
        first, last = (self._parts[0].first, self._parts[-1].last) if self._parts else (None, None)
        manifest = Manifest(
            self._partition,
            self.rows,
            first,
            last,
            self._completeness,
            self._source,
            self._version,
            tuple(self._parts),
            absent,
        )
        if not self._store.put_new(self._partition.manifest_key, manifest.content()):
            there = self._store.get(self._partition.manifest_key)
            found = None if there is None else read_manifest(self._partition, there)
            if found is None or not found.has_rows_of(manifest):
                raise self._is_other(self._partition.manifest_key)
            return found
        return manifest

    def _add(self, rows: Any) -> None:
        column = rows.column(ORDER_COLUMNS[self._partition.kind])
        first, last = (column.slice(at, 1).cast(pa.int64())[0].as_py() for at in (0, rows.num_rows - 1))
        self._bounds = (first if self._bounds is None else self._bounds[0], last)
        self._buffer.write(rows)
        self.rows += rows.num_rows

    def _put_part(self) -> None:
        assert self._bounds is not None
        first, last = self._bounds
        name, rows = self._partition.part_name(first, last), self._buffer.rows
        self._refuse_overlapping(name, first, last)
        content = self._buffer.finish(self._facts(first, last, rows))
        self._buffer, self._bounds = PartBuffer(self._partition.kind), None
        key = f"{self._partition.folder}/{name}"
        stored: bytes | memoryview = content
        if not self._store.put_new(key, content):
            there = self._store.get(key)
            if there is None or (there != content and not _are_same_rows(there, content)):
                raise self._is_other(key)
            stored = there
        digest = hashlib.sha256(stored).hexdigest()
        self._parts.append(Part(name, rows, first, last, len(stored), digest))

    def _facts(self, first: int, last: int, rows: int) -> dict[str, str]:
        partition = self._partition
        first_name, last_name = BOUND_NAMES[partition.kind]
        facts = {"kind": partition.kind.value, "symbol": partition.symbol}
        facts[partition.period_name] = partition.period
        if partition.interval:
            facts["interval"] = partition.interval
        facts |= {first_name: str(first), last_name: str(last), "rows": str(rows)}
        return facts | {"completeness": self._completeness, "source": self._source, "version": self._version}

    def _refuse_overlapping(self, name: str, first: int, last: int) -> None:
        """Raise LakeError if a part of another name has some of these rows; call it before writing."""
        for other in self._leftovers - {name}:
            found = part_range(other)
            if found is not None and found[0] < last and first < found[1]:
                raise self._is_other(f"{self._partition.folder}/{other}")

    def _is_other(self, key: str) -> LakeError:
        return LakeError(
            f"{key} in the lake {self._store.name} holds other rows than the database: move it away, or push to "
            "another lake; nothing was overwritten."
        )


def _are_same_rows(one: bytes, other: memoryview) -> bool:
    try:
        return bool(pa.Table.from_batches(rows_of(one)).equals(pa.Table.from_batches(rows_of(other))))
    except (pa.ArrowException, ValueError):  # no Parquet, or without rows
        return False
