"""Sockets are replaced before they end: stalled, too old, about to shut down, or without answers to requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from app.market.ports.exchange import FeedState
from app.market.trade import MarketEvent, Trade
from tests.brokers.binance.feeds import BTC, make_feed, running
from tests.brokers.binance.helpers import FastClock, ManualClock, Recorder, StreamServer, trade_frame, until


async def test_a_stalled_connection_is_replaced_even_if_it_answers_pings(server: StreamServer) -> None:
    feed = make_feed(server.url, clock := ManualClock(), recorder := Recorder(), stall_after_s=8)
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        await server.publish(trade_frame(1))
        await until(lambda: recorder.ids == [1])
        await clock.advance(7)
        await (await server.sockets[0].ping())
        assert feed.status.state is FeedState.LIVE
        await until(lambda: clock.sleepers)
        await clock.advance(2)
        await server.until_subscribed(BTC, connections=2)
        await until(lambda: feed.status.state is FeedState.LIVE)
        await until(lambda: len(server.open) == 1)
    assert FeedState.STALE in recorder.states
    assert FeedState.BACKING_OFF not in recorder.states


async def test_a_slow_receiver_is_not_taken_for_a_stall(server: StreamServer) -> None:
    release = asyncio.Event()
    taken: list[int] = []

    def handler(event: MarketEvent, _: int) -> Awaitable[None]:
        async def take() -> None:
            await release.wait()
            assert isinstance(event, Trade)
            taken.append(event.trade_id)

        return take()

    feed = make_feed(server.url, clock := ManualClock(), recorder := Recorder(), stall_after_s=4)
    async with running(feed, handler):
        await server.until_subscribed(BTC)
        await server.publish(*(trade_frame(number) for number in range(1, 51)))
        for _ in range(20):
            await until(lambda: clock.sleepers)
            await clock.advance(1)
        assert taken == []
        release.set()
        await until(lambda: taken == list(range(1, 51)))
    assert FeedState.STALE not in recorder.states


async def test_a_symbol_that_is_never_traded_does_not_flap(server: StreamServer) -> None:
    feed = make_feed(server.url, clock := ManualClock(), recorder := Recorder(), stall_after_s=10)
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        for _ in range(600):
            await until(lambda: clock.sleepers)
            await clock.advance(1)
    assert 3 <= recorder.states.count(FeedState.STALE) <= 6


async def test_an_old_connection_is_replaced_without_a_missing_trade(server: StreamServer) -> None:
    feed = make_feed(server.url, clock := ManualClock(), recorder := Recorder(), max_age_s=100, stall_after_s=1000)
    published = 0
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        for _ in range(140):
            published += 1
            await server.publish(trade_frame(published))
            await until(lambda: clock.sleepers)
            await clock.advance(1)
        await until(lambda: len(server.open) == 1 and len(server.sockets) == 2, "the old connection to close")
        await until(lambda: set(recorder.ids) == set(range(1, published + 1)))
    assert set(recorder.states[:-2]) == {FeedState.CONNECTING, FeedState.LIVE}


async def test_an_announced_shutdown_opens_a_new_connection_before_the_old_one_ends(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        await server.publish('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1723161255343000}}')
        await server.until_subscribed(BTC, connections=2)
        await server.publish(trade_frame(1))
        await until(lambda: recorder.ids and len(server.open) == 1)
    assert FeedState.BACKING_OFF not in recorder.states


async def test_the_old_connection_serves_until_the_new_one_is_subscribed(server: StreamServer) -> None:
    feed = make_feed(server.url, clock := ManualClock(), recorder := Recorder(), max_age_s=100, stall_after_s=1000)
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        server.answers = False
        await until(lambda: clock.sleepers)
        await clock.advance(100)
        await until(lambda: clock.sleepers)
        await clock.advance(1)
        await until(lambda: len(server.requests) == 2 and server.requests[1], "a second connection that asks")
        await clock.advance(5)
        await server.sockets[0].send(trade_frame(1))
        await until(lambda: recorder.ids == [1])
        assert len(server.open) == 2
        await server.answer(server.sockets[1], server.requests[1][0][1])
        await until(lambda: feed.counters.reconnects == 1 and clock.sleepers >= 2)
        await clock.advance(5)
        await until(lambda: server.open == [server.sockets[1]])


async def test_a_connection_with_unanswered_requests_is_replaced_even_if_it_delivers(server: StreamServer) -> None:
    feed = make_feed(server.url, clock := ManualClock(), recorder := Recorder(), stall_after_s=1000)
    server.answers = False
    async with running(feed, recorder):
        await until(lambda: server.requests and server.requests[0], "a request")
        await until(lambda: clock.sleepers)
        await clock.advance(29)
        await server.publish(trade_frame(1))
        await until(lambda: recorder.ids == [1])
        assert len(server.sockets) == 1
        server.answers = True
        await until(lambda: clock.sleepers)
        await clock.advance(3)
        await server.until_subscribed(BTC, connections=2)
        await until(lambda: feed.status.state is FeedState.LIVE)
        await clock.advance(60)
        assert len(server.sockets) == 2
    (stale,) = [status for status in recorder.statuses if status.state is FeedState.STALE]
    assert "leaves requests unanswered" in stale.reason
    assert FeedState.BACKING_OFF not in recorder.states


async def test_two_connections_never_deliver_at_once(server: StreamServer) -> None:
    active = most = 0
    ids: list[int] = []

    def handler(event: MarketEvent, _: int) -> Awaitable[None]:
        nonlocal active, most
        active += 1
        most = max(most, active)

        async def take() -> None:
            nonlocal active
            await asyncio.sleep(0.001)
            assert isinstance(event, Trade)
            ids.append(event.trade_id)
            active -= 1

        return take()

    feed = make_feed(server.url, FastClock(speed=2), Recorder())
    async with running(feed, handler):
        await server.until_subscribed(BTC)
        await server.publish('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1723161255343000}}')
        await server.until_subscribed(BTC, connections=2)
        for number in range(1, 51):
            await server.publish(trade_frame(number))
        await until(lambda: len(ids) == 100)
    assert sorted(ids) == sorted([*range(1, 51), *range(1, 51)])
    assert most == 1
