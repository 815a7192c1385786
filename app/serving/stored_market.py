"""
Reads the database for the server: in threads of its own, over connections of its own, each within a deadline.

Recording and the window have other threads and connections, so nothing that a client asks for can delay them. A read
that takes longer is given up by the client's side at the deadline, and by the server's at the statement timeout.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from app.market.errors import StoreUnavailable
from app.market.ports.database import SeparateStore

DEADLINE_S = 5.0
THREADS = 4
CONNECTIONS = THREADS + 2  # a long range takes two, and live messages shall not wait for it
SETTLES_S = 3  # for which a trade may wait to be stored: batches are a second long
TICKS_SETTLE_S = 15  # after which all of a candle of ticks is known: what was watched is noted every 10 s
_MOST_WAITING = 128
_HANG_UP_S = 1.0

Result = TypeVar("Result")


class StoredMarket:
    """
    Answers reads from the store in use; `close` it at the end.

    ``use`` names another store, None for none; the one before is closed. From any thread.
    """

    def __init__(self, *, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._store: SeparateStore | None = None
        self._waiting = 0
        self._shared: dict[Hashable, asyncio.Task[Any]] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="serve-read")

    def use(self, store: SeparateStore | None) -> None:
        """Read from that store from now on."""
        before, self._store = self._store, store
        if before is not None:
            threading.Thread(target=partial(before.close, _HANG_UP_S), name="serve-close", daemon=True).start()

    async def read(
        self, work: Callable[[SeparateStore], Result], *, or_else: str = "retry later, or ask for less"
    ) -> Result:
        """
        Return what ``work`` reads from the store, in a thread; ``or_else``: what a client may do if it takes too long.

        Raises:
            StoreUnavailable: If there is no store, too many reads wait, or the deadline is over.
            StoreError: If the store raises it.
        """
        store = self._store
        if store is None:
            raise StoreUnavailable("The database is not open: wait a moment.")
        if self._waiting >= _MOST_WAITING:
            raise StoreUnavailable("Too many requests wait for the database: retry later.")
        self._waiting += 1
        try:
            async with asyncio.timeout(self.deadline_s):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work, store)
        except TimeoutError as error:
            raise StoreUnavailable(f"The database took longer than {self.deadline_s:g} s: {or_else}.") from error
        except RuntimeError as error:
            if self._store is not None:
                raise
            raise StoreUnavailable("The server is ending.") from error  # its threads have ended meanwhile
        finally:
            self._waiting -= 1

    async def shared_read(self, key: Hashable, work: Callable[[SeparateStore], Result]) -> Result:
        """Like `read`; whoever asks for the same ``key`` while it is read gets that result."""
        reading = self._shared.get(key)
        if reading is None:
            reading = self._shared[key] = asyncio.get_running_loop().create_task(self.read(work))
            reading.add_done_callback(partial(self._forget, key))
        result: Result = await asyncio.shield(reading)
        return result

    def _forget(self, key: Hashable, reading: asyncio.Task[Any]) -> None:
        del self._shared[key]
        if not reading.cancelled():
            reading.exception()  # retrieve it: all who shared the read may have left

    def deadline(self) -> Callable[[], None]:
        """Return a function for a long read to call between its parts; it raises StoreUnavailable past the deadline."""
        end_s = time.monotonic() + self.deadline_s

        def check() -> None:
            if time.monotonic() > end_s:
                raise StoreUnavailable("The read was given up: it took too long.")

        return check

    def close(self) -> None:
        """Read no more; hang up on reads that a server keeps waiting. Blocks for about a second at most."""
        store, self._store = self._store, None
        self._threads.shutdown(wait=False, cancel_futures=True)
        if store is not None:
            store.close(_HANG_UP_S)
