"""
Closes the sockets of a connection, and keeps reading a replaced one until its successor misses no trade.

A trade made before the new socket was subscribed reaches only the old one, perhaps late. So the old one is read until
its trades overlap with its successor's, for at least `MIN_OVERLAP_S` and at most `_MAX_OVERLAP_S`.
`app.brokers.binance.feed_connection` opens sockets and decides when to replace one.
"""

from __future__ import annotations

import asyncio

from app.brokers.binance.stream_socket import StreamSocket
from app.market.ports.clock import Clock

MIN_OVERLAP_S = 2.0
"""How long a replaced socket that still works is read at least."""

# An exchange under load delivers trades seconds late. Later ones are left to the repairer.
_MAX_OVERLAP_S = 12.0


class RetiringSockets:
    """
    Closes the sockets of one connection: a replaced one by `retire`, all of them by `close_all`.

    ``sockets``: those still open. The owner adds each socket it opens; closing removes it. ``tick_s``: how often to
    check whether a socket has been read for long enough.
    """

    def __init__(self, clock: Clock, tick_s: float) -> None:
        self._clock = clock
        self._tick_s = tick_s
        self.sockets: list[StreamSocket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def retire(self, socket: StreamSocket, *, after_s: float = 0.0, successor: StreamSocket | None = None) -> None:
        """
        Close ``socket`` in the background: at once, or after reading it for ``after_s`` longer.

        With both ``after_s`` and ``successor``, also wait for the trades of the two to overlap, a limited time.
        """
        task = asyncio.create_task(self._close_after(socket, after_s, successor))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close_all(self) -> None:
        """Close every socket at once, including the one in use."""
        try:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.gather(*(socket.close() for socket in self.sockets))
        finally:
            self.sockets.clear()

    async def _close_after(self, socket: StreamSocket, after_s: float, successor: StreamSocket | None) -> None:
        if after_s:
            await self._clock.sleep(after_s)
            if successor is not None:
                await self._wait_for_overlap(socket, successor)
            # If we were too busy to read, its queue may still hold trades from before the new one was subscribed.
            await socket.finish()
        await socket.close()
        self.sockets.remove(socket)

    async def _wait_for_overlap(self, socket: StreamSocket, successor: StreamSocket) -> None:
        """Return once the trades of both overlap, the market is quiet, ``socket`` has ended, or time is up."""
        end_s = self._clock.monotonic_s() + _MAX_OVERLAP_S - MIN_OVERLAP_S
        received = -1  # so that the first check never finds the market quiet
        while self._clock.monotonic_s() < end_s and not socket.has_ended:
            # Nothing on either socket since the last check: the market is quiet, and no overlap will come.
            is_quiet = successor.first_trade_us is None and socket.received == received
            if is_quiet or socket.overlaps(successor):
                return
            received = socket.received
            await self._clock.sleep(self._tick_s)
