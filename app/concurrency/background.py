"""
Blocking work in threads of its own.

`asyncio.to_thread` shares a few threads with the loop, which also needs them to look up the exchange's address: a
database that hangs would keep a connection from healing. So work that waits for anything runs here, and `to_thread` is
for pure computing. Such a thread does not keep the program from ending, unless its work has to be done.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Background(Generic[Result]):
    """
    Starts ``work`` in a thread of its own; `result` returns its result.

    If nobody takes the result, because of `abandon` or because the loop has ended, ``discard`` is called with it, in a
    thread too. ``to_its_end``: the program does not end before the work has, which must be bounded in time.
    """

    def __init__(
        self, work: Callable[[], Result], discard: Callable[[Result], object], name: str, *, to_its_end: bool = False
    ) -> None:
        self._work = work
        self._discard = discard
        self._loop = asyncio.get_running_loop()
        self._outcome: asyncio.Future[Result] = self._loop.create_future()
        threading.Thread(target=self._run, name=name, daemon=not to_its_end).start()

    async def result(self) -> Result:
        """Return the work's result, or raise its error. May be awaited again after being cancelled."""
        return await asyncio.shield(self._outcome)

    def abandon(self) -> None:
        """Discard the result, now or once it is there."""
        if not self._outcome.cancel() and not self._outcome.cancelled() and self._outcome.exception() is None:
            self._discard_in_thread(self._outcome.result())

    def _run(self) -> None:
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001  # because `result` raises it
            self._on_loop(partial(self._outcome.set_exception, error), lambda: None)
        else:
            self._on_loop(partial(self._outcome.set_result, result), partial(self._discard_in_thread, result))

    def _on_loop(self, deliver: Callable[[], None], discard: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(lambda: discard() if self._outcome.cancelled() else deliver())
        except RuntimeError:  # the loop has been closed
            discard()

    def _discard_in_thread(self, result: Result) -> None:
        threading.Thread(target=self._discard, args=(result,), name="discard").start()


async def in_background(work: Callable[[], Result], name: str, *, to_its_end: bool = False) -> Result:
    """
    Run ``work`` in a thread of its own and return its result.

    If cancelled, the work goes on, and its result is dropped. ``to_its_end``: see `Background`.
    """
    running = Background(work, lambda _: None, name, to_its_end=to_its_end)
    try:
        return await running.result()
    except asyncio.CancelledError:
        running.abandon()
        raise
