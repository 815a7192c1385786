"""Fetching missing trades, all of them and with few requests: from the sandbox over real sockets, and from a list."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from app.brokers.binance.feed import BinanceFeed
from app.brokers.binance.rest import BinanceRest
from app.concurrency.system_clock import SystemClock
from app.live.recording.recorder import Recorder
from app.sandbox.market.simulated import Listing, SimulatedMarket
from app.sandbox.server.faults import Faults
from app.sandbox.server.server import SandboxServer
from tests.live.databases import FakeWriter
from tests.live.helpers import SYMBOL, HandClock, recorder_for, until
from tests.live.repair.helpers import exchange_with, receive, repairing


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
            # A frame that was held back when the faults ended is lost, which only the next one shows.
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
            await until(lambda: not recorder.missing() and not repairer.repairing, "no gap at the end")
            held = tracker.received.held
            assert list(held) == [(held.first, held.last)]
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        await rest.close()
        await server.stop()
    await recorder.outbox.drain()
    assert held.first is not None
    # Repeated trades were put twice, so that the database compares them, and were the same.
    assert sorted(set(writer.trades)) == market.trades(SYMBOL, held.first, held.count())


async def test_gaps_near_each_other_are_fetched_by_one_request_and_nothing_beside_them(recorder: Recorder) -> None:
    exchange = exchange_with([number for number in range(1, 5_001) if number != 4_500])
    receive(recorder, *(number for number in range(1, 5_001) if number % 10))
    await recorder.outbox.drain()
    writer = recorder.outbox.writer
    assert isinstance(writer, FakeWriter)
    before = len(writer.trades)
    async with repairing(recorder, exchange, HandClock()) as repairer:
        await until(lambda: recorder.missing() == 0)
        await recorder.outbox.drain()
        assert (repairer.repaired, repairer.absent, repairer.gaps_repaired) == (498, 1, 499)
    assert sorted(one.trade_id for one in writer.trades[before:]) == [
        number for number in range(10, 5_000, 10) if number != 4_500
    ]
    assert [first for first, _ in exchange.trade_calls] == [4_000, 4_000, 4_000, 3_000, 2_000, 1_000, 10]


async def test_a_gap_of_many_pages_is_fetched_whole_from_its_end(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, 3501))
    receive(recorder, 1, 3500)
    async with repairing(recorder, exchange, HandClock()) as repairer:
        await until(lambda: recorder.missing() == 0)
        assert (repairer.repaired, repairer.absent, repairer.failures) == (3498, 0, 0)
        assert repairer.gaps_repaired == 1
    assert [call[0] for call in exchange.trade_calls] == [2501, 1502, 503, 2]
    assert all(limit <= 1000 for _, limit in exchange.trade_calls)
