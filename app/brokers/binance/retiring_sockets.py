"""
Links on their way out: read on for a while, so that nothing is missing between them and those that replaced them.

What was on its way when the new link was subscribed arrives on the old one meanwhile, perhaps late; so the trades
decide how much longer than the least that is.
"""

from __future__ import annotations

import asyncio

from app.brokers.binance.stream_socket import StreamSocket
from app.market.ports.clock import Clock

OVERLAP_S = 2.0
_LONGEST_OVERLAP_S = 12.0


class RetiringSockets:
    """
    The links of one connection: those in ``links`` are open, and `leave` sends them away.

    ``tick_s``: how often to look whether a link has been read for long enough.
    """

    def __init__(self, clock: Clock, tick_s: float) -> None:
        self._clock = clock
        self._tick_s = tick_s
        self.links: list[StreamSocket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def leave(self, link: StreamSocket, *, after_s: float = 0.0, successor: StreamSocket | None = None) -> None:
        """Close ``link``, not before ``after_s`` and until its trades meet those of its ``successor``."""
        task = asyncio.create_task(self._close_after(link, after_s, successor))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def shut(self) -> None:
        """Close all links at once."""
        try:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.gather(*(link.close() for link in self.links))
        finally:
            self.links.clear()

    async def _close_after(self, link: StreamSocket, seconds: float, successor: StreamSocket | None) -> None:
        if seconds:
            await self._clock.sleep(seconds)
            if successor is not None:
                await self._wait_for_overlap(link, successor)
            # Where we have been too busy to read, it may still hold trades from before the new one began.
            await link.finish()
        await link.close()
        self.links.remove(link)

    async def _wait_for_overlap(self, link: StreamSocket, successor: StreamSocket) -> None:
        end_s = self._clock.monotonic_s() + _LONGEST_OVERLAP_S - OVERLAP_S
        received = -1  # or it is quiet, and so is the market
        while self._clock.monotonic_s() < end_s and not link.has_ended:
            if link.overlaps(successor) or (successor.first_trade_us is None and link.received == received):
                return
            received = link.received
            await self._clock.sleep(self._tick_s)
