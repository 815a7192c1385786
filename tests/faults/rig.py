"""
The rig of the fault suite: a recording, one fault, calm again, the market stopped, everything compared.

The recording is the program's own, against a sandbox over real sockets, into a schema of a real server.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from app.config.settings import Settings, load
from app.live.engine import Engine
from app.runtime.wiring import engine_for
from storage.postgres.connection import connect
from tests.faults.alerts import alert_differences, watch_alerts
from tests.faults.kinds import Kind, do
from tests.faults.truth import Ranges, differences, expected_ranges, stored_ranges
from tests.faults.world import BEGIN_US, PATIENCE_S, HurriedClock, Scene, until

_HOUR_US = 3_600_000_000
# Shorter than the program's timeout, so that a request that hangs does not hold up the test.
_REST_TIMEOUT_S = 2.0
_ASKED_EVERY_S = 0.15  # as each question is a connection to the database
_STALL_S = 1.5  # of real time, so that a busy machine does not look like a silent exchange


def settings_for(scene: Scene, url: str, data_dir: Path, **changes: Any) -> dict[str, str]:
    """Return the settings of a recording of the scene into that database."""
    named = {
        "data_dir": data_dir,
        "database_url": url,
        "binance_ws_url": scene.server.ws_url,
        "binance_rest_url": scene.server.rest_url,
        "symbols": ",".join(one.name for one in scene.market.symbols()),
        "batch_seconds": 0.05,
        "stall_seconds": _STALL_S * scene.market_clock.speed,
    }
    return {name: str(value) for name, value in (named | changes).items()}


@contextlib.asynccontextmanager
async def recording(scene: Scene, settings: Settings) -> AsyncIterator[Engine]:
    """Run the program without its window, on a clock an hour slow; close it afterwards and check that all is stored."""
    scene.clock = HurriedClock(BEGIN_US - _HOUR_US, speed=scene.market_clock.speed)
    async with engine_for(settings, scene.clock) as engine:
        engine.exchange._http._timeout_s = _REST_TIMEOUT_S
        engine.start(settings.symbols)
        try:
            yield engine
        finally:
            unstored = await engine.close()
        assert unstored == 0


class Stored:
    """Reads what the database holds, and waits for it to change."""

    def __init__(self, scene: Scene, url: str) -> None:
        self._scene = scene
        self._url = url
        self.patience_s = PATIENCE_S

    async def ranges(self) -> Ranges:
        """Return the id ranges held, by symbol; empty before the tables exist."""
        return await asyncio.to_thread(self._read)

    async def reaches(self, last: dict[str, int]) -> None:
        """Wait until each symbol holds a trade with at least that id."""
        held: Ranges = {}
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            held = await self.ranges()
            if all(symbol in held and held[symbol][-1][1] >= trade_id for symbol, trade_id in last.items()):
                return
            await asyncio.sleep(_ASKED_EVERY_S)
        raise AssertionError(f"timed out waiting for trades up to {last}; held: {held}")

    async def is_complete(self) -> None:
        """
        Stop the market, and wait until all of its trades are stored.

        A trade sent between two connections is known to be missing only once a later one arrives. So where the last
        trades fell between connections, the market runs on for a second.
        """
        held: Ranges = {}
        clock, end_s = self._scene.market_clock, time.monotonic() + self.patience_s
        clock.stop()
        receiving = self._scene.connections
        while time.monotonic() < end_s:
            held = await self.ranges()
            if held == expected_ranges(self._scene.market):
                return
            await asyncio.sleep(_ASKED_EVERY_S)
            if self._scene.connections != receiving and await self.lacks_the_last():
                clock.resume()
                await self._scene.pass_time(1.0)
                clock.stop()
                receiving = self._scene.connections
        raise AssertionError(f"held: {held}; expected: {expected_ranges(self._scene.market)}")

    async def lacks_the_last(self) -> bool:
        """Whether only trades at the end of some symbol are missing."""
        held, expected = await self.ranges(), expected_ranges(self._scene.market)
        extended = {symbol: [(ranges[0][0], expected[symbol][0][1])] for symbol, ranges in held.items()}
        return held != expected and extended == expected and all(len(ranges) == 1 for ranges in held.values())

    def differences(self, *, contradicted: bool = False) -> list[str]:
        """Compare everything; see `tests.faults.truth.differences`."""
        with connect(self._url) as connection:
            return differences(connection, self._scene.market, contradicted=contradicted)

    def _read(self) -> Ranges:
        with connect(self._url) as connection:
            (there,) = connection.execute("SELECT to_regclass('coverage') IS NOT NULL").fetchone() or (False,)
            return stored_ranges(connection) if there else {}


async def first_trades_stored(scene: Scene, stored: Stored) -> None:
    """Wait until trades of every symbol are stored."""
    symbols = [one.name for one in scene.market.symbols()]
    await until(lambda: len(scene.market.first_given) == len(symbols), "the first trades")
    await stored.reaches(scene.market.first_given)


async def inject(kind: Kind, scene: Scene) -> None:
    """Start the fault, and wait until it takes effect."""
    before = scene.count(kind.counter)
    await do(kind.begin, scene)
    if kind.counter:
        await until(
            lambda: scene.count(kind.counter) >= before + kind.times, f"{kind.counter}: {scene.server.faults.counts}"
        )


async def recover(kind: Kind, scene: Scene, stored: Stored) -> None:
    """End the fault, wait until later trades are stored, stop the market, and wait until all of its trades are."""
    await do(kind.end, scene)
    scene.calm()
    await stored.reaches({symbol: scene.market.last_id(symbol) + 1 for symbol in scene.market.first_given})
    await stored.is_complete()


async def run_faults(kinds: Sequence[Kind], scene: Scene, url: str, data_dir: Path) -> list[str]:
    """
    Record through these faults, one after another, each until every trade is stored; return the differences between
    market and database afterwards, and those of alerts, which are judged all the while.

    They must agree in their settings, and only the last may contradict itself.
    """
    stored = Stored(scene, url)
    kind = kinds[-1]
    await asyncio.to_thread(watch_alerts, scene, url)
    settings = load(settings_for(scene, url, data_dir, **kind.settings), environment={}, file=data_dir / "none.toml")
    async with recording(scene, settings):
        await first_trades_stored(scene, stored)
        for kind in kinds:
            scene.market_clock.resume()
            await inject(kind, scene)
            await recover(kind, scene, stored)
    found = await asyncio.to_thread(stored.differences, contradicted=kind.contradicts)
    return found + await asyncio.to_thread(alert_differences, scene, url)
