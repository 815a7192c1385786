"""One recording program a data directory: a lock that dies with its holder."""

from __future__ import annotations

from pathlib import Path

import fasteners

from app.market.errors import UsageError


class InstanceLock:
    """
    Held by the window or by ``collect`` while it runs on a data directory.

    The operating system releases it when the process ends, however it ends.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._lock = fasteners.InterProcessLock(str(data_dir / "recording.lock"))

    def acquire(self) -> None:
        """
        Take the lock.

        Raises:
            UsageError: If another program holds it, or the folder cannot be written.
        """
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            taken = self._lock.acquire(blocking=False)
        except OSError as error:
            raise UsageError(
                f"The data directory {self._data_dir} cannot be written ({error.strerror}): "
                "name another with --data-dir."
            ) from error
        if not taken:
            self._lock.lockfile.close()
            raise UsageError(
                f"Another cryptopipe already records into {self._data_dir}: close it, or name another --data-dir."
            )

    def release(self) -> None:
        """Give the lock back; without holding it, do nothing."""
        if self._lock.acquired:
            self._lock.release()
