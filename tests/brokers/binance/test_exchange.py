"""
The clients against the sandbox exchange over real sockets, with injected faults.

In the end the ids received equal those published, or exactly the dropped ones are missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Unpack

import pytest

from app.brokers.binance.feed import BinanceFeed
from app.brokers.binance.rest import BinanceRest
from app.market.builder import CandleBuilder
from app.market.coverage import IdRanges
from app.market.errors import FeedDisconnected, FeedRejected
from app.market.interval import EXCHANGE_INTERVALS, Interval
from app.market.ports.exchange import EventHandler, FeedState
from app.market.trade import Quote, Trade
from app.sandbox.market.recording import RecordedMarket
from app.sandbox.market.simulated import LISTINGS, SimulatedMarket
from app.sandbox.server.connection import Connection
from app.sandbox.server.garbage import Garbage
from app.sandbox.server.server import SandboxServer
from tests.brokers.binance.feeds import FeedOptions, make_feed, running
from tests.brokers.binance.helpers import FastClock, Recorder, until
from tests.sandbox.helpers import serving

FindData = Callable[[str], Path]

FIRST_ID, LAST_ID = 3735683259, 3735703162
LAST_OF_BEGIN = FIRST_ID + 2277


@contextlib.asynccontextmanager
async def receiving(
    server: SandboxServer, handler: EventHandler, **options: Unpack[FeedOptions]
) -> AsyncIterator[BinanceFeed]:
    feed = make_feed(server.ws_url, FastClock(), Recorder(), **options)
    async with running(feed, handler):
        yield feed


def recording(shared_data: FindData) -> RecordedMarket:
    days = ("08", "09")
    return RecordedMarket([shared_data(f"ws_raw/examples_spot_btcusdt_202408{day}.gz") for day in days], speed=math.inf)


@pytest.fixture(scope="module")
def begin(shared_data: FindData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording as far as `LAST_OF_BEGIN`."""
    path = tmp_path_factory.mktemp("recording") / "begin"
    with gzip.open(shared_data("ws_raw/examples_spot_btcusdt_20240808.gz")) as dump:
        path.write_bytes(b"".join(islice(dump, 12_000)))
    return path


def replaying(path: Path) -> RecordedMarket:
    return RecordedMarket([path], speed=math.inf)


def busy_market() -> SimulatedMarket:
    return SimulatedMarket(seed=7, symbols=LISTINGS[:2], history=timedelta(hours=1), rate=2_000)


async def test_the_recording_arrives_whole_and_in_order(shared_data: FindData) -> None:
    recorder = Recorder()
    async with serving(recording(shared_data)) as server, receiving(server, recorder) as feed:
        await until(lambda: recorder.events and len(recorder.ids) == LAST_ID - FIRST_ID + 1)
        assert recorder.ids == list(range(FIRST_ID, LAST_ID + 1))
        await until(lambda: len(recorder.quotes) == 73_174)
        assert feed.counters.malformed == 0
        assert feed.status.state is FeedState.LIVE


async def test_a_slow_receiver_loses_nothing(begin: Path) -> None:
    ids: list[int] = []

    def handler(event: object, _: int) -> Awaitable[None] | None:
        if not isinstance(event, Trade):
            return None
        ids.append(event.trade_id)
        return asyncio.sleep(0.02) if event.trade_id % 100 == 0 else None

    async with serving(replaying(begin)) as server, receiving(server, handler):
        await until(lambda: len(ids) == LAST_OF_BEGIN - FIRST_ID + 1)
    assert ids == list(range(FIRST_ID, LAST_OF_BEGIN + 1))


async def test_garbage_between_the_frames_costs_no_frame(begin: Path) -> None:
    recorder = Recorder()
    async with serving(replaying(begin)) as server:
        for kind in (Garbage.INVALID_JSON, Garbage.TRUNCATED_JSON, Garbage.WRONG_TYPES, Garbage.UNKNOWN_EVENT):
            server.faults.streams.garble(kind, times=50, share=0.1, stream="@trade")
        async with receiving(server, recorder) as feed:
            await until(lambda: len(recorder.ids) == LAST_OF_BEGIN - FIRST_ID + 1)
            assert recorder.ids == list(range(FIRST_ID, LAST_OF_BEGIN + 1))
            # An event of an unknown kind is readable, so it is not counted.
            assert feed.counters.malformed == 150


async def test_repeated_and_reordered_trades_are_passed_on_to_the_receiver(begin: Path) -> None:
    recorder = Recorder()
    async with serving(replaying(begin)) as server:
        server.faults.streams.duplicate(share=0.1, stream="@trade")
        server.faults.streams.reorder(share=0.1, stream="@trade")
        async with receiving(server, recorder):
            held = IdRanges()
            await until(lambda: LAST_OF_BEGIN - 1 in recorder.ids[-5:])
            for trade_id in recorder.ids:
                held.add(trade_id)
    # The very last may stay delayed for good, because no event follows it.
    assert held.missing(FIRST_ID, LAST_OF_BEGIN - 2) == []
    assert len(recorder.ids) > held.count()


async def test_exactly_the_dropped_trades_are_missing(begin: Path) -> None:
    recorder = Recorder()
    async with serving(replaying(begin)) as server:
        server.faults.streams.drop(share=0.1, times=50, stream="@trade")
        async with receiving(server, recorder):
            await until(lambda: recorder.ids and recorder.ids[-1] == LAST_OF_BEGIN)
    held = IdRanges((trade_id, trade_id) for trade_id in recorder.ids)
    assert sum(last - first + 1 for first, last in held.missing(FIRST_ID, LAST_OF_BEGIN)) == 50


async def test_the_feed_is_live_again_after_every_kind_of_lost_connection() -> None:
    recorder = Recorder()
    async with serving(busy_market()) as server, receiving(server, recorder, stall_after_s=10) as feed:
        feed.on_status(recorder.statuses.append)

        async def lives_again(break_it: Callable[[], object]) -> None:
            await until(lambda: server.connections and server.connections[-1].messages_sent > 20, "a connection in use")
            await until(lambda: feed.status.state is FeedState.LIVE)
            broken = server.connections[-1]
            received = len(recorder.events)
            outcome = break_it()
            if asyncio.iscoroutine(outcome):
                await outcome
            await until(lambda: broken not in server.connections or server.connections[-1] is not broken, "another one")
            await until(lambda: feed.status.state is FeedState.LIVE, "live")
            await until(lambda: len(recorder.events) > received + 20, "events")

        def newest() -> Connection:
            return server.connections[-1]

        def close_newest(code: int) -> object:
            return newest().close(code)

        await lives_again(lambda: newest().cut())
        await lives_again(lambda: newest().cut(mid_frame=True))
        for code in (1006, 1008, 1011, 1012):
            await lives_again(partial(close_newest, code))
        await lives_again(lambda: setattr(newest().faults, "stalled", True))
        await lives_again(lambda: setattr(newest().faults, "silent", True))
        await lives_again(lambda: newest().announce_shutdown())
        await lives_again(lambda: newest().send(b"x" * 3_000_000))
        server.faults.handshakes.refuse_next(503, times=2)
        await lives_again(lambda: newest().cut())
        assert feed.counters.malformed == 1
        assert recorder.states.count(FeedState.STALE) == 2


async def test_no_trade_is_missing_over_a_planned_replacement() -> None:
    recorder = Recorder()
    async with serving(busy_market()) as server, receiving(server, recorder, max_age_s=6) as feed:
        feed.on_status(recorder.statuses.append)
        await until(lambda: feed.counters.reconnects >= 3)
        received = len(recorder.ids)
        await until(lambda: len(recorder.ids) > received + 500)
    held = IdRanges((trade_id, trade_id) for trade_id in recorder.ids)
    assert held.gaps() == []
    assert FeedState.BACKING_OFF not in recorder.states


async def test_hundreds_of_changes_of_symbols_stay_within_the_exchanges_limit() -> None:
    recorder = Recorder()
    market = SimulatedMarket(seed=3, history=timedelta(hours=1), rate=500)
    names = [symbol.name for symbol in market.symbols() if symbol.is_trading]
    async with serving(market) as server:
        # The pace of requests is held by the feed's own clock, which must not run fast here.
        feed = BinanceFeed(server.ws_url, clock=FastClock(speed=1), chance=random.Random(1))
        feed.set_symbols(names[:3])
        feed.on_status(recorder.statuses.append)
        task = asyncio.create_task(feed.run(recorder))
        dice = random.Random(2)
        for _ in range(200):
            feed.set_symbols(dice.sample(names, dice.randint(0, len(names))))
            await asyncio.sleep(0.003)
        feed.set_symbols(["币安人生USDT", "BTCUSDT"])
        await until(lambda: any(isinstance(event, Quote) for event in recorder.events[-5:]))
        await until(lambda: {event.symbol for event in recorder.events[-50:]} == {"币安人生USDT", "BTCUSDT"})
        assert len(server.connections) == 1
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert FeedState.BACKING_OFF not in recorder.states


@pytest.fixture
async def rest_server() -> AsyncIterator[SandboxServer]:
    async with serving(SimulatedMarket(seed=5, symbols=LISTINGS[:20], history=timedelta(days=2), rate=40)) as server:
        yield server


@pytest.fixture
async def rest(rest_server: SandboxServer) -> AsyncIterator[BinanceRest]:
    rest = BinanceRest(rest_server.rest_url, clock=FastClock(speed=1))
    yield rest
    await rest.close()


async def test_every_endpoint_is_understood_by_another_implementation(rest: BinanceRest) -> None:
    symbols = {symbol.name: symbol for symbol in await rest.symbols()}
    assert not symbols["LUNAUSDT"].is_trading
    now_us = await rest.server_time_us()
    newest = await rest.recent_trades("币安人生USDT", limit=10)
    assert len(newest) == 10
    again = await rest.trades_from("币安人生USDT", newest[0].trade_id, limit=10)
    assert again[:10] == newest
    first = await rest.first_trade_id_since("BTCUSDT", now_us - 600_000_000)
    assert first is not None
    trades = await rest.trades_from("BTCUSDT", first - 1, limit=2)
    assert trades[0].time_us < now_us - 600_000_000 <= trades[1].time_us
    days = {ticker.symbol: ticker for ticker in await rest.day_tickers(["BTCUSDT", "币安人生USDT"])}
    assert set(days) == {"BTCUSDT", "币安人生USDT"}
    for interval in EXCHANGE_INTERVALS:
        klines = await rest.klines("BTCUSDT", interval, limit=3)
        assert [candle.open_time_us for candle in klines] == [
            interval.open_time_us(candle.open_time_us) for candle in klines
        ]


async def test_klines_equal_the_candles_of_their_trades(rest: BinanceRest) -> None:
    minute = Interval.parse("1m")
    start_us = minute.open_time_us(await rest.server_time_us()) - 5 * minute.length_us
    first = await rest.first_trade_id_since("ETHUSDT", start_us)
    assert first is not None
    builder = CandleBuilder(minute)
    while trades := await rest.trades_from("ETHUSDT", first):
        for trade in trades:
            builder.add(trade)
        first = trades[-1].trade_id + 1
        if len(trades) < 1000:
            break
    klines = await rest.klines("ETHUSDT", minute, start_us=start_us, end_us=start_us + 5 * minute.length_us)
    assert len(klines) == 5
    assert all(kline.closed for kline in klines)
    for kline in klines:
        if kline.trades:
            built = builder.candle(kline.open_time_us)
            assert built is not None
            assert kline[:5] == built[:5]
            assert (kline.volume_e8, kline.trades) == (built.volume_e8, built.trades)
            assert kline.quote_volume_e16 // 10**8 == built.quote_volume_e16 // 10**8


async def test_the_exchanges_errors_become_sentences(rest: BinanceRest, rest_server: SandboxServer) -> None:
    with pytest.raises(FeedRejected, match="“BTCUSDX” is not a symbol of the exchange"):
        await rest.klines("BTCUSDX", Interval.parse("1m"))
    with pytest.raises(FeedRejected, match="“a b” is not a symbol of the exchange"):
        await rest.recent_trades("a b")
    rest_server.rest_faults.fail_next(418, retry_after_s=120)
    with pytest.raises(FeedDisconnected) as caught:
        await rest.recent_trades("BTCUSDT")
    assert caught.value.retry_after_s == 120
    with pytest.raises(FeedDisconnected, match="answers again in"):
        await rest.recent_trades("BTCUSDT")
