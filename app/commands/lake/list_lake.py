"""``cryptopipe lake list``: the lake's symbols, days, ids, rows and bytes; with ``--sample``, some rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from app.commands.lake.lake_options import LakeRequest, in_time, request_of
from app.commands.lake.lake_report import manifest_facts, say
from app.commands.lake.lake_series import chosen_of
from app.commands.options import Options
from app.commands.progress import progress
from app.commands.reports.status_report import aligned, data_size
from app.config.settings import Settings
from app.market.export_plan import number_of
from app.runtime.lakes import open_lake
from storage.lake.inventory import LakeSeries, sample_of, series_of
from storage.lake.lake import Lake
from storage.lake.partition import LakeKind

_SAMPLE_ROWS = 10
_HEAD = ("symbol", "rows of", "first day", "last day", "days", "missing", "first", "last", "rows", "size", "complete")


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that lists.

    Raises:
        UsageError: If an option is wrong.
        LakeError: If there is no key for the lake's bucket.
    """
    request = request_of(settings, options)
    lake = open_lake(settings, request.lake)
    return partial(_run, lake, request, has_sample=options.sample, as_json=options.as_json)


def _run(lake: Lake, request: LakeRequest, *, has_sample: bool, as_json: bool) -> int:
    with progress(f"Reading {lake.name}", None, "series"):
        chosen = chosen_of(lake, request)
        found = [series_of(lake, *one, request.start_us, request.end_us) for one in chosen.series]
        samples = [sample_of(lake, one.manifests, _SAMPLE_ROWS) if has_sample else None for one in found]
    if as_json:
        documents = [_document(one, sample) for one, sample in zip(found, samples, strict=True)]
        others = [{"path": one.key, "symbol": one.symbol, "bytes": one.size} for one in chosen.others]
        print(json.dumps({"lake": lake.name, "series": documents, "other_files": others}, indent=2))
        return 0
    if found:
        print(aligned(_HEAD, list(map(_row, found)), left=4))
    for symbol in dict.fromkeys(one.symbol for one in chosen.others):
        mine = [one for one in chosen.others if one.symbol == symbol]
        size = data_size(sum(one.size for one in mine))
        print(f"{symbol}: {number_of(len(mine), 'file')} of trades without a manifest, {size}, to {mine[-1].key}.")
    for one, sample in zip(found, samples, strict=True):
        if sample is not None:
            rows = [[str(_value(value)) for value in row.values()] for row in sample.to_pylist()]
            print(f"\n{one.symbol}, the last {one.kind} there:")
            print(aligned(sample.column_names, rows))
    for one in found:
        for sentence in one.damaged:
            say(sentence)
        if one.unfinished:
            say(f"{one.symbol}: an interrupted push left parts of {one.unfinished:,} without a manifest; push again.")
    return 0


def _row(one: LakeSeries) -> Sequence[str]:
    ends = (one.manifests[0].partition.period, one.manifests[-1].partition.period) if one.manifests else ("–", "–")
    bounds = ("–" if bound is None else f"{_bound(one.kind, bound)}" for bound in (one.first, one.last))
    what = f"{one.kind} {one.interval}".strip()
    counts = f"{len(one.manifests):,}", f"{one.missing:,}"
    return (one.symbol, what, *ends, *counts, *bounds, f"{one.rows:,}", data_size(one.size), one.completeness or "–")


def _bound(kind: LakeKind, bound: int) -> int | str | None:
    return bound if kind is LakeKind.TRADES else in_time(bound)


def _document(one: LakeSeries, sample: Any) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": one.kind, "symbol": one.symbol}
    if one.interval:
        document["interval"] = one.interval
    ends = (one.manifests[0].partition.period, one.manifests[-1].partition.period) if one.manifests else (None, None)
    document |= {"first": ends[0], "last": ends[1], "days": len(one.manifests), "missing": one.missing}
    if one.kind is LakeKind.TRADES:
        document |= {"first_trade_id": one.first, "last_trade_id": one.last}
    document |= {"rows": one.rows, "bytes": one.size, "completeness": one.completeness or None}
    document |= {"unfinished": one.unfinished, "damaged": list(one.damaged)}
    document["partitions"] = [manifest_facts(each) for each in one.manifests]
    if sample is not None:
        document["sample"] = [{name: _value(value) for name, value in row.items()} for row in sample.to_pylist()]
    return document


def _value(value: Any) -> Any:
    """Return a value of a row as JSON has it: amounts as exact text, times as ISO 8601 in UTC."""
    if value is None or isinstance(value, bool | int | str):
        return value
    return f"{value.isoformat(timespec='microseconds')}Z" if hasattr(value, "isoformat") else f"{value:f}"
