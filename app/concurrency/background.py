"""
Blocking work in a thread of its own: it does not keep the program from ending, unless it has to be done, and takes up
none of the loop's own few threads. Those find the exchange's address, too, and a database that hangs must not keep a
connection from healing. So whatever waits for anybody comes here, and `asyncio.to_thread` is for what only computes.
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
    Begins ``work`` in a thread of its own. Its result comes from `result`; where nobody takes it, because of `abandon`
    or because the loop has ended, ``discard`` is called with it, in a thread too. ``to_its_end``: the program does not
    end before the work has, which is bounded.
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
        """Return what the work returned, or raise what it raised. May be awaited again after being cancelled."""
        return await asyncio.shield(self._outcome)

    def abandon(self) -> None:
        """Nobody will take the result."""
        if not self._outcome.cancel() and not self._outcome.cancelled() and self._outcome.exception() is None:
            self._let_go(self._outcome.result())

    def _run(self) -> None:
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001  # because whoever waits for it raises it
            self._on_loop(partial(self._outcome.set_exception, error), lambda: None)
        else:
            self._on_loop(partial(self._outcome.set_result, result), partial(self._let_go, result))

    def _on_loop(self, tell: Callable[[], None], let_go: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(lambda: let_go() if self._outcome.cancelled() else tell())
        except RuntimeError:  # the loop has been closed
            let_go()

    def _let_go(self, result: Result) -> None:
        threading.Thread(target=self._discard, args=(result,), name="discard").start()


async def in_background(work: Callable[[], Result], name: str, *, to_its_end: bool = False) -> Result:
    """
    Return what ``work`` returns; a cancelled one goes on by itself, and nobody waits for its thread, but the end of the
    program where it has to be done ``to_its_end``.
    """
    running = Background(work, lambda _: None, name, to_its_end=to_its_end)
    try:
        return await running.result()
    except asyncio.CancelledError:
        running.abandon()
        raise
