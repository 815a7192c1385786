"""A served database, and a client that reads it over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp

from app.concurrency.system_clock import SystemClock
from app.market.ports.clock import Clock
from app.market.ports.database import OpenedDatabase
from app.market.trade import Trade
from app.serving.access import Access
from app.serving.program import Follower
from app.serving.server import Limits
from app.serving.service import Ports, ServingService
from storage.database import Database


class StillClock(SystemClock):
    """This machine's clock, but for the time of day, which stands still until a test moves it."""

    def __init__(self, time_us: int) -> None:
        self.time_us = time_us

    def now_us(self) -> int:
        return self.time_us


class Answer(NamedTuple):
    """What came back: ``body`` is the JSON, or the bytes that are none."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Client:
    """Reads one server."""

    def __init__(self, service: ServingService, session: aiohttp.ClientSession) -> None:
        self.service = service
        self.session = session

    async def get(self, path: str, headers: dict[str, str] | None = None, **parameters: object) -> Answer:
        query = {name: str(value) for name, value in parameters.items()}
        return await self.request("GET", path, headers, query)

    async def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, query: dict[str, str] | None = None
    ) -> Answer:
        url = self.service.url + path
        async with self.session.request(method, url, params=query, headers=headers) as response:
            body = await response.read()
            is_json = response.content_type == "application/json" and body
            return Answer(response.status, await response.json() if is_json else body, response.headers)


@asynccontextmanager
async def served(
    database: OpenedDatabase | None,
    *,
    access: Access | None = None,
    port: int = 0,
    clock: Clock | None = None,
    limits: Limits | None = None,
    deadline_s: float | None = None,
) -> AsyncIterator[Client]:
    """A client of a server on that database; port 0: a free one."""
    clock = clock or SystemClock()
    service = ServingService(
        access or Access(), Ports(port), Follower(clock), clock, limits=limits, deadline_s=deadline_s
    )
    service.use(database)
    service.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Client(service, session)
    finally:
        service.stop()


def record(database: Database, trades: Sequence[Trade]) -> None:
    """Store the trades, and wait until they are."""
    assert database.writer.put(trades)
    assert database.writer.drain(30)
