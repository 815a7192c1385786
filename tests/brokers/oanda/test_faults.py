"""
The feed through every kind of fault: no price is invented, repeated or out of order, and none is lost but in an outage.

The server sends every price of its market, so what the feed delivers can be held against it. Each kind runs alone, and
all of them in a random order. A stream is replaced by one request at a time, never by a storm of them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import pytest

from app.market.ports.exchange import FeedState
from app.sandbox.oanda.faults import Garbage
from app.sandbox.oanda.stream import PriceStream
from tests.brokers.binance.helpers import until
from tests.brokers.oanda.conftest import EURUSD, USDJPY, Client

SYMBOLS = (EURUSD, USDJPY)
STREAM = "/pricing/stream"
NAMES = {EURUSD: ("EUR_USD", 1_000), USDJPY: ("USD_JPY", 100_000)}


@dataclass(frozen=True)
class Kind:
    """
    One kind of fault: how it begins, and which of the server's counters shows its effect, and how often.

    ``loses``: whether prices are lost without a new stream. ``counter`` empty: ``begin`` returns after the effect.
    """

    name: str
    begin: Callable[[Client], Awaitable[None] | None]
    counter: str = "streams"
    times: int = 1
    loses: bool = False

    def __str__(self) -> str:
        return self.name


def each(act: Callable[[PriceStream], None]) -> Callable[[Client], None]:
    """Return what does that to every open stream."""

    def begin(client: Client) -> None:
        for stream in list(client.server.streams):
            act(stream)

    return begin


def refused(status: int, *, times: int = 2, retry_after_s: int | None = None) -> Callable[[Client], None]:
    """Return what cuts the stream and refuses the next ones."""

    def begin(client: Client) -> None:
        client.server.faults.answers.fail_next(status, times=times, path=STREAM, retry_after_s=retry_after_s)
        each(PriceStream.cut)(client)

    return begin


def answered(body: bytes) -> Callable[[Client], None]:
    """Return what cuts the stream and answers the next requests for one with that body."""

    def begin(client: Client) -> None:
        client.server.faults.answers.answer_next(body, times=2, path=STREAM)
        each(PriceStream.cut)(client)

    return begin


def garbled(*kinds: Garbage) -> Callable[[Client], None]:
    """Return what sends garbage among the prices of the open streams."""

    def begin(client: Client) -> None:
        for stream in client.server.streams:
            for kind in kinds:
                stream.faults.garble(kind, share=0.3)
            stream.faults.repeat(share=0.3)

    return begin


def hanging(client: Client) -> None:
    client.server.faults.answers.hang_next(10.0, path=STREAM)  # longer than the feed waits
    each(PriceStream.cut)(client)


def _silence(stream: PriceStream) -> None:
    stream.faults.silent = True


async def _stall(client: Client) -> None:
    """Lose prices for ten seconds, while heartbeats go on."""
    for stream in client.server.streams:
        stream.faults.stalled = True
    heard = client.feed.counters.messages
    await until(lambda: client.feed.counters.messages >= heard + 2, "two heartbeats")


async def _endless_line(client: Client) -> None:
    for stream in list(client.server.streams):
        await stream._response.write(b"x" * (2**20 + 10))


def _other_symbols_while_cut(client: Client) -> None:
    client.feed.set_symbols([EURUSD])
    each(PriceStream.cut)(client)
    client.feed.set_symbols(SYMBOLS)


def _doubt(client: Client) -> None:
    client.feed.doubt("The computer slept")


KINDS = (
    Kind("cut", each(PriceStream.cut)),
    Kind("cut in the middle of a line", each(partial(PriceStream.cut, mid_line=True))),
    Kind("an end as of a complete answer", each(PriceStream.end)),
    Kind("silence", each(_silence)),
    Kind("stall with heartbeats", _stall, "", loses=True),
    Kind("a line without an end", _endless_line),
    Kind("doubt", _doubt),
    Kind("other symbols while cut", _other_symbols_while_cut),
    *(Kind(f"refused with {status}", refused(status), str(status), 2) for status in (408, 429, 500, 502, 503, 302)),
    Kind("refused with 429 for a while", refused(429, times=1, retry_after_s=8), "429"),
    Kind("refused with 503 for a while", refused(503, times=1, retry_after_s=8), "503"),
    Kind("a request that hangs", hanging, "hung"),
    Kind("a page instead of a stream", answered(b"<html>sign in</html>"), "answered", 2),
    Kind("an empty answer", answered(b""), "answered", 2),
    Kind("half a line and the end", answered(b'{"type":"PRICE","time":"20'), "answered", 2),
    *(Kind(f"garbage: {kind}", garbled(kind), "garbage", 5) for kind in Garbage),
    Kind("all garbage, and prices twice", garbled(*Garbage), "repeated", 10),
)


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
    chosen = random.Random(11).sample([kind for kind in KINDS if kind.name != "a request that hangs"], 16)
    async with client.running(SYMBOLS):
        await client.hears(5)
        for kind in chosen:
            await suffer(kind, client)
        await asyncio.sleep(0)
    check(client, loses=True)
    assert client.feed.counters.malformed > 0
