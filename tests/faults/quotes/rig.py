"""
The rig of the quotes' fault suite: a recording, faults one after another with calm between, everything compared.

The recording is the program's own, against a loopback OANDA over real sockets, into a schema of a real server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.config.settings import Settings, load
from app.live.engine import Engine
from app.market.errors import StoreUnavailable
from app.market.interval import Interval
from app.market.quotes.tick import Tick
from app.runtime.wiring import engine_for
from storage.postgres.connection import connect
from tests.faults.quotes.kinds import QuoteKind, do
from tests.faults.quotes.truth import differences
from tests.faults.quotes.world import SECRETS, QuoteScene, quote_scene
from tests.faults.world import PATIENCE_S, DatabaseServer, HurriedClock, until

_HOUR_US = 3_600_000_000
_FIVE_SECONDS = Interval.parse("5s")
_CONNECT_S = 1.0  # of real time, so that a request that hangs does not hold up the test
_MORE = 5  # ticks of each symbol that show that all is well again


def settings_for(scene: QuoteScene, url: str, data_dir: Path, **changes: Any) -> dict[str, str]:
    """Return the settings of a recording of the scene into that database; the credentials are `SECRETS`."""
    named = {
        "data_dir": data_dir,
        "database_url": url,
        "binance_ws_url": "ws://127.0.0.1:1",
        "binance_rest_url": "http://127.0.0.1:1",
        "oanda_rest_url": scene.server.url,
        "oanda_stream_url": scene.server.url,
        "proxy": "none",
        "symbols": ",".join(scene.symbols),
        "batch_seconds": 0.05,
    }
    return {name: str(value) for name, value in (named | changes).items()}


def loaded(settings: dict[str, str]) -> Settings:
    """Return them as the program reads them, with the credentials."""
    return load(settings, environment=SECRETS, file=Path(settings["data_dir"]) / "none.toml")


@contextlib.asynccontextmanager
async def recording(
    scene: QuoteScene, settings: Settings, *, given_up: bool = False, behind_us: int = _HOUR_US
) -> AsyncIterator[Engine]:
    """
    Run the program without its window, on a clock an hour slow; close it afterwards and check that all is stored.

    ``given_up``: those that the recorder gave up are not. ``behind_us``: how slow its clock is.
    """
    scene.clock = HurriedClock(scene.market_clock.now_us() - behind_us, speed=scene.market_clock.speed)
    async with engine_for(settings, scene.clock) as engine:
        scene.engine = engine
        engine.quotes.recorder.on_event = scene.received.append  # type: ignore[assignment]  # because all are ticks
        engine.start(settings.symbols)
        try:
            await receives(scene)
            scene.feed._connect_timeout_s = _CONNECT_S
            yield engine
        finally:
            unstored = await engine.close()
        assert unstored == (engine.quotes.recorder.lost if given_up else 0)


async def receives(scene: QuoteScene, symbols: Iterable[str] = ()) -> None:
    """Wait for some more ticks of each symbol."""
    begin = len(scene.received)

    def is_enough(symbol: str) -> bool:
        return sum(tick.symbol == symbol for tick in scene.received[begin:]) >= _MORE

    for symbol in symbols or scene.symbols:
        await until(lambda symbol=symbol: is_enough(symbol), f"ticks of {symbol}")  # type: ignore[misc]  # because lambdas have no types


async def inject(kind: QuoteKind, scene: QuoteScene) -> None:
    """Start the fault, and wait until it takes effect."""
    counts = scene.server.faults.counts
    before = counts[kind.counter]
    await do(kind.begin, scene)
    if kind.counter:
        await until(lambda: counts[kind.counter] >= before + kind.times, f"{kind}: {counts}")


async def suffer(kind: QuoteKind, scene: QuoteScene) -> None:
    """
    Start the fault, end it once it has taken effect, and wait until prices come and are stored again.

    The outage begins behind what was received and ends where the stream begins that delivers afterwards, both by the
    prices' own times: moments at which this function looks would be later, the more so on a busy machine.
    """
    begin_us = scene.received_us
    await inject(kind, scene)
    await do(kind.end, scene)
    scene.calm()
    calm_us = scene.market_clock.now_us()
    await until(lambda: scene.is_live, f"a live stream after {kind}")
    await receives(scene)
    end_us = max(stream.begin_us for stream in scene.server.streams)
    if kind.is_blind:  # the stream goes on
        end_us = max(end_us, calm_us)
        scene.blind.append((begin_us, end_us))
    if not kind.spares:
        scene.away.append((begin_us, end_us))
    await is_stored(scene)


async def suffer_each(
    kinds: Sequence[QuoteKind],
    seed: int,
    database: DatabaseServer,
    url: str,
    data_dir: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Suffer one kind after another in one recording, and check all that must hold: a recording for each costs more."""
    caplog.set_level(logging.DEBUG)
    changes = {name: value for kind in kinds for name, value in kind.settings.items()}
    async with quote_scene(seed, database) as scene:
        async with recording(scene, loaded(settings_for(scene, url, data_dir, **changes))) as engine:
            for kind in kinds:
                await suffer(kind, scene)
                assert engine.quotes.recorder.lost == 0, kind
        found = await found_by(scene, url)
        assert found == [], found
        asks_slowly(scene)
    says_no_secret(caplog.text)


async def is_stored(scene: QuoteScene) -> None:
    """Wait until the newest tick of each symbol received by now is stored: ticks are stored in their order."""
    newest = {tick.symbol: tick for tick in scene.received if tick.symbol in scene.symbols}
    end_s = time.monotonic() + PATIENCE_S
    while not await asyncio.to_thread(_are_stored, scene, newest):
        assert time.monotonic() < end_s, f"timed out waiting for {newest} to be stored"
        await asyncio.sleep(0.02)


def _are_stored(scene: QuoteScene, newest: Mapping[str, Tick]) -> bool:
    database = None if scene.engine is None else scene.engine.database
    if database is None:
        return False
    try:
        for symbol, tick in newest.items():
            held = database.ticks.tick_candles(symbol, _FIVE_SECONDS, limit=1)
            if not held or held[-1].last < (tick.time_us, tick.place):
                return False
    except StoreUnavailable:  # as long as the pool holds connections of the server that was stopped
        return False
    return True


async def found_by(
    scene: QuoteScene, url: str, *, given_up: int = 0, known: bool = True, several: bool = False
) -> list[str]:
    """
    Return the differences between the market, what was received and what is stored, after a recording.

    ``known``: whether ``scene.received`` is what was received; otherwise as `tests.faults.quotes.truth.differences`.
    """

    def compare() -> list[str]:
        with connect(url) as connection:
            received = scene.received if known else None
            return differences(connection, scene, received=received, given_up=given_up, several=several)

    return await asyncio.to_thread(compare)


def asks_slowly(scene: QuoteScene) -> None:
    """Check that the recording asked at most twice a second for a stream, and rarely for anything else."""
    assert scene.clock is not None
    seconds = (scene.market_clock.monotonic_s() - scene.began_s) + 1
    requests = scene.server.requests
    streams = sum(times for path, times in requests.items() if path.endswith("/pricing/stream"))
    assert streams <= 2 * seconds
    assert sum(requests.values()) <= 2 * streams + 5
    assert len(scene.server.connections) <= 2 * seconds


def says_no_secret(text: str) -> None:
    """Check that neither token nor account is in a log."""
    for name, value in SECRETS.items():
        assert value not in text, name
