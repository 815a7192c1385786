"""Clocks, small markets and clients for the sandbox's tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from app.sandbox.market.simulated import Listing, SimulatedMarket
from app.sandbox.server.connection import Connection, Limits
from app.sandbox.server.faults import Faults
from app.sandbox.server.server import SandboxServer
from app.sandbox.source import MarketSource

NOW_US = int(datetime(2026, 8, 14, 12, 34, 56, 789_000, tzinfo=UTC).timestamp() * 1_000_000)
FIRST_ID = 1_000

SMALL = (
    Listing("BTC", "60000", "0.01", "0.00001", 8.0),
    Listing("ADA", "0.35", "0.0001", "0.1", 2.0),
    Listing("币安人生", "0.12", "0.0001", "0.1", 1.0),
    Listing("LUNA", "80", "0.01", "0.01", 0.0, status="BREAK"),
)


class ManualClock:
    """A clock that stands still, except that `sleep` advances it at once."""

    def __init__(self, now_us: int = NOW_US) -> None:
        self.time_us = now_us

    def now_us(self) -> int:
        return self.time_us

    def monotonic_s(self) -> float:
        return self.time_us / 1e6

    async def sleep(self, seconds: float) -> None:
        self.time_us += round(seconds * 1e6)
        await asyncio.sleep(0)


def small_market(
    *, rate: float = 40.0, history: timedelta = timedelta(hours=6), seed: int = 7, clock: ManualClock | None = None
) -> SimulatedMarket:
    """Return a market of three trading symbols and one that does not trade, with its clock at `NOW_US` by default."""
    return SimulatedMarket(seed, SMALL, history=history, rate=rate, clock=clock or ManualClock())


def trade_line(number: int, *, receive_ms: int | None = None, price: str = "0.50000000") -> str:
    """Return a line of a frame dump: trade ``number`` of ABCUSDT, a quarter of a second after the one before."""
    time_ms = 1_700_000_000_000 + number * 250
    event = {
        "e": "trade",
        "E": time_ms + 1,
        "s": "ABCUSDT",
        "t": FIRST_ID + number,
        "p": price,
        "q": "2.00000000",
        "T": time_ms,
        "m": number % 3 == 0,
        "M": True,
    }
    frame = json.dumps({"stream": "abcusdt@trade", "data": event}, separators=(",", ":"))
    return f"{(receive_ms or time_ms + 20) * 1_000_000} {frame}\n"


def trade_dump(path: Path, count: int) -> Path:
    """Write a dump of ``count`` trades."""
    path.write_text("".join(trade_line(number) for number in range(count)))
    return path


@asynccontextmanager
async def serving(
    source: MarketSource, *, faults: Faults | None = None, limits: Limits | None = None, port: int = 0
) -> AsyncIterator[SandboxServer]:
    """Run a server within the context."""
    server = SandboxServer(source, faults=faults, limits=limits, port=port)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def get(server: SandboxServer, path: str, *, microseconds: bool = False, **parameters: object) -> Any:
    """Return the JSON of one GET below /api/v3/, whatever its status."""
    return (await get_all(server, path, microseconds=microseconds, **parameters))[1]


async def get_all(
    server: SandboxServer, path: str, *, microseconds: bool = False, **parameters: object
) -> tuple[int, Any, dict[str, str]]:
    """Return status, JSON and headers of one GET below /api/v3/."""
    headers = {"X-MBX-TIME-UNIT": "MICROSECOND"} if microseconds else {}
    query = {name: str(value) for name, value in parameters.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.rest_url}/api/v3/{path}", params=query, headers=headers) as response,
    ):
        return response.status, json.loads(await response.read()), dict(response.headers)


async def newest_connection(server: SandboxServer) -> Connection:
    """Return the server's side of the connection just opened."""
    while not server.connections:  # polled: the product needs no event for it
        await asyncio.sleep(0.001)
    return server.connections[-1]
