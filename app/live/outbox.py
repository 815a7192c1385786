"""
The way of received trades to the database.

Trades are collected for a few milliseconds, so that the writer's queue is touched once a batch. Until a writer is
attached (the database is still starting, or cannot start) they wait here, up to a limit. What happens when everything
is full: while the writer is at work, reading the feed waits for it; while the database is away or stuck, the newest
trades are given up and handed back as lost, to be counted as missing and fetched again later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from app.market.ports import TradeWriter
from app.market.trade import Trade

logger = logging.getLogger(__name__)

_COLLECT_S = 0.005
_COLLECT_TRADES = 512
_ROOM_WAIT_S = 2.0
_RETRY_S = 0.25


class TradeOutbox:
    """
    Hands trades to a `TradeWriter`, all methods on the loop.

    ``on_lost`` is called with trades that had to be given up, ``on_recovered`` when trades are taken again after that.
    ``limit``: trades kept while there is no writer.
    """

    def __init__(self, limit: int, *, on_lost: Callable[[list[Trade]], None], on_recovered: Callable[[], None]) -> None:
        self._limit = limit
        self._on_lost = on_lost
        self._on_recovered = on_recovered
        self._writer: TradeWriter | None = None
        self._waiting: list[Trade] = []
        self._timer: asyncio.TimerHandle | None = None
        self._losing = False

    @property
    def waiting(self) -> int:
        """How many trades have not been handed to the writer."""
        return len(self._waiting)

    def waiting_trades(self) -> list[Trade]:
        """Return those trades, in the order they came."""
        return list(self._waiting)

    def attach(self, writer: TradeWriter | None) -> None:
        """Use this writer from now on; None: keep trades here."""
        self._writer = writer
        if writer is not None and self._waiting:
            self._hand_over()

    def put(self, trade: Trade) -> bool:
        """Take one trade. False asks the caller to await `make_room` before the next."""
        waiting = self._waiting
        waiting.append(trade)
        if len(waiting) >= _COLLECT_TRADES and (self._writer is not None or len(waiting) > self._limit):
            return self._hand_over()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_COLLECT_S, self._on_timer)
        return True

    def put_first(self, trades: Sequence[Trade]) -> None:
        """Take back trades that another writer was given and did not store; they come before those that wait."""
        self._waiting = [*trades, *self._waiting]

    async def make_room(self) -> None:
        """Wait while the writer catches up; return when it has, or when the newest trades had to be given up."""
        while self._waiting and not self._hand_over():
            writer = self._writer
            if writer is None or writer.status.reason:
                self._give_up()
                return
            if not await writer.wait_for_room(_ROOM_WAIT_S):
                self._give_up()
                return

    async def drain(self) -> None:
        """Hand everything over, waiting for room, as before closing."""
        if self._writer is not None:
            await self.make_room()

    def close(self) -> None:
        """Stop the timer; what still waits stays waiting."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        if self._waiting and self._writer is not None and not self._hand_over():
            if self._writer.status.reason:
                self._trim()
            # A quiet market brings no trade that would try again.
            self._timer = asyncio.get_running_loop().call_later(_RETRY_S, self._on_timer)

    def _hand_over(self) -> bool:
        if self._writer is None:
            return len(self._waiting) <= self._limit
        if not self._writer.put(self._waiting):
            return False
        self._waiting = []
        if self._losing:
            self._losing = False
            logger.info("the database takes trades again")
            self._on_recovered()
        return True

    def _trim(self) -> None:
        if len(self._waiting) > self._limit:
            self._give_up()

    def _give_up(self) -> None:
        # Keep what was waiting longest, up to the limit; the newest are the easiest to fetch again.
        keep = self._limit if self._writer is None else min(self._limit, _COLLECT_TRADES)
        lost, self._waiting = self._waiting[keep:], self._waiting[:keep]
        if lost:
            if not self._losing:
                self._losing = True
                logger.warning(
                    "the queue is full and the database is away: newest trades are given up until it is back"
                )
            self._on_lost(lost)
