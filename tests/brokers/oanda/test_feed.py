"""The feed against a real server that fails in every way: the table of states, no retry storm, no secret anywhere."""

from __future__ import annotations

import asyncio
import logging
import math
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from app.brokers.oanda.credentials import Credentials
from app.market.errors import FeedRejected
from app.market.interval import Interval
from app.market.ports.exchange import FeedState
from app.market.quotes.tick import Tick
from app.market.trade import MarketEvent
from app.sandbox.oanda.faults import Garbage
from app.sandbox.oanda.server import ACCOUNT, TOKEN, OandaLimits, OandaSandbox
from app.sandbox.oanda.tape import RecordedTape
from tests.brokers.binance.helpers import until
from tests.brokers.oanda.conftest import EURUSD, MONDAY_US, USDJPY, Client
from tests.faults.world import HurriedClock

S = FeedState


async def test_ticks_arrive_in_order_with_the_last_price_first(client: Client) -> None:
    async with client.running():
        await client.hears(50)
        assert client.feed.status.state is S.LIVE
        assert client.feed.status_of(EURUSD) == client.feed.status
    assert client.states == [S.CONNECTING, S.LIVE, S.CLOSING, S.CLOSED]
    tape = client.server._tape.prices("EUR_USD", MONDAY_US - 10_000_000, client.server.time.now_us())
    first = next(place for place, price in enumerate(tape) if price.time_us == client.ticks[0].time_us)
    expected = [(price.time_us, price.bid * 1_000, price.ask * 1_000) for price in tape[first:]]
    assert [(tick.time_us, tick.bid_e8, tick.ask_e8) for tick in client.ticks] == expected[: len(client.ticks)]
    assert client.feed.counters.messages >= len(client.ticks)


async def test_recorded_ticks_arrive_to_the_last_one(shared_data: Callable[[str], Path], fast: HurriedClock) -> None:
    tape = RecordedTape([shared_data("oanda/eurusd_tick_20140504.zip")])
    server = OandaSandbox(tape, clock=fast, begin_us=tape.start_us - 1, speed=math.inf, sampled=False)
    await server.start()
    client = Client(server, fast)
    async with client.running():
        await until(lambda: client.ticks and client.ticks[-1].time_us == tape.end_us, "the last tick")
    await client.http.close()
    await server.stop()
    assert [(tick.time_us, tick.bid_e8, tick.ask_e8) for tick in client.ticks] == [
        (price.time_us, price.bid * 1_000, price.ask * 1_000) for price in tape._prices
    ]
    assert sum(tick.place > 0 for tick in client.ticks) == 13  # of the same millisecond as the one before


async def test_a_cut_stream_comes_back_and_repeats_nothing(client: Client) -> None:
    async with client.running((EURUSD, USDJPY)):
        await client.hears(20)
        for mid_line in (False, True, False):
            client.server.streams[0].cut(mid_line=mid_line)
            await until(lambda: client.feed.status.state is not S.LIVE, "the cut")
            await client.hears(20)
    for symbol in (EURUSD, USDJPY):
        keys = [(tick.time_us, tick.place) for tick in client.ticks if tick.symbol == symbol]
        assert keys == sorted(set(keys))
    assert client.feed.counters.reconnects == 3
    assert client.feed.counters.malformed == 0
    assert [state for state in client.states if state is S.BACKING_OFF] == [S.BACKING_OFF] * 3
    assert "Cannot reach 127.0.0.1" in next(one.reason for one in client.statuses if one.state is S.BACKING_OFF)


async def test_a_stream_that_ends_politely_comes_back(client: Client) -> None:
    async with client.running():
        await client.hears(3)
        client.server.streams[0].end()
        await until(lambda: client.feed.counters.reconnects == 1, "a new stream")
        await client.hears(3)
    assert any(status.reason.endswith("ended the stream.") for status in client.statuses)


async def test_silence_of_ten_seconds_is_a_dead_stream(client: Client) -> None:
    async with client.running():
        await client.hears(3)
        began_s = client.clock.monotonic_s()
        client.server.streams[0].faults.silent = True
        await until(lambda: S.STALE in client.states, "the silence")
        assert client.clock.monotonic_s() - began_s >= 10.0
        await until(lambda: client.feed.status.state is S.LIVE, "another stream")
        await client.hears(3)
        await until(lambda: len(client.server.streams) == 1, "the end of the silent one")
    assert client.states[:4] == [S.CONNECTING, S.LIVE, S.STALE, S.LIVE]
    assert "has gone silent" in client.statuses[2].reason


async def test_heartbeats_alone_keep_a_stream(client: Client) -> None:
    client.server.faults.streams.stalled = True
    async with client.running():
        await until(lambda: client.feed.counters.messages >= 6, "heartbeats for half a minute")
    assert S.STALE not in client.states
    assert client.feed.counters.reconnects == 0


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_are_one_sentence_and_no_storm(
    status: int, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    words = b'{"errorMessage":"Insufficient authorization to perform request."}'
    client.server.faults.answers.fail_next(status, times=None, path="/pricing/stream", body=words)
    client.feed.set_symbols([EURUSD])
    with pytest.raises(FeedRejected) as refused:
        await client.feed.run(client.receive)
    sentence = str(refused.value)
    assert sentence.startswith(f"OANDA refuses the token (HTTP {status}): Insufficient authorization")
    assert "OANDA_API_KEY" in sentence
    assert client.states == [S.CONNECTING, S.REFUSED]
    assert client.feed.status.reason == sentence
    await asyncio.sleep(0.3)  # 7 s of the feed's time
    assert client.server.requests == {f"/accounts/{ACCOUNT}/pricing/stream": 1}
    assert_secret(caplog, refused.value)
    # It may be run again, once the user has changed something.
    client.server.faults.clear()
    async with client.running():
        await client.hears(3)


async def test_a_wrong_token_never_shows(
    server: OandaSandbox, fast: HurriedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = Client(server, fast, token="s3cret-t0ken")
    client.feed.set_symbols([EURUSD])
    failures = []
    candles = client.rest.newest_candles(EURUSD, Interval.parse("1m"), MONDAY_US, 1)
    for attempt in (client.feed.run(client.receive), client.rest.symbols(), candles):
        with pytest.raises(FeedRejected, match=r"HTTP 401") as refused:
            await attempt
        failures.append(refused.value)
    assert server.requests.total() == 1  # the others would be refused, too
    await client.http.close()
    client = Client(server, fast, token="s3cret-t0ken")
    server.faults.answers.cut_next(times=None)
    server.token = "s3cret-t0ken"
    with pytest.raises(Exception, match="Cannot reach") as broken:
        await client.rest.symbols()
    await server.stop()
    with pytest.raises(Exception, match="connection refused") as away:
        await client.rest.symbols()
    await client.http.close()
    assert_secret(caplog, *failures, broken.value, away.value, secret="s3cret-t0ken")
    assert "s3cret" not in repr(Credentials("s3cret-t0ken", ACCOUNT))


def assert_secret(caplog: pytest.LogCaptureFixture, *errors: BaseException, secret: str = TOKEN) -> None:
    """Check that the token is in no log record and nowhere in the errors, their causes included."""
    assert secret not in caplog.text
    assert not any(secret in repr(vars(record)) for record in caplog.records)
    for error in errors:
        assert secret not in "".join(traceback.format_exception(error))
        linked: BaseException | None = error
        while linked is not None:
            assert secret not in repr(linked)
            assert secret not in repr(vars(linked))
            linked = linked.__cause__ or linked.__context__


@pytest.mark.parametrize("status", [429, 500, 503, 502])
async def test_a_refusal_for_a_while_is_retried(status: int, client: Client) -> None:
    client.server.faults.answers.fail_next(status, times=3, path="/pricing/stream")
    async with client.running():
        await client.hears(3)
    assert client.states.count(S.BACKING_OFF) == 3
    assert max(one.attempt for one in client.statuses) == 3
    assert client.server.requests[f"/accounts/{ACCOUNT}/pricing/stream"] == 4


async def test_the_wait_that_oanda_asks_for_is_kept_even_if_the_user_is_impatient(client: Client) -> None:
    client.server.faults.answers.fail_next(503, path="/pricing/stream", retry_after_s=20)
    async with client.running():
        await until(lambda: client.feed.status.state is S.BACKING_OFF, "the refusal")
        began_s = client.clock.monotonic_s()
        client.feed.retry_now()
        assert client.feed.status.retry_in_s == 20
        await client.hears(1)
        assert client.clock.monotonic_s() - began_s >= 20


async def test_the_user_can_end_a_wait(client: Client) -> None:
    client.server.faults.answers.fail_next(503, times=8, path="/pricing/stream")
    async with client.running():
        while not client.ticks:
            client.feed.retry_now()
            await asyncio.sleep(0.01)
    assert client.states.count(S.BACKING_OFF) == 8


async def test_attempts_may_run_out(server: OandaSandbox, fast: HurriedClock) -> None:
    client = Client(server, fast, max_attempts=3)
    server.faults.answers.fail_next(503, times=None)
    client.feed.set_symbols([EURUSD])
    with pytest.raises(FeedRejected, match="gave up after 3 attempts"):
        await client.feed.run(client.receive)
    assert client.states[-1] is S.REFUSED
    await client.http.close()


async def test_garbage_is_skipped_counted_and_shown(client: Client) -> None:
    for kind in Garbage:
        client.server.faults.streams.garble(kind, share=0.3)
    client.server.faults.streams.repeat(share=0.5)
    async with client.running():
        await client.hears(40)
    keys = [(tick.time_us, tick.place) for tick in client.ticks]
    assert keys == sorted(set(keys))
    assert client.feed.counters.malformed > 20
    assert "cannot be read" in client.feed.counters.last_malformed
    assert client.feed.counters.reconnects == 0


async def test_a_line_without_an_end_is_given_up(client: Client) -> None:
    async with client.running():
        await client.hears(3)
        stream = client.server.streams[0]
        await stream._response.write(b"x" * (2**20 + 10))
        await until(lambda: client.feed.counters.reconnects == 1, "another stream")
        await client.hears(3)
    assert any("too long" in status.reason for status in client.statuses)


async def test_other_symbols_are_another_stream_and_one_for_many_changes(client: Client) -> None:
    async with client.running((EURUSD,)):
        await client.hears(3)
        for symbols in ((EURUSD, USDJPY), (USDJPY,), (USDJPY, "oanda:XAUUSD"), (USDJPY, EURUSD, "binance:X")):
            client.feed.set_symbols(symbols)
        await client.hears(10, "USDJPY")
        assert len(client.server.streams) == 1
        client.feed.set_symbols([USDJPY])
        await asyncio.sleep(0)
        before = len(client.ticks)
        await client.hears(10)
    assert client.server.requests[f"/accounts/{ACCOUNT}/pricing/stream"] in (2, 3)
    assert {tick.symbol for tick in client.ticks[before:]} == {USDJPY}
    assert set(client.states) == {S.CONNECTING, S.LIVE, S.CLOSING, S.CLOSED}


async def test_an_instrument_that_the_account_lacks_costs_no_other_its_prices(client: Client) -> None:
    async with client.running((EURUSD, "oanda:FOOBAR")):
        await client.hears(3)
        status = client.feed.status
        assert (status.state, status.refused) == (S.LIVE, ("oanda:FOOBAR",))
        assert status.reason == "“oanda:FOOBAR” is not an instrument of the OANDA account."
        assert client.feed.status_of("oanda:FOOBAR").state is S.REFUSED
        assert client.feed.status_of(EURUSD).state is S.LIVE


async def test_no_known_instrument_at_all_is_refused(client: Client) -> None:
    client.feed.set_symbols(["oanda:FOOBAR"])
    with pytest.raises(FeedRejected, match="FOOBAR"):
        await client.feed.run(client.receive)


async def test_without_symbols_nothing_is_asked(client: Client) -> None:
    async with client.running(("binance:BTCUSDT", "BTCUSDT")):
        await asyncio.sleep(0.05)
        assert client.feed.status.state is S.IDLE
        assert not client.server.requests
        client.feed.set_symbols([EURUSD])
        await client.hears(1)
        client.feed.set_symbols([])
        await asyncio.sleep(0.05)
        assert client.feed.status.state is S.LIVE


async def test_a_doubted_stream_is_replaced(client: Client) -> None:
    async with client.running():
        await client.hears(3)
        client.feed.doubt("The computer slept")
        await until(lambda: client.feed.counters.reconnects == 1, "another stream")
        await client.hears(3)
    assert client.states[:4] == [S.CONNECTING, S.LIVE, S.STALE, S.LIVE]
    assert client.statuses[2].reason == "The computer slept; opening a new stream."


async def test_a_server_that_is_away_is_probed_until_it_returns(client: Client) -> None:
    async with client.running():
        await client.hears(3)
        port = client.server._server.port
        await client.server.stop()
        await until(lambda: client.states.count(S.BACKING_OFF) >= 4, "attempts")
        assert "connection refused" in client.feed.status.reason
        again = OandaSandbox(
            client.server._tape,
            port=port,
            clock=client.clock,
            begin_us=client.server.time.now_us(),
            limits=OandaLimits(connections_per_s=99),
        )
        await again.start()
        await client.hears(3)
        await again.stop()
    keys = [(tick.time_us, tick.place) for tick in client.ticks]
    assert keys == sorted(set(keys))


async def test_a_slow_receiver_slows_the_reading_and_is_no_silence(client: Client) -> None:
    gate = asyncio.Event()
    taken: list[Tick] = []

    async def wait() -> None:
        await gate.wait()

    def receive(event: MarketEvent, received_us: int) -> object:
        assert isinstance(event, Tick)
        taken.append(event)
        return wait()

    client.feed.set_symbols([EURUSD])
    task = asyncio.create_task(client.feed.run(receive))  # type: ignore[arg-type]  # because the result is awaitable
    await until(lambda: taken, "the first tick")
    await client.clock.sleep(25)
    assert len(taken) == 1
    assert client.feed.status.state is S.LIVE
    gate.set()
    await until(lambda: len(taken) > 40, "the ticks that waited")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert S.STALE not in client.states


async def test_a_bug_of_the_receiver_is_no_fault_of_the_network(client: Client) -> None:
    def receive(event: MarketEvent, received_us: int) -> None:
        raise ZeroDivisionError

    client.feed.set_symbols([EURUSD])
    with pytest.raises(ZeroDivisionError):
        await client.feed.run(receive)
    assert client.states[-1] is S.CLOSED


@pytest.mark.parametrize(
    ("token", "account", "named"),
    [
        ("", "", "OANDA_API_KEY and OANDA_ACCOUNT_ID"),
        ("t0ken", "", "set OANDA_ACCOUNT_ID"),
        ("", "1", "set OANDA_API_KEY"),
    ],
)
def test_missing_credentials_say_what_to_set(token: str, account: str, named: str) -> None:
    with pytest.raises(FeedRejected, match=named) as refused:
        Credentials(token, account)
    assert "t0ken" not in str(refused.value)


def test_credentials_that_cannot_be_are_refused_without_being_shown() -> None:
    for token, account in (("t0k en", "1"), ("t0ken\nx", "1"), ("t0ken", "../1"), ("t0kenä", "1")):
        with pytest.raises(FeedRejected, match="cannot be") as refused:
            Credentials(token, account)
        assert "t0k" not in str(refused.value)
