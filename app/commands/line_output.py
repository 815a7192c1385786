"""Lines on standard output for the window that runs a command as a process of its own."""

from __future__ import annotations

import contextlib
import os
import sys
import time

from app.live.transfers.process_lines import line_of

_SENT_EVERY_S = 0.1


def send(message: object) -> None:
    """Write its line to standard output; blocks while the window reads nothing, and does nothing once that is gone."""
    line = line_of(message)
    with contextlib.suppress(OSError):
        while line:
            line = line[os.write(sys.stdout.fileno(), line) :]


class ProgressLines:
    """Sends progress, at most ten lines per second."""

    def __init__(self) -> None:
        self._sent_s = float("-inf")

    def show(self, progress: object) -> None:
        """Send it, unless a line was sent within the last tenth of a second."""
        now_s = time.monotonic()
        if now_s >= self._sent_s + _SENT_EVERY_S:
            self._sent_s = now_s
            send(progress)
