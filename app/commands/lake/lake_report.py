"""What the commands of the lake say, in words and as JSON."""

from __future__ import annotations

import sys
from typing import Any

from app.commands.styling import print_styled
from storage.lake.manifest import Manifest
from storage.lake.partition import LakeKind, Partition


def say(sentence: str) -> None:
    """Say a sentence on standard error."""
    print_styled(("cryptopipe:", "bold yellow"), f" {sentence}", to=sys.stderr)


def number_of(count: int, noun: str) -> str:
    """Return ``1 day`` or ``1,234 days``."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def partition_facts(partition: Partition) -> dict[str, Any]:
    """Return for JSON which partition it is."""
    facts: dict[str, Any] = {"kind": partition.kind, "symbol": partition.symbol}
    if partition.interval:
        facts["interval"] = partition.interval
    return facts | {partition.period_name: partition.period}


def manifest_facts(manifest: Manifest) -> dict[str, Any]:
    """Return a partition for JSON."""
    partition = manifest.partition
    facts = partition_facts(partition)
    names = ("first_trade_id", "last_trade_id") if partition.kind is LakeKind.TRADES else ("first_us", "last_us")
    facts |= {"rows": manifest.rows, names[0]: manifest.first, names[1]: manifest.last}
    facts |= {"completeness": manifest.completeness, "source": manifest.source, "version": manifest.version}
    return facts | {"parts": len(manifest.parts), "bytes": manifest.size}
