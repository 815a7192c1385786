"""
Received trades on their way to the database.

Trades are collected for a few milliseconds, so that the writer's queue is touched once per batch. Then they take one of
two paths. `app.live.outbox.writer_path` puts them into the writer's queue. While the database is away for more than a
moment, hangs, or is slower than the market, `app.live.outbox.spool_path` takes all trades that are not stored, and
those that come, by way of the disk. Trades that the spool does not accept wait in memory up to a limit; beyond that the
newest are given up and reported as lost, to be counted as missing and fetched later.

Without a spool they wait in memory until a writer is attached, and reading the feed waits while a writer is busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.concurrency.system_clock import SystemClock
from app.live.outbox.backlog import Backlog, OutboxListener
from app.live.outbox.spool_path import SpoolPath
from app.live.outbox.writer_path import WriterPath
from app.market.coverage import IdRanges
from app.market.ports.clock import Clock
from app.market.ports.storage import SpoolStatus, TradeSpool, TradeWriter
from app.market.trade import Trade

_COLLECT_S = 0.005
_COLLECT_TRADES = 512
_ROOM_WAIT_S = 2.0
_RETRY_S = 0.25


class TradeOutbox:
    """
    Hands trades to a `TradeWriter`; all methods on the loop. Call `start` first, and `finish` at the end.

    ``limit``: how many trades are kept in memory while they can go nowhere.
    """

    def __init__(
        self, limit: int, listener: OutboxListener, *, spool: TradeSpool | None = None, clock: Clock | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self._backlog = Backlog(limit, listener)
        self._writer_path = WriterPath(self._backlog, self._clock)
        self._spool_path = SpoolPath(
            spool, self._backlog, self._writer_path, self._clock, listener, on_unavailable=self._retry_later
        )
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def writer(self) -> TradeWriter | None:
        """The writer in use."""
        return self._writer_path.writer

    @property
    def waiting(self) -> int:
        """How many trades are neither in a writer's queue nor on disk."""
        return len(self._backlog)

    @property
    def spool_status(self) -> SpoolStatus:
        """The contents of the spool; empty without one."""
        return self._spool_path.status

    @property
    def is_spooling(self) -> bool:
        """Whether trades go to disk now, and from there to the database."""
        return self._spool_path.by_disk

    @property
    def has_spool(self) -> bool:
        """Whether trades that the database does not take go to disk."""
        return self._spool_path.is_available

    @property
    def is_hopeless(self) -> bool:
        """Whether the database is away or hangs while the trades it was given are on disk: no need to wait for it."""
        writer = self._writer_path.writer
        return self.has_spool and writer is not None and bool(writer.status.reason or self._writer_path.hangs)

    def waiting_trades(self) -> list[Trade]:
        """Return the waiting trades, in arrival order."""
        return self._backlog.trades()

    def spooled(self, symbol: str) -> IdRanges:
        """Return the ids of a symbol that are on disk."""
        return self._spool_path.held(symbol)

    def start(self) -> None:
        """Open the spool, if there is one; trades wait in memory until a writer is attached."""
        if self.has_spool:
            self.hold()
            self._spool_path.start()

    def attach(self, writer: TradeWriter | None, *, recording: bool = True) -> None:
        """
        Use this writer from now on; None: keep trades here.

        ``recording`` False: the writer discards what it is given. It gets the trades that come from now on, and those
        on disk stay there for another.
        """
        self._writer_path.attach(writer, recording=recording)
        if self.has_spool and recording and not self._spool_path.is_empty:
            self._spool_path.divert()
        if writer is not None and self._backlog.waiting and not self._goes_by_disk:
            self._writer_path.hand_over()

    def hold(self) -> None:
        """Keep trades off the disk until the next `attach`: a writer is about to come, or to say what it left."""
        self._writer_path.hold()

    def release(self) -> None:
        """End a `hold`: there will be no writer soon."""
        self._writer_path.release()

    def put(self, trade: Trade) -> bool:
        """Take one trade. False asks the caller to await `make_room` before the next."""
        waiting = self._backlog.waiting
        waiting.append(trade)
        if self._spool_path.by_disk and self._writer_path.recording:
            return not self._backlog.is_full
        if len(waiting) >= _COLLECT_TRADES:
            limit = self._backlog.limit
            if self._writer_path.writer is not None or len(waiting) > limit:
                return self._writer_path.hand_over() or (self.has_spool and len(waiting) <= limit)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_COLLECT_S, self._on_timer)
        return True

    def put_first(self, trades: Sequence[Trade]) -> None:
        """
        Take back trades that another writer was given and did not store; they come before those waiting.

        Trades that are on disk anyway are not taken twice.
        """
        if not self._spool_path.covers_writers:
            self._backlog.put_first(trades)

    async def make_room(self) -> None:
        """Wait while there is progress; return when there is room, or when the newest trades had to be given up."""
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
        """Hand everything to a database that is at work, as before closing; do not wait for one that is away."""
        writer_path, spool_path = self._writer_path, self._spool_path
        if not self.has_spool:
            if writer_path.writer is not None:
                await self.make_room()
            return
        if not writer_path.recording:
            writer_path.hand_over()
        while writer_path.writer is not None and writer_path.recording and not writer_path.trouble():
            if not spool_path.by_disk and (not self._backlog.waiting or writer_path.hand_over()):
                return
            if not spool_path.is_running:
                return
            await self._clock.sleep(_COLLECT_S)

    async def save(self, trades: Sequence[Trade] = ()) -> list[Trade]:
        """
        Put ``trades``, which a writer was given and did not store, and the waiting ones on disk.

        Returns the trades that find no room there: all of them without a spool. Bounded in time.
        """
        self.put_first(trades)
        self.release()
        if self.has_spool:
            await self._spool_path.save()
        return self.waiting_trades()

    def close(self) -> None:
        """Stop the timer; waiting trades stay waiting."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def finish(self) -> None:
        """Close, and stop the spool, whose contents stay on disk; bounded in time."""
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
        # In a quiet market no next trade would cause a retry.
        if self._timer is None and not self._is_closed:
            self._timer = asyncio.get_running_loop().call_later(_RETRY_S, self._on_timer)

    def _give_up(self) -> None:
        # Keep the oldest: up to the limit, but only one batch for a writer that is there and does not take it.
        keep = min(self._backlog.limit, _COLLECT_TRADES)
        if self._writer_path.writer is None or self.has_spool:
            keep = max(0, self._backlog.limit - len(self._backlog.spooling))
        self._backlog.give_up(keep)
