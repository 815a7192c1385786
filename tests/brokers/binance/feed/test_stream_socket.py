"""The log lines of one socket about unreadable messages."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from app.brokers.binance.stream_socket import StreamSocket
from app.market.ports.exchange import FeedCounters
from tests.live.helpers import HandClock, until


class StubConnection:
    """A connection that receives the frames put into ``frames``."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.transport = SimpleNamespace(abort=lambda: None)

    async def recv(self, *, decode: bool) -> bytes:
        assert not decode
        return await self.frames.get()

    async def close(self) -> None:
        return


async def test_unreadable_messages_are_logged_at_once_and_then_once_a_minute_with_their_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "app.brokers.binance.stream_socket")
    connection, counters, clock = StubConnection(), FeedCounters(), HandClock()
    made: Any = connection
    socket = StreamSocket(made, lambda _: None, counters, clock)

    async def garbage(times: int) -> None:
        before = counters.malformed
        for _ in range(times):
            connection.frames.put_nowait(b'{"secret')
        await until(lambda: counters.malformed == before + times)

    def warnings() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]

    try:
        await garbage(1)
        await garbage(500)
        assert len(warnings()) == 1
        clock.time_us += 60_000_000
        await garbage(500)
    finally:
        await socket.close()
    assert len(warnings()) == 2
    assert ": 502;" in warnings()[1]
    assert not any("secret" in line for line in warnings())
    assert sum("secret" in record.getMessage() for record in caplog.records) == 2
