"""A second database, into which a lake is pulled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.storage.helpers import World
from tests.tables import our_tables


@pytest.fixture
def other(server_url: str) -> Iterator[World]:
    """A world on empty tables, beside ``world``."""
    with our_tables(server_url) as url:
        made = World(url)
        yield made
        made.close()
