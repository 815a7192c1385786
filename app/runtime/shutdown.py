"""
Ending a program: on Ctrl-C or SIGTERM, with the process that started it, after a given time, and in bounded time.

A shutdown may hang: on a database that does not answer, or on a thread that Python joins at exit. `leave` ends the
process even so, and nobody needs to kill it. `run_to_end` leaves threads behind that need not be waited for.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NoReturn, TypeVar

from app.market.errors import UsageError

logger = logging.getLogger(__name__)

SHUTDOWN_S = 30.0
LONGEST_DAYS = 3_650
_FAILED = 1

Result = TypeVar("Result")


def leave(why: str) -> NoReturn:
    """End the process at once with exit code 1; log ``why`` and print it on standard error."""
    logger.warning("left: %s", why)
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"cryptopipe: {why}\n")
            sys.stderr.flush()
    os._exit(_FAILED)


def run_to_end(work: Callable[[], int]) -> NoReturn:
    """
    Do the program's work and end the process with the exit code that it returns; call it once, at the very start.

    At its end Python stops threads that need not be waited for wherever they are. One that is inside the database's
    library then aborts the process now and then. So if any is left once all else is done, the process leaves it.
    """
    code = _FAILED

    def leave_threads() -> None:
        if any(thread.daemon for thread in threading.enumerate()):
            logging.shutdown()
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError, AttributeError):
                    stream.flush()
            os._exit(code)

    atexit.register(leave_threads)  # registered before all others, so it is called after them
    try:
        code = work()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else _FAILED
        raise
    sys.exit(code)


@contextlib.contextmanager
def on_signals(stop: Callable[[], object]) -> Iterator[None]:
    """Call ``stop`` on the first SIGINT or SIGTERM, `leave` on the second. In the main thread only."""
    seen = threading.Event()

    def on_signal(number: int, frame: object) -> None:
        del number, frame
        if seen.is_set():
            leave("Left at once, on the second signal.")
        seen.set()
        stop()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def at_end_of_stdin(stop: Callable[[], object]) -> None:
    """
    Call ``stop``, in a thread, once standard input ends: when the process that started this one closes it, or dies.

    Nothing else may read standard input from now on.
    """

    def wait() -> None:
        # Not through sys.stdin: Python aborts at exit if a thread holds the lock of its buffer.
        with contextlib.suppress(OSError):
            while os.read(sys.stdin.fileno(), 4096):
                pass
        stop()

    threading.Thread(target=wait, name="stdin", daemon=True).start()


@contextlib.contextmanager
def bounded_shutdown() -> Iterator[Callable[[], None]]:
    """
    Yield ``begin_shutdown``: after its first call the block must end within `SHUTDOWN_S`, or the process does.
    """
    why = f"Ending took more than {SHUTDOWN_S:.0f} s and was given up; what is not stored will be missing."
    timer = threading.Timer(SHUTDOWN_S, leave, [why])
    timer.daemon = True

    def begin() -> None:
        if timer.ident is None:
            timer.start()

    try:
        yield begin
    finally:
        timer.cancel()


class StopEvent:
    """An event for one loop to wait for; a signal handler or any thread may set it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_set = False

    @property
    def is_set(self) -> bool:
        """Whether it has been set."""
        return self._is_set

    def set(self) -> None:
        """Set it for good."""
        self._is_set = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        """Return once it is set."""
        self._loop = asyncio.get_running_loop()
        if not self._is_set:
            await self._event.wait()


async def unless_stopped(work: Coroutine[Any, Any, Result], stop: StopEvent) -> Result | None:
    """Return the result of ``work``; None if ``stop`` was set first, which cancels the work."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


def parse_duration(text: str) -> float:
    """
    Return ``60s``, ``10m``, ``8h``, ``90d`` or ``52w`` as seconds; ten years (`LONGEST_DAYS`) at most.

    Raises:
        UsageError: If it has another form, or is longer.
    """
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
    number, unit = text.strip()[:-1].lstrip("0"), text.strip()[-1:].lower()
    if unit not in units or not number.isascii() or not number.isdigit():
        raise UsageError(f"“{text[:80]}” is not a length of time: write it like 60s, 10m, 8h or 90d.")
    # The length first: Python refuses to convert thousands of digits, with an error of its own.
    if len(number) > 10 or int(number) * units[unit] > LONGEST_DAYS * units["d"]:
        raise UsageError(f"“{text[:80]}” is too long: {LONGEST_DAYS}d is the longest there is.")
    return float(int(number) * units[unit])
