"""
The bounded queue between those who put rows, trades or ticks, and the one thread that stores them.

A batch is due when `batch_rows` wait, the oldest has waited `batch_seconds`, or somebody flushes; it takes all that
wait then, up to `LARGEST_BATCH`. So the busier the market, the larger the batches, and the cheaper each row.

A row counts until it is settled: stored, found to be stored already, or refused. So the batch in hand takes up room
too. A full queue takes nothing, which its caller has to deal with (`app.live.outbox` sends rows to the spool).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

Row = TypeVar("Row")

LARGEST_BATCH = 10_000  # bounds the time that one transaction holds its symbols' locks


class _Waiter:
    """A coroutine that waits for the queue; ``is_ready`` is called under the queue's lock."""

    def __init__(self, is_ready: Callable[[], bool]) -> None:
        self.is_ready = is_ready
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self._loop.create_future()

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # its loop is closed, so nobody waits any more
            self._loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


class BatchQueue(Generic[Row]):
    """
    Rows put and not settled yet. Any thread may put and wait; one thread takes batches and settles them.

    ``batch_rows``, ``batch_seconds``: when a batch is due. ``limit``: rows that may be unsettled at a time.
    """

    def __init__(self, *, batch_rows: int, batch_seconds: float, limit: int) -> None:
        self._batch_rows = batch_rows
        self._batch_seconds = batch_seconds
        self._limit = limit
        self._changed = threading.Condition()
        self._waiting: deque[Row] = deque()
        self._waiting_since_s = 0.0
        self._in_hand: list[Row] = []
        self._in_hand_since_s = 0.0
        # Counts since the start, so that a flush knows when the last row put before it is settled.
        self._put_count = 0
        self._settled_count = 0
        self._flush_to = 0
        self._waiters: list[_Waiter] = []
        self._closing = self._abandoned = False

    # For those who put rows

    @property
    def unsettled(self) -> int:
        """How many rows were put and are not settled yet."""
        return self._put_count - self._settled_count

    def put(self, rows: Sequence[Row]) -> bool:
        """Queue the rows; False, taking none, if the queue is full or closed. An empty queue takes any number."""
        with self._changed:
            waiting = len(self._waiting)
            unsettled = self._put_count - self._settled_count
            if self._closing or (unsettled and unsettled + len(rows) > self._limit):
                return False
            self._waiting.extend(rows)
            self._put_count += len(rows)
            if not waiting:
                self._waiting_since_s = time.monotonic()
            # Only when the thread has to start a wait or end one: to wake it for each row would cost more than
            # storing it.
            if not waiting or waiting < self._batch_rows <= len(self._waiting):
                self._changed.notify()
            return True

    async def wait_for_room(self, timeout_s: float) -> bool:
        """Wait until a tenth of the queue is free, so that waiting pays; False past ``timeout_s``."""
        enough = self._limit - max(1, self._limit // 10)
        return await self._wait(lambda: self._put_count - self._settled_count <= enough, timeout_s)

    async def flush(self, timeout_s: float) -> bool:
        """Make all that was put due at once and wait until it is settled; False past ``timeout_s``."""
        target = self.hurry()
        return await self._wait(lambda: self._settled_count >= target, timeout_s)

    def drain(self, timeout_s: float) -> bool:
        """`flush` for a thread: blocks."""
        target = self.hurry()
        with self._changed:
            return self._changed.wait_for(lambda: self._settled_count >= target, timeout_s)

    def hurry(self) -> int:
        """Make all that was put due at once; return how many rows have been put so far."""
        with self._changed:
            self._flush_to = self._put_count
            self._changed.notify_all()
            return self._put_count

    def close(self) -> None:
        """Take no more rows. The waiting ones are due at once; after them `take_batch` returns False."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Give up what is not settled: `take_batch` returns False, and `pause` returns at once."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    def unwritten(self) -> list[Row]:
        """Return the rows that are not settled, in the order they were put."""
        with self._changed:
            return [*self._in_hand, *self._waiting]

    async def _wait(self, is_ready: Callable[[], bool], timeout_s: float) -> bool:
        waiter = _Waiter(is_ready)
        with self._changed:
            if is_ready():
                return True
            self._waiters.append(waiter)
        try:
            await asyncio.wait_for(waiter.future, timeout_s)
        except TimeoutError:
            return False
        finally:
            with self._changed, contextlib.suppress(ValueError):
                self._waiters.remove(waiter)
        return True

    # For the thread that stores them

    @property
    def in_hand(self) -> list[Row]:
        """The rows of the batch taken last that are not settled yet. The list returned never changes."""
        return self._in_hand

    @property
    def at_work_s(self) -> float:
        """For how long, in seconds, what is in hand has been stored; 0 while nothing is."""
        return time.monotonic() - self._in_hand_since_s if self._in_hand else 0.0

    @property
    def is_abandoned(self) -> bool:
        """Whether what is not settled has been given up."""
        return self._abandoned

    def take_batch(self) -> bool:
        """Wait for a batch that is due and take it in hand; False when there is nothing more to do."""
        with self._changed:
            if self._abandoned:
                return False  # what is in hand stays there, for `unwritten`
            while not self._is_due():
                if self._closing:
                    return False
                wait_s = self._waiting_since_s + self._batch_seconds - time.monotonic() if self._waiting else None
                self._changed.wait(wait_s)
            self._in_hand_since_s = time.monotonic()
            self._in_hand = list(islice(self._waiting, LARGEST_BATCH))
            for _ in self._in_hand:
                self._waiting.popleft()
            self._waiting_since_s = time.monotonic()
            return True

    def move_to_front(self, first: Sequence[Row], rest: Sequence[Row]) -> None:
        """Reorder what is in hand: ``first`` first, then ``rest``."""
        self._in_hand = [*first, *rest]

    def settle(self, count: int) -> None:
        """Count the first ``count`` rows in hand as done with, and wake those who wait for that."""
        with self._changed:
            self._in_hand = self._in_hand[count:]
            self._in_hand_since_s = time.monotonic()
            self._settled_count += count
            ready = [waiter for waiter in self._waiters if waiter.is_ready()]
            self._changed.notify_all()
        # Outside the lock: waking a coroutine takes its loop's lock.
        for waiter in ready:
            waiter.wake()

    def pause(self, timeout_s: float) -> None:
        """Wait for ``timeout_s``, or until what is in hand is abandoned."""
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned, timeout_s)

    def _is_due(self) -> bool:
        if not self._waiting:
            return False
        return (
            len(self._waiting) >= self._batch_rows
            or self._closing
            or self._settled_count < self._flush_to
            or time.monotonic() >= self._waiting_since_s + self._batch_seconds
        )
