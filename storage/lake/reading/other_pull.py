"""
Pulls and verifies the files of trades in a lake that no push wrote (`storage.lake.reading.other_files`), row by row.

They have no manifest, so a pull stores their trades and their coverage, and marks no time as fetched. A verification
reads them whole and counts the ids that no file of a symbol has.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.market.coverage import IdRanges
from app.market.errors import LakeDamaged
from app.market.ports.loading import BulkLoader
from storage.lake.lake import Lake
from storage.lake.manifest import Manifest
from storage.lake.partition import LakeKind
from storage.lake.read_ahead import read_ahead
from storage.lake.reading.other_files import FileRows, OtherFile, trades_of_file
from storage.lake.reading.problem_list import ProblemList


@dataclass(slots=True)
class OtherReport:
    """
    The outcome of reading the files: how many were ``read``, and the counts of their rows.

    ``bounds``: the lowest and highest id of each symbol. ``missing``: how many ids between them are neither in these
    files nor in a pushed day.
    """

    read: int = 0
    rows: int = 0
    stored: int = 0
    held: int = 0
    refused: int = 0
    problems: ProblemList = field(default_factory=ProblemList)
    missing: dict[str, int] = field(default_factory=dict)
    bounds: dict[str, tuple[int, int]] = field(default_factory=dict)
    is_cancelled: bool = False


def read_others(
    lake: Lake,
    files: Sequence[OtherFile],
    loader: BulkLoader | None = None,
    *,
    on_progress: Callable[[OtherFile, int], None] = lambda _, __: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> OtherReport:
    """
    Read the files, sorted by symbol and time; with ``loader``, store their trades, each once. Blocks.

    ``on_progress`` takes the current file and the number of rows read.

    Raises:
        LakeError: If the lake cannot be read; a file that cannot be used is a problem of the report.
        StoreError: If the database cannot be written.
    """
    report = OtherReport()
    ids: dict[str, IdRanges] = {}
    for file in files:
        if is_cancelled():  # before a file is fetched
            report.is_cancelled = True
            return report
        known = ids.setdefault(file.symbol, IdRanges())
        before = report.rows + report.refused
        try:
            with contextlib.closing(read_ahead(trades_of_file(lake, file), "read-lake")) as steps:
                for step in steps:
                    if is_cancelled():
                        report.is_cancelled = True
                        return report
                    _take(report, step, known, loader)
                    on_progress(file, report.rows)
            report.read += 1
            if report.rows + report.refused == before:
                report.problems.add_file(f"{file.key} has no trade that can be read.")
        except LakeDamaged as error:
            report.problems.add_file(str(error))
    if loader is not None:
        loader.finish()
    for symbol, held in ids.items():
        for first, last in () if loader is not None else _pushed(lake, symbol, is_cancelled):
            held.add_range(first, last)
        if is_cancelled():
            report.is_cancelled = True
            return report
        if held.first is not None and held.last is not None:
            report.bounds[symbol] = (held.first, held.last)
            report.missing[symbol] = held.last - held.first + 1 - held.count()
    return report


def _pushed(lake: Lake, symbol: str, is_cancelled: Callable[[], bool]) -> list[tuple[int, int]]:
    """Return the ids of the symbol's pushed days, absent ones included."""
    found = list[tuple[int, int]]()
    for manifest in lake.manifests(lake.partitions(LakeKind.TRADES, symbol), is_cancelled):
        if isinstance(manifest, Manifest):
            found += manifest.absent
            if manifest.first is not None and manifest.last is not None:
                found.append((manifest.first, manifest.last))
    return found


def _take(report: OtherReport, step: FileRows, known: IdRanges, loader: BulkLoader | None) -> None:
    report.refused += len(step.refused)
    trades = step.trades
    if trades is None:
        report.problems.add_file(*step.refused)
        return
    report.problems.add_rows(step.refused)
    report.rows += len(trades.trade_id)
    for first, last in IdRanges.of_columns(trades.trade_id, trades.trade_id):
        known.add_range(first, last)
    if loader is None or not len(trades.trade_id):
        return
    result = loader.load(loader.prepare(trades))
    report.stored += result.stored
    report.held += result.held
    report.refused += len(result.refused)
    report.problems.add_rows(
        [f"trade {int(trades.trade_id[one.place])} is refused: {one.reason}." for one in result.refused]
    )
