"""
Pushes the complete partitions that the lake lacks, one after another, oldest first.

One thread reads the database, another packs and writes. One part is in memory, however many days there are. A push that
was cancelled or killed is simply repeated.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from storage.lake.lake import Lake, overlaps
from storage.lake.manifest import Manifest
from storage.lake.partition import LakeKind, Partition
from storage.lake.partition_writer import PartitionWriter
from storage.lake.read_ahead import read_ahead
from storage.lake.trade_days import Candidate


class PushSource(Protocol):
    """The rows of one kind in a database; each call may raise StoreError."""

    @property
    def kind(self) -> LakeKind: ...

    def symbols(self) -> list[str]:
        """Return the symbols that have rows, sorted."""

    def candidates(self, symbol: str) -> list[Candidate]:
        """Return a symbol's partitions, oldest first, complete or not."""

    def batches(self, candidate: Candidate) -> Generator[Any, None, None]:
        """Yield the rows of a complete one in their order; it holds a connection until it is closed."""

    def source(self, symbol: str) -> str:
        """Return who published the rows."""


class PushProgress(NamedTuple):
    """``rows`` of ``total`` have been written; ``partition`` is in hand."""

    rows: int
    total: int
    partition: Partition


@dataclass(slots=True)
class PushReport:
    """
    The outcome of a push: the partitions it wrote, the number that were ``there`` already, and the incomplete ones,
    each with its reason as a clause.
    """

    pushed: list[Manifest] = field(default_factory=list)
    there: int = 0
    incomplete: list[tuple[Partition, str]] = field(default_factory=list)
    is_cancelled: bool = False

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.pushed)

    @property
    def bytes(self) -> int:
        return sum(one.size for one in self.pushed)


class _Work(NamedTuple):
    """A partition to push, and its parts from an interrupted push: their bytes by name."""

    source: PushSource
    candidate: Candidate
    leftovers: dict[str, int]


class Push:
    """One push into ``lake``; call `run` once, in any thread."""

    def __init__(
        self,
        lake: Lake,
        sources: Sequence[PushSource],
        version: str,
        *,
        on_progress: Callable[[PushProgress], None] = lambda _: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._lake = lake
        self._sources = sources
        self._version = version
        self._on_progress = on_progress
        self._is_cancelled = is_cancelled
        self._rows = self._total = 0
        self.report = PushReport()

    def run(self, symbols: Sequence[str] | None, start_us: int | None = None, end_us: int | None = None) -> PushReport:
        """
        Push the partitions of these symbols, or of all, that overlap ``[start_us, end_us)``; None is open. Blocks.

        Raises:
            LakeError: If the lake cannot be written, or has other rows; ``report`` has what was pushed.
            StoreError: If the database cannot be read.
        """
        work = [
            one
            for source in self._sources
            for symbol in (source.symbols() if symbols is None else symbols)
            for one in self._wanted(source, symbol, start_us, end_us)
        ]
        self._total = sum(candidate.rows or 0 for _, candidate, _ in work)
        for source, candidate, leftovers in work:
            if self._is_cancelled():
                break
            self._push(source, candidate, leftovers)
        self.report.is_cancelled = self._is_cancelled()
        return self.report

    def _wanted(self, source: PushSource, symbol: str, start_us: int | None, end_us: int | None) -> list[_Work]:
        candidates = [one for one in source.candidates(symbol) if overlaps(one.partition, start_us, end_us)]
        wanted = list[_Work]()
        for interval in dict.fromkeys(one.partition.interval for one in candidates):
            contents = self._lake.contents(source.kind, symbol, interval)
            for one in candidates:
                if one.partition.interval != interval:
                    continue
                if one.partition in contents.there:
                    self.report.there += 1
                elif one.reason:
                    self.report.incomplete.append((one.partition, one.reason))
                else:
                    wanted.append(_Work(source, one, contents.unfinished.get(one.partition, {})))
        return wanted

    def _push(self, source: PushSource, candidate: Candidate, leftovers: dict[str, int]) -> None:
        symbol = candidate.partition.symbol
        writer = PartitionWriter(
            self._lake.store,
            candidate.partition,
            leftovers,
            completeness=candidate.completeness,
            source=source.source(symbol),
            version=self._version,
        )
        before = self._rows
        if candidate.rows != 0:
            with contextlib.closing(read_ahead(source.batches(candidate), "read-rows")) as batches:
                for batch in batches:
                    if self._is_cancelled():
                        return
                    writer.write(batch)
                    self._rows = before + writer.rows
                    self._on_progress(PushProgress(self._rows, max(self._total, self._rows), candidate.partition))
        self.report.pushed.append(writer.finish(candidate.absent))
