"""Lines on standard output for the window that runs a command as a process of its own."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Progress = TypeVar("Progress")

_SENT_EVERY_S = 0.1


def send_line(line: bytes) -> None:
    """Write to standard output; blocks while the window reads nothing, and does nothing once that is gone."""
    with contextlib.suppress(OSError):
        while line:
            line = line[os.write(sys.stdout.fileno(), line) :]


class ProgressLines(Generic[Progress]):
    """Sends progress as lines made by ``line_of``, ten a second at most."""

    def __init__(self, line_of: Callable[[Progress], bytes]) -> None:
        self._line_of = line_of
        self._sent_s = float("-inf")

    def show(self, progress: Progress) -> None:
        """Send it, unless a line was sent within the last tenth of a second."""
        now_s = time.monotonic()
        if now_s >= self._sent_s + _SENT_EVERY_S:
            self._sent_s = now_s
            send_line(self._line_of(progress))
