"""
A real database for the tests here that read history from one, and a recorder for those of repairs.

There is one server for all tests, and a schema of its own for each.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.live.recording.recorder import Recorder
from tests.live.databases import FakeWriter
from tests.live.helpers import recorder_for
from tests.servers import EMBEDDED, shared_server
from tests.storage.helpers import World
from tests.tables import our_tables


@pytest.fixture
async def recorder() -> Recorder:
    """A recorder with a writer, which has gaps of up to 100,000 trades fetched."""
    made = recorder_for(repair_trades=100_000)
    made.attach(FakeWriter())
    return made


@pytest.fixture
def world() -> Iterator[World]:
    with our_tables(shared_server(EMBEDDED)) as url:
        opened = World(url)
        yield opened
        opened.close()
