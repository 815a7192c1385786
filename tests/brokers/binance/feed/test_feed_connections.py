"""The feed on several connections: divided, recovered one by one, replaced without loss, and under one ban."""

from __future__ import annotations

import asyncio
import contextlib
import random
import statistics
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Unpack

import pytest

from app.brokers.binance.endpoints import MAX_STREAMS, streams_of
from app.brokers.binance.feed import BinanceFeed
from app.brokers.binance.rest import BinanceRest
from app.market.coverage import IdRanges
from app.market.errors import FeedBanned, FeedRejected
from app.market.exchange_ban import ExchangeBan
from app.market.ports.exchange import FeedState
from app.market.trade import Trade
from app.sandbox.market.simulated import LISTINGS, SimulatedMarket
from app.sandbox.server.server import SandboxServer
from tests.brokers.binance.feeds import FeedOptions, make_feed, running
from tests.brokers.binance.helpers import FastClock, ManualClock, Recorder, StreamServer, trade_frame, until
from tests.sandbox.helpers import serving

NAMES = [f"COIN{number}USDT" for number in range(800)]


@contextlib.asynccontextmanager
async def receiving(
    url: str, recorder: Recorder, symbols: list[str], clock: FastClock | ManualClock, **options: Unpack[FeedOptions]
) -> AsyncIterator[BinanceFeed]:
    feed = make_feed(url, clock, recorder, symbols, **options)
    async with running(feed, recorder):
        yield feed


def streams(symbols: list[str]) -> set[str]:
    return {stream for symbol in symbols for stream in streams_of(symbol)}


def carried(server: StreamServer) -> list[set[str]]:
    return [server.subscribed[socket] for socket in server.open]


async def until_carried(server: StreamServer, symbols: list[str]) -> None:
    """Wait until the open connections have these symbols' streams, each exactly once."""
    wanted = streams(symbols)
    await until(
        lambda: sum(map(len, carried(server))) == len(wanted) and set().union(*carried(server)) == wanted,
        f"{len(symbols)} symbols to be carried",
    )


async def test_more_streams_than_one_connection_may_have_are_divided_among_several_and_stay_there(
    server: StreamServer,
) -> None:
    recorder = Recorder()
    async with receiving(server.url, recorder, NAMES, FastClock()) as feed:
        await until_carried(server, NAMES)
        assert len(server.open) == 3
        assert max(map(len, carried(server))) <= MAX_STREAMS
        for number, (socket, names) in enumerate(server.subscribed.items()):
            symbol = min(names).split("@")[0].upper()
            await socket.send(trade_frame(number, symbol))
        await until(lambda: sorted(recorder.ids) == [0, 1, 2])
        before = {socket: set(names) for socket, names in server.subscribed.items()}
        some = [*NAMES[100:], "NEWUSDT"]
        feed.set_symbols(some)
        await until_carried(server, some)
        kept, new = streams(NAMES[100:]), streams(["NEWUSDT"])
        assert all(server.subscribed[socket] - new == names & kept for socket, names in before.items())
        assert len(server.sockets) == 3


async def test_a_connection_without_symbols_is_closed_after_a_while(server: StreamServer) -> None:
    recorder = Recorder()
    async with receiving(server.url, recorder, NAMES[:4], FastClock(), symbols_each=2, stall_after_s=1000) as feed:
        await until_carried(server, NAMES[:4])
        feed.set_symbols(NAMES[:2])
        await until(lambda: len(server.open) == 1, "the other one to close")
        assert (feed.connections, feed.status.state) == (1, FeedState.LIVE)
        await server.open[0].send(trade_frame(7, NAMES[0]))
        await until(lambda: recorder.ids == [7])
        assert len(server.sockets) == 2
    assert FeedState.BACKING_OFF not in recorder.states


async def test_a_storm_of_hundreds_of_symbols_stays_within_both_limits(server: StreamServer) -> None:
    dice, recorder = random.Random(4), Recorder()
    async with receiving(server.url, recorder, NAMES[:1], FastClock(speed=1)) as feed:
        for _ in range(150):
            feed.set_symbols(dice.sample(NAMES, dice.choice((1, 5, 300, 700))))
            await asyncio.sleep(0.004)
        feed.set_symbols(NAMES[:350])
        await until_carried(server, NAMES[:350])
    assert len(server.sockets) <= 3
    for requests in server.requests:
        times = [when_s for when_s, _ in requests]
        # The exchange allows five in any second; on a busy machine two may come closer than they were sent.
        assert all(later - earlier > 1.0 for earlier, later in zip(times, times[5:], strict=False))
        assert all(len(request["params"]) <= 200 for _, request in requests)


async def test_each_connection_recovers_by_itself_and_the_status_counts_those_down(server: StreamServer) -> None:
    recorder = Recorder()
    symbols = NAMES[:3]
    async with receiving(server.url, recorder, symbols, FastClock(), symbols_each=1) as feed:
        await until_carried(server, symbols)
        await until(lambda: feed.status.state is FeedState.LIVE)
        broken, *others = list(server.open)
        for number, socket in enumerate(server.open):
            await socket.send(trade_frame(number, min(server.subscribed[socket]).split("@")[0].upper()))
        await until(lambda: len(recorder.ids) == 3)
        await broken.close(1011)
        await until(lambda: len(server.sockets) == 4 and feed.status.state is FeedState.LIVE)
        await until_carried(server, symbols)
        assert others == server.open[:2]
    down = next(status for status in recorder.statuses if status.retry_at_s is not None)
    assert (down.state, down.connections, down.down) == (FeedState.LIVE, 3, 1)
    assert down.sentence(0).startswith("1 of 3 connections: ")


async def test_the_others_continue_when_one_connection_is_refused_and_the_status_names_its_symbols(
    server: StreamServer,
) -> None:
    recorder = Recorder()
    server.statuses = [None, (451, {})]
    async with receiving(server.url, recorder, NAMES[:4], FastClock(), symbols_each=2, stall_after_s=1000) as feed:
        await until(lambda: feed.status.refused, "a refusal")
        await until(lambda: feed.status.state is FeedState.LIVE)
        refused, also_refused = feed.status.refused
        live, also_live = sorted(set(NAMES[:4]) - {refused, also_refused})
        assert feed.status.reason.startswith(f"{refused}, {also_refused} are not received: ")
        assert "HTTP 451" in feed.status.reason
        assert (feed.status_of(refused).state, feed.status_of(live).state) == (FeedState.REFUSED, FeedState.LIVE)
        await until_carried(server, [live, also_live])
        await server.open[0].send(trade_frame(1, live))
        await until(lambda: recorder.ids == [1])
        # New symbols go to other connections, and the refused one is tried again when the user retries.
        feed.set_symbols([refused, live, also_live, NAMES[4]])
        await until_carried(server, [live, also_live, NAMES[4]])
        assert len(server.paths) == 3
        feed.retry_now()
        feed.retry_now()
        await until_carried(server, [refused, live, also_live, NAMES[4]])
        await until(lambda: feed.status.down == 0)
        assert (feed.status.refused, feed.status.reason, len(server.paths)) == ((), "", 4)


async def test_the_feed_ends_when_every_connection_is_refused(server: StreamServer) -> None:
    recorder = Recorder()
    server.statuses = [(451, {})] * 3
    feed = BinanceFeed(server.url, clock=FastClock(), symbols_each=1, max_attempts=3)
    feed.on_status(recorder.statuses.append)
    feed.set_symbols(NAMES[:3])
    with pytest.raises(FeedRejected, match="HTTP 451"):
        await feed.run(recorder)
    assert feed.status.state is FeedState.REFUSED
    assert len(feed.status.refused) == 3


async def test_attempts_are_counted_from_zero_again_when_the_user_retries(server: StreamServer) -> None:
    server.statuses = [None, (503, {}), (503, {}), (503, {})]
    async with receiving(server.url, Recorder(), NAMES[:2], FastClock(), symbols_each=1, max_attempts=2) as feed:
        await until(lambda: feed.status.refused)
        assert "gave up after 2 attempts" in feed.status.reason
        feed.retry_now()
        await until_carried(server, NAMES[:2])
        assert len(server.paths) == 5


def market() -> contextlib.AbstractAsyncContextManager[SandboxServer]:
    return serving(SimulatedMarket(seed=7, symbols=LISTINGS[:6], history=timedelta(hours=1), rate=1_500))


def missing(recorder: Recorder) -> dict[str, list[tuple[int, int]]]:
    """Return the ids that were not received between the first and the last of each symbol."""
    held: dict[str, IdRanges] = {}
    for event in recorder.events:
        if isinstance(event, Trade):
            held.setdefault(event.symbol, IdRanges()).add(event.trade_id)
    return {symbol: ranges.gaps() for symbol, ranges in held.items() if ranges.gaps()}


SYMBOLS = [f"{listing.base}USDT" for listing in LISTINGS[:6]]


async def test_no_trade_is_missing_when_connections_reach_their_age() -> None:
    recorder = Recorder()
    options: FeedOptions = {"symbols_each": 2, "max_age_s": 8}
    async with market() as server, receiving(server.ws_url, recorder, SYMBOLS, FastClock(), **options) as feed:
        await until(lambda: feed.counters.reconnects >= 6, "each connection to be replaced twice")
        received = len(recorder.ids)
        await until(lambda: len(recorder.ids) > received + 500)
    assert missing(recorder) == {}
    assert set(recorder.states[:-2]) <= {FeedState.CONNECTING, FeedState.LIVE}


@pytest.mark.parametrize("how", ["shutdown", "doubt"])
async def test_no_trade_is_missing_when_all_are_replaced_at_once(how: str) -> None:
    recorder = Recorder()
    async with market() as server, receiving(server.ws_url, recorder, SYMBOLS, FastClock(), symbols_each=2) as feed:
        await until(lambda: {event.symbol for event in recorder.events} == set(SYMBOLS), "trades of every symbol")
        old = list(server.connections)
        assert len(old) == 3
        if how == "doubt":
            feed.doubt("The network has changed")
            await until(lambda: feed.status.state is FeedState.STALE)
        else:
            for connection in old:
                await connection.announce_shutdown()
        await until(lambda: not set(old) & set(server.connections) and len(server.connections) == 3, "other ones")
        received = len(recorder.ids)
        await until(lambda: len(recorder.ids) > received + 500 and feed.status.state is FeedState.LIVE)
    assert missing(recorder) == {}
    stale = [status.reason for status in recorder.statuses if status.state is FeedState.STALE]
    assert all("The network has changed; opening a new connection." in reason for reason in stale)
    assert bool(stale) == (how == "doubt")
    assert FeedState.BACKING_OFF not in recorder.states


async def test_a_dead_connection_is_replaced_at_once_when_it_is_doubted(server: StreamServer) -> None:
    recorder = Recorder()
    async with receiving(server.url, recorder, ["BTCUSDT"], ManualClock(), stall_after_s=20) as feed:
        await server.until_subscribed(streams_of("BTCUSDT"))
        server.sockets[0].transport.pause_reading()  # the other end is gone, and no clock runs
        feed.doubt("The computer slept")
        await server.until_subscribed(streams_of("BTCUSDT"), connections=2)
        await until(lambda: feed.status.state is FeedState.LIVE)
        await server.sockets[1].send(trade_frame(1))
        await until(lambda: recorder.ids == [1])


async def test_a_doubted_connection_that_is_alive_is_kept_if_replacing_it_fails(server: StreamServer) -> None:
    recorder = Recorder()
    server.statuses = [None, (503, {})]
    async with receiving(server.url, recorder, ["BTCUSDT"], FastClock()) as feed:
        await server.until_subscribed(streams_of("BTCUSDT"))
        server.handshake.clear()
        feed.doubt("The network has changed")
        await until(lambda: feed.status.state is FeedState.STALE)
        await server.publish(trade_frame(1))
        await until(lambda: recorder.ids == [1])
        server.handshake.set()
        await until(lambda: feed.status.state is FeedState.LIVE)
        await server.publish(trade_frame(2))
        await until(lambda: recorder.ids == [1, 2])
    assert len(server.sockets) == 1
    assert FeedState.BACKING_OFF not in recorder.states


async def test_a_doubted_connection_that_is_alive_is_kept_while_no_attempt_is_allowed(server: StreamServer) -> None:
    """During a ban, which can last for days, nothing could replace it."""
    recorder, clock, ban = Recorder(), ManualClock(), ExchangeBan()
    async with receiving(server.url, recorder, ["BTCUSDT"], clock, ban=ban, stall_after_s=20) as feed:
        await server.until_subscribed(streams_of("BTCUSDT"))
        ban.note("Asked too much.", 3600.0, clock.monotonic_s())
        feed.doubt("The network has changed")
        await until(lambda: feed.status.state is FeedState.STALE)
        await clock.advance(2)
        await server.publish(trade_frame(1))
        await until(lambda: recorder.ids == [1])
        await clock.advance(2)
        await until(lambda: feed.status.state is FeedState.LIVE)
        feed.doubt("The network has changed")
        await until(lambda: feed.status.state is FeedState.STALE)
        assert FeedState.BACKING_OFF not in recorder.states
        for _ in range(25):  # and now it is dead
            await clock.advance(1)
        await until(lambda: feed.status.state is FeedState.BACKING_OFF)
    assert len(server.sockets) == 1


async def test_a_doubt_while_waiting_ends_the_wait(server: StreamServer) -> None:
    await server.stop()
    async with receiving(server.url, Recorder(), ["BTCUSDT"], ManualClock()) as feed:
        await until(lambda: feed.status.state is FeedState.BACKING_OFF)
        await server.start()
        feed.doubt("The network is back")
        await server.until_subscribed(streams_of("BTCUSDT"))


async def test_after_a_cut_the_feed_is_live_again_within_a_second() -> None:
    recorder, took_s = Recorder(), []

    async def hears_more() -> None:
        before = len(recorder.ids)
        await until(lambda: len(recorder.ids) > before)

    async with market() as server, receiving(server.ws_url, recorder, SYMBOLS, FastClock(speed=1)) as feed:
        for _ in range(7):
            await until(lambda: server.connections and server.connections[-1].messages_sent > 20)
            await until(lambda: feed.status.state is FeedState.LIVE)
            await hears_more()
            begun_s = time.monotonic()
            server.connections[-1].cut()
            await until(lambda: feed.status.state is not FeedState.LIVE)
            await until(lambda: feed.status.state is FeedState.LIVE)
            await hears_more()
            took_s.append(time.monotonic() - begun_s)
    assert statistics.median(took_s) < 1
    assert max(took_s) < 5


async def test_a_ban_met_by_the_stream_also_stops_rest_and_every_connection(server: StreamServer) -> None:
    server.statuses = [(418, {"Retry-After": "90"})]
    clock, ban, recorder = ManualClock(), ExchangeBan(), Recorder()
    rest = BinanceRest("http://127.0.0.1:9", clock=clock, ban=ban)  # a port without a listener
    options: FeedOptions = {"symbols_each": 1, "ban": ban}
    async with receiving(server.url, recorder, NAMES[:1], clock, **options) as feed:
        await until(lambda: feed.status.state is FeedState.BACKING_OFF)
        feed.set_symbols(NAMES[:3])
        await until(lambda: feed.connections == 3)
        await clock.advance(60)
        feed.retry_now()
        with pytest.raises(FeedBanned, match=r"has banned this address .* it answers again in 30 s\.") as caught:
            await rest.server_time_us()
        assert caught.value.retry_after_s == 30
        assert feed.status.sentence(clock.monotonic_s()).endswith("trying again in 30 s.")
        assert (feed.status.connections, feed.status.down) == (3, 3)
        assert len(server.paths) == 1
        await clock.advance(30)
        await until_carried(server, NAMES[:3])
    await rest.close()


async def test_a_ban_met_by_rest_defers_new_connections_and_keeps_the_open_ones() -> None:
    clock, ban, recorder = FastClock(), ExchangeBan(), Recorder()
    async with market() as server:
        rest = BinanceRest(server.rest_url, clock=clock, ban=ban)
        server.rest_faults.fail_next(429, retry_after_s=10, code=-1003)
        async with receiving(server.ws_url, recorder, SYMBOLS, clock, ban=ban, max_attempts=2) as feed:
            await until(lambda: feed.status.state is FeedState.LIVE and len(recorder.ids) > 10)
            with pytest.raises(FeedBanned):
                await rest.server_time_us()
            banned_until_s = clock.monotonic_s() + ban.left_s(clock.monotonic_s())
            received = len(recorder.ids)
            await until(lambda: len(recorder.ids) > received + 10)
            assert feed.status.state is FeedState.LIVE
            server.connections[0].cut()
            await until(lambda: feed.status.state is FeedState.BACKING_OFF)
            await until(lambda: "HTTP 429" in feed.status.reason)
            await until(lambda: feed.status.state is FeedState.LIVE)
            assert clock.monotonic_s() >= banned_until_s
            await rest.server_time_us()
        await rest.close()
