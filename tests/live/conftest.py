"""A real database for the tests here that read history from one: a server for all, a schema of its own for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storage.connection import connect
from storage.migrate import migrate
from tests.servers import EMBEDDED, empty_schema, running_server
from tests.storage.helpers import World


@pytest.fixture(scope="session")
def history_server() -> Iterator[str]:
    with running_server(EMBEDDED) as url:
        yield url


@pytest.fixture
def world(history_server: str) -> Iterator[World]:
    with empty_schema(history_server) as url:
        with connect(url) as connection:
            migrate(connection)
        opened = World(url)
        yield opened
        opened.close()
