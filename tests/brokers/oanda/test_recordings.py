"""OANDA's recorded ticks through the sandbox's stream: every one arrives, and they add up to the recorded minutes."""

from __future__ import annotations

import asyncio
import csv
import io
import math
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from app.market.ports.exchange import FeedState
from app.market.quotes.tick_candle import TickCandle
from app.market.units import parse_e8
from app.sandbox.oanda.server import OandaSandbox
from app.sandbox.oanda.tape import RecordedTape
from tests.brokers.oanda.conftest import Client
from tests.faults.world import HurriedClock
from tests.tick_candles import candle_of_tick, combine_ticks

DAYS = ("20140501", "20140502", "20140504")
TICKS, MINUTES = 74_684, 2_742
MINUTE_US = 60_000_000


def recorded_minutes(file: Path, day: str) -> list[tuple[int, tuple[int, ...], tuple[int, ...]]]:
    """Return the minutes of a day: open time, bid and ask."""
    begin_us = int(datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).timestamp()) * 1_000_000
    with zipfile.ZipFile(file) as archive:
        rows = list(csv.reader(io.TextIOWrapper(archive.open(archive.namelist()[0]), "ascii")))
    return [
        (begin_us + int(row[0]) * 1_000, tuple(map(parse_e8, row[1:5])), tuple(map(parse_e8, row[6:10])))
        for row in rows
    ]


async def test_the_recorded_ticks_add_up_to_the_recorded_minutes(
    shared_data: Callable[[str], Path], fast: HurriedClock
) -> None:
    tape = RecordedTape([shared_data(f"oanda/eurusd_tick_{day}.zip") for day in DAYS])
    server = OandaSandbox(tape, clock=fast, begin_us=tape.start_us - 1, speed=math.inf, sampled=False)
    await server.start()
    client = Client(server, fast)
    async with client.running():
        async with asyncio.timeout(60):
            while not client.ticks or client.ticks[-1].time_us < tape.end_us:
                await asyncio.sleep(0.01)
        assert client.feed.status.state is FeedState.LIVE
    await client.http.close()
    await server.stop()
    assert len(client.ticks) == TICKS
    assert (client.feed.counters.malformed, client.feed.counters.reconnects) == (0, 0)

    parts: dict[int, list[TickCandle]] = {}
    for tick in client.ticks:
        open_us = tick.time_us // MINUTE_US * MINUTE_US
        parts.setdefault(open_us, []).append(candle_of_tick(open_us, tick))
    minutes = [combine_ticks(open_us, found) for open_us, found in parts.items()]
    recorded = [one for day in DAYS for one in recorded_minutes(shared_data(f"oanda/eurusd_minute_{day}.zip"), day)]
    assert [(one.open_time_us, one.bid, one.ask) for one in minutes] == recorded
    assert len(minutes) == MINUTES
