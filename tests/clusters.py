"""
Database clusters for tests, copied from one that this process had made.

Making one takes initdb half a second of processor time, a copy of its files a tenth.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from storage.server import cluster
from storage.server.cluster import ServerHome
from storage.server.installations import Installation
from storage.server.run_program import Account

_init = cluster.init_cluster


@contextlib.contextmanager
def copied_clusters() -> Iterator[None]:
    """Let servers of this process that start for the first time run on a copy of what initdb made for one before."""
    if sys.platform == "win32":  # where each has a password of its own
        yield
        return
    made: dict[tuple[Path, Account | None], Path] = {}

    def init(home: ServerHome, postgres: Installation, folder: Path, *, checksums: bool = True) -> None:
        kind = postgres.bin_dir, home.account
        if not (checksums and postgres.from_wheel):
            _init(home, postgres, folder, checksums=checksums)
        elif kind in made:
            shutil.rmtree(folder, ignore_errors=True)
            _copy(made[kind], folder)
        else:
            _init(home, postgres, folder)
            made[kind] = Path(keeping) / str(len(made))
            _copy(folder, made[kind])

    with tempfile.TemporaryDirectory(prefix="cryptopipe-clusters-") as keeping:
        cluster.init_cluster = init
        try:
            yield
        finally:
            cluster.init_cluster = _init


@contextlib.contextmanager
def own_clusters() -> Iterator[None]:
    """Let initdb make every cluster, as the program does, though `copied_clusters` is on."""
    before, cluster.init_cluster = cluster.init_cluster, _init
    try:
        yield
    finally:
        cluster.init_cluster = before


def _copy(of: Path, to: Path) -> None:
    # With their owner, who is another user where root runs the server.
    subprocess.run(["cp", "-a", str(of), str(to)], check=True)
