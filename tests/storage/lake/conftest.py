"""A second database, into which a lake is pulled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storage.postgres.connection import connect
from storage.schema.migrate import migrate
from tests.servers import empty_schema
from tests.storage.helpers import World


@pytest.fixture
def other(server_url: str) -> Iterator[World]:
    """A world on empty tables, beside ``world``."""
    with empty_schema(server_url) as url:
        with connect(url) as connection:
            migrate(connection)
        made = World(url)
        yield made
        made.close()
