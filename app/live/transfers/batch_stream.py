"""Reads batches of a blocking generator in threads, one ahead: the database works while the file is written."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Generator
from typing import Any

from app.concurrency.background import in_background


class BatchStream:
    """Reads ``batches``, which hold a connection, on the loop. Close it; that waits for a read under way."""

    def __init__(self, batches: Generator[Any, None, None]) -> None:
        self._batches = batches
        self._lock = threading.Lock()
        self._ahead: asyncio.Task[Any] | None = None

    async def next(self) -> Any:
        """Return the next batch, None after the last. Raises what the generator raises."""
        batch = await (self._ahead or self._reading())
        self._ahead = None if batch is None else self._reading()
        return batch

    async def close(self) -> None:
        """Give back the connection."""
        if self._ahead is not None:
            self._ahead.cancel()
            with contextlib.suppress(BaseException):  # nobody wants what it read, nor why it could not
                await self._ahead
        await in_background(self._close, "read-candles")

    def _reading(self) -> asyncio.Task[Any]:
        return asyncio.ensure_future(in_background(self._read, "read-candles"))

    def _read(self) -> Any:
        with self._lock:
            return next(self._batches, None)

    def _close(self) -> None:
        with self._lock:
            self._batches.close()
