"""Tasks that nobody awaits: kept while they run, because the loop alone would drop them, and their errors logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)

Begin = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
"""Starts a task on the loop and keeps it, as `Tasks.begin` does."""


async def first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Return when the first of ``waits`` does, or raise its error; cancel the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Tasks:
    """The tasks of one owner, from `begin` to `end`. ``owner`` names it in the log: “the window”."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._tasks: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        """Whether any task runs."""
        return bool(self._tasks)

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start ``work``. It handles the errors it expects; any other is logged as a fault in the program."""
        task = asyncio.get_event_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return task

    async def end(self) -> None:
        """Cancel all tasks, and return when they have ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.critical("a task of %s failed", self._owner, exc_info=error)
