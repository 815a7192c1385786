"""The spool of ticks: a file of its own, kept over a restart and over damage, as that of trades."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from app.market.coverage import IdRanges
from app.market.ports.ticks import TickSpool
from app.market.quotes.tick import Tick
from storage.spool.disk_spool import TICK_FILE_NAME, TickDiskSpool
from tests.storage.quotes.helpers import SYMBOL, some_ticks

PLENTY = 1 << 30


async def contents(spool: TickSpool) -> list[Tick]:
    """Read everything, without forgetting it."""
    found: list[Tick] = []
    after = 0
    while (batch := await spool.read(after, 5_000)) is not None:
        found += batch.rows
        after = batch.number
    return found


async def test_ticks_are_read_in_order_by_the_next_run_and_gone_once_they_are_forgotten(tmp_path: Path) -> None:
    ticks = some_ticks(5_000)
    odd = ticks[-1]._replace(bid_e8=2**80)  # no source sends it, and the database refuses it
    spool = TickDiskSpool(tmp_path / TICK_FILE_NAME, PLENTY)
    await spool.open()
    assert await spool.append(ticks) == 5_000
    assert await spool.append([odd]) == 1
    assert await spool.close(10)
    again = TickDiskSpool(tmp_path / TICK_FILE_NAME, PLENTY)
    await again.open()
    assert again.status.rows == 5_001
    assert await contents(again) == [*ticks, odd]
    assert again.held(SYMBOL) == IdRanges((tick.time_us, tick.time_us) for tick in ticks)
    await again.forget(again.last_number)
    assert await contents(again) == []
    assert again.held(SYMBOL) == IdRanges()
    assert await again.close(10)


async def test_the_times_of_ticks_that_are_lost_with_a_damaged_file_are_reported(tmp_path: Path) -> None:
    path = tmp_path / TICK_FILE_NAME
    first, second = some_ticks(2_000), some_ticks(2_000, seed=2, start_us=some_ticks(2_000)[-1].time_us + 1_000_000)
    spool = TickDiskSpool(path, PLENTY)
    await spool.open()
    await spool.append(first)
    await spool.append(second)
    assert await spool.close(10)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE batches SET packed = x'00' WHERE number = 2")
    again = TickDiskSpool(path, PLENTY)
    await again.open()
    assert await contents(again) == first
    assert again.take_lost() == {SYMBOL: IdRanges((tick.time_us, tick.time_us) for tick in second)}
    assert await again.close(10)
    assert any(name.startswith("tick-spool-damaged-") for name in os.listdir(tmp_path))
