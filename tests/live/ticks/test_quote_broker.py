"""One broker of quotes: when it is connected, and what follows a refusal or a fault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import pytest

from app.concurrency.system_clock import SystemClock
from app.live.ticks.quote_broker import BrokerParts, QuoteBroker
from app.market.errors import FeedRejected
from app.market.ports.exchange import EventHandler, FeedState, FeedStatus
from app.market.symbol import Symbol

EUR, JPY = "oanda:EURUSD", "oanda:USDJPY"


class Feed:
    """Runs until it is given an error."""

    def __init__(self) -> None:
        self.status = FeedStatus(FeedState.LIVE)
        self.failing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def status_of(self, symbol: str) -> FeedStatus:
        return self.status

    def on_status(self, listener: Callable[[FeedStatus], None]) -> None:
        pass

    def set_symbols(self, symbols: Collection[str]) -> None:
        pass

    def retry_now(self) -> None:
        pass

    async def run(self, handler: EventHandler) -> None:
        await self.failing


class Symbols:
    async def symbols(self) -> list[Symbol]:
        return []


class Connections:
    """Counts the connections, and which of them are closed."""

    def __init__(self) -> None:
        self.feeds: list[Feed] = []
        self.closed = 0
        self.doubts: list[str] = []

    async def connect(self) -> BrokerParts:
        self.feeds.append(Feed())
        return BrokerParts(self.feeds[-1], Symbols(), lambda _: None, self.close, self.doubts.append)

    async def close(self) -> None:
        self.closed += 1


@asynccontextmanager
async def running(connections: Connections) -> AsyncIterator[QuoteBroker]:
    broker = QuoteBroker("oanda", SystemClock(), connections.connect)
    work = asyncio.ensure_future(broker.run(lambda event, at: None))
    try:
        yield broker
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert connections.closed == len(connections.feeds)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_refusal_is_asked_again_for_other_symbols_or_by_the_user_alone() -> None:
    connections = Connections()
    async with running(connections) as broker:
        await settled()
        assert not connections.feeds
        broker.set_symbols([EUR])
        await settled()
        broker.set_symbols([EUR, JPY])  # while it is live
        await settled()
        connections.feeds[0].failing.set_exception(FeedRejected("No such token."))
        await settled()
        broker.set_symbols([JPY, EUR])  # as after any change of another broker's symbols
        await settled()
        assert (len(connections.feeds), connections.closed) == (1, 1)
        assert broker.status == FeedStatus(FeedState.REFUSED, "No such token.")
        broker.retry_now()
        await settled()
        assert len(connections.feeds) == 2
        assert broker.status.state is FeedState.LIVE
        connections.feeds[1].failing.set_exception(FeedRejected("No such token."))
        await settled()
        broker.set_symbols([JPY])
        await settled()
        assert len(connections.feeds) == 3


async def test_a_fault_in_the_program_is_said_and_may_be_retried(caplog: pytest.LogCaptureFixture) -> None:
    connections = Connections()
    async with running(connections) as broker:
        broker.set_symbols([EUR])
        await settled()
        connections.feeds[0].failing.set_exception(ZeroDivisionError())
        await settled()
        assert broker.status.state is FeedState.REFUSED
        assert broker.status.reason.startswith("Receiving prices of Oanda failed inside (ZeroDivisionError)")
        assert "fault in the program" in caplog.text
        broker.retry_now()
        await settled()
        assert broker.status.state is FeedState.LIVE


async def test_a_sleep_of_the_computer_casts_doubt_on_a_broker_that_is_connected() -> None:
    connections = Connections()
    async with running(connections) as broker:
        broker.doubt("The computer slept")  # nothing is connected yet
        broker.set_symbols([EUR])
        await settled()
        broker.doubt("The network is back")
    assert connections.doubts == ["The network is back"]
