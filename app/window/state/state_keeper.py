"""
Saves the window's state within a second of each change, so that a kill loses at most the last second.

A change only starts a timer. As it fires, the state is collected, and written if it differs from what the file has: in
a thread, because the disk may take its time. What could not be written is tried again every few seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from app.concurrency.background import in_background
from app.concurrency.tasks import Tasks
from app.window.state.window_state import WindowState, encode_state, write_state

logger = logging.getLogger(__name__)

_DELAY_MS, _RETRY_MS = 400, 5000


class StateKeeper(QObject):
    """
    ``collect`` brings what the widgets know into ``state``, before each save.

    Signals:
        written(object, str): A save has ended. Carries when the state that the file has was written, UTC microseconds,
            None if this program has not written one yet; and why a newer one could not be, empty if it is the newest.
    """

    written = Signal(object, str)

    def __init__(self, state: WindowState, data_dir: Path, collect: Callable[[], object]) -> None:
        super().__init__()
        self._state, self._data_dir, self._collect = state, data_dir, collect
        self._tasks = Tasks("the window's state")
        self._lock = threading.Lock()  # only one thread writes, and never an older state after a newer one
        self._number, self._written_number = 0, 0
        self._saved = b""
        self._saved_us: int | None = None
        self._trouble = ""
        self._is_stopped = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._save)

    def note(self) -> None:
        """Save soon, because something has changed or may have. Cheap: call it for every step of a drag."""
        if not self._timer.isActive() or self._timer.remainingTime() > _DELAY_MS:
            self._timer.start(_DELAY_MS)

    def save_now(self) -> None:
        """Save what has changed, and return once it is on the disk."""
        self._timer.stop()
        self._changed()
        # A write under way is waited for; one that failed, or that `stop` gave up, is made up for.
        self._report(self._saved, self._write(self._number, self._saved))

    async def stop(self) -> None:
        """Save no more on a timer; `save_now` still does."""
        self._is_stopped = True
        self._timer.stop()
        await self._tasks.end()

    def _save(self) -> None:
        data = self._changed()
        if data is not None:
            self._tasks.begin(self._write_beside(self._number, data))

    async def _write_beside(self, number: int, data: bytes) -> None:
        self._report(data, await in_background(lambda: self._write(number, data), "save-state"))

    def _changed(self) -> bytes | None:
        """Return the state to write, or None if it is that of the last save."""
        self._collect()
        data = encode_state(self._state)
        if data == self._saved:
            return None
        self._saved = data
        self._number += 1
        return data

    def _write(self, number: int, data: bytes) -> str | None:
        """Return why the state could not be written, empty if it is; None: it is on the disk, or a newer one is."""
        with self._lock:
            if number <= self._written_number:
                return None
            try:
                write_state(data, self._data_dir)
            except OSError as error:
                return error.strerror or str(error)
            self._written_number = number
            return ""

    def _report(self, data: bytes, trouble: str | None) -> None:
        if trouble is None:
            return
        if trouble and trouble != self._trouble:
            logger.warning("the window's state was not saved: %s", trouble)
        self._trouble = trouble
        if not trouble:
            self._saved_us = time.time_ns() // 1000
        elif data == self._saved:
            self._saved = b""  # the file has an older one
            if not self._is_stopped and not self._timer.isActive():
                self._timer.start(_RETRY_MS)
        self.written.emit(self._saved_us, trouble)
