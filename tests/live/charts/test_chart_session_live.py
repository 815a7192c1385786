"""Charts on the sandbox exchange, over real sockets: the simulated market as it trades, and a real recording."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from app.brokers.binance.feed import BinanceFeed
from app.brokers.binance.rest import BinanceRest
from app.concurrency.system_clock import SystemClock
from app.live.environment.clocks import ExchangeClock
from app.live.recording.recorder import Recorder
from app.live.recording.symbol_tracker import SymbolTracker
from app.market.builder import CandleBuilder, finish
from app.market.candle import Candle
from app.market.interval import MENU_INTERVALS, SECOND_US, Interval
from app.market.trade import Trade
from app.sandbox.market.recording import RecordedMarket
from app.sandbox.market.simulated import Listing, SimulatedMarket
from app.sandbox.server.server import SandboxServer
from app.sandbox.source import MarketSource
from tests.live.charts.helpers import Chart, shown
from tests.live.databases import FakeWriter
from tests.live.helpers import SYMBOL, recorder_for, until
from tests.market.helpers import recorded_trades

NAMES = [interval.name for interval in MENU_INTERVALS] + ["13m", "181m", "90s", "2m+1m", "1h+29m"]


class Desk:
    """The exchange's clients and the recorder, as the program wires them, without a database."""

    def __init__(self, server: SandboxServer) -> None:
        self.clock = SystemClock()
        self.exchange_clock = ExchangeClock(self.clock)
        self.rest = BinanceRest(server.rest_url, clock=self.clock)
        self.feed = BinanceFeed(server.ws_url, clock=self.clock)
        self.recorder: Recorder = recorder_for(repair_trades=1_000_000)
        self.recorder._exchange_clock = self.exchange_clock
        self.recorder.attach(FakeWriter())
        self.charts: list[Chart] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._folded: dict[Interval, list[Candle]] = {}

    @property
    def tracker(self) -> SymbolTracker:
        tracker = self.recorder.tracker(SYMBOL)
        assert tracker is not None
        return tracker

    def folded(self, trades: list[Trade], interval: Interval) -> list[Candle]:
        """Return what all the trades, received by now, fold to."""
        if interval not in self._folded:
            builder = CandleBuilder(interval)
            for one in trades:
                builder.add(one)
            held, now_us = self.tracker.received.held, trades[-1].time_us
            self._folded[interval] = finish(builder.candles(), interval, held, now_us=now_us)
        return self._folded[interval]

    async def measure_clock(self) -> None:
        before_us = self.clock.now_us()
        self.exchange_clock.note_measurement(await self.rest.server_time_us(), before_us, self.clock.now_us())

    def open(self, name: str) -> Chart:
        chart = Chart(name, self.rest, self.tracker, self.exchange_clock, self.clock)
        self.charts.append(chart)
        self._tasks.append(asyncio.ensure_future(chart.session.run()))
        return chart

    def receive(self) -> None:
        self.feed.set_symbols([SYMBOL])
        self._tasks.append(asyncio.ensure_future(self.feed.run(self.recorder.receive)))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            assert result is None or isinstance(result, asyncio.CancelledError), result
        for chart in self.charts:
            chart.session.close()
        assert self.tracker.listeners == []
        self.recorder.outbox.close()
        await self.rest.close()


@asynccontextmanager
async def desk_at(source: MarketSource) -> AsyncIterator[Desk]:
    """A desk at a server of its own; both closed at the end."""
    server = SandboxServer(source)
    await server.start()
    desk = Desk(server)
    try:
        await desk.measure_clock()
        yield desk
    finally:
        await desk.close()
        await server.stop()


async def test_on_the_simulated_market_every_chart_is_all_trades_folded() -> None:
    market = SimulatedMarket(
        11, [Listing("BTC", "60000", "0.01", "0.00001", 1.0)], history=timedelta(hours=1), rate=15.0
    )
    async with desk_at(market) as desk:
        desk.receive()
        charts = [desk.open(name) for name in ("1s", "5s", "90s", "1m", "13m")]
        await until(lambda: all(chart.session.joined for chart in charts), "every chart joined")
        joined_at = desk.tracker.total
        await until(lambda: desk.tracker.total > joined_at + 20, "trades after joining")
        desk.feed.set_symbols([])
        last_id = desk.tracker.received.held.last
        assert last_id is not None
        for chart in charts:
            chart.session.refresh()
            assert_folded(chart, market, last_id)


def assert_folded(chart: Chart, market: SimulatedMarket, last_id: int) -> None:
    """Assert that the newest candles are every trade up to ``last_id`` folded."""
    interval = chart.session.interval
    bars = chart.bars
    bars = [bar for bar in bars if bar.open_time_us >= bars[-1].open_time_us - 60 * SECOND_US]
    first_id = market.first_id_from(SYMBOL, bars[0].open_time_us)
    builder = CandleBuilder(interval)
    for first in range(first_id, last_id + 1, 5000):
        for one in market.trades(SYMBOL, first, min(5000, last_id + 1 - first)):
            builder.add(one)
    expected = {candle.open_time_us: shown(candle) for candle in builder.candles()}
    traded = {bar.open_time_us: bar[1:11] for bar in bars if bar.trades}
    assert traded == expected
    assert chart.series.slots.tolist() == list(range(int(chart.series.slots[0]), int(chart.series.slots[-1]) + 1))
    assert all(bar.complete for bar in bars)


async def test_the_recording_fills_charts_of_every_interval_as_if_folded_in_one_go(
    shared_data: Callable[[str], Path],
) -> None:
    trades = recorded_trades(shared_data)
    files = [shared_data(f"ws_raw/examples_spot_btcusdt_202408{day}.gz") for day in ("08", "09")]
    async with desk_at(RecordedMarket(files, speed=math.inf)) as desk:
        charts = [desk.open(name) for name in NAMES]
        desk.receive()
        await until(lambda: desk.tracker.total == len(trades) and all(one.session.joined for one in charts))
        assert desk.recorder.missing() == 0
        for chart in charts:
            chart.session.refresh()
            assert_whole_recording(chart, desk, trades)
        # Switching afterwards, through every interval and back, must show the same.
        for name in [*NAMES, "1m"]:
            chart = desk.open(name)
            await until(lambda chart=chart: chart.session.joined)
            chart.session.refresh()
            assert_whole_recording(chart, desk, trades)
            chart.session.close()


def assert_whole_recording(chart: Chart, desk: Desk, trades: list[Trade]) -> None:
    """
    Assert that the chart is the recording folded, but for a first candle of parts that begins late.

    Nothing ticks here: the exchange's time goes on after the last trade, but no candle begins by it.
    """
    interval = chart.session.interval
    expected = desk.folded(trades, interval)
    first_us = chart.bars[0].open_time_us
    assert first_us in {candle.open_time_us for candle in expected[:2]}
    assert [bar[1:11] for bar in chart.bars] == [
        shown(candle) for candle in expected if candle.open_time_us >= first_us
    ], interval
