"""A database with our tables, and a server on it, for the tests here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.database import Database
from tests.servers import EMBEDDED, shared_server
from tests.tables import our_tables


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A schema of its own on the shared server, opened as the program opens it."""
    with our_tables(shared_server(EMBEDDED)) as url:
        opened = Database.open(url, tmp_path)
        try:
            yield opened
        finally:
            assert opened.close()
