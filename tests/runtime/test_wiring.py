"""The whole engine: after a sleep of the computer everything is renewed at once, after a restart a ban still holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings, load
from app.live.environment.clocks import ExchangeClock
from app.market.errors import FeedBanned
from app.market.ports.exchange import FeedState
from app.runtime.wiring import engine_for, exchange_rest
from app.sandbox.market.simulated import LISTINGS, SimulatedMarket
from app.sandbox.server.server import SandboxServer
from tests.brokers.binance.helpers import until
from tests.sandbox.helpers import serving


class SleepyClock:
    """This machine's clock, whose time of day has jumped by ``slept_s`` while the monotonic one stood still."""

    slept_s = 0.0

    def now_us(self) -> int:
        return time.time_ns() // 1_000 + round(self.slept_s * 1e6)

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@pytest.fixture
async def server() -> AsyncIterator[SandboxServer]:
    async with serving(SimulatedMarket(seed=7, symbols=LISTINGS[:1], history=timedelta(hours=1), rate=200)) as made:
        yield made


def settings_for(server: SandboxServer, tmp_path: Path) -> Settings:
    addresses = {"binance_ws_url": server.ws_url, "binance_rest_url": server.rest_url, "stall_seconds": "1000"}
    options = {"data_dir": str(tmp_path), "database_url": "postgresql://127.0.0.1:1/none", **addresses}
    return load(options, environment={}, file=tmp_path / "none")


async def test_after_a_sleep_of_the_computer_everything_is_renewed_at_once(
    server: SandboxServer, tmp_path: Path
) -> None:
    clock = SleepyClock()
    states: list[FeedState] = []
    async with engine_for(settings_for(server, tmp_path), clock) as engine:
        engine.feed.on_status(lambda status: states.append(status.state))
        engine.start(["BTCUSDT"])
        await until(lambda: engine.recorder.trades_received > 10, "trades")
        await engine.wait_for_clock()
        before, skew_us = server.connections[0], engine.exchange_clock.skew_us
        assert skew_us is not None
        server.connections[0].faults.silent = True  # the connection did not live through the night
        clock.slept_s = 3600.0
        await until(lambda: server.connections[-1] is not before, "a new connection")
        await until(lambda: engine.exchange_clock.skew_us < skew_us - 3_500_000_000, "the skew measured again")
        received = engine.recorder.trades_received
        await until(lambda: engine.recorder.trades_received > received, "trades again")
        assert abs(engine.exchange_clock.now_us() - time.time_ns() // 1_000) < 60_000_000
        assert FeedState.STALE in states
        await engine.close()


class HastyClock(SystemClock):
    """Waits for nothing longer than a moment, so that what is done now and then is done soon."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.3))


async def test_a_stream_that_stalls_alone_is_noticed_and_its_connection_replaced(
    server: SandboxServer, tmp_path: Path
) -> None:
    async with engine_for(settings_for(server, tmp_path), HastyClock()) as engine:
        engine.start(["BTCUSDT"])
        await until(lambda: engine.recorder.trades_received > 10, "trades")
        ill = server.connections[-1]
        ill.faults.drop(stream="@trade")  # quotes and tickers go on
        await until(lambda: server.connections[-1] is not ill, "a new connection")
        received = engine.recorder.trades_received
        await until(lambda: engine.recorder.trades_received > received + 10, "trades again")
        await until(lambda: engine.recorder.missing() == 0, "what was missing")
        tracker = engine.recorder.tracker("BTCUSDT")
        assert tracker is not None
        assert tracker.received.held.range_count() == 1
        await engine.close()


async def test_a_ban_that_one_run_met_is_obeyed_and_counted_down_by_the_next(
    server: SandboxServer, tmp_path: Path
) -> None:
    settings, clock = settings_for(server, tmp_path), SleepyClock()
    server.rest_faults.fail_next(418, retry_after_s=900, code=-1003, times=None)
    async with exchange_rest(settings, ExchangeClock(clock)) as rest:
        with pytest.raises(FeedBanned):
            await rest.server_time_us()
    asked = dict(server.faults.counts)
    async with engine_for(settings, clock) as engine:
        engine.start(["BTCUSDT"])
        await until(lambda: engine.feed.status.state is FeedState.BACKING_OFF)
        await engine.wait_for_clock()
        said = engine.feed.status.sentence(clock.monotonic_s())
        assert "has banned this address for asking too much (HTTP 418); trying again in 14 min" in said
        engine.retry_exchange()
        assert engine.ban.left_s(clock.monotonic_s()) > 890
        await engine.close()
    assert server.faults.counts == asked
    clock.slept_s = 901.0
    server.faults.clear()
    async with engine_for(settings, clock) as engine:
        engine.start(["BTCUSDT"])
        await until(lambda: engine.recorder.trades_received, "trades after the ban")
        await engine.close()
