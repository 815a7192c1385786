"""
Keeps trades, and ticks in a file of their own, on disk while the database does not take them.

All work on the file runs in one thread, so that neither a slow disk nor the packing of batches holds up the event loop
that records. When the spool reaches its size limit, or the disk is full, it keeps what it holds and takes no new
trades. `storage.spool.sqlite_file` knows the file; this module never raises its errors, but reports them in its status.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from app.market.coverage import IdRanges
from app.market.ports.storage import SpooledBatch, SpoolStatus
from app.market.quotes.tick import Tick
from app.market.trade import Trade
from storage.spool.batches import BATCH_ROWS, TICKS, TRADES, RowCodec, SpoolDamaged, Spooled
from storage.spool.sqlite_file import SpoolFile, is_damage

logger = logging.getLogger(__name__)

FILE_NAME = "spool.sqlite3"
TICK_FILE_NAME = "tick-spool.sqlite3"
_ROW_BYTES = 48  # about what a packed trade or tick takes: the limit is checked before packing

Result = TypeVar("Result")
_FILE_ERRORS = (sqlite3.Error, OSError, SpoolDamaged)


class RowDiskSpool(Generic[Spooled]):
    """
    A `app.market.ports.storage.RowSpool` over a file.

    ``size_limit`` in bytes bounds the packed rows, ``plural`` names them in the log; the file is a little larger. The
    thread runs from `open` until `close`. Meanwhile no other program may write the file: see
    `app.runtime.instance_lock`.
    """

    def __init__(self, path: Path, size_limit: int, codec: RowCodec[Spooled], plural: str) -> None:
        self._file = SpoolFile(path, codec)
        self._plural = plural
        self._size_limit = size_limit
        self._status = SpoolStatus()
        self._reason = ""
        self._failed = ""  # the kind of job that failed last: the reason stands until that kind succeeds
        self._lost: dict[str, IdRanges] = {}
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def status(self) -> SpoolStatus:
        """See `app.market.ports.storage.RowSpool`. From any thread."""
        return self._status

    @property
    def last_number(self) -> int:
        """See `app.market.ports.storage.RowSpool`."""
        return self._file.last_number

    async def open(self) -> None:
        """See `app.market.ports.storage.RowSpool`."""
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()
        await self._in_thread(partial(self._guarded, "open", self._file.open, None))

    async def append(self, rows: Sequence[Spooled]) -> int:
        """See `app.market.ports.storage.RowSpool`."""
        return await self._in_thread(partial(self._append, rows))

    async def read(self, after: int, limit: int) -> SpooledBatch[Spooled] | None:
        """See `app.market.ports.storage.RowSpool`."""
        return await self._in_thread(partial(self._guarded, "read", partial(self._file.read, after, limit), None))

    async def forget(self, number: int) -> None:
        """See `app.market.ports.storage.RowSpool`."""
        await self._in_thread(partial(self._guarded, "forget", partial(self._file.forget, number), None))

    def held(self, symbol: str) -> IdRanges:
        """See `app.market.ports.storage.RowSpool`."""
        return self._file.contents.held(symbol)

    def take_lost(self) -> dict[str, IdRanges]:
        """See `app.market.ports.storage.RowSpool`."""
        lost, self._lost = self._lost, {}
        return lost

    async def close(self, timeout_s: float) -> bool:
        """See `app.market.ports.storage.RowSpool`. Jobs that were queued before are done first."""
        if self._thread is None:
            return True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, timeout_s)
        return not self._thread.is_alive()

    # In the spool's thread

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
        # Here and not as a job, which whoever waits for it would cancel where the disk takes too long.
        with contextlib.suppress(*_FILE_ERRORS):
            self._file.close()

    def _append(self, rows: Sequence[Spooled]) -> int:
        room = (self._size_limit - self._status.size_bytes) // _ROW_BYTES
        # Whole batches, or near the limit every call would append a tiny one.
        fitting = rows if len(rows) <= room else rows[: max(0, room // BATCH_ROWS * BATCH_ROWS)]
        if fitting and not self._guarded("append", partial(self._appended, fitting), False):
            return 0
        full = f"The spool on disk has reached its {self._size_limit // 1_000_000:,} MB"
        self._set_reason("" if len(fitting) == len(rows) else full)
        return len(fitting)

    def _appended(self, rows: Sequence[Spooled]) -> bool:
        self._file.append(rows)
        return True

    def _guarded(self, kind: str, work: Callable[[], Result], otherwise: Result) -> Result:
        """
        Return what ``work`` returns, or ``otherwise`` if the file cannot be used.

        A damaged file is set aside, and the work is tried once more on the new one. ``kind`` names the work.
        """
        try:
            try:
                done = work()
            except _FILE_ERRORS as error:
                if not is_damage(error):
                    raise
                self._set_aside(error)
                done = work()
        except _FILE_ERRORS as error:
            self._failed = kind
            self._set_reason(f"The spool on disk cannot be used ({error})")
            return otherwise
        finally:
            self._update_status()
        if kind == self._failed:
            self._failed = ""
            self._set_reason("")
        return done

    def _set_aside(self, error: Exception) -> None:
        before = self._file.contents.all_held()
        try:
            aside = self._file.set_aside()
        finally:  # also if a full disk ended it half-way
            self._note_lost(before)
        logger.error(
            "The spool on disk is damaged (%s): it is kept as %s; %d of its %s could be read, and the others are "
            "fetched again",
            error,
            aside,
            self._file.contents.trades,
            self._plural,
        )

    def _note_lost(self, before: dict[str, IdRanges]) -> None:
        for symbol, ids in before.items():
            if lost := ids - self._file.contents.held(symbol):
                self._lost[symbol] = self._lost.get(symbol, IdRanges()) | lost

    def _set_reason(self, reason: str) -> None:
        if reason and reason != self._reason:
            logger.warning(
                "%s: %s received now wait in memory; beyond its limit they are given up and fetched again",
                reason,
                self._plural,
            )
        elif self._reason and not reason:
            logger.info("The spool on disk takes %s again", self._plural)
        self._reason = reason
        self._update_status()

    def _update_status(self) -> None:
        contents = self._file.contents
        self._status = SpoolStatus(contents.trades, contents.size_bytes, self._reason and f"{self._reason}.")

    # From the event loop's thread to the spool's

    def _submit(self, work: Callable[[], Result]) -> Future[Result]:
        future: Future[Result] = Future()
        self._jobs.put(partial(_run_job, future, work))
        return future

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.wrap_future(self._submit(work))


class DiskSpool(RowDiskSpool[Trade]):
    """The spool of trades."""

    def __init__(self, path: Path, size_limit: int) -> None:
        super().__init__(path, size_limit, TRADES, "trades")


class TickDiskSpool(RowDiskSpool[Tick]):
    """The spool of ticks; what `held` and `take_lost` return are the ticks' times."""

    def __init__(self, path: Path, size_limit: int) -> None:
        super().__init__(path, size_limit, TICKS, "ticks")


def _run_job(future: Future[Any], work: Callable[[], Any]) -> None:
    # A job that was cancelled before it began is skipped; one that has begun is finished.
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001  # because the future raises it where it is awaited
        future.set_exception(error)
