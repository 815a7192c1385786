"""Stores the trades of the archive's files: an import of each, whose report becomes what a download counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from app.concurrency.background import in_background
from app.live.transfers.downloads.report import StoredRows
from app.live.transfers.imports import FileImport, ImportSource
from app.market.errors import StoreUnavailable
from app.market.ports.loading import BulkLoader
from app.market.ports.row_files import OpenRows, ReadingOptions, RowKind


class TradeFiles:
    """
    Stores one file at a time. On the loop; `close` it at the end.

    ``open_loader`` is called once there is a file; it blocks, and may raise StoreError.
    """

    def __init__(self, open_loader: Callable[[], BulkLoader], open_rows: OpenRows) -> None:
        self._open_loader = open_loader
        self._open_rows = open_rows
        self._loader: BulkLoader | None = None
        self._turn = asyncio.Lock()  # more at once do not make the database quicker

    async def store(self, path: Path, symbol: str) -> StoredRows:
        """
        Store the trades of a file of that symbol, each once, and return what became of them.

        If cancelled, it ends with the batch in hand.

        Raises:
            StoreError: If the database cannot be used.
        """
        async with self._turn:
            if self._loader is None:
                self._loader = await in_background(self._open_loader, "open-loader")
            source = ImportSource(path, ReadingOptions(symbol, RowKind.TRADES))
            work = FileImport([source], self._open_rows, self._loader)
            running = asyncio.ensure_future(in_background(work.run, "store-trades"))
            try:
                report = await asyncio.shield(running)
            finally:
                work.cancel()
                await asyncio.wait({running})
        if report.stopped_because:
            raise StoreUnavailable(report.stopped_because)
        rows = StoredRows()
        for file in report.files:
            found = StoredRows(file.read, file.stored, file.held, file.refused, file.missing, file.is_broken)
            rows += found._replace(reason=file.reason)
        return rows

    async def close(self) -> None:
        """Close the connection to the database."""
        if self._loader is not None:
            await in_background(self._loader.close, "close-loader", to_its_end=True)
            self._loader = None
