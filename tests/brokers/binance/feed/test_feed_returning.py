"""The feed reconnects after connections that end and handshakes that fail, unless the failure is final."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from app.market.errors import FeedRejected
from app.market.ports.exchange import FeedState
from tests.brokers.binance.feeds import BTC, make_feed, running
from tests.brokers.binance.helpers import FastClock, ManualClock, Recorder, StreamServer, trade_frame, until


async def test_events_received_before_a_cut_are_delivered_and_the_feed_reconnects(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        await server.publish(*(trade_frame(number) for number in range(1, 501)))
        await server.sockets[0].close(1012)
        await server.until_subscribed(BTC, connections=2)
        await server.publish(trade_frame(501))
        await until(lambda: recorder.ids == list(range(1, 502)))
        assert feed.counters.reconnects == 1
        assert feed.status.state is FeedState.LIVE


async def test_why_an_attempt_failed_stands_until_one_succeeds(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        await server.sockets[0].close(1012)
        await server.until_subscribed(BTC, connections=2)
        await until(lambda: feed.status.state is FeedState.LIVE)
    first_live = next(place for place, status in enumerate(recorder.statuses) if status.state is FeedState.LIVE)
    backing_off, connecting, live = recorder.statuses[first_live + 1 : first_live + 4]
    assert (backing_off.state, connecting.state) == (FeedState.BACKING_OFF, FeedState.CONNECTING)
    assert connecting.reason == backing_off.reason != ""
    assert connecting.attempt == backing_off.attempt == 1
    assert connecting.retry_at_s is None
    assert (live.state, live.reason) == (FeedState.LIVE, "")


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1012, 1013, 4000])
async def test_every_close_code_is_followed_by_a_new_connection(server: StreamServer, code: int) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        await server.publish(trade_frame(1))
        await until(lambda: recorder.ids == [1])
        await server.sockets[0].close(code)
        await server.until_subscribed(BTC, connections=2)
    backing_off = next(status for status in recorder.statuses if status.state is FeedState.BACKING_OFF)
    assert f"(code {code})" in backing_off.reason
    assert backing_off.retry_in_s is not None
    assert backing_off.retry_in_s <= 1


async def test_a_connection_cut_in_the_middle_of_a_frame_is_replaced(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        await server.publish(trade_frame(1))
        server.sockets[0].transport.write(b"\x81\x7e\x01\x00half")
        await until(lambda: recorder.ids == [1])
        server.sockets[0].transport.close()
        await server.until_subscribed(BTC, connections=2)
    assert feed.counters.malformed == 0


async def test_only_attempts_in_a_row_are_counted(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        for connection in range(3):
            await server.until_subscribed(BTC, connections=connection + 1)
            await server.publish(trade_frame(connection))
            await until(lambda: len(recorder.ids) == len(server.sockets))
            await server.sockets[-1].close(1011)
        for connection in range(3, 5):
            await server.until_subscribed(BTC, connections=connection + 1)
            await server.sockets[-1].close(1011)
        await server.until_subscribed(BTC, connections=6)
    attempts = [status.attempt for status in recorder.statuses if status.state is FeedState.BACKING_OFF]
    assert attempts == [1, 1, 1, 2, 3]


async def test_a_frame_of_ten_megabytes_costs_the_connection_but_no_memory(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        await server.publish(trade_frame(1))
        with contextlib.suppress(Exception):
            await server.publish("x" * 10_000_000)
        await server.until_subscribed(BTC, connections=2)
        await server.publish(trade_frame(2))
        await until(lambda: recorder.ids == [1, 2])
    assert feed.counters.malformed == 1
    assert "larger than" in feed.counters.last_malformed


async def test_an_unreachable_exchange_is_retried_until_it_is_back(server: StreamServer) -> None:
    await server.stop()
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await until(lambda: recorder.states.count(FeedState.BACKING_OFF) >= 3)
        reason = recorder.statuses[1].reason
        await server.start()
        await server.until_subscribed(BTC)
    assert reason == f"Cannot reach 127.0.0.1:{server.port} (connection refused)."
    assert [status.attempt for status in recorder.statuses if status.state is FeedState.BACKING_OFF][:3] == [1, 2, 3]


async def test_a_wait_ends_when_the_user_asks(server: StreamServer) -> None:
    await server.stop()
    feed = make_feed(server.url, ManualClock(), recorder := Recorder())
    async with running(feed, recorder):
        await until(lambda: feed.status.state is FeedState.BACKING_OFF)
        await server.start()
        feed.retry_now()
        await server.until_subscribed(BTC)


async def test_gives_up_after_the_attempts_it_was_allowed(server: StreamServer) -> None:
    await server.stop()
    feed = make_feed(server.url, FastClock(), recorder := Recorder(), max_attempts=3)
    with pytest.raises(FeedRejected, match="gave up after 3 attempts"):
        await feed.run(recorder)
    assert feed.status.state is FeedState.REFUSED
    await server.start()
    async with running(feed, recorder):
        await server.until_subscribed(BTC)


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
        await server.until_subscribed(BTC)


async def test_the_exchange_states_how_long_a_ban_lasts(server: StreamServer) -> None:
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


async def test_a_networks_sign_in_page_is_retried_until_it_is_gone(server: StreamServer) -> None:
    server.statuses = [(302, {"Location": "http://portal.example/"}), (404, {}), (200, {}), None]
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
    assert recorder.states.count(FeedState.BACKING_OFF) == 3


async def test_a_failing_server_is_retried(server: StreamServer) -> None:
    server.statuses = [(500, {}), (503, {}), None]
    feed = make_feed(server.url, FastClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
    assert recorder.states.count(FeedState.BACKING_OFF) == 2


async def test_a_handshake_that_hangs_is_given_up(server: StreamServer) -> None:
    server.handshake.clear()
    feed = make_feed(server.url, FastClock(), recorder := Recorder(), connect_timeout_s=0.1)
    async with running(feed, recorder):
        await until(lambda: recorder.states.count(FeedState.BACKING_OFF) >= 2)
        assert "no answer in time" in recorder.statuses[1].reason
        server.handshake.set()
        await until(lambda: feed.status.state is FeedState.LIVE)


async def test_after_a_long_outage_the_return_is_found_by_the_next_probe_within_four_seconds(
    server: StreamServer,
) -> None:
    feed = make_feed(server.url, clock := ManualClock(), recorder := Recorder())
    async with running(feed, recorder):
        await server.until_subscribed(BTC)
        await server.publish(trade_frame(1))
        await until(lambda: recorder.ids == [1])
        await server.stop()
        for _ in range(60):
            await until(lambda: feed.status.state is FeedState.BACKING_OFF)
            await clock.advance(1)
        waits = [status.retry_in_s for status in recorder.statuses if status.state is FeedState.BACKING_OFF]
        assert waits[-8:] == [4.0] * 8
        assert len(waits) <= 60 / 4 + 4
        await server.start()
        await clock.advance(4)
        await server.until_subscribed(BTC, connections=2)
        await server.publish(trade_frame(2))
        await until(lambda: recorder.ids == [1, 2])


async def test_one_of_many_connections_probes_and_all_are_back_with_it(server: StreamServer) -> None:
    names = [f"S{number}USDT" for number in range(6)]
    feed = make_feed(server.url, clock := ManualClock(), recorder := Recorder(), symbols=names, symbols_each=2)
    async with running(feed, recorder):
        await until(lambda: len(server.sockets) == 3)
        await server.stop()
        for _ in range(120):
            await clock.advance(0.5)
            for _ in range(30):
                await asyncio.sleep(0.0005)
        attempts = max(status.attempt for status in recorder.statuses)
        assert 12 <= attempts <= 20  # of the probing connection: a minute by four seconds, and the first quick ones
        await server.start()
        await clock.advance(4)
        await until(lambda: len(server.sockets) == 6)
        await until(lambda: feed.status.state is FeedState.LIVE and not feed.status.down)


async def test_a_connection_that_breaks_the_rules_again_and_again_waits_longer_and_longer(server: StreamServer) -> None:
    feed = make_feed(server.url, FastClock(400), recorder := Recorder())
    async with running(feed, recorder):
        for connection in range(9):
            await server.until_subscribed(BTC, connections=connection + 1)
            await server.sockets[-1].close(1008)
        await until(lambda: recorder.statuses[-1].attempt >= 8)
    waits = [status.retry_in_s for status in recorder.statuses if status.state is FeedState.BACKING_OFF]
    assert max(wait for wait in waits if wait is not None) > 10
