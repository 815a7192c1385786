"""Fetching what was missed: from the sandbox exchange over real sockets, and from one that misbehaves on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from app.binance.rest import BinanceRest
from app.binance.stream import BinanceFeed
from app.live.clock import SystemClock
from app.live.recorder import Recorder
from app.live.repair import Repairer
from app.market.errors import FeedRejected
from app.market.ports import Clock, TradeHistory
from app.sandbox.faults import Faults
from app.sandbox.server import SandboxServer
from app.sandbox.simulated import Listing, SimulatedMarket
from tests.live.helpers import SYMBOL, FakeExchange, FakeWriter, HandClock, away, recorder_for, trade, until

LAST = 400


@asynccontextmanager
async def repairing(recorder: Recorder, history: TradeHistory, clock: Clock) -> AsyncIterator[Repairer]:
    """A repairer at work, ended afterwards."""
    repairer = Repairer(recorder, history, clock)
    task = asyncio.ensure_future(repairer.run())
    try:
        yield repairer
    finally:
        ended_by_itself = task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        recorder.outbox.close()
        assert not ended_by_itself


def exchange_with(ids: Sequence[int]) -> FakeExchange:
    """An exchange with trades of these ids, all of them past."""
    clock = HandClock()
    clock.time_us += 10**12
    return FakeExchange([trade(number) for number in ids], clock)


def receive(recorder: Recorder, *ids: int) -> None:
    for number in ids:
        recorder.receive(trade(number), 0)


@pytest.fixture
async def recorder() -> Recorder:
    made = recorder_for(repair_trades=100_000)
    made.attach(FakeWriter())
    return made


async def test_dropped_and_reordered_frames_leave_no_gap() -> None:
    faults = Faults()
    faults.streams.drop(share=0.2, stream="@trade")
    faults.streams.reorder(share=0.1, stream="@trade")
    faults.streams.duplicate(share=0.1, stream="@trade")
    listing = Listing("BTC", "60000", "0.01", "0.00001", 1.0)
    market = SimulatedMarket(5, [listing], history=timedelta(hours=1), rate=400.0)
    server = SandboxServer(market, faults=faults)
    await server.start()
    clock = SystemClock()
    rest = BinanceRest(server.rest_url, clock=clock)
    feed = BinanceFeed(server.ws_url, clock=clock)
    feed.set_symbols([SYMBOL])
    recorder = recorder_for(repair_trades=100_000)
    recorder.attach(writer := FakeWriter())
    tracker = recorder.tracker(SYMBOL)
    assert tracker is not None
    receiving = asyncio.ensure_future(feed.run(recorder.receive))
    try:
        async with repairing(recorder, rest, clock) as repairer:
            await until(lambda: tracker.total > 400 and repairer.repaired > 40, "repaired trades")
            server.connections[0].faults.clear()
            await until(lambda: not recorder.missing() and not repairer.repairing, "no gap left")
            held = tracker.received.held
            assert list(held) == [(held.first, held.last)]
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        await rest.close()
        await server.stop()
    await recorder.outbox.drain()
    assert held.first is not None
    # What came twice was put twice, for the database to compare, and was the same.
    assert sorted(set(writer.trades)) == market.trades(SYMBOL, held.first, held.count())


async def test_a_gap_of_many_pages_is_fetched_whole(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, 3501))
    receive(recorder, 1, 3500)
    async with repairing(recorder, exchange, HandClock()) as repairer:
        await until(lambda: recorder.missing() == 0)
        assert repairer.repaired == 3498
    assert all(limit <= 1000 for _, limit in exchange.trade_calls)


async def test_ids_the_exchange_passes_over_are_noted_and_not_asked_for_again(recorder: Recorder) -> None:
    exchange = exchange_with([1, *range(5, 8), *range(12, LAST + 1)])
    receive(recorder, 1, 20, 12)
    async with repairing(recorder, exchange, HandClock()) as repairer:
        await until(lambda: recorder.missing() == 0 and not repairer.repairing)
        asked = len(exchange.trade_calls)
        recorder.stored(SYMBOL, recorder.tracker(SYMBOL).stored_before)  # type: ignore[union-attr]
        receive(recorder, 22)
        await until(lambda: recorder.missing() == 0 and not repairer.repairing)
    assert [first for first, _ in exchange.trade_calls[asked:]] == [21]
    assert repairer.repaired == 3 + 7 + 1


async def test_an_answer_that_ends_too_early_proves_nothing_and_is_asked_for_again(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, LAST + 1))
    exchange.published_until = 10  # the stream is ahead of the rest of the exchange
    clock = HandClock()

    def catch_up(_: float) -> None:
        if clock.slept.count(5.0) == 2:
            exchange.published_until = None

    clock.on_sleep = catch_up
    receive(recorder, 1, 20)
    async with repairing(recorder, exchange, clock):
        await until(lambda: recorder.missing() == 0)
    assert clock.slept.count(5.0) == 2


async def test_a_gap_the_exchange_never_answers_for_does_not_hold_up_the_others(recorder: Recorder) -> None:
    recorder.set_symbols([SYMBOL, "ETHUSDT"])
    exchange = exchange_with(range(1, LAST + 1))
    recorder.receive(trade(1), 0)
    recorder.receive(trade(20), 0)
    for number in (1, 20):
        recorder.receive(trade(number, symbol="ETHUSDT"), 0)
    async with repairing(recorder, exchange, HandClock()) as repairer:
        await until(lambda: not repairer.repairing and exchange.trade_calls)
    assert recorder.tracker(SYMBOL).missing() == 0  # type: ignore[union-attr]
    assert recorder.tracker("ETHUSDT").missing() == 18  # type: ignore[union-attr]


async def test_while_the_exchange_is_away_the_gap_waits(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, LAST + 1))
    exchange.failure = away()
    clock = HandClock()
    receive(recorder, 1, 20)
    async with repairing(recorder, exchange, clock) as repairer:
        await until(lambda: len(exchange.trade_calls) >= 3)
        assert repairer.repairing == {SYMBOL}
        assert set(clock.slept) == {5.0}
        exchange.failure = None
        await until(lambda: recorder.missing() == 0)
        await until(lambda: not repairer.repairing)


async def test_it_waits_as_long_as_the_exchange_asks(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, LAST + 1))
    exchange.failure = away()
    exchange.failure.retry_after_s = 77.0
    clock = HandClock()
    receive(recorder, 1, 20)
    async with repairing(recorder, exchange, clock):
        await until(lambda: 77.0 in clock.slept)


async def test_a_refused_gap_is_given_up_and_stays_missing(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, LAST + 1))
    exchange.failure = FeedRejected("The exchange refuses.", code=-1121)
    receive(recorder, 1, 20)
    async with repairing(recorder, exchange, HandClock()) as repairer:
        await until(lambda: exchange.trade_calls and not repairer.repairing)
        assert recorder.missing() == 18
        exchange.failure = None
        receive(recorder, 30)
        await until(lambda: recorder.missing() == 18)


async def test_a_gap_of_a_symbol_no_longer_recorded_is_dropped(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, LAST + 1))
    receive(recorder, 1, 20)
    recorder.set_symbols(["ETHUSDT"])
    clock = HandClock()
    async with repairing(recorder, exchange, clock) as repairer:
        await until(lambda: clock.slept)
        assert not repairer.repairing
    assert exchange.trade_calls == []
