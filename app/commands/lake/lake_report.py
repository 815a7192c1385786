"""The output of the commands of the lake, in words and as JSON."""

from __future__ import annotations

import sys
from typing import Any

from app.commands.styling import print_styled
from app.market.export_plan import number_of
from storage.lake.manifest import Manifest
from storage.lake.partition import LakeKind, Partition
from storage.lake.reading.other_pull import OtherReport
from storage.lake.reading.problem_list import ProblemList

_MOST_SHOWN = 20


def say(sentence: str) -> None:
    """Say a sentence on standard error."""
    print_styled(("cryptopipe:", "bold yellow"), f" {sentence}", to=sys.stderr)


def partition_facts(partition: Partition) -> dict[str, Any]:
    """Return the partition for JSON."""
    facts: dict[str, Any] = {"kind": partition.kind, "symbol": partition.symbol}
    if partition.interval:
        facts["interval"] = partition.interval
    return facts | {partition.period_name: partition.period}


def manifest_facts(manifest: Manifest) -> dict[str, Any]:
    """Return a partition and its content for JSON."""
    partition = manifest.partition
    facts = partition_facts(partition)
    names = ("first_trade_id", "last_trade_id") if partition.kind is LakeKind.TRADES else ("first_us", "last_us")
    facts |= {"rows": manifest.rows, names[0]: manifest.first, names[1]: manifest.last}
    facts |= {"completeness": manifest.completeness, "source": manifest.source, "version": manifest.version}
    return facts | {"parts": len(manifest.parts), "bytes": manifest.size}


def other_facts(report: OtherReport) -> dict[str, Any]:
    """Return for JSON the outcome of files without a manifest."""
    names = ("read", "rows", "stored", "held", "refused")
    facts: dict[str, Any] = {name: getattr(report, name) for name in names}
    facts["symbols"] = {
        symbol: {"first_trade_id": first, "last_trade_id": last, "missing": report.missing[symbol]}
        for symbol, (first, last) in report.bounds.items()
    }
    return facts | {"problems": report.problems.sentences}


def say_problems(problems: ProblemList) -> None:
    """Say which rows and files without a manifest cannot be used."""
    for sentence in problems.sentences[:_MOST_SHOWN]:
        say(sentence)
    if problems.count > _MOST_SHOWN:
        listed = f"the first {len(problems.sentences):,}" if problems.unlisted else "them"
        say(f"{problems.count - _MOST_SHOWN:,} more rows or files cannot be used; --json lists {listed}.")


def say_missing(report: OtherReport) -> None:
    """Say how many ids are in no file."""
    for symbol, missing in report.missing.items():
        if missing:
            first, last = report.bounds[symbol]
            say(f"{symbol}: {number_of(missing, 'trade')} between {first} and {last} are in no file.")
