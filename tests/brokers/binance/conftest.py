"""The small exchange on a loopback socket that tests of the feed connect to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.brokers.binance.helpers import StreamServer


@pytest.fixture
async def server() -> AsyncIterator[StreamServer]:
    async with StreamServer() as server:
        yield server
