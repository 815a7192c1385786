"""
One recorder per data directory: a lock that dies with its holder.

The spool and the remembered window belong to one program. Commands that only read, or repair, need no lock.
"""

from __future__ import annotations

from pathlib import Path

from app.market.errors import UsageError
from storage.server.file_lock import FileLock

_FILE = "recording.lock"
WINDOW_FILE = "running-window.json"
"""Where a start finds the window that holds the lock (`running_window`)."""


class InstanceLock:
    """
    Held by the window or by ``collect`` while it runs on a data directory.

    The operating system releases it when the process ends, also by kill -9.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._lock = FileLock(data_dir / _FILE)

    def acquire(self) -> None:
        """
        Take the lock, and make the directory where it is missing.

        Raises:
            UsageError: If another program holds it, or the directory cannot be written.
        """
        if not self.try_acquire():
            raise UsageError(
                f"Another cryptopipe already records into {self._data_dir}: close it, or name another --data-dir."
            )

    def try_acquire(self) -> bool:
        """
        Take the lock, and make the directory where it is missing; False if another program holds it.

        Raises:
            UsageError: If the directory cannot be written.
        """
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            acquired = self._lock.acquire()
            if acquired:
                (self._data_dir / WINDOW_FILE).unlink(missing_ok=True)  # of a window that crashed
        except OSError as error:
            self.release()
            raise UsageError(
                f"The data directory {self._data_dir} cannot be written ({error.strerror}): "
                "name another with --data-dir."
            ) from error
        return acquired

    def release(self) -> None:
        """Release the lock; do nothing if it is not held."""
        self._lock.release()
