"""
Passes received rows, trades or ticks, on to the database.

Rows are collected for a few milliseconds, so that the writer's queue is touched once per batch. Then they take one of
two paths. `app.live.outbox.writer_path` puts them into the writer's queue. If the database goes away for more than a
moment, hangs, or is slower than the market, `app.live.outbox.spool_path` first writes the rows that are not stored to
disk, then the new ones behind them. Rows that the spool refuses wait in memory up to a limit. Beyond it the newest
are given up and reported as lost; trades then count as missing and are fetched again later.

Without a spool, rows wait in memory until a writer is attached, and a busy writer slows down reading the feed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Generic

from app.concurrency.system_clock import SystemClock
from app.live.outbox.backlog import Backlog, OutboxListener
from app.live.outbox.spool_path import SpoolPath
from app.live.outbox.writer_path import WriterPath
from app.market.coverage import IdRanges
from app.market.ports.clock import Clock
from app.market.ports.storage import Row, RowSpool, RowWriter, SpoolStatus

# A batch is handed over at whichever of these it reaches first.
_COLLECT_S = 0.005
_COLLECT_ROWS = 512
_ROOM_WAIT_S = 2.0  # how long reading the feed may wait for one batch before rows are given up
_RETRY_S = 0.25


class Outbox(Generic[Row]):
    """
    Hands rows to a `RowWriter`; all methods on the loop. Call `start` first, and `finish` at the end.

    ``limit``: how many rows are kept in memory while neither the writer nor the disk takes them. ``plural`` names them
    in the log.
    """

    def __init__(
        self,
        limit: int,
        listener: OutboxListener[Row],
        *,
        plural: str,
        spool: RowSpool[Row] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._backlog: Backlog[Row] = Backlog(limit, listener, plural)
        self._writer_path = WriterPath(self._backlog, self._clock)
        self._spool_path = SpoolPath(
            spool, self._backlog, self._writer_path, self._clock, listener, on_unavailable=self._retry_later
        )
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def writer(self) -> RowWriter[Row] | None:
        """The writer in use; None while no database is open."""
        return self._writer_path.writer

    @property
    def waiting(self) -> int:
        """The number of rows that are neither in a writer's queue nor on disk."""
        return len(self._backlog)

    @property
    def spool_status(self) -> SpoolStatus:
        """The contents of the spool; empty without one."""
        return self._spool_path.status

    @property
    def is_spooling(self) -> bool:
        """Whether rows go to disk now, and from there to the database."""
        return self._spool_path.by_disk

    @property
    def has_spool(self) -> bool:
        """Whether there is a working spool, which takes the rows that the database does not."""
        return self._spool_path.is_available

    @property
    def can_skip_database(self) -> bool:
        """Whether the database need not be waited for: it is away or hangs, and there is a spool for its rows."""
        writer = self._writer_path.writer
        return self.has_spool and writer is not None and bool(writer.status.reason or self._writer_path.hangs)

    def waiting_rows(self) -> list[Row]:
        """Return the waiting rows, in arrival order."""
        return self._backlog.rows()

    def spooled(self, symbol: str) -> IdRanges:
        """Return the ids of a symbol's trades, or the times of its ticks, that are on disk."""
        return self._spool_path.held(symbol)

    def start(self) -> None:
        """Open the spool, if there is one; rows wait in memory until a writer is attached."""
        if self.has_spool:
            self.hold()
            self._spool_path.start()

    def attach(self, writer: RowWriter[Row] | None, *, recording: bool = True) -> None:
        """
        Hand rows to ``writer`` from now on; with None, keep them here.

        ``recording`` False: the writer discards rows, as that of a read-only database does. Rows on disk then stay
        there for another writer.
        """
        self._writer_path.attach(writer, recording=recording)
        if self.has_spool and recording and not self._spool_path.is_empty:
            self._spool_path.divert()
        if writer is not None and self._backlog.waiting and not self._goes_by_disk:
            self._writer_path.hand_over()

    def hold(self) -> None:
        """
        Keep new rows in memory, not on disk, until the next `attach` or for half a minute.

        Call it when a writer is about to be attached, or to return the rows it did not store: those go first.
        """
        self._writer_path.hold()

    def release(self) -> None:
        """End a `hold`: no writer is expected soon."""
        self._writer_path.release()

    def put(self, row: Row) -> bool:
        """Take one row; return False if the caller must await `make_room` before the next."""
        waiting = self._backlog.waiting
        waiting.append(row)
        if self._spool_path.by_disk and self._writer_path.recording:  # `_goes_by_disk`, without a call per row
            return not self._backlog.is_full
        if len(waiting) >= _COLLECT_ROWS:
            limit = self._backlog.limit
            if self._writer_path.writer is not None or len(waiting) > limit:
                # With a spool, a full queue is no reason to stop reading the feed: the disk takes over shortly.
                return self._writer_path.hand_over() or (self.has_spool and len(waiting) <= limit)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_COLLECT_S, self._on_timer)
        return True

    def put_first(self, rows: Sequence[Row]) -> None:
        """
        Take back the rows that a previous writer did not store, and put them before the waiting ones.

        If the spool holds them already, this does nothing.
        """
        if not self._spool_path.covers_writers:
            self._backlog.put_first(rows)

    async def make_room(self) -> None:
        """Wait while there is progress; return once there is room, or once the newest rows were given up."""
        if self.has_spool:
            await self._spool_path.make_room()
            if self._backlog.is_full:
                self._give_up()
            return
        while self._backlog.waiting and not self._writer_path.hand_over():
            writer = self._writer_path.writer
            if writer is None or writer.status.reason or not await writer.wait_for_room(_ROOM_WAIT_S):
                self._give_up()
                return

    async def drain(self) -> None:
        """
        Wait until every row, those on disk included, is in the writer's queue or stored.

        Returns early if the database is in trouble or there is none. A slow one may take long: set a timeout.
        """
        writer_path, spool_path = self._writer_path, self._spool_path
        if not self.has_spool:
            if writer_path.writer is not None:
                await self.make_room()
            return
        if not writer_path.recording:
            writer_path.hand_over()  # to be discarded; the rows on disk stay for another writer
        while writer_path.writer is not None and writer_path.recording and not writer_path.trouble():
            if not spool_path.by_disk and (not self._backlog.waiting or writer_path.hand_over()):
                return
            if not spool_path.is_running:
                return
            await self._clock.sleep(_COLLECT_S)

    async def save(self, rows: Sequence[Row] = ()) -> list[Row]:
        """
        Write ``rows``, which a writer did not store, and then the waiting ones to disk.

        Returns the rows that the disk did not take; without a spool, all of them. Bounded in time.
        """
        self.put_first(rows)
        self.release()
        if self.has_spool:
            await self._spool_path.save()
        return self.waiting_rows()

    def close(self) -> None:
        """Hand over no more rows by timer; those waiting stay here for `save`."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def finish(self) -> None:
        """Close this and the spool, whose contents stay on disk. Bounded in time."""
        self.close()
        await self._spool_path.finish()

    @property
    def _goes_by_disk(self) -> bool:
        return self._spool_path.by_disk and self._writer_path.recording

    def _on_timer(self) -> None:
        self._timer = None
        if self._goes_by_disk:
            return
        writer = self._writer_path.writer
        if self._backlog.waiting and writer is not None and not self._writer_path.hand_over():
            if writer.status.reason and not self.has_spool and self._backlog.is_full:
                self._give_up()
            self._retry_later()

    def _retry_later(self) -> None:
        # In a quiet market no further row would trigger a retry.
        if self._timer is None and not self._is_closed:
            self._timer = asyncio.get_running_loop().call_later(_RETRY_S, self._on_timer)

    def _give_up(self) -> None:
        # Keep the oldest. Without a spool, a writer that takes no more has a full queue of its own, so keep one batch.
        keep = min(self._backlog.limit, _COLLECT_ROWS)
        if self._writer_path.writer is None or self.has_spool:
            keep = max(0, self._backlog.limit - len(self._backlog.spooling))
        self._backlog.give_up(keep)
