"""
The environment of a recording: an exchange whose clock can run fast and stop, and a database server that can fail.

The exchange's clock starts at a fixed time, so that every run gets the same trades. Once it is stopped there are no
more trades, and those sent can be compared with those stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from app.market.interval import SECOND_US
from app.sandbox.market.simulated import LISTINGS, Listing, SimulatedMarket
from app.sandbox.server.connection import Connection, Limits
from app.sandbox.server.server import SandboxServer
from app.sandbox.source import Frame, FrameCursor
from storage.server.embedded_server import EmbeddedServer
from tests.soak.recorder.crash import find_postmaster

BEGIN_US = int(datetime(2026, 8, 14, 12, 34, 56, tzinfo=UTC).timestamp()) * SECOND_US
PATIENCE_S = 60.0
_LONGEST_STEP_S = 0.1
_LEAST_SLEEP_S = 0.005  # else a fast clock would wake the loop all the time


class HurriedClock:
    """
    A `Clock` that runs ``speed`` times as fast as the machine's, from ``begin_us`` on.

    It advances at most 0.1 s of real time per reading. Otherwise a loop blocked for a moment would look like a computer
    that slept for many seconds, and the program would rightly replace its connections, again and again.
    """

    def __init__(self, begin_us: int = BEGIN_US, *, speed: float = 1.0) -> None:
        self.speed = speed
        self._begin_us = begin_us
        self._begin_s = self._looked_s = time.monotonic()
        self._passed_s = 0.0
        self._stopped_us: int | None = None

    def now_us(self) -> int:
        if self._stopped_us is not None:
            return self._stopped_us
        return self._begin_us + round((self.monotonic_s() - self._begin_s) * SECOND_US)

    def monotonic_s(self) -> float:
        before_s, self._looked_s = self._looked_s, time.monotonic()
        self._passed_s += min(self._looked_s - before_s, _LONGEST_STEP_S) * self.speed
        return self._begin_s + self._passed_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds / self.speed, _LEAST_SLEEP_S))

    def skip(self, seconds: float) -> None:
        """Jump forward."""
        self._passed_s += seconds

    def set(self, seconds: float) -> None:
        """Set the time of day by that much, forward or backward; `monotonic_s` goes on as before."""
        self._begin_us += round(seconds * SECOND_US)

    def stop(self) -> None:
        """Stop the time of day; `sleep` still works."""
        self._stopped_us = self.now_us()

    def resume(self) -> None:
        """Start the time of day again, where it was stopped."""
        if self._stopped_us is not None:
            stopped_us, self._stopped_us = self._stopped_us, None
            self._begin_us += stopped_us - self.now_us()


class WatchedMarket(SimulatedMarket):
    """A market that remembers the first trade of each symbol sent to a client."""

    def __init__(self, seed: int, symbols: Sequence[Listing], *, rate: float, clock: HurriedClock) -> None:
        super().__init__(seed, symbols, rate=rate, clock=clock, history=timedelta(days=2))
        self.first_given: dict[str, int] = {}

    def open_cursor(self) -> FrameCursor:
        return _WatchedCursor(super().open_cursor(), self)

    def given(self, frames: Iterable[Frame]) -> None:
        for stream, payload in frames:
            if stream.endswith("@trade"):
                trade_id = int(payload.split(b'"t":', 1)[1].split(b",", 1)[0])
                self.first_given.setdefault(stream.removesuffix("@trade").upper(), trade_id)

    def last_id(self, symbol: str) -> int:
        ids = self.trade_ids(symbol)
        assert ids is not None
        return ids[1]


class _WatchedCursor:
    def __init__(self, cursor: FrameCursor, market: WatchedMarket) -> None:
        self._cursor = cursor
        self._market = market

    async def next_frames(self, streams: Collection[str], *, microseconds: bool) -> Sequence[Frame]:
        frames = await self._cursor.next_frames(streams, microseconds=microseconds)
        if len(self._market.first_given) < len({stream for stream in streams if stream.endswith("@trade")}):
            self._market.given(frames)
        return frames


class DatabaseServer:
    """A server of its own in ``data_dir``; `end` it. All methods block."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._server = EmbeddedServer(data_dir)
        self._frozen: list[psutil.Process] = []
        self.url = self._server.start()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: cleanly (SIGINT), at once (SIGQUIT), or by a kill. No effect if it does not run."""
        server = find_postmaster(self.data_dir)
        if server is not None:
            family = [server, *server.children(recursive=True)]
            server.send_signal(how)
            psutil.wait_procs(family, timeout=PATIENCE_S)

    def start(self) -> None:
        """Start it again at the same address, or thaw it."""
        self.thaw()
        assert self._server.start() == self.url

    def freeze(self) -> None:
        """Suspend all of its processes; its connections stay open and get no answer."""
        server = find_postmaster(self.data_dir)
        if server is not None:
            self._frozen = [server, *server.children(recursive=True)]
            for process in self._frozen:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.suspend()

    def thaw(self) -> None:
        """Undo `freeze`."""
        frozen, self._frozen = self._frozen, []
        for process in frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def end(self) -> bool:
        self.thaw()
        return self._server.stop()


@dataclass
class Scene:
    """
    What a fault acts on.

    ``clock`` is the recording's, where that runs in this process; ``random`` is seeded. An outage of the database lasts
    ``outage_s`` of the exchange's time.
    """

    market: WatchedMarket
    market_clock: HurriedClock
    server: SandboxServer
    database: DatabaseServer
    random: random.Random
    clock: HurriedClock | None = None
    outage_s: float = 60.0

    def __post_init__(self) -> None:
        self._usual_limits = self.server.limits

    @property
    def connections(self) -> list[Connection]:
        """The connections open now."""
        return list(self.server.connections)

    def count(self, what: str) -> int:
        """Return the sandbox's counter of that name."""
        return self.server.faults.counts[what]

    def limit(self, **limits: float) -> None:
        """Change limits of the connections made from now on."""
        self.server.limits = replace(self.server.limits, **limits)

    async def pass_time(self, seconds: float) -> None:
        """Wait for that much of the exchange's time."""
        end_us = self.market_clock.now_us() + round(seconds * SECOND_US)
        while self.market_clock.now_us() < end_us:
            await asyncio.sleep(0.02)

    def calm(self) -> None:
        """Clear all faults of the exchange, and restore its limits."""
        self.server.faults.clear()
        self.server.limits = self._usual_limits
        for connection in self.connections:
            connection.faults.clear()


@contextlib.asynccontextmanager
async def scene_of(
    seed: int, database: DatabaseServer, *, symbols: int = 3, rate: float = 30.0, speed: float = 10.0, **limits: float
) -> AsyncIterator[Scene]:
    """
    Yield an exchange with the first ``symbols`` of `LISTINGS`; stop it afterwards.

    ``rate`` is trades per second of the exchange's time, which runs ``speed`` times as fast as real time.
    """
    clock = HurriedClock(speed=speed)
    market = WatchedMarket(seed, LISTINGS[:symbols], rate=rate, clock=clock)
    server = SandboxServer(market, limits=replace(Limits(), **limits), clock=clock)
    await server.start()
    try:
        yield Scene(market, clock, server, database, random.Random(seed))
    finally:
        await server.stop()


async def until(condition: Callable[[], object], what: str, *, seconds: float = PATIENCE_S) -> None:
    """Wait until the condition holds; fail and name ``what`` on a timeout."""
    end_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end_s, f"timed out waiting for {what}"
        await asyncio.sleep(0.02)
