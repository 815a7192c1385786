"""
The feed through every kind of fault: no price is invented, repeated or out of order, and none is lost but in an outage.

The server sends every price of its market, so what the feed delivers can be held against it. Each kind runs alone, and
all of them in a random order. A stream is replaced by one request at a time, never by a storm of them.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from app.market.ports.exchange import FeedState
from tests.brokers.binance.helpers import until
from tests.brokers.oanda.conftest import EURUSD, USDJPY, Client
from tests.brokers.oanda.kinds import KINDS, STREAM, SYMBOLS, Kind

NAMES = {EURUSD: ("EUR_USD", 1_000), USDJPY: ("USD_JPY", 100_000)}


async def suffer(kind: Kind, client: Client) -> None:
    """Start the fault, wait until it takes effect, end it, and wait until prices come again."""
    before = client.server.faults.counts[kind.counter]
    waiting = kind.begin(client)
    if waiting is not None:
        await waiting
    if kind.counter:
        counts = client.server.faults.counts
        await until(lambda: counts[kind.counter] >= before + kind.times, f"{kind}: {counts}")
    client.server.faults.clear()
    for stream in client.server.streams:
        stream.faults.clear()
    await until(lambda: client.feed.status.state is FeedState.LIVE, "a live stream")
    for symbol in SYMBOLS:
        await client.hears(5, symbol)


def check(client: Client, *, loses: bool) -> None:
    """Hold what was delivered against the market."""
    for symbol in SYMBOLS:
        name, point_e8 = NAMES[symbol]
        ticks = [tick for tick in client.ticks if tick.symbol == symbol]
        keys = [(tick.time_us, tick.place) for tick in ticks]
        assert keys == sorted(set(keys))
        prices = client.server._tape.prices(name, ticks[0].time_us - 1, ticks[-1].time_us)
        market = [
            (price.time_us, price.bid * point_e8, price.ask * point_e8, price.liquidity * 100) for price in prices
        ]
        delivered = [(tick.time_us, tick.bid_e8, tick.ask_e8, tick.bid_size_e8) for tick in ticks]
        assert set(delivered) <= set(market)
        lost = [price not in set(delivered) for price in market]
        outages = sum(now and not before for before, now in zip([False, *lost], lost, strict=False))
        assert loses or outages <= client.feed.counters.reconnects
    # One request at a time, spread by the back-off: far fewer than two a second.
    requests = sum(times for path, times in client.server.requests.items() if path.endswith(STREAM))
    attempts = client.feed.counters.reconnects + 1 + sum(one is FeedState.BACKING_OFF for one in client.states)
    assert requests <= attempts
    assert requests <= 2 * (client.clock.monotonic_s() - client.began_s) + 2


@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_the_feed_survives(kind: Kind, client: Client) -> None:
    async with client.running(SYMBOLS):
        for symbol in SYMBOLS:
            await client.hears(5, symbol)
        await suffer(kind, client)
        assert client.feed.status.reason == ""
    check(client, loses=kind.loses)


async def test_the_feed_survives_all_of_them_in_any_order(client: Client) -> None:
    chosen = random.Random(11).sample([kind for kind in KINDS if not kind.hangs], 16)
    async with client.running(SYMBOLS):
        await client.hears(5)
        for kind in chosen:
            await suffer(kind, client)
        await asyncio.sleep(0)
    check(client, loses=True)
    assert client.feed.counters.malformed > 0
