"""Feeds connected to a test's own server, and their run."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Collection
from typing import TypedDict, Unpack

from app.brokers.binance.endpoints import streams_of
from app.brokers.binance.feed import BinanceFeed
from app.market.exchange_ban import ExchangeBan
from app.market.ports.exchange import EventHandler
from tests.brokers.binance.helpers import FastClock, ManualClock, Recorder

BTC = set(streams_of("BTCUSDT"))


class FeedOptions(TypedDict, total=False):
    """The keywords of `BinanceFeed` that a test may set."""

    stall_after_s: float
    max_attempts: int
    max_age_s: float
    connect_timeout_s: float
    ban: ExchangeBan
    symbols_each: int
    proxy: str


def make_feed(
    url: str,
    clock: FastClock | ManualClock,
    recorder: Recorder,
    symbols: Collection[str] = ("BTCUSDT",),
    **options: Unpack[FeedOptions],
) -> BinanceFeed:
    """Return a feed of these symbols, whose statuses go to the recorder; its retries are the same in every run."""
    feed = BinanceFeed(url, clock=clock, chance=random.Random(1), **options)
    feed.on_status(recorder.statuses.append)
    feed.set_symbols(symbols)
    return feed


@contextlib.asynccontextmanager
async def running(feed: BinanceFeed, handler: EventHandler) -> AsyncIterator[asyncio.Task[None]]:
    """Run the feed within the context; it must end within two seconds after it."""
    task = asyncio.create_task(feed.run(handler))
    try:
        yield task
    finally:
        task.cancel()
        async with asyncio.timeout(2):
            with contextlib.suppress(asyncio.CancelledError):
                await task
