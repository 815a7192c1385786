"""
The database that a benchmark measures: the embedded one, or with ``--database URL`` an empty schema on another server.

The schema is dropped afterwards. On TimescaleDB Community `compress` makes of the trades what the policy would.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from storage.database import Database
from tests.servers import empty_schema, forget


def benchmark_options(module_docstring: str | None, **numbers: float) -> argparse.Namespace:
    """Return what was typed: each of these numbers, in that order, and ``database``."""
    parser = argparse.ArgumentParser(
        description=module_docstring, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    for name, default in numbers.items():
        parser.add_argument(name, nargs="?", type=float, default=default)
    parser.add_argument("--database", metavar="URL", help="a server to measure instead of the embedded one")
    return parser.parse_args()


@contextlib.contextmanager
def benchmark_folder() -> Iterator[Path]:
    """Yield a folder that also the embedded server's user may enter; its ``data`` is forgotten with it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        try:
            yield folder
        finally:
            forget(folder / "data")


@contextlib.contextmanager
def benchmark_database(url: str | None) -> Iterator[Database]:
    """Yield an open database without a trade; nothing of it stays."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ending:
        data_dir = Path(folder) / "data"
        if url:
            url = ending.enter_context(empty_schema(url))
        else:
            ending.callback(forget, data_dir)
        database = Database.open(url, data_dir)
        ending.callback(database.close)
        yield database
