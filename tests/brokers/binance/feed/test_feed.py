"""The feed over real sockets: what it asks for, what it delivers, and how it ends."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable
from itertools import pairwise
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from app.brokers.binance.endpoints import MAX_SYMBOLS, streams_of
from app.brokers.binance.feed import BinanceFeed
from app.market.errors import SettingsError
from app.market.ports.exchange import FeedState
from app.market.trade import MarketEvent
from tests.brokers.binance.feeds import BTC, make_feed, running
from tests.brokers.binance.helpers import (
    FastClock,
    ManualClock,
    Recorder,
    StreamServer,
    quote_frame,
    trade_frame,
    until,
)


async def test_delivers_the_events_of_the_chosen_symbols_in_order(server: StreamServer) -> None:
    recorder = Recorder()
    feed = make_feed(server.url, FastClock(), recorder)
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        await server.publish(trade_frame(1), quote_frame(7), trade_frame(1, "ETHUSDT"), trade_frame(2))
        await until(lambda: recorder.ids == [1, 2])
        assert [quote.update_id for quote in recorder.quotes] == [7]
        assert all(event.symbol == "BTCUSDT" for event in recorder.events)
    assert server.paths == ["/stream?timeUnit=MICROSECOND"]
    assert recorder.states == [FeedState.CONNECTING, FeedState.LIVE, FeedState.CLOSING, FeedState.CLOSED]


async def test_symbols_change_on_the_open_connection(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        feed.set_symbols(["ETHUSDT", "SOLUSDT"])
        await server.until_subscribed({*streams_of("ETHUSDT"), *streams_of("SOLUSDT")})
        await server.publish(trade_frame(5, "ETHUSDT"), trade_frame(6, "BTCUSDT"))
        await until(lambda: recorder.ids == [5])
    assert len(server.sockets) == 1


async def test_symbols_set_during_a_handshake_are_the_ones_subscribed(server: StreamServer) -> None:
    server.handshake.clear()
    feed = make_feed(server.url, FastClock(speed=1), recorder := Recorder())
    async with running(feed, recorder):
        await until(lambda: server.paths, "a handshake")
        feed.set_symbols(["ETHUSDT"])
        await asyncio.sleep(0)
        server.handshake.set()
        await server.until_subscribed(streams_of("ETHUSDT"))


async def test_a_storm_of_changes_stays_within_the_exchanges_limit(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(speed=1), recorder := Recorder())
    names = [f"COIN{number}USDT" for number in range(MAX_SYMBOLS)]
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        chance = random.Random(3)
        for _ in range(200):
            feed.set_symbols(chance.sample(names, chance.randrange(len(names))))
            await asyncio.sleep(0.003)
        feed.set_symbols(names[:10])
        await server.until_subscribed({stream for name in names[:10] for stream in streams_of(name)})
    times = [when for when, _ in server.requests[0]]
    assert all(later - earlier > 0.25 for earlier, later in pairwise(times))
    assert len(times) < 25
    assert all(len(request["params"]) <= 200 for _, request in server.requests[0])


async def test_one_symbol_that_the_exchange_refuses_costs_no_other() -> None:
    class Picky(StreamServer):
        async def answer(self, socket: ServerConnection, request: dict[str, Any]) -> None:
            if any(stream.startswith("odd") for stream in request["params"]):
                await asyncio.sleep(0.05)  # longer than the feed keeps between two requests
                await socket.send(json.dumps({"code": 2, "msg": "Invalid request", "id": request["id"]}))
            else:
                await super().answer(socket, request)

    async with Picky() as picky:
        feed = make_feed(picky.url, FastClock(), recorder := Recorder())
        feed.set_symbols(["BTCUSDT", "ODDUSDT", "ETHUSDT"])
        async with running(feed, recorder):
            await picky.until_subscribed({*BTC, *streams_of("ETHUSDT")})
        assert len(picky.sockets) == 1


async def test_unreadable_frames_are_counted_and_their_neighbours_delivered(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    bad = [
        "",
        "{",
        "[]",
        b"\xff\xfe",
        trade_frame(-1),
        trade_frame(3, p="NaN"),
        trade_frame(3, T=0),
        trade_frame(3)[:90],
    ]
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        await server.publish(trade_frame(1), *bad, trade_frame(2))
        await until(lambda: recorder.ids == [1, 2])
        assert feed.counters.malformed == len(bad)
        assert "could not be read" in feed.counters.last_malformed
    assert len(server.sockets) == 1


async def test_a_full_queue_is_read_without_blocking_the_loop(server: StreamServer) -> None:
    release = asyncio.Event()
    turns = 0
    taken_in_turn: dict[int, int] = {}

    def handler(event: MarketEvent, _: int) -> Awaitable[bool] | None:
        if not release.is_set():
            return release.wait()
        taken_in_turn[turns] = taken_in_turn.get(turns, 0) + 1
        return None

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    feed = make_feed(server.url, FastClock(), Recorder())
    async with running(feed, handler):
        await server.until_subscribed(BTC)
        await server.publish(*(trade_frame(number) for number in range(3000)))
        counting = asyncio.create_task(count_turns())
        await until(lambda: turns > 500)
        release.set()
        await until(lambda: sum(taken_in_turn.values()) == 2999)
        counting.cancel()
    assert max(taken_in_turn.values()) <= 512


async def test_an_error_of_the_receiver_is_not_taken_for_a_failure_of_the_network(server: StreamServer) -> None:
    def handler(event: MarketEvent, _: int) -> None:
        raise OSError("the disk is full")

    feed = make_feed(server.url, FastClock(), Recorder())
    task = asyncio.create_task(feed.run(handler))
    await server.until_subscribed(BTC)
    await server.publish(trade_frame(1))
    with pytest.raises(OSError, match="the disk is full"):
        await task
    assert len(server.sockets) == 1
    assert feed.status.state is FeedState.CLOSED


async def test_stopping_does_not_wait_for_a_server_that_hangs(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        server.sockets[0].transport.pause_reading()
    assert feed.status.state is FeedState.CLOSED


async def test_nothing_is_left_behind(server: StreamServer) -> None:
    before = asyncio.all_tasks()
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        await server.sockets[0].close(1011)
        await server.until_subscribed(BTC, connections=2)
    await until(lambda: not server.open)
    await until(lambda: asyncio.all_tasks() <= before)


@pytest.mark.parametrize(
    "url", ["", "stream.binance.com", "https://x", "ws://", "ws://h/path", "ws://h:x", "ws://u:p@h"]
)
def test_an_invalid_address_is_refused_in_one_sentence_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^“.*” is no address of the exchange: .*\.$"):
        BinanceFeed(url, clock=ManualClock())
