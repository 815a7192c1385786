"""A loopback Dukascopy with the real recordings, and a reader of it on a clock whose waits take no time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.brokers.dukascopy.history import DukascopyHistory
from app.sandbox.dukascopy.server import DukascopySandbox
from app.sandbox.dukascopy.sources import RecordedArchive, SimulatedArchive


class SteppingClock:
    """A clock that stands still, except that each wait lets its time pass at once; ``waits`` are their lengths."""

    def __init__(self, now_us: int) -> None:
        self._start_us = now_us
        self._passed_s = 0.0
        self.waits: list[float] = []

    def now_us(self) -> int:
        return self._start_us + round(self._passed_s * 1e6)

    def monotonic_s(self) -> float:
        return self._passed_s

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._passed_s += seconds
        await asyncio.sleep(0)


def us(*parts: int) -> int:
    """Return a time of day, UTC microseconds."""
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[arg-type, misc]  # because of *


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock(us(2026, 11, 1))


@pytest.fixture
async def recorded(shared_data: Callable[[str], Path]) -> AsyncIterator[DukascopySandbox]:
    """The server of the recordings."""
    server = DukascopySandbox(RecordedArchive(shared_data("dukascopy")))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def simulated() -> AsyncIterator[DukascopySandbox]:
    """The server of a small simulated market that ends with October 2026."""
    server = DukascopySandbox(SimulatedArchive(end_ms=us(2026, 11, 1) // 1_000, ticks_per_hour=40))
    await server.start()
    yield server
    await server.stop()


Open = Callable[..., DukascopyHistory]


@pytest.fixture
async def open_history(clock: SteppingClock) -> AsyncIterator[Open]:
    """Makes readers of a server, with the keywords of `DukascopyHistory`, and closes them."""
    opened: list[DukascopyHistory] = []

    def make(json_url: str, files_url: str, **options: object) -> DukascopyHistory:
        history = DukascopyHistory(json_url, files_url, clock=clock, **options)  # type: ignore[arg-type]  # because of **
        opened.append(history)
        return history

    yield make
    for history in opened:
        await history.close()
