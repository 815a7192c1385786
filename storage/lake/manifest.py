"""
The manifest of a partition: its parts with their bytes, rows and SHA-256, and the facts about its rows. Pure.

It is JSON with a checksum of its own, in one canonical form: writing a manifest that was read gives the same bytes, so
any changed byte is found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.market.errors import LakeDamaged
from storage.lake.partition import BOUND_NAMES, LakeKind, Partition

FORMAT = 1


class Part(NamedTuple):
    """One Parquet file: ``first`` and ``last`` are ids of trades, else microseconds."""

    name: str
    rows: int
    first: int
    last: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """
    The content of a partition. ``first`` and ``last`` are None without rows.

    ``completeness``: ``complete`` (proved by ids), ``sampled`` or ``as published``. ``source``: who published the rows.
    ``absent``: ids without a trade on the exchange, as inclusive ranges; they begin after the last trade before the
    day. ``version``: of the program that wrote it.
    """

    partition: Partition
    rows: int
    first: int | None
    last: int | None
    completeness: str
    source: str
    version: str
    parts: tuple[Part, ...]
    absent: tuple[tuple[int, int], ...] = ()

    @property
    def size(self) -> int:
        """The bytes of all parts."""
        return sum(part.bytes for part in self.parts)

    def key_of(self, part: Part) -> str:
        """Return a part's key in the lake."""
        return f"{self.partition.folder}/{part.name}"

    def content(self) -> bytes:
        """Return the manifest as it is written."""
        facts = self._facts()
        facts["sha256"] = _checksum(facts)
        return _text(facts)

    def has_rows_of(self, other: Manifest) -> bool:
        """Whether both have the same parts, whichever program wrote them."""
        return (self.rows, self.first, self.last, self.parts) == (other.rows, other.first, other.last, other.parts)

    def _facts(self) -> dict[str, Any]:
        partition = self.partition
        first, last = BOUND_NAMES[partition.kind]
        facts: dict[str, Any] = {"format": FORMAT, "kind": partition.kind.value, "symbol": partition.symbol}
        if partition.interval:
            facts["interval"] = partition.interval
        facts |= {partition.period_name: partition.period, "rows": self.rows, first: self.first, last: self.last}
        facts |= {"completeness": self.completeness, "source": self.source, "version": self.version}
        if partition.kind is LakeKind.TRADES:
            facts["absent_trade_ids"] = [list(one) for one in self.absent]
        facts["parts"] = [
            {"name": one.name, "rows": one.rows, first: one.first, last: one.last}
            | {"bytes": one.bytes, "sha256": one.sha256}
            for one in self.parts
        ]
        return facts


def read_manifest(partition: Partition, content: bytes) -> Manifest:
    """
    Parse ``content`` as the manifest of ``partition``.

    Raises:
        LakeDamaged: If it is not a manifest, is of another partition, has changed, or is of a newer program.
    """
    key = partition.manifest_key
    try:
        facts = json.loads(content)
        if isinstance(facts, dict) and facts.get("format", 0) > FORMAT:
            raise LakeDamaged(f"{key} was written by a newer cryptopipe: update this one.", key)
        checksum = facts.pop("sha256")
        first, last = BOUND_NAMES[partition.kind]
        manifest = Manifest(
            partition,
            facts["rows"],
            facts[first],
            facts[last],
            facts["completeness"],
            facts["source"],
            facts["version"],
            tuple(
                Part(one["name"], one["rows"], one[first], one[last], one["bytes"], one["sha256"])
                for one in facts["parts"]
            ),
            tuple((low, high) for low, high in facts.get("absent_trade_ids", ())),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LakeDamaged(f"{key} is damaged: it is no manifest.", key) from error
    if checksum != _checksum(facts) or manifest.content() != content:
        raise LakeDamaged(f"{key} is damaged: its checksum does not match.", key)
    return manifest


def _text(facts: Mapping[str, Any]) -> bytes:
    return (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode()


def _checksum(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text(facts)).hexdigest()
