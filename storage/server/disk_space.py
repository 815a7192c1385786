"""Recognizing a full disk, in errors of the system and in the output of PostgreSQL's programs."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from app.market.errors import StoreUnavailable

_DISK_FULL_ERRNOS = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_DISK_FULL_MESSAGES = ("No space left on device", "Disk quota exceeded", "not enough space on the disk")
_MIN_FREE_BYTES = 16 << 20  # one WAL segment, without which the server cannot start


def is_disk_full(cause: OSError | str) -> bool:
    """Whether an error of the system, or a program's output, means that the disk is full."""
    if isinstance(cause, OSError):
        return cause.errno in _DISK_FULL_ERRNOS
    return any(words in cause for words in _DISK_FULL_MESSAGES)


def has_room(folder: Path) -> bool:
    """Whether ``folder`` has room for a server to start; on a full disk it may not even be able to log the reason."""
    try:
        return shutil.disk_usage(folder).free >= _MIN_FREE_BYTES
    except OSError:
        return True


def disk_full_error(folder: Path) -> StoreUnavailable:
    """Return the error to raise if the database in ``folder`` cannot start or be created for lack of space."""
    return StoreUnavailable(f"The disk is full: free some space where the embedded database lies, in {folder}.")
