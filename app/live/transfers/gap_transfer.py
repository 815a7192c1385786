"""Brings the gaps between the stored trades of a symbol into a file: those that may reach into a range."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from app.concurrency.background import in_background
from app.live.transfers.file_work import to_its_end
from app.live.transfers.report import row_facts
from app.market.columns.gap_columns import gap_rows
from app.market.coverage import StoredGap
from app.market.export_plan import RowsRequest
from app.market.ports.files import ExportFile


class GapReport(NamedTuple):
    """The outcome of one export of gaps."""

    request: RowsRequest
    rows: int

    def facts(self, version: str) -> dict[str, object]:
        """Return what stands beside the file, for JSON."""
        return row_facts(self.request, version, source="trades", rows=self.rows)


class GapTransfer:
    """One export; call `read` and then `run`, each once, on the loop. ``gaps`` returns those of a symbol; blocks."""

    def __init__(self, request: RowsRequest, gaps: Callable[[str], Sequence[StoredGap]]) -> None:
        self._request = request
        self._gaps = gaps
        self._found: list[StoredGap] = []

    async def read(self) -> list[StoredGap]:
        """
        Return the gaps in the range, by id.

        Raises:
            UsageError: If nothing of the symbol is stored.
            StoreError: If the database cannot be read.
        """
        found = await in_background(partial(self._gaps, self._request.symbol), "look-for-gaps")
        start_us, end_us = self._request.start_us, self._request.end_us
        self._found = [
            gap
            for gap in found
            if (start_us is None or gap.end_us is None or gap.end_us >= start_us)
            and (end_us is None or gap.start_us is None or gap.start_us < end_us)
        ]
        return self._found

    async def run(self, file: ExportFile, version: str, name: str) -> tuple[GapReport, Path | None]:
        """
        Write the gaps into ``file``, which gets that name unless it has one. Failed, it leaves no file.

        Raises:
            FileError: If the file cannot be written.
        """
        report = GapReport(self._request, len(self._found))

        def write() -> Path | None:
            try:
                file.write(gap_rows(self._found))
                return file.finish(name, report.facts(version))
            finally:
                file.discard()

        return report, await to_its_end(write)
