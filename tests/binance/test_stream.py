"""The feed over real sockets: what it asks for, what it delivers, and how it comes back from every fault."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Awaitable
from itertools import pairwise
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from app.binance.endpoints import MAX_SYMBOLS, streams_of
from app.binance.stream import BinanceFeed
from app.market.errors import FeedRejected, SettingsError
from app.market.ports import FeedState
from app.market.trade import MarketEvent
from tests.binance.helpers import FastClock, ManualClock, Recorder, StreamServer, quote_frame, trade_frame, until

BTC = set(streams_of("BTCUSDT"))


@pytest.fixture
async def server() -> AsyncIterator[StreamServer]:
    async with StreamServer() as server:
        yield server


def make_feed(url: str, clock: FastClock | ManualClock, recorder: Recorder, **options: object) -> BinanceFeed:
    feed = BinanceFeed(url, clock=clock, chance=random.Random(1), **options)  # type: ignore[arg-type]
    feed.on_status(recorder.statuses.append)
    feed.set_symbols(["BTCUSDT"])
    return feed


@contextlib.asynccontextmanager
async def running(feed: BinanceFeed, handler: object) -> AsyncIterator[asyncio.Task[None]]:
    """Run the feed meanwhile; afterwards it must end within two seconds."""
    task = asyncio.create_task(feed.run(handler))  # type: ignore[arg-type]
    try:
        yield task
    finally:
        task.cancel()
        async with asyncio.timeout(2):
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_delivers_the_events_of_the_chosen_symbols_in_order(server: StreamServer) -> None:
    recorder = Recorder()
    feed = make_feed(server.url, FastClock(), recorder)
    async with running(feed, recorder):
        await server.settled(BTC)
        await server.publish(trade_frame(1), quote_frame(7), trade_frame(1, "ETHUSDT"), trade_frame(2))
        await until(lambda: recorder.ids == [1, 2])
        assert [quote.update_id for quote in recorder.quotes] == [7]
        assert all(event.symbol == "BTCUSDT" for event in recorder.events)
    assert server.paths == ["/stream?timeUnit=MICROSECOND"]
    assert recorder.states == [FeedState.CONNECTING, FeedState.LIVE, FeedState.CLOSING, FeedState.CLOSED]


async def test_symbols_change_on_the_open_connection(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.settled(BTC)
        feed.set_symbols(["ETHUSDT", "SOLUSDT"])
        await server.settled({*streams_of("ETHUSDT"), *streams_of("SOLUSDT")})
        await server.publish(trade_frame(5, "ETHUSDT"), trade_frame(6, "BTCUSDT"))
        await until(lambda: recorder.ids == [5])
    assert len(server.sockets) == 1


async def test_what_is_wished_for_during_a_handshake_is_what_is_subscribed(server: StreamServer) -> None:
    server.handshake.clear()
    feed = make_feed(server.url, FastClock(speed=1), recorder := Recorder())
    async with running(feed, recorder):
        await until(lambda: server.paths, "a handshake")
        feed.set_symbols(["ETHUSDT"])
        await asyncio.sleep(0)
        server.handshake.set()
        await server.settled(streams_of("ETHUSDT"))


async def test_a_storm_of_changes_stays_within_the_exchanges_limit(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(speed=1), recorder := Recorder())
    names = [f"COIN{number}USDT" for number in range(MAX_SYMBOLS)]
    async with running(feed, recorder):
        await server.settled(BTC)
        chance = random.Random(3)
        for _ in range(200):
            feed.set_symbols(chance.sample(names, chance.randrange(len(names))))
            await asyncio.sleep(0.003)
        feed.set_symbols(names[:10])
        await server.settled({stream for name in names[:10] for stream in streams_of(name)})
    times = [when for when, _ in server.requests[0]]
    assert all(later - earlier > 0.25 for earlier, later in pairwise(times))
    assert len(times) < 25
    assert all(len(request["params"]) <= 200 for _, request in server.requests[0])


async def test_what_was_received_before_a_cut_is_delivered_and_the_feed_comes_back(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.settled(BTC)
        await server.publish(*(trade_frame(number) for number in range(1, 501)))
        await server.sockets[0].close(1012)
        await server.settled(BTC, connections=2)
        await server.publish(trade_frame(501))
        await until(lambda: recorder.ids == list(range(1, 502)))
        assert feed.counters.reconnects == 1
        assert feed.status.state is FeedState.LIVE


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1012, 1013, 4000])
async def test_every_close_code_is_followed_by_a_new_connection(server: StreamServer, code: int) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.settled(BTC)
        await server.publish(trade_frame(1))
        await until(lambda: recorder.ids == [1])
        await server.sockets[0].close(code)
        await server.settled(BTC, connections=2)
    backing_off = next(status for status in recorder.statuses if status.state is FeedState.BACKING_OFF)
    assert f"(code {code})" in backing_off.reason
    assert backing_off.retry_in_s is not None
    assert backing_off.retry_in_s <= 1


async def test_a_connection_cut_in_the_middle_of_a_frame_is_replaced(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.settled(BTC)
        await server.publish(trade_frame(1))
        server.sockets[0].transport.write(b"\x81\x7e\x01\x00half")
        await until(lambda: recorder.ids == [1])
        server.sockets[0].transport.close()
        await server.settled(BTC, connections=2)
    assert feed.counters.malformed == 0


async def test_a_stalled_connection_is_replaced_though_it_answers_pings(server: StreamServer) -> None:
    feed = make_feed(server.url, clock := ManualClock(), recorder := Recorder(), stall_after_s=8)
    async with running(feed, recorder):
        await server.settled(BTC)
        await server.publish(trade_frame(1))
        await until(lambda: recorder.ids == [1])
        await clock.advance(7)
        await (await server.sockets[0].ping())
        assert feed.status.state is FeedState.LIVE
        await until(lambda: clock.sleepers)
        await clock.advance(2)
        await server.settled(BTC, connections=2)
        await until(lambda: feed.status.state is FeedState.LIVE)
        await until(lambda: len(server.open) == 1)
    assert FeedState.STALE in recorder.states
    assert FeedState.BACKING_OFF not in recorder.states


async def test_a_receiver_that_takes_its_time_is_no_stall(server: StreamServer) -> None:
    release = asyncio.Event()
    taken: list[int] = []

    def handler(event: MarketEvent, _: int) -> Awaitable[None]:
        async def take() -> None:
            await release.wait()
            taken.append(event.trade_id)  # type: ignore[union-attr]

        return take()

    feed = make_feed(server.url, clock := ManualClock(), recorder := Recorder(), stall_after_s=4)
    async with running(feed, handler):
        await server.settled(BTC)
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
        await server.settled(BTC)
        for _ in range(600):
            await until(lambda: clock.sleepers)
            await clock.advance(1)
    assert 3 <= recorder.states.count(FeedState.STALE) <= 6


async def test_an_old_connection_is_replaced_without_a_missing_trade(server: StreamServer) -> None:
    feed = make_feed(server.url, clock := ManualClock(), recorder := Recorder(), max_age_s=100, stall_after_s=1000)
    published = 0
    async with running(feed, recorder):
        await server.settled(BTC)
        for _ in range(140):
            published += 1
            await server.publish(trade_frame(published))
            await until(lambda: clock.sleepers)
            await clock.advance(1)
        await until(lambda: len(server.open) == 1 and len(server.sockets) == 2, "the old connection to close")
        await until(lambda: set(recorder.ids) == set(range(1, published + 1)))
    assert set(recorder.states[:-2]) == {FeedState.CONNECTING, FeedState.LIVE}


async def test_an_announced_shutdown_brings_a_new_connection_before_the_old_one_ends(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.settled(BTC)
        await server.publish('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1723161255343000}}')
        await server.settled(BTC, connections=2)
        await server.publish(trade_frame(1))
        await until(lambda: recorder.ids and len(server.open) == 1)
    assert FeedState.BACKING_OFF not in recorder.states


async def test_the_old_connection_serves_until_the_new_one_is_subscribed(server: StreamServer) -> None:
    feed = make_feed(server.url, clock := ManualClock(), recorder := Recorder(), max_age_s=100, stall_after_s=1000)
    async with running(feed, recorder):
        await server.settled(BTC)
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


async def test_a_connection_that_leaves_requests_unanswered_is_replaced_though_data_comes(server: StreamServer) -> None:
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
        await server.settled(BTC, connections=2)
        await until(lambda: feed.status.state is FeedState.LIVE)
        await clock.advance(60)
        assert len(server.sockets) == 2
    (stale,) = [status for status in recorder.statuses if status.state is FeedState.STALE]
    assert "leaves requests unanswered" in stale.reason
    assert FeedState.BACKING_OFF not in recorder.states


async def test_one_symbol_that_the_exchange_does_not_like_costs_no_other() -> None:
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
            await picky.settled({*BTC, *streams_of("ETHUSDT")})
        assert len(picky.sockets) == 1


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
            ids.append(event.trade_id)  # type: ignore[union-attr]
            active -= 1

        return take()

    feed = make_feed(server.url, FastClock(speed=2), Recorder())
    async with running(feed, handler):
        await server.settled(BTC)
        await server.publish('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1723161255343000}}')
        await server.settled(BTC, connections=2)
        for number in range(1, 51):
            await server.publish(trade_frame(number))
        await until(lambda: len(ids) == 100)
    assert sorted(ids) == sorted([*range(1, 51), *range(1, 51)])
    assert most == 1


async def test_a_full_queue_is_read_without_holding_up_the_loop(server: StreamServer) -> None:
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
        await server.settled(BTC)
        await server.publish(*(trade_frame(number) for number in range(3000)))
        counting = asyncio.create_task(count_turns())
        await until(lambda: turns > 500)
        release.set()
        await until(lambda: sum(taken_in_turn.values()) == 2999)
        counting.cancel()
    assert max(taken_in_turn.values()) <= 512


async def test_attempts_are_counted_in_a_row_only(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        for connection in range(3):
            await server.settled(BTC, connections=connection + 1)
            await server.publish(trade_frame(connection))
            await until(lambda: len(recorder.ids) == len(server.sockets))
            await server.sockets[-1].close(1011)
        for connection in range(3, 5):
            await server.settled(BTC, connections=connection + 1)
            await server.sockets[-1].close(1011)
        await server.settled(BTC, connections=6)
    attempts = [status.attempt for status in recorder.statuses if status.state is FeedState.BACKING_OFF]
    assert attempts == [1, 1, 1, 2, 3]


async def test_unreadable_frames_are_counted_and_their_neighbours_kept(server: StreamServer) -> None:
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
        await server.settled(BTC)
        await server.publish(trade_frame(1), *bad, trade_frame(2))
        await until(lambda: recorder.ids == [1, 2])
        assert feed.counters.malformed == len(bad)
        assert "could not be read" in feed.counters.last_malformed
    assert len(server.sockets) == 1


async def test_a_frame_of_ten_megabytes_costs_the_connection_but_no_memory(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.settled(BTC)
        await server.publish(trade_frame(1))
        with contextlib.suppress(Exception):
            await server.publish("x" * 10_000_000)
        await server.settled(BTC, connections=2)
        await server.publish(trade_frame(2))
        await until(lambda: recorder.ids == [1, 2])
    assert feed.counters.malformed == 1
    assert "larger than" in feed.counters.last_malformed


async def test_an_exchange_that_is_not_there_is_tried_again_until_it_is(server: StreamServer) -> None:
    await server.stop()
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await until(lambda: recorder.states.count(FeedState.BACKING_OFF) >= 3)
        reason = recorder.statuses[1].reason
        await server.start()
        await server.settled(BTC)
    assert reason == f"Cannot reach 127.0.0.1:{server.port} (connection refused)."
    assert [status.attempt for status in recorder.statuses if status.state is FeedState.BACKING_OFF][:3] == [1, 2, 3]


async def test_a_wait_ends_when_the_user_asks(server: StreamServer) -> None:
    await server.stop()
    feed = make_feed(server.url, ManualClock(), recorder := Recorder())
    async with running(feed, recorder):
        await until(lambda: feed.status.state is FeedState.BACKING_OFF)
        await server.start()
        feed.retry_now()
        await server.settled(BTC)


async def test_gives_up_after_the_attempts_it_was_allowed(server: StreamServer) -> None:
    await server.stop()
    feed = make_feed(server.url, FastClock(), recorder := Recorder(), max_attempts=3)
    with pytest.raises(FeedRejected, match="gave up after 3 attempts"):
        await feed.run(recorder)
    assert feed.status.state is FeedState.REFUSED
    await server.start()
    async with running(feed, recorder):
        await server.settled(BTC)


@pytest.mark.parametrize(("status", "least_s"), [(418, 120), (429, 60), (403, 60)])
async def test_a_ban_is_waited_out(server: StreamServer, status: int, least_s: float) -> None:
    server.statuses = [(status, {})]
    feed = make_feed(server.url, clock := ManualClock(), recorder := Recorder())
    async with running(feed, recorder):
        await until(lambda: feed.status.state is FeedState.BACKING_OFF)
        assert f"HTTP {status}" in feed.status.reason
        feed.retry_now()
        await clock.advance(least_s - 1)
        assert feed.status.state is FeedState.BACKING_OFF
        await clock.advance(1)
        await server.settled(BTC)


async def test_the_exchange_says_how_long_a_ban_lasts(server: StreamServer) -> None:
    server.statuses = [(418, {"Retry-After": "7200"})]
    feed = make_feed(server.url, ManualClock(), recorder := Recorder())
    async with running(feed, recorder):
        await until(lambda: feed.status.state is FeedState.BACKING_OFF)
        assert feed.status.retry_in_s == 7200
        assert feed.status.retry_at_s == 7200
        assert feed.status.sentence(10.0).endswith("(HTTP 418); trying again in 1 h 59 min.")


@pytest.mark.parametrize("status", [400, 401, 451])
async def test_a_refused_handshake_is_final(server: StreamServer, status: int) -> None:
    server.statuses = [(status, {})]
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    with pytest.raises(FeedRejected, match=str(status)):
        await feed.run(recorder)
    assert recorder.states == [FeedState.CONNECTING, FeedState.REFUSED]


async def test_a_sign_in_page_in_the_exchanges_place_is_tried_again_until_it_is_gone(server: StreamServer) -> None:
    server.statuses = [(302, {"Location": "http://portal.example/"}), (404, {}), (200, {}), None]
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.settled(BTC)
    assert recorder.states.count(FeedState.BACKING_OFF) == 3


async def test_a_faulty_server_is_tried_again(server: StreamServer) -> None:
    server.statuses = [(500, {}), (503, {}), None]
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.settled(BTC)
    assert recorder.states.count(FeedState.BACKING_OFF) == 2


async def test_a_handshake_that_hangs_is_given_up(server: StreamServer) -> None:
    server.handshake.clear()
    feed = make_feed(server.url, FastClock(), recorder := Recorder(), connect_timeout_s=0.1)
    async with running(feed, recorder):
        await until(lambda: recorder.states.count(FeedState.BACKING_OFF) >= 2)
        assert "no answer in time" in recorder.statuses[1].reason
        server.handshake.set()
        await until(lambda: feed.status.state is FeedState.LIVE)


async def test_a_receivers_own_error_is_no_fault_of_the_network(server: StreamServer) -> None:
    def handler(event: MarketEvent, _: int) -> None:
        raise OSError("the disk is full")

    feed = make_feed(server.url, FastClock(), Recorder())
    task = asyncio.create_task(feed.run(handler))
    await server.settled(BTC)
    await server.publish(trade_frame(1))
    with pytest.raises(OSError, match="the disk is full"):
        await task
    assert len(server.sockets) == 1
    assert feed.status.state is FeedState.CLOSED


async def test_stopping_does_not_wait_for_a_server_that_hangs(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.settled(BTC)
        server.sockets[0].transport.pause_reading()
    assert feed.status.state is FeedState.CLOSED


async def test_nothing_is_left_behind(server: StreamServer) -> None:
    before = asyncio.all_tasks()
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.settled(BTC)
        await server.sockets[0].close(1011)
        await server.settled(BTC, connections=2)
    await until(lambda: not server.open)
    await until(lambda: asyncio.all_tasks() <= before)


@pytest.mark.parametrize(
    "url", ["", "stream.binance.com", "https://x", "ws://", "ws://h/path", "ws://h:x", "ws://u:p@h"]
)
def test_an_address_that_cannot_be_is_refused_in_one_sentence_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^“.*” is no address of the exchange: .*\.$"):
        BinanceFeed(url, clock=ManualClock())
