"""
The way of received trades to the database.

Trades are collected for a few milliseconds, so that the writer's queue is touched once a batch. While the database is
away for more than a moment, hangs, or is slower than the market, all that is not stored goes to the spool on disk, and
so do the trades that come, behind it, until the database has been given everything in order. What the spool does not
take waits here, up to a limit; beyond that the newest trades are given up and handed back as lost, to be counted as
missing and fetched again later.

Without a spool they wait here until a writer is attached, and reading the feed waits for a writer that is at work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from app.live.clock import SystemClock
from app.live.overflow import Overflow
from app.market.coverage import IdRanges
from app.market.ports import Clock, SpoolStatus, TradeSpool, TradeWriter
from app.market.trade import Trade

logger = logging.getLogger(__name__)

_COLLECT_S = 0.005
_COLLECT_TRADES = 512
_ROOM_WAIT_S = 2.0
_RETRY_S = 0.25

_LOOK_S = 0.25  # how often the database is looked at, and how old trades get before they are on disk
_MOMENT_S = 0.5  # a connection that is made anew is no reason to use the disk
_HANGS_S = 2.0
_SAVE_TRADES = 20_000
_TRY_AGAIN_S = 1.0
_HOLD_S = 30.0
_OPENING_S = 5.0
_ENDING_S = 5.0


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
        self._limit = limit
        self._on_lost = on_lost
        self._on_recovered = on_recovered
        self._on_spool_lost = on_spool_lost
        self._on_spool = on_spool
        self._clock = clock or SystemClock()
        self._writer: TradeWriter | None = None
        self._recording = True
        self._waiting: list[Trade] = []
        self._timer: asyncio.TimerHandle | None = None
        self._losing = False
        self._disk = self._overflow = Overflow(spool) if spool is not None else None
        self._spooling = spool is not None  # until it is known to be empty
        self._leaving: list[Trade] = []  # on their way to the disk
        self._full = False
        self._source: TradeWriter | None = None  # the last writer, which may hold trades still
        self._uncovered = False  # whether that holds trades that are not on disk while others are
        self._held_until_s = float("-inf")
        self._urgent = False
        self._bad_since_s: float | None = None
        self._saved_s = self._refused_s = float("-inf")
        self._moved = asyncio.Event()
        self._ending = False
        self._work: asyncio.Task[None] | None = None

    @property
    def writer(self) -> TradeWriter | None:
        """The writer in use."""
        return self._writer

    @property
    def waiting(self) -> int:
        """How many trades have neither been handed to the writer nor are on disk."""
        return len(self._waiting) + len(self._leaving)

    @property
    def spool(self) -> SpoolStatus:
        """What is on disk; nothing where there is no spool."""
        return self._overflow.status if self._overflow is not None else SpoolStatus()

    @property
    def is_spooling(self) -> bool:
        """Whether trades go to the disk just now, and to the database from there."""
        return self._spooling

    @property
    def has_spool(self) -> bool:
        """Whether what the database does not take goes to the disk."""
        return self._overflow is not None

    def waiting_trades(self) -> list[Trade]:
        """Return the trades that wait, in the order they came."""
        return [*self._leaving, *self._waiting]

    def spooled(self, symbol: str) -> IdRanges:
        """Return the ids of a symbol that are on disk."""
        return self._overflow.held(symbol) if self._overflow is not None else IdRanges()

    def start(self) -> None:
        """Begin to look after the spool."""
        if self._overflow is not None:
            self.hold()
            self._work = asyncio.get_running_loop().create_task(self._look_after(self._overflow))
            self._work.add_done_callback(self._on_work_done)

    def attach(self, writer: TradeWriter | None, *, recording: bool = True) -> None:
        """
        Use this writer from now on; None: keep trades here. ``recording`` False: it forgets what it is given, so it is
        given what comes from now on, and what waits on disk stays there for another.
        """
        self._writer = writer
        self._source = writer or self._source
        self._recording = recording
        self._full = False
        self.release()
        if self._overflow is not None and recording and not self._overflow.is_empty:
            self._spooling = True
        if writer is not None and self._waiting and not self._goes_by_disk:
            self._hand_over()

    def hold(self) -> None:
        """Keep trades off the disk until the next `attach`: a writer is about to be, or will say what it left."""
        self._held_until_s = self._clock.monotonic_s() + _HOLD_S

    def release(self) -> None:
        """End what `hold` began: there will be no writer soon."""
        self._held_until_s = float("-inf")
        self._bad_since_s = None

    def put(self, trade: Trade) -> bool:
        """Take one trade. False asks the caller to await `make_room` before the next."""
        waiting = self._waiting
        waiting.append(trade)
        if self._goes_by_disk:
            return self.waiting <= self._limit
        if len(waiting) >= _COLLECT_TRADES and (self._writer is not None or len(waiting) > self._limit):
            return self._hand_over() or (self._overflow is not None and len(waiting) <= self._limit)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_COLLECT_S, self._on_timer)
        return True

    def put_first(self, trades: Sequence[Trade]) -> None:
        """
        Take back trades that another writer was given and did not store; they come before those that wait.

        While trades go by disk these are there already.
        """
        if not self._goes_by_disk or self._uncovered:
            self._waiting = [*trades, *self._waiting]

    async def make_room(self) -> None:
        """Wait while there is progress; return when there is room, or when the newest trades had to be given up."""
        if self._overflow is not None:
            await self._make_room_by_disk()
            return
        while self._waiting and not self._hand_over():
            writer = self._writer
            if writer is None or writer.status.reason:
                self._give_up()
                return
            if not await writer.wait_for_room(_ROOM_WAIT_S):
                self._give_up()
                return

    async def drain(self) -> None:
        """Hand everything over to a database that is at work, as before closing; what is away is not waited for."""
        if self._overflow is None:
            if self._writer is not None:
                await self.make_room()
            return
        while self._writer is not None and self._recording and not self._trouble():
            if not self._spooling and (not self._waiting or self._hand_over()):
                return
            if self._work is None or self._work.done():
                return
            await self._clock.sleep(_COLLECT_S)

    async def save(self, trades: Sequence[Trade] = ()) -> list[Trade]:
        """
        Put what waits on disk, first ``trades``, which a writer was given and did not store; return what finds no room.

        Bounded in time; nothing is saved without a spool.
        """
        self.put_first(trades)
        self._spooling = self._overflow is not None
        self.release()
        try:
            async with asyncio.timeout(_ENDING_S):
                while self._work is not None and not self._work.done() and self.waiting and not self.spool.reason:
                    await self._clock.sleep(_COLLECT_S)
        except TimeoutError:
            logger.warning("the disk takes too long to keep what waits")
        return self.waiting_trades()

    def close(self) -> None:
        """Stop the timer; what still waits stays waiting."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def finish(self) -> None:
        """Stop looking after the spool, whose contents stay on disk; bounded in time."""
        self.close()
        overflow, work = self._disk, self._work
        if overflow is None or work is None:
            return
        self._ending = True
        await asyncio.wait([work], timeout=_ENDING_S)
        work.cancel()
        if self._overflow is not None and self._source is not None and not self._source.unwritten():
            await overflow.settle(self._source, _LOOK_S)  # the end of its work
        if not await overflow.close(_ENDING_S):
            logger.warning("the disk takes too long to close the spool")

    # Straight to the writer

    @property
    def _goes_by_disk(self) -> bool:
        return self._spooling and self._recording

    def _on_timer(self) -> None:
        self._timer = None
        if self._goes_by_disk:
            return
        if self._waiting and self._writer is not None and not self._hand_over():
            if self._writer.status.reason and self._overflow is None:
                self._trim()
            # A quiet market brings no trade that would try again.
            self._timer = asyncio.get_running_loop().call_later(_RETRY_S, self._on_timer)

    def _hand_over(self) -> bool:
        if self._writer is None:
            return len(self._waiting) <= self._limit
        self._full = not self._writer.put(self._waiting)
        if self._full:
            return False
        self._waiting = []
        self._recovered("the database takes trades again")
        return True

    def _recovered(self, words: str) -> None:
        if self._losing:
            self._losing = False
            logger.info(words)
            self._on_recovered()

    def _trim(self) -> None:
        if len(self._waiting) > self._limit:
            self._give_up()

    def _give_up(self) -> None:
        # Keep what was waiting longest, up to the limit; the newest are the easiest to fetch again.
        keep = min(self._limit, _COLLECT_TRADES)
        if self._writer is None or self._overflow is not None:
            keep = max(0, self._limit - len(self._leaving))
        lost, self._waiting = self._waiting[keep:], self._waiting[:keep]
        if lost:
            if not self._losing:
                self._losing = True
                logger.warning(
                    "the queue is full and the database is away: newest trades are given up until it is back"
                )
            self._on_lost(lost)

    # By the disk

    async def _make_room_by_disk(self) -> None:
        end_s = self._clock.monotonic_s() + _ROOM_WAIT_S
        while self.waiting > self._limit:
            if not self._recording and self._hand_over():
                return
            if self.spool.reason or self._work is None or self._work.done() or self._clock.monotonic_s() > end_s:
                self._give_up()
                return
            self._urgent = True
            self._moved.clear()
            try:
                await asyncio.wait_for(self._moved.wait(), _LOOK_S)
            except TimeoutError:
                continue

    def _trouble(self) -> str:
        """Return why trades do not reach the database just now, in words, or an empty text."""
        writer = self._writer
        if writer is None:
            return "no database is open"
        status = writer.status
        if status.reason or self._full:
            return status.reason or "the database is slower than the market"
        return "the database does not answer" if status.at_work_s > _HANGS_S else ""

    def _is_bad(self) -> str:
        """`_trouble` that has lasted for a moment, and is one of trades that would be lost by a kill."""
        why = self._trouble()
        at_stake = self._waiting or (self._writer is not None and self._writer.status.queued)
        if self._urgent:
            return why or "the database is slower than the market"
        if not why or not at_stake or self._is_held or not self._recording:
            self._bad_since_s = None
            return ""
        now_s = self._clock.monotonic_s()
        if self._bad_since_s is None:
            self._bad_since_s = now_s
        return why if self._full or now_s - self._bad_since_s >= _MOMENT_S else ""

    @property
    def _is_held(self) -> bool:
        return self._clock.monotonic_s() < self._held_until_s

    async def _look_after(self, overflow: Overflow) -> None:
        """Bring trades to the disk and from there to the database, until `finish`."""
        try:
            async with asyncio.timeout(_OPENING_S):
                await overflow.open()
        except TimeoutError:
            logger.error("the disk takes too long to open the spool: this run goes without")
            self._do_without()
            return
        if not overflow.is_empty:
            logger.info("%d trades of an earlier run wait in the spool on disk", overflow.status.trades)
            self._on_spool()
        while not self._ending:
            if not self._spooling:
                if why := self._is_bad():
                    await self._begin_spooling(overflow, why)
                else:
                    await self._clock.sleep(_LOOK_S)
            elif self._must_save():
                await self._save(overflow)
            elif self._writer is None or not self._recording or self._writer.status.reason:
                await self._clock.sleep(_LOOK_S / 10)
            elif not overflow.is_empty:
                await overflow.pass_on(self._writer)
                self._note_lost(overflow)
            else:
                await self._go_straight(overflow)

    async def _begin_spooling(self, overflow: Overflow, why: str) -> None:
        logger.warning("trades go to the spool on disk: %s", why)
        self._spooling = self._uncovered = True
        self._full = self._urgent = False
        writer = self._source
        if not self._is_held:  # or it will say what it left, see `put_first`
            given = writer.unwritten() if writer is not None else []
            kept = await overflow.keep_lent(given, writer) if writer is not None and given else 0
            self._uncovered = kept < len(given)
        self._saved_s = float("-inf")

    def _must_save(self) -> bool:
        now_s = self._clock.monotonic_s()
        return bool(
            self._waiting
            and self._recording
            and (self._urgent or not self._is_held)
            and (now_s - self._saved_s >= _LOOK_S or len(self._waiting) >= _SAVE_TRADES)
            and now_s - self._refused_s >= _TRY_AGAIN_S
        )

    async def _save(self, overflow: Overflow) -> None:
        self._leaving, self._waiting = self._waiting[:_SAVE_TRADES], self._waiting[_SAVE_TRADES:]
        taken = await overflow.keep(self._leaving)
        refused, self._leaving = self._leaving[taken:], []
        self._waiting = [*refused, *self._waiting]
        self._note_lost(overflow)
        self._urgent = False
        if refused:
            self._refused_s = self._clock.monotonic_s()
        elif len(self._waiting) < _SAVE_TRADES:
            self._saved_s = self._clock.monotonic_s()
            if not self._trouble():
                self._recovered("the spool takes trades again")
        self._moved.set()

    async def _go_straight(self, overflow: Overflow) -> None:
        if not self._hand_over():
            self._saved_s, self._full = float("-inf"), False
            await self._clock.sleep(_LOOK_S / 10)
            return
        self._spooling = self._uncovered = False
        self._bad_since_s = None
        self._on_spool()

    def _note_lost(self, overflow: Overflow) -> None:
        if lost := overflow.take_lost():
            self._losing = True
            self._on_spool_lost(lost)

    def _on_work_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.critical("the spool is not used any more because of a fault in the program", exc_info=error)
            self._do_without()

    def _do_without(self) -> None:
        self._waiting = [*self._leaving, *self._waiting]
        self._leaving, self._overflow, self._spooling = [], None, False
        if self._waiting and self._writer is not None:
            self._hand_over()
