"""
Passes received ticks on to the database.

Ticks come a few times a second, so they are handed over one batch for every turn of the loop that brought any. While
there is no writer, or its queue is full, they wait in memory up to a limit; beyond it the oldest are given up, because
the newest are those that nothing else has yet: the broker's own candles show what is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from app.market.ports.ticks import TickWriter
from app.market.quotes.tick import Tick

logger = logging.getLogger(__name__)

_COLLECT_S = 0.02
_RETRY_S = 0.25


class TickOutbox:
    """
    Hands ticks to a `TickWriter`; all methods on the loop. ``limit``: how many ticks are kept while it takes none.

    ``lost`` counts the ticks that were given up; ``on_lost`` is called with each.
    """

    def __init__(self, limit: int) -> None:
        self.lost = 0
        self.on_lost: Callable[[Tick], None] = lambda _: None
        self._limit = limit
        self._waiting: deque[Tick] = deque()
        self._writer: TickWriter | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """The number of ticks that no writer has taken."""
        return len(self._waiting)

    def attach(self, writer: TickWriter | None) -> None:
        """Hand ticks to ``writer`` from now on; with None, keep them here."""
        self._writer = writer
        self.hand_over()

    def put(self, tick: Tick) -> None:
        """Take one tick."""
        self._waiting.append(tick)
        if len(self._waiting) > self._limit:
            self._give_up()
        if self._timer is None and not self._is_closed:
            self._timer = asyncio.get_running_loop().call_later(_COLLECT_S, self.hand_over)

    def put_first(self, ticks: Sequence[Tick]) -> None:
        """Take back the ticks that a previous writer did not store, before those that wait."""
        self._waiting.extendleft(reversed(ticks))

    def hand_over(self) -> None:
        """Hand all waiting ticks to the writer, now, or a moment later if its queue is full."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting or self._writer is None:
            return
        if self._writer.put(list(self._waiting)):
            self._waiting.clear()
        elif not self._is_closed:
            self._timer = asyncio.get_running_loop().call_later(_RETRY_S, self.hand_over)

    def close(self) -> list[Tick]:
        """Hand over what waits, and no more from now on; return what the writer did not take."""
        self._is_closed = True
        self.hand_over()
        return list(self._waiting)

    def _give_up(self) -> None:
        if not self.lost:
            logger.error("Ticks are given up, because the database has taken none for too long")
        self.lost += 1
        self.on_lost(self._waiting.popleft())
