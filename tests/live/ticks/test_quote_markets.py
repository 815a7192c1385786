"""The brokers of quotes together: what counts as watched while their streams come and go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from app.concurrency.system_clock import SystemClock
from app.live.recording.market_snapshot import MarketSnapshot
from app.live.ticks.quote_broker import BrokerParts, QuoteBroker
from app.live.ticks.quote_markets import QuoteMarkets
from app.live.ticks.tick_recorder import WatchedSpan
from app.market.ports.exchange import EventHandler, FeedState, FeedStatus
from app.market.quotes.tick import Tick
from tests.live.ticks.test_quote_broker import EUR, Feed, Symbols, settled


class Stream(Feed):
    """A feed whose state and ticks the test gives."""

    def __init__(self) -> None:
        super().__init__()
        self.listeners: list[Callable[[FeedStatus], None]] = []
        self.handler: EventHandler | None = None

    def on_status(self, listener: Callable[[FeedStatus], None]) -> None:
        self.listeners.append(listener)

    async def run(self, handler: EventHandler) -> None:
        self.handler = handler
        await super().run(handler)

    def become(self, state: FeedState) -> None:
        self.status = FeedStatus(state)
        for listener in self.listeners:
            listener(self.status)

    def send(self, *times_us: int) -> None:
        assert self.handler is not None
        for time_us in times_us:
            self.handler(Tick(EUR, time_us, 0, 100 + time_us, 101 + time_us), time_us)


@asynccontextmanager
async def recorded(stream: Stream) -> AsyncIterator[QuoteMarkets]:
    async def connect() -> BrokerParts:
        return BrokerParts(stream, Symbols(), lambda _: None, closed)

    async def closed() -> None:
        pass

    markets = QuoteMarkets(
        [QuoteBroker("oanda", SystemClock(), connect)], MarketSnapshot(), SystemClock(), queue_ticks=100
    )
    markets.set_symbols([EUR])
    markets.start()
    await settled()
    try:
        yield markets
    finally:
        await markets.close()


async def test_ticks_of_a_stream_in_doubt_do_not_join_those_of_the_one_that_replaces_it() -> None:
    stream = Stream()
    async with recorded(stream) as markets:
        stream.send(10, 20, 30)
        stream.become(FeedState.STALE)
        stream.send(40, 50)  # it goes on, and more of it may wait unread when it is closed
        stream.become(FeedState.LIVE)
        stream.send(90, 100)
        assert markets.recorder.take_watched() == [
            WatchedSpan(EUR, 11, 30),
            WatchedSpan(EUR, 41, 50),
            WatchedSpan(EUR, 91, 100),
        ]


async def test_a_stream_that_stays_live_is_watched_through_changes_of_its_state() -> None:
    stream = Stream()
    async with recorded(stream) as markets:
        stream.send(10, 20)
        stream.become(FeedState.LIVE)
        stream.send(30)
        assert markets.recorder.take_watched() == [WatchedSpan(EUR, 11, 30)]
