"""The small exchange on a loopback socket to which the feed's tests connect."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.brokers.binance.helpers import StreamServer


@pytest.fixture
async def server() -> AsyncIterator[StreamServer]:
    async with StreamServer() as server:
        yield server
