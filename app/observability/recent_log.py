"""The last lines of the log, kept in memory for the window's diagnostics."""

from __future__ import annotations

import logging
from collections import deque

from app.observability.logs import fields_of
from widgets.view_values import LogLine

MOST_LINES = 1000


class RecentLog(logging.Handler):
    """
    Keeps the last `MOST_LINES` lines, from any thread.

    ``total`` counts all lines so far; `since` uses it to return only new ones.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self._lines: deque[LogLine] = deque(maxlen=MOST_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line; called under the handler's lock."""
        try:
            line = _line(record)
        except Exception:  # noqa: BLE001  # because a line that cannot be formatted must not fail its logger
            self.handleError(record)
            return
        self._lines.append(line)
        self.total += 1

    def since(self, total: int) -> tuple[list[LogLine], int]:
        """Return the lines after the first ``total``, as far as they are kept, and the new total."""
        self.acquire()
        try:
            new = min(self.total - total, len(self._lines))
            return (list(self._lines)[len(self._lines) - new :] if new > 0 else []), self.total
        finally:
            self.release()


def _line(record: logging.LogRecord) -> LogLine:
    text = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        text += f" · {type(error).__name__}: {error}"
    fields = " ".join(f"{name}={value}" for name, value in fields_of(record).items())
    return LogLine(int(record.created * 1e6), record.levelno, record.name, " ".join(text.split()), fields)
