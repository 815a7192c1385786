"""A disk that a test can fill up: a real file system, in memory."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

MB = 1 << 20


class SmallDisk:
    """A small file system in memory, mounted at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    @property
    def free(self) -> int:
        facts = os.statvfs(self.path)
        return facts.f_bavail * facts.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Take all the room but ``leave`` bytes."""
        with self._filler.open("ab", buffering=0) as filler, contextlib.suppress(OSError):
            while self.free > leave:
                filler.write(bytes(min(MB, self.free - leave)))

    def make_room(self) -> None:
        self._filler.unlink()


@contextlib.contextmanager
def mounted(path: Path, options: str) -> Iterator[SmallDisk]:
    """Create a folder and mount a small disk there; skip the test if that is not allowed."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root on Linux")
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        path.rmdir()
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", path], check=True)
        path.rmdir()
