"""
The path of rows by disk, used while the direct one (`app.live.outbox.writer_path`) is blocked.

First the rows that the writer holds and has not committed go to disk; then, four times per second, the waiting ones.
When the database is back, it gets the oldest first, while newer rows still go to disk behind them. Once the disk is
empty and the waiting rows have been handed over, the direct path is used again. `SpoolState` names the steps.

Invariant: a batch leaves the disk only after a database has committed it, and while the disk holds any rows, newer
ones go behind them. A row may be both with the writer and on disk, but never in neither.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Generic

from app.live.outbox.backlog import Backlog, OutboxListener
from app.live.outbox.null_spool import NullSpool
from app.live.outbox.spool_state import ALL_ON_DISK, BY_DISK, SpoolEvent, SpoolState, next_state
from app.live.outbox.writer_path import WriterPath
from app.market.coverage import IdRanges
from app.market.ports.clock import Clock
from app.market.ports.storage import Row, RowSpool, RowWriter, SpoolStatus

logger = logging.getLogger(__name__)

_LOOK_S = 0.25  # how often the database is checked, and how old rows get before they are on disk
_IDLE_S = 0.025  # while the database is away: it may be back any moment
_SAVE_ROWS = 20_000
_GIVE_ROWS = 10_000
_COMMIT_S = 0.25  # newer rows must get to disk meanwhile
_TRY_AGAIN_S = 1.0
_ROOM_WAIT_S = 2.0
_OPENING_S = 5.0
_ENDING_S = 5.0
_SHORTLY_S = 0.005


class SpoolPath(Generic[Row]):
    """
    Moves rows through one spool from `start` to `finish`; all methods on the loop.

    ``by_disk``: rows go to disk, not to the writer. ``is_available``: there is a spool and it has not failed; always
    False without ``spool``. ``on_unavailable`` is called when it fails.
    """

    def __init__(
        self,
        spool: RowSpool[Row] | None,
        backlog: Backlog[Row],
        writer_path: WriterPath[Row],
        clock: Clock,
        listener: OutboxListener[Row],
        *,
        on_unavailable: Callable[[], None],
    ) -> None:
        self._spool: RowSpool[Row] = NullSpool() if spool is None else spool
        self._state = SpoolState.UNAVAILABLE if spool is None else SpoolState.OPENING
        # Attributes, not properties, because they are read for every row.
        self.by_disk = self._state in BY_DISK
        self.is_available = self._state is not SpoolState.UNAVAILABLE
        self._backlog = backlog
        self._writer_path = writer_path
        self._clock = clock
        self._listener = listener
        self._on_unavailable = on_unavailable
        # Batch numbers: all batches up to the first are committed, all up to the second were given to `_given_to`.
        self._committed = 0
        self._given = 0
        self._given_to: RowWriter[Row] | None = None
        self._saved_s = self._refused_s = float("-inf")
        self._room_needed = False
        self._progress = asyncio.Event()
        self._is_ending = False
        self._work: asyncio.Task[None] | None = None

    @property
    def status(self) -> SpoolStatus:
        """The contents of the spool; empty while there is none."""
        return self._spool.status if self.is_available else SpoolStatus()

    def held(self, symbol: str) -> IdRanges:
        """Return the ids of a symbol's trades, or the times of its ticks, that are on disk; none without a spool."""
        return self._spool.held(symbol) if self.is_available else IdRanges()

    @property
    def is_empty(self) -> bool:
        """Whether all rows on disk have been stored."""
        return self._spool.last_number <= self._committed or not self._spool.status.rows

    @property
    def covers_writers(self) -> bool:
        """Whether every row that a writer was given and did not store is on disk."""
        return self._state in ALL_ON_DISK and self._writer_path.recording

    @property
    def is_running(self) -> bool:
        """Whether the path has been started, and has neither finished nor failed."""
        return self._work is not None and not self._work.done()

    def start(self) -> None:
        """Open the spool and begin to move rows; do nothing without a spool."""
        if self.is_available:
            self._work = asyncio.get_running_loop().create_task(self._run())
            self._work.add_done_callback(self._on_work_done)

    def divert(self) -> None:
        """Send rows to disk from now on, until all of them are stored."""
        self._apply(SpoolEvent.DIVERTED)

    async def make_room(self) -> None:
        """Return when the backlog is below its limit, or when that cannot be expected soon."""
        end_s = self._clock.monotonic_s() + _ROOM_WAIT_S
        while self._backlog.is_full:
            if not self._writer_path.recording and self._writer_path.hand_over():
                break
            if self._is_refusing or not self.is_running or self._clock.monotonic_s() > end_s:
                break
            self._room_needed = True
            self._progress.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._progress.wait(), _LOOK_S)
        self._room_needed = False

    async def save(self) -> None:
        """Put the whole backlog on disk, as far as there is room; bounded in time."""
        self.divert()
        self._refused_s, asked_s = float("-inf"), self._clock.monotonic_s()
        try:
            async with asyncio.timeout(_ENDING_S):
                while self.is_running and len(self._backlog) and self._refused_s < asked_s:
                    await self._clock.sleep(_SHORTLY_S)
        except TimeoutError:
            logger.warning("the disk takes too long to keep the waiting %s", self._backlog.plural)

    async def finish(self) -> None:
        """Stop; rows on disk stay there. Bounded in time."""
        work = self._work
        if work is None:
            return
        self._is_ending = True
        await asyncio.wait([work], timeout=_ENDING_S)
        work.cancel()
        writer = self._writer_path.last_writer
        if self.is_available and writer is not None and not writer.unwritten():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ENDING_S):
                    await self._forget_committed(writer)
        if not await self._spool.close(_ENDING_S):
            logger.warning("the disk takes too long to close the spool")

    # The cycle

    async def _run(self) -> None:
        if await self._open():
            while not self._is_ending:
                await self._step()

    async def _open(self) -> bool:
        try:
            async with asyncio.timeout(_OPENING_S):
                await self._spool.open()
        except TimeoutError:
            logger.error("the disk takes too long to open the spool: this run goes without")
            self._fail()
            return False
        if not self.is_empty:
            count, plural = self._spool.status.rows, self._backlog.plural
            logger.info("%d %s of an earlier run wait in the spool on disk", count, plural)
            self._listener.on_spool_changed()
        self._apply(SpoolEvent.OPENED)
        return True

    async def _step(self) -> None:
        writer = self._writer_path.writer
        if self._state is SpoolState.DIRECT:
            await self._watch()
        elif self._is_save_due():
            await self._save_some()
        elif writer is None or not self._writer_path.recording or writer.status.reason:
            await self._clock.sleep(_IDLE_S)
        elif not self.is_empty:
            is_readable = await self._give_some(writer)
            self._report_lost()
            if not is_readable:  # the rows stay on disk until it is
                await self._clock.sleep(_LOOK_S)
        else:
            await self._return_to_writer()

    async def _watch(self) -> None:
        """Switch to the disk if the direct path has been blocked for a while, or if the backlog is full."""
        why = self._writer_path.note_trouble()
        if self._room_needed:
            why = self._writer_path.trouble() or "the database is slower than the market"
        if why:
            await self._start_spooling(why)
            return
        if self.is_empty and self._spool.status.rows:  # stored, but the disk would not delete them
            await self._spool.forget(self._committed)
        await self._clock.sleep(_LOOK_S)

    async def _start_spooling(self, why: str) -> None:
        logger.warning("%s go to the spool on disk: %s", self._backlog.plural, why)
        self._apply(SpoolEvent.TROUBLED)
        self._writer_path.is_full = False
        # During a hold the writer's owner takes back what it did not store: see `Outbox.put_first`.
        if not self._writer_path.is_held and await self._save_unwritten(self._writer_path.last_writer):
            self._apply(SpoolEvent.COVERED)
        self._saved_s = float("-inf")

    async def _save_unwritten(self, writer: RowWriter[Row] | None) -> bool:
        """Write the rows that the writer has not committed to disk; return whether all of them are there."""
        rows = [] if writer is None else writer.unwritten()
        if not rows:
            return True
        taken = await self._spool.append(rows)
        is_all = taken == len(rows)
        # The spool was empty before, so this writer has been given every row on disk.
        self._given, self._given_to = (self._spool.last_number, writer) if is_all else (self._committed, None)
        return is_all

    @property
    def _is_refusing(self) -> bool:
        return self._clock.monotonic_s() - self._refused_s < _TRY_AGAIN_S

    def _is_save_due(self) -> bool:
        waiting = self._backlog.waiting
        if not waiting or not self._writer_path.recording or self._is_refusing:
            return False
        is_due = self._clock.monotonic_s() - self._saved_s >= _LOOK_S or len(waiting) >= _SAVE_ROWS
        return self._room_needed or (is_due and not self._writer_path.is_held)

    async def _save_some(self) -> None:
        taken = await self._spool.append(self._backlog.begin_spooling(_SAVE_ROWS))
        if not self._backlog.end_spooling(taken):
            self._refused_s = self._clock.monotonic_s()
        elif len(self._backlog.waiting) < _SAVE_ROWS:
            self._saved_s = self._clock.monotonic_s()
            if not self._writer_path.trouble():
                self._backlog.note_progress("the spool")
        self._report_lost()
        self._room_needed = False
        self._progress.set()

    async def _give_some(self, writer: RowWriter[Row]) -> bool:
        """Give the writer the next rows, and a moment to commit them. False: the disk cannot be read just now."""
        if writer is not self._given_to:
            self._given, self._given_to = self._committed, writer
        is_given = self._given > self._committed
        if not is_given:
            batch = await self._spool.read(self._committed, _GIVE_ROWS)
            if batch is None:
                return self.is_empty
            is_given = writer.put(batch.rows)  # the next batch follows once this one is committed
            if is_given:
                self._given = batch.number
        if is_given:
            await self._forget_committed(writer)
        else:
            await writer.wait_for_room(_COMMIT_S)
        return True

    async def _forget_committed(self, writer: RowWriter[Row]) -> None:
        """Delete the rows given to this writer from the disk, if it commits them in time."""
        given = self._given
        if writer is self._given_to and given > self._committed and await writer.flush(_COMMIT_S):
            self._committed = max(given, self._committed)
            await self._spool.forget(given)

    async def _return_to_writer(self) -> None:
        if not self._writer_path.hand_over():
            self._saved_s, self._writer_path.is_full = float("-inf"), False
            await self._clock.sleep(_IDLE_S)
            return
        self._apply(SpoolEvent.EMPTIED)
        self._room_needed = False
        self._writer_path.end_trouble()
        self._listener.on_spool_changed()

    def _report_lost(self) -> None:
        if lost := self._spool.take_lost():
            self._backlog.note_loss()
            self._listener.on_spool_lost(lost)

    def _on_work_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.critical("the spool is not used any more because of a fault in the program", exc_info=error)
            self._fail()

    def _fail(self) -> None:
        self._backlog.end_spooling(0)
        self._apply(SpoolEvent.FAILED)
        self._on_unavailable()

    def _apply(self, event: SpoolEvent) -> None:
        self._state = next_state(self._state, event)
        self.by_disk = self._state in BY_DISK
        self.is_available = self._state is not SpoolState.UNAVAILABLE
