"""Reads a generator in a thread of its own, a little ahead: the database or the network works while rows are packed."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator
from typing import TypeVar

Item = TypeVar("Item")

_AHEAD = 2  # items, which are some megabytes each
_POLL_S = 0.1


def read_ahead(items: Generator[Item, None, None], name: str) -> Generator[Item, None, None]:
    """
    Yield the items. An exception of the generator is raised here, after the items before it.

    The generator runs and is closed in a thread called ``name``. Closing this iterator ends the thread.
    """
    steps: queue.Queue[tuple[Item] | BaseException | None] = queue.Queue(_AHEAD)
    stop = threading.Event()

    def put(step: tuple[Item] | BaseException | None) -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                steps.put(step, timeout=_POLL_S)
                return

    def read() -> None:
        try:
            with contextlib.closing(items):
                for item in items:
                    put((item,))
                    if stop.is_set():
                        return
            put(None)
        except BaseException as error:  # noqa: BLE001  # because the other thread raises it
            put(error)

    thread = threading.Thread(target=read, name=name)
    thread.start()
    try:
        while (step := steps.get()) is not None:
            if isinstance(step, BaseException):
                raise step
            yield step[0]
    finally:
        stop.set()
        thread.join()
