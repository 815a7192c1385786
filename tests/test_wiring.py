"""The whole engine when the computer has slept: new connections, and the exchange's time asked for again, at once."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path

from app.market.ports import FeedState
from app.sandbox.server import SandboxServer
from app.sandbox.simulated import LISTINGS, SimulatedMarket
from app.settings import load
from app.wiring import engine_for
from tests.binance.helpers import until


class SleepyClock:
    """This machine's clock, whose time of day has jumped by ``slept_s`` while the monotonic one stood still."""

    slept_s = 0.0

    def now_us(self) -> int:
        return time.time_ns() // 1_000 + round(self.slept_s * 1e6)

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def test_after_a_sleep_of_the_computer_everything_is_renewed_at_once(tmp_path: Path) -> None:
    server = SandboxServer(SimulatedMarket(seed=7, symbols=LISTINGS[:1], history=timedelta(hours=1), rate=200))
    await server.start()
    addresses = {"binance_ws_url": server.ws_url, "binance_rest_url": server.rest_url, "stall_seconds": "1000"}
    options = {"data_dir": str(tmp_path / "data"), "database_url": "postgresql://127.0.0.1:1/none", **addresses}
    clock = SleepyClock()
    states: list[FeedState] = []
    async with engine_for(load(options, environment={}, file=tmp_path / "none"), clock) as engine:
        engine.feed.on_status(lambda status: states.append(status.state))
        engine.start(["BTCUSDT"])
        await until(lambda: engine.recorder.trades_received > 10, "trades")
        await engine.clock_measured()
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
    await server.stop()
