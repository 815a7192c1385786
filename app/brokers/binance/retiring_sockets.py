"""
Replaced sockets, read for a while longer so that no trade is missing between them and their successors.

A trade that happened before the new socket was subscribed may still be on its way to the old one, perhaps late. An old
socket is therefore read until its trades overlap with those of its successor, within a least and a longest time.
"""

from __future__ import annotations

import asyncio

from app.brokers.binance.stream_socket import StreamSocket
from app.market.ports.clock import Clock

OVERLAP_S = 2.0
"""The least time for which a healthy replaced socket is read."""

# An exchange under load delivers seconds late. Beyond this the repairer fetches what is missing.
_LONGEST_OVERLAP_S = 12.0


class RetiringSockets:
    """
    The open sockets of one connection, ``sockets``, and the closing of those that `retire` is called for.

    The owner adds to ``sockets``. ``tick_s``: how often to check whether a socket has been read for long enough.
    """

    def __init__(self, clock: Clock, tick_s: float) -> None:
        self._clock = clock
        self._tick_s = tick_s
        self.sockets: list[StreamSocket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def retire(self, socket: StreamSocket, *, after_s: float = 0.0, successor: StreamSocket | None = None) -> None:
        """
        Close ``socket`` in the background: at once, or after ``after_s``.

        With ``after_s`` and a ``successor``, wait until the trades of both overlap too.
        """
        task = asyncio.create_task(self._close_after(socket, after_s, successor))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close_all(self) -> None:
        """Close every socket at once, the ones still in use included."""
        try:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.gather(*(socket.close() for socket in self.sockets))
        finally:
            self.sockets.clear()

    async def _close_after(self, socket: StreamSocket, seconds: float, successor: StreamSocket | None) -> None:
        if seconds:
            await self._clock.sleep(seconds)
            if successor is not None:
                await self._wait_for_overlap(socket, successor)
            # If we were too busy to read, it may still hold trades from before the new socket was subscribed.
            await socket.finish()
        await socket.close()
        self.sockets.remove(socket)

    async def _wait_for_overlap(self, socket: StreamSocket, successor: StreamSocket) -> None:
        end_s = self._clock.monotonic_s() + _LONGEST_OVERLAP_S - OVERLAP_S
        received = -1
        while self._clock.monotonic_s() < end_s and not socket.has_ended:
            # Without a trade on either socket since the last look, the market itself is quiet.
            is_quiet = successor.first_trade_us is None and socket.received == received
            if is_quiet or socket.overlaps(successor):
                return
            received = socket.received
            await self._clock.sleep(self._tick_s)
