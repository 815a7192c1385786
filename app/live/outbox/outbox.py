"""
The way of received trades to the database.

Trades are collected for a few milliseconds, so that the writer's queue is touched once a batch. While the database is
away for more than a moment, hangs, or is slower than the market, all that is not stored goes to the spool on disk, and
so do the trades that come, behind it, until the database has been given everything in order
(`app.live.outbox.spool_path`). What the spool does not take waits here, up to a limit; beyond that the newest trades
are given up and handed back as lost, to be counted as missing and fetched again later.

Without a spool they wait here until a writer is attached, and reading the feed waits for a writer that is at work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from app.concurrency.system_clock import SystemClock
from app.live.outbox.backlog import Backlog
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
    Hands trades to a `TradeWriter`, all methods on the loop. With a spool: `start` first, and `finish` at the end.

    ``on_lost`` is called with trades that had to be given up, ``on_spool_lost`` with ids by symbol that a damaged spool
    cost, ``on_recovered`` when trades are taken again after either; ``on_spool`` when it is known what an earlier run
    left on disk, and whenever all that was on disk is stored. ``limit``: trades kept while they can go nowhere.
    """

    def __init__(
        self,
        limit: int,
        *,
        on_lost: Callable[[list[Trade]], None],
        on_recovered: Callable[[], None],
        on_spool_lost: Callable[[dict[str, IdRanges]], None] = lambda _: None,
        on_spool: Callable[[], None] = lambda: None,
        spool: TradeSpool | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._backlog = Backlog(limit, on_lost=on_lost, on_recovered=on_recovered)
        self._direct = WriterPath(self._backlog, self._clock)
        self._disk: SpoolPath | None = None
        if spool is not None:
            self._disk = SpoolPath(
                spool,
                self._backlog,
                self._direct,
                self._clock,
                on_spool=on_spool,
                on_spool_lost=on_spool_lost,
                on_end=self._try_again,
            )
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def writer(self) -> TradeWriter | None:
        """The writer in use."""
        return self._direct.writer

    @property
    def waiting(self) -> int:
        """How many trades have neither been handed to the writer nor are on disk."""
        return len(self._backlog)

    @property
    def spool_status(self) -> SpoolStatus:
        """What is on disk; nothing where there is no spool."""
        return self._disk.overflow.status if self._disk is not None and self.has_spool else SpoolStatus()

    @property
    def is_spooling(self) -> bool:
        """Whether trades go to the disk just now, and to the database from there."""
        return self._disk is not None and self._disk.is_used

    @property
    def has_spool(self) -> bool:
        """Whether what the database does not take goes to the disk."""
        return self._disk is not None and not self._disk.is_lost

    @property
    def is_hopeless(self) -> bool:
        """Whether the database is away, or hangs, while what it was given is on disk: it need not be waited for."""
        writer = self._direct.writer
        return self.has_spool and writer is not None and bool(writer.status.reason or self._direct.hangs)

    def waiting_trades(self) -> list[Trade]:
        """Return the trades that wait, in the order they came."""
        return self._backlog.trades()

    def spooled(self, symbol: str) -> IdRanges:
        """Return the ids of a symbol that are on disk."""
        return self._disk.overflow.held(symbol) if self._disk is not None and self.has_spool else IdRanges()

    def start(self) -> None:
        """Begin to look after the spool."""
        if self._disk is not None:
            self.hold()
            self._disk.start()

    def attach(self, writer: TradeWriter | None, *, recording: bool = True) -> None:
        """
        Use this writer from now on; None: keep trades here. ``recording`` False: it forgets what it is given, so it is
        given what comes from now on, and what waits on disk stays there for another.
        """
        self._direct.attach(writer, recording=recording)
        if self._disk is not None and self.has_spool and recording and not self._disk.overflow.is_empty:
            self._disk.is_used = True
        if writer is not None and self._backlog.waiting and not self._goes_by_disk:
            self._direct.hand_over()

    def hold(self) -> None:
        """Keep trades off the disk until the next `attach`: a writer is about to be, or will say what it left."""
        self._direct.hold()

    def release(self) -> None:
        """End what `hold` began: there will be no writer soon."""
        self._direct.release()

    def put(self, trade: Trade) -> bool:
        """Take one trade. False asks the caller to await `make_room` before the next."""
        waiting = self._backlog.waiting
        waiting.append(trade)
        if self._goes_by_disk:
            return not self._backlog.is_full
        limit = self._backlog.limit
        if len(waiting) >= _COLLECT_TRADES and (self._direct.writer is not None or len(waiting) > limit):
            return self._direct.hand_over() or (self.has_spool and len(waiting) <= limit)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_COLLECT_S, self._on_timer)
        return True

    def put_first(self, trades: Sequence[Trade]) -> None:
        """
        Take back trades that another writer was given and did not store; they come before those that wait.

        While trades go by disk these are there already.
        """
        if self._disk is None or not self._disk.covers:
            self._backlog.put_first(trades)

    async def make_room(self) -> None:
        """Wait while there is progress; return when there is room, or when the newest trades had to be given up."""
        if self._disk is not None and self.has_spool:
            await self._disk.make_room()
            if self._backlog.is_full:
                self._give_up()
            return
        while self._backlog.waiting and not self._direct.hand_over():
            writer = self._direct.writer
            if writer is None or writer.status.reason or not await writer.wait_for_room(_ROOM_WAIT_S):
                self._give_up()
                return

    async def drain(self) -> None:
        """Hand everything over to a database that is at work, as before closing; what is away is not waited for."""
        if self._disk is None or not self.has_spool:
            if self._direct.writer is not None:
                await self.make_room()
            return
        if not self._direct.recording:
            self._direct.hand_over()
        while self._direct.writer is not None and self._direct.recording and not self._direct.trouble():
            if not self._disk.is_used and (not self._backlog.waiting or self._direct.hand_over()):
                return
            if not self._disk.is_at_work:
                return
            await self._clock.sleep(_COLLECT_S)

    async def save(self, trades: Sequence[Trade] = ()) -> list[Trade]:
        """
        Put what waits on disk, first ``trades``, which a writer was given and did not store; return what finds no room.

        Bounded in time; nothing is saved without a spool.
        """
        self.put_first(trades)
        self.release()
        if self._disk is not None and self.has_spool:
            await self._disk.save()
        return self.waiting_trades()

    def close(self) -> None:
        """Stop the timer; what still waits stays waiting."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def finish(self) -> None:
        """Stop looking after the spool, whose contents stay on disk; bounded in time."""
        self.close()
        if self._disk is not None:
            await self._disk.finish()

    @property
    def _goes_by_disk(self) -> bool:
        return self._disk is not None and self._disk.is_used and self._direct.recording

    def _on_timer(self) -> None:
        self._timer = None
        if self._goes_by_disk:
            return
        writer = self._direct.writer
        if self._backlog.waiting and writer is not None and not self._direct.hand_over():
            if writer.status.reason and not self.has_spool and self._backlog.is_full:
                self._give_up()
            self._try_again()

    def _try_again(self) -> None:
        # A quiet market brings no trade that would try again.
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(_RETRY_S, self._on_timer)

    def _give_up(self) -> None:
        # Keep what was waiting longest, up to the limit.
        keep = min(self._backlog.limit, _COLLECT_TRADES)
        if self._direct.writer is None or self.has_spool:
            keep = max(0, self._backlog.limit - len(self._backlog.leaving))
        self._backlog.give_up(keep)
