"""
A loopback OANDA on a clock that runs fast, and the feed and the REST client that talk to it.

The clock is one that a busy machine does not make jump: else a moment's pause would look like a silent stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import Any

import pytest

from app.brokers.oanda.credentials import Credentials
from app.brokers.oanda.feed import OandaFeed
from app.brokers.oanda.http_client import HttpClient
from app.brokers.oanda.rest import OandaRest
from app.market.errors import FeedRejected
from app.market.ports.exchange import FeedState, FeedStatus
from app.market.quotes.tick import Tick
from app.market.trade import MarketEvent
from app.sandbox.oanda.server import ACCOUNT, TOKEN, OandaLimits, OandaSandbox
from app.sandbox.oanda.tape import SimulatedTape
from tests.brokers.binance.helpers import until
from tests.faults.world import HurriedClock

MONDAY_US = int(datetime(2026, 7, 13, 12, tzinfo=UTC).timestamp()) * 1_000_000
SPEED = 25.0
EURUSD, USDJPY = "oanda:EURUSD", "oanda:USDJPY"


class Client:
    """A feed with its receiver, and the REST client on the same connections; the market runs 25 times as fast."""

    def __init__(self, server: OandaSandbox, clock: HurriedClock, token: str = TOKEN, **options: Any) -> None:
        self.server = server
        self.clock = clock
        self.began_s = clock.monotonic_s()
        self.http = HttpClient(Credentials(token, ACCOUNT), clock=clock, proxy="none", timeout_s=3.0)
        self.rest = OandaRest(server.url, self.http, clock=MarketClock(server, clock))
        options = {"chance": random.Random(1), "connect_timeout_s": 3.0} | options
        self.feed = OandaFeed(server.url, self.http, self.rest, clock=clock, **options)
        self.ticks: list[Tick] = []
        self.statuses: list[FeedStatus] = []
        self.feed.on_status(self.statuses.append)

    @property
    def states(self) -> list[FeedState]:
        return [status.state for status in self.statuses]

    def receive(self, event: MarketEvent, received_us: int) -> None:
        assert isinstance(event, Tick)
        assert received_us > 0
        self.ticks.append(event)

    @contextlib.asynccontextmanager
    async def running(self, symbols: Collection[str] = (EURUSD,)) -> AsyncIterator[asyncio.Task[None]]:
        """Run the feed within the context; it must end within two seconds after it."""
        self.feed.set_symbols(symbols)
        task = asyncio.create_task(self.feed.run(self.receive))
        try:
            yield task
        finally:
            task.cancel()
            async with asyncio.timeout(2):
                with contextlib.suppress(asyncio.CancelledError, FeedRejected):
                    await task

    async def hears(self, more: int = 1, symbol: str = "") -> None:
        """Wait for that many more ticks."""

        def count() -> int:
            return sum(symbol in tick.symbol for tick in self.ticks)

        enough = count() + more
        await until(lambda: count() >= enough, f"{more} ticks")


class MarketClock:
    """The market's time as a clock's time of day."""

    def __init__(self, server: OandaSandbox, clock: HurriedClock) -> None:
        self._server = server
        self._clock = clock

    def now_us(self) -> int:
        return self._server.time.now_us()

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


@pytest.fixture
def fast() -> HurriedClock:
    return HurriedClock(MONDAY_US, speed=SPEED)


@pytest.fixture
async def server(fast: HurriedClock) -> AsyncIterator[OandaSandbox]:
    """A Monday noon with two prices a second and instrument, every one of them sent."""
    limits = OandaLimits(connections_per_s=1_000, requests_per_s=10_000)
    server = OandaSandbox(
        SimulatedTape(3, prices_per_s=2), clock=fast, begin_us=MONDAY_US, sampled=False, limits=limits
    )
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def quiet(fast: HurriedClock) -> AsyncIterator[Client]:
    """A client of a market with some seventy prices an hour, whose candles are made quickly."""
    limits = OandaLimits(connections_per_s=1_000, requests_per_s=10_000)
    server = OandaSandbox(SimulatedTape(3, prices_per_s=0.02), clock=fast, begin_us=MONDAY_US, limits=limits)
    await server.start()
    client = Client(server, fast)
    yield client
    await client.http.close()
    await server.stop()


@pytest.fixture
async def client(server: OandaSandbox, fast: HurriedClock) -> AsyncIterator[Client]:
    client = Client(server, fast)
    yield client
    await client.http.close()
