"""Telling a full disk from all else that can go wrong with files and with the server's start."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from app.market.errors import StoreUnavailable

_DISK_FULL_ERRNOS = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_DISK_FULL_MESSAGES = ("No space left on device", "Disk quota exceeded", "not enough space on the disk")
_MIN_FREE_BYTES = 16 << 20  # bytes: a segment of the server's log, without which it cannot start


def is_disk_full(cause: OSError | str) -> bool:
    """Whether the system's error, or a program's words, mean that there is no room on the disk."""
    if isinstance(cause, OSError):
        return cause.errno in _DISK_FULL_ERRNOS
    return any(words in cause for words in _DISK_FULL_MESSAGES)


def has_room(folder: Path) -> bool:
    """Whether a server can start in ``folder``; a full disk may also keep it from saying why it does not."""
    try:
        return shutil.disk_usage(folder).free >= _MIN_FREE_BYTES
    except OSError:
        return True


def disk_full_error(folder: Path) -> StoreUnavailable:
    """Return what to say where the database in ``folder`` cannot start or be made for want of space."""
    return StoreUnavailable(f"The disk is full: free some space where the embedded database lies, in {folder}.")
