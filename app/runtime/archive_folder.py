"""
The folder of one download's files from the exchange's archive.

A file that is being downloaded is continued by the next run, so it has one name. Two runs at once would write into one
another's, and each removes what it has stored. So each has a folder of its own, under a lock that dies with it.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

from storage.server.file_lock import FileLock

_NAME = "archive"


@contextlib.contextmanager
def archive_folder(data_dir: Path) -> Iterator[Path]:
    """Yield ``archive`` of the data directory; while another download has that, ``archive-2`` and so on. Not made."""
    for number in itertools.count(1):
        folder = data_dir / (_NAME if number == 1 else f"{_NAME}-{number}")
        lock = FileLock(folder.with_name(f"{folder.name}.lock"))
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            is_free = lock.acquire()
        except OSError:
            is_free = True  # no lock can be had there; whether a file can is known once there is one
        if is_free:
            with lock:
                yield folder
            return
