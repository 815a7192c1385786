"""
The way of trades by the disk, while the direct one is closed.

What the writer holds and has not committed goes to the disk first, then what waits, four times a second. When the
database is back, it is given the oldest first while newer trades go on behind; once nothing is left on disk, and what
waits has been handed over, the direct way is open again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

from app.live.outbox.backlog import Backlog
from app.live.outbox.writer_path import WriterPath
from app.market.coverage import IdRanges
from app.market.ports.clock import Clock
from app.market.ports.storage import SpoolStatus, TradeSpool, TradeWriter
from app.market.trade import Trade

_PASS_ON_TRADES = 10_000
_PATIENCE_S = 0.25


class SpoolStream:
    """Moves trades between one spool and the writers that come and go. All methods on the loop, one at a time."""

    def __init__(self, spool: TradeSpool) -> None:
        self._spool = spool
        self._lent = 0  # up to this batch everything has been given to …
        self._lent_to: TradeWriter | None = None
        self._forgotten = 0  # and up to this one it has been stored

    @property
    def status(self) -> SpoolStatus:
        """What is on disk."""
        return self._spool.status

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits on disk that is not stored."""
        return self._spool.last_number <= self._forgotten or not self._spool.status.trades

    def held(self, symbol: str) -> IdRanges:
        """Return the ids on disk of a symbol."""
        return self._spool.held(symbol)

    def take_lost(self) -> dict[str, IdRanges]:
        """See `app.market.ports.storage.TradeSpool`."""
        return self._spool.take_lost()

    async def open(self) -> None:
        """Find what an earlier run has left."""
        await self._spool.open()

    async def keep(self, trades: Sequence[Trade]) -> int:
        """Put trades on disk, behind all others; return how many of the first of them it took."""
        return await self._spool.append(trades)

    async def keep_lent(self, trades: Sequence[Trade], writer: TradeWriter) -> int:
        """`keep` what the writer holds and has not committed; the spool is empty."""
        taken = await self._spool.append(trades)
        self._lent, self._lent_to = (
            (self._spool.last_number, writer) if taken == len(trades) else (self._forgotten, None)
        )
        return taken

    async def pass_on(self, writer: TradeWriter) -> bool:
        """
        Give the writer the next trades, or wait a moment for it to commit those it has been given.

        False where what is on disk cannot be read just now: it stays there.
        """
        if writer is not self._lent_to:
            self._lent, self._lent_to = self._forgotten, writer
        if self._lent <= self._forgotten:
            batch = await self._spool.read(self._forgotten, _PASS_ON_TRADES)
            if batch is None:
                return self.is_empty
            if not writer.put(batch.trades):
                await writer.wait_for_room(_PATIENCE_S)
                return True
            self._lent = batch.number
        await self.settle(writer, _PATIENCE_S)
        return True

    async def settle(self, writer: TradeWriter, timeout_s: float) -> None:
        """Let go of what this writer has been given, where it commits that in time."""
        lent = self._lent
        if writer is self._lent_to and lent > self._forgotten and await writer.flush(timeout_s):
            self._forgotten = max(lent, self._forgotten)
            await self._spool.forget(lent)

    async def tidy(self) -> None:
        """Let go once more of what is stored, where the disk would not before; the spool is empty otherwise."""
        if self.is_empty and self._spool.status.trades:
            await self._spool.forget(self._forgotten)

    async def close(self, timeout_s: float) -> bool:
        """End the spool's thread."""
        return await self._spool.close(timeout_s)


logger = logging.getLogger(__name__)

_LOOK_S = 0.25  # how often the database is looked at, and how old trades get before they are on disk
_SAVE_TRADES = 20_000
_TRY_AGAIN_S = 1.0
_ROOM_WAIT_S = 2.0
_OPENING_S = 5.0
_ENDING_S = 5.0
_SHORTLY_S = 0.005


class SpoolPath:
    """
    Looks after one spool from `start` to `finish`; all methods on the loop.

    ``is_used`` while trades go by disk, as they do until it is known to be empty. ``is_lost`` once there is no disk to
    go by; ``on_end`` is called then. ``on_spool`` and ``on_spool_lost``: see `app.live.outbox.outbox.TradeOutbox`.
    """

    def __init__(
        self,
        spool: TradeSpool,
        backlog: Backlog,
        direct: WriterPath,
        clock: Clock,
        *,
        on_spool: Callable[[], None],
        on_spool_lost: Callable[[dict[str, IdRanges]], None],
        on_end: Callable[[], None],
    ) -> None:
        self.is_used = True
        self.is_lost = False
        self.overflow = SpoolStream(spool)
        self._backlog = backlog
        self._direct = direct
        self._clock = clock
        self._on_spool = on_spool
        self._on_spool_lost = on_spool_lost
        self._on_end = on_end
        self._uncovered = False  # whether a writer holds trades that are not on disk while others are
        self._urgent = False
        self._saved_s = self._refused_s = float("-inf")
        self._moved = asyncio.Event()
        self._ending = False
        self._work: asyncio.Task[None] | None = None

    @property
    def covers(self) -> bool:
        """Whether all that writers were given and did not store is on disk."""
        return self.is_used and self._direct.recording and not self._uncovered

    @property
    def is_at_work(self) -> bool:
        """Whether anybody moves trades."""
        return self._work is not None and not self._work.done()

    def start(self) -> None:
        """Find what an earlier run has left, and begin."""
        self._work = asyncio.get_running_loop().create_task(self._look_after())
        self._work.add_done_callback(self._on_work_done)

    async def make_room(self) -> None:
        """Return when no more waits than can be kept, or when there is no way to have that soon."""
        end_s = self._clock.monotonic_s() + _ROOM_WAIT_S
        while self._backlog.is_full:
            if not self._direct.recording and self._direct.hand_over():
                break
            if self._is_refused or not self.is_at_work or self._clock.monotonic_s() > end_s:
                break
            self._urgent = True
            self._moved.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), _LOOK_S)
        self._urgent = False

    async def save(self) -> None:
        """Put all that waits on disk, as far as there is room; bounded in time."""
        self.is_used = True
        self._refused_s, asked_s = float("-inf"), self._clock.monotonic_s()
        try:
            async with asyncio.timeout(_ENDING_S):
                while self.is_at_work and len(self._backlog) and self._refused_s < asked_s:
                    await self._clock.sleep(_SHORTLY_S)
        except TimeoutError:
            logger.warning("the disk takes too long to keep what waits")

    async def finish(self) -> None:
        """End; what is on disk stays there. Bounded in time."""
        work = self._work
        if work is None:
            return
        self._ending = True
        await asyncio.wait([work], timeout=_ENDING_S)
        work.cancel()
        writer = self._direct.last_writer
        if not self.is_lost and writer is not None and not writer.unwritten():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ENDING_S):
                    await self.overflow.settle(writer, _LOOK_S)  # the end of its work
        if not await self.overflow.close(_ENDING_S):
            logger.warning("the disk takes too long to close the spool")

    async def _look_after(self) -> None:
        """Bring trades to the disk and from there to the database, until `finish`."""
        overflow = self.overflow
        try:
            async with asyncio.timeout(_OPENING_S):
                await overflow.open()
        except TimeoutError:
            logger.error("the disk takes too long to open the spool: this run goes without")
            self._end()
            return
        if not overflow.is_empty:
            logger.info("%d trades of an earlier run wait in the spool on disk", overflow.status.trades)
            self._on_spool()
        while not self._ending:
            if not self.is_used:
                await self._look()
            elif self._must_save():
                await self._save()
            elif self._direct.writer is None or not self._direct.recording or self._direct.writer.status.reason:
                await self._clock.sleep(_LOOK_S / 10)
            elif not overflow.is_empty:
                is_read = await overflow.pass_on(self._direct.writer)
                self._note_lost()
                if not is_read:
                    await self._clock.sleep(_LOOK_S)
            else:
                await self._leave()

    async def _look(self) -> None:
        """Begin where the direct way is closed, or where more waits than can be kept."""
        why = self._direct.lasting_trouble()
        if self._urgent:
            why = self._direct.trouble() or "the database is slower than the market"
        if why:
            await self._begin(why)
        else:
            await self.overflow.tidy()
            await self._clock.sleep(_LOOK_S)

    async def _begin(self, why: str) -> None:
        logger.warning("trades go to the spool on disk: %s", why)
        self.is_used = self._uncovered = True
        self._direct.is_full = False
        writer = self._direct.last_writer
        if not self._direct.is_held:  # or it will say what it left, see `TradeOutbox.put_first`
            given = writer.unwritten() if writer is not None else []
            kept = await self.overflow.keep_lent(given, writer) if writer is not None and given else 0
            self._uncovered = kept < len(given)
        self._saved_s = float("-inf")

    @property
    def _is_refused(self) -> bool:
        return self._clock.monotonic_s() - self._refused_s < _TRY_AGAIN_S

    def _must_save(self) -> bool:
        waiting = self._backlog.waiting
        if not waiting or not self._direct.recording or self._is_refused:
            return False
        is_due = self._clock.monotonic_s() - self._saved_s >= _LOOK_S or len(waiting) >= _SAVE_TRADES
        return self._urgent or (is_due and not self._direct.is_held)

    async def _save(self) -> None:
        taken = await self.overflow.keep(self._backlog.let_leave(_SAVE_TRADES))
        if not self._backlog.arrived(taken):
            self._refused_s = self._clock.monotonic_s()
        elif len(self._backlog.waiting) < _SAVE_TRADES:
            self._saved_s = self._clock.monotonic_s()
            if not self._direct.trouble():
                self._backlog.taken("the spool")
        self._note_lost()
        self._urgent = False
        self._moved.set()

    async def _leave(self) -> None:
        if not self._direct.hand_over():
            self._saved_s, self._direct.is_full = float("-inf"), False
            await self._clock.sleep(_LOOK_S / 10)
            return
        self.is_used = self._uncovered = self._urgent = False
        self._direct.is_well()
        self._on_spool()

    def _note_lost(self) -> None:
        if lost := self.overflow.take_lost():
            self._backlog.lose()
            self._on_spool_lost(lost)

    def _on_work_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.critical("the spool is not used any more because of a fault in the program", exc_info=error)
            self._end()

    def _end(self) -> None:
        self._backlog.arrived(0)
        self.is_used, self.is_lost = False, True
        self._on_end()
