"""One database server for all faults, a schema of its own for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.world import DatabaseServer
from tests.servers import empty_schema, forget


@pytest.fixture(scope="session")
def database(reachable_folder: Path) -> Iterator[DatabaseServer]:
    """The server; a fault that stops it starts it again."""
    data_dir = reachable_folder / "faults"
    server = DatabaseServer(data_dir)
    yield server
    assert server.end()
    forget(data_dir)


@pytest.fixture
def url(database: DatabaseServer) -> Iterator[str]:
    """An empty schema of that server, as a URL."""
    database.start()
    with empty_schema(database.url) as made:
        yield made
        database.start()
