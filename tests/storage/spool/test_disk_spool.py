"""The spool on disk: order, kills, damage, limits and full disks; all with real files."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.market.coverage import IdRanges
from app.market.trade import Trade
from storage.spool.contents import SpoolContents, SpoolEntry
from storage.spool.disk_spool import FILE_NAME, DiskSpool
from storage.spool.sqlite_file import is_damage
from tests.live.helpers import SYMBOL, trade
from tests.storage.small_disk import SmallDisk, mounted

PLENTY = 1 << 30


@asynccontextmanager
async def spool_in(folder: Path, size_limit: int = PLENTY) -> AsyncIterator[DiskSpool]:
    spool = DiskSpool(folder / FILE_NAME, size_limit)
    await spool.open()
    try:
        yield spool
    finally:
        assert await spool.close(10)


def trades(first: int, last: int, symbol: str = SYMBOL) -> list[Trade]:
    return [trade(number, symbol=symbol) for number in range(first, last + 1)]


async def contents(spool: DiskSpool, limit: int = 5_000) -> list[Trade]:
    """Read everything, as a drain does, without forgetting it."""
    found: list[Trade] = []
    after = 0
    while (batch := await spool.read(after, limit)) is not None:
        assert len(batch.rows) <= limit
        found += batch.rows
        after = batch.number
    return found


def set_aside(folder: Path) -> list[Path]:
    return sorted(folder.glob("spool-damaged-*.sqlite3"))


async def test_what_is_appended_is_read_in_order_by_this_run_and_by_the_next(tmp_path: Path) -> None:
    async with spool_in(tmp_path) as spool:
        assert await spool.read(0, 100) is None
        assert await spool.append(trades(1, 5_001)) == 5_001
        assert await spool.append(trades(10, 12, "ETHUSDT")) == 3
        assert spool.status.rows == 5_004
        assert await contents(spool) == trades(1, 5_001) + trades(10, 12, "ETHUSDT")
    async with spool_in(tmp_path) as again:
        assert again.status.rows == 5_004
        assert list(again.held(SYMBOL)) == [(1, 5_001)]
        assert list(again.held("ETHUSDT")) == [(10, 12)]
        assert await contents(again) == trades(1, 5_001) + trades(10, 12, "ETHUSDT")


async def test_what_is_forgotten_is_gone_and_numbers_are_not_used_again(tmp_path: Path) -> None:
    async with spool_in(tmp_path) as spool:
        await spool.append(trades(1, 4_000))
        batch = await spool.read(0, 2_000)
        assert batch is not None
        assert batch.rows == trades(1, 2_000)
        await spool.forget(batch.number)
        assert await contents(spool) == trades(2_001, 4_000)
        assert list(spool.held(SYMBOL)) == [(2_001, 4_000)]
        last = spool.last_number
        await spool.forget(last)
        assert spool.status.rows == spool.status.size_bytes == 0
        await spool.append(trades(9, 9))
        assert spool.last_number == last + 1
        assert await contents(spool) == trades(9, 9)


async def test_an_emptied_spool_gives_its_room_back_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.spool.sqlite_file._SHRINK_FROM", 1 << 20)
    async with spool_in(tmp_path) as spool:
        await spool.append(trades(1, 60_000))
    assert (tmp_path / FILE_NAME).stat().st_size > 1 << 20
    async with spool_in(tmp_path) as spool:
        await spool.forget(spool.last_number)
    assert sum(entry.stat().st_size for entry in os.scandir(tmp_path)) < 1 << 18


async def test_at_its_limit_the_oldest_are_kept_and_it_says_so_until_there_is_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with spool_in(tmp_path, size_limit=1_000_000) as spool:
        taken = await spool.append(trades(1, 30_000))
        assert 10_000 <= taken < 30_000
        assert spool.status.size_bytes <= 1_000_000
        assert spool.status.reason == "The spool on disk has reached its 1 MB."
        while more := await spool.append(trades(taken + 1, 30_000)):
            taken += more
        assert spool.status.size_bytes <= 1_000_000
        assert await contents(spool) == trades(1, taken)
        await spool.forget(spool.last_number)
        assert await spool.append(trades(60_000, 60_001)) == 2
        assert spool.status.reason == ""
    assert caplog.messages.count("The spool on disk takes trades again") == 1
    assert sum("reached its 1 MB" in message for message in caplog.messages) == 1


async def test_values_that_no_exchange_sends_are_kept_like_others(tmp_path: Path) -> None:
    odd = [Trade("X\udc80", 2**63 - 1, -1, 2**80, -(2**66), True), trade(1)]
    async with spool_in(tmp_path) as spool:
        assert await spool.append(odd) == 2
    async with spool_in(tmp_path) as spool:
        assert await contents(spool) == odd


@pytest.mark.parametrize("contents_before", [b"no database at all" * 400, b"SQLite format 3\0" + bytes(4_000)])
async def test_a_file_that_is_no_spool_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, contents_before: bytes
) -> None:
    (tmp_path / FILE_NAME).write_bytes(contents_before)
    async with spool_in(tmp_path) as spool:
        assert spool.status.rows == 0
        assert await spool.append(trades(1, 3)) == 3
        assert await contents(spool) == trades(1, 3)
    (aside,) = set_aside(tmp_path)
    assert aside.read_bytes() == contents_before
    assert sum("The spool on disk is damaged" in message for message in caplog.messages) == 1


async def test_sqlite_files_of_another_program_or_a_newer_version_are_set_aside(tmp_path: Path) -> None:
    for number, statement in enumerate(("CREATE TABLE batches (other TEXT)", "PRAGMA user_version = 7"), 1):
        with sqlite3.connect(tmp_path / FILE_NAME) as other:
            other.execute(statement)
        other.close()
        async with spool_in(tmp_path) as spool:
            assert await spool.append(trades(1, 3)) == 3
        assert len(set_aside(tmp_path)) == number
        (tmp_path / FILE_NAME).unlink()


async def test_a_garbled_batch_costs_only_itself_and_its_ids_are_reported_lost(tmp_path: Path) -> None:
    async with spool_in(tmp_path) as spool:
        await spool.append(trades(1, 6_000))
        with sqlite3.connect(tmp_path / FILE_NAME) as other:
            other.execute("UPDATE batches SET packed = zeroblob(length(packed)) WHERE number = 2")
        other.close()
        assert await contents(spool) == trades(1, 2_000) + trades(4_001, 6_000)
        assert {symbol: list(ids) for symbol, ids in spool.take_lost().items()} == {SYMBOL: [(2_001, 4_000)]}
        assert spool.take_lost() == {}
        assert list(spool.held(SYMBOL)) == [(1, 2_000), (4_001, 6_000)]
        assert await spool.append(trades(7_000, 7_000)) == 1
    assert len(set_aside(tmp_path)) == 1


@pytest.mark.parametrize("part", [0.9, 0.5, 0.1, 0.01])
async def test_a_truncated_file_costs_no_more_than_what_is_cut_off(tmp_path: Path, part: float) -> None:
    async with spool_in(tmp_path) as spool:
        await spool.append(trades(1, 12_000))
    path = tmp_path / FILE_NAME
    os.truncate(path, int(path.stat().st_size * part))
    async with spool_in(tmp_path) as again:
        found = await contents(again)
        assert found == trades(1, len(found))
        assert await again.append(trades(50_000, 50_001)) == 2
        assert await contents(again) == found + trades(50_000, 50_001)


@pytest.mark.parametrize("seed", range(8))
async def test_bytes_garbled_anywhere_are_never_read_as_trades(tmp_path: Path, seed: int) -> None:
    async with spool_in(tmp_path) as spool:
        await spool.append(trades(1, 6_000))
    data = bytearray((tmp_path / FILE_NAME).read_bytes())
    place = (seed * 7_919 * 4_099) % len(data)
    data[place : place + 64] = bytes(byte ^ 0x5A for byte in data[place : place + 64])
    (tmp_path / FILE_NAME).write_bytes(data)
    async with spool_in(tmp_path) as again:
        found = await contents(again)
        assert set(found) <= set(trades(1, 6_000))
        assert [one.trade_id for one in found] == sorted(one.trade_id for one in found)
        assert await again.append(trades(20_000, 20_000)) == 1


async def test_without_a_file_nothing_is_taken_and_the_status_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    async with spool_in(tmp_path / "file") as spool:
        assert await spool.append(trades(1, 3)) == 0
        assert spool.status.reason.startswith("The spool on disk cannot be used (")
        assert await spool.read(0, 10) is None


WRITER = """
import asyncio, sys
from pathlib import Path
from app.market.trade import Trade
from storage.spool.disk_spool import DiskSpool, FILE_NAME

async def work():
    spool = DiskSpool(Path(sys.argv[1]) / FILE_NAME, 1 << 30)
    await spool.open()
    number = int(sys.argv[2])
    while True:
        batch = [Trade("BTCUSDT", one, one, one, one, False) for one in range(number, number + 700)]
        taken = await spool.append(batch)
        number += taken
        print(number - 1, flush=True)

asyncio.run(work())
"""


def _killed_after(folder: Path, first: int, lines: int) -> int:
    """Have a process append trades from ``first`` on, kill it after some; return the last id it acknowledged."""
    arguments = [sys.executable, "-c", WRITER, str(folder), str(first)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.readlines()
    return int(acknowledged[-1])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
async def test_a_spool_killed_again_and_again_holds_all_trades_that_it_acknowledged(tmp_path: Path) -> None:
    acknowledged = 0
    for round_number in range(3):
        acknowledged = _killed_after(tmp_path, acknowledged + 1, 10 + 13 * round_number)
        async with spool_in(tmp_path) as spool:
            found = await contents(spool)
            assert len(found) >= acknowledged
            assert [one.trade_id for one in found] == list(range(1, len(found) + 1))
            acknowledged = len(found)


@pytest.fixture
def disk(reachable_folder: Path) -> Iterator[SmallDisk]:
    with mounted(reachable_folder / "spool-disk", "size=4m") as made:
        yield made


async def test_a_full_disk_keeps_what_it_has_and_empties_without_room(disk: SmallDisk) -> None:
    async with spool_in(disk.path) as spool:
        taken = 0
        while more := await spool.append(trades(taken + 1, taken + 2_000)):
            taken += more
        assert taken > 10_000
        assert "is full" in spool.status.reason
        disk.fill()
        assert disk.free == 0
        assert await contents(spool) == trades(1, taken)
        await spool.forget(spool.last_number)
        assert spool.status.rows == 0
        assert await spool.append(trades(1, 2_000)) == 2_000
        assert spool.status.reason == ""
        assert IdRanges(spool.held(SYMBOL)) == IdRanges([(1, 2_000)])


async def test_a_cancelled_job_does_no_harm_and_leaves_no_thread(tmp_path: Path) -> None:
    async with spool_in(tmp_path) as spool:
        waiting = asyncio.ensure_future(spool.append(trades(1, 20_000)))
        await asyncio.sleep(0)
        waiting.cancel()
        assert await spool.append(trades(90_000, 90_000)) == 1
        assert spool.status.rows in (1, 20_001)
    assert not [thread for thread in threading.enumerate() if thread.name == "spool"]


async def test_batches_without_room_in_the_new_file_are_reported_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with spool_in(tmp_path) as spool:
        await spool.append(trades(1, 4_000))
        with sqlite3.connect(tmp_path / FILE_NAME) as other:
            other.execute("UPDATE batches SET checksum = 1 WHERE number = 1")
        other.close()
        with monkeypatch.context() as fault:
            fault.setattr("storage.spool.sqlite_file._open_connection", _no_room)
            assert await spool.read(0, 5_000) is None
        assert spool.take_lost() == {SYMBOL: IdRanges([(1, 4_000)])}
        assert await spool.append(trades(5_000, 5_000)) == 1
        assert await contents(spool) == trades(5_000, 5_000)
    assert len(set_aside(tmp_path)) == 1


def _no_room(path: Path) -> sqlite3.Connection:
    raise sqlite3.OperationalError(f"database or disk is full: {path}")


async def test_an_id_spooled_twice_is_gone_with_its_first_batch_and_no_other_id_is(
    tmp_path: Path,
) -> None:
    async with spool_in(tmp_path) as spool:
        await spool.append(trades(1, 10))
        await spool.append(trades(8, 20))
        assert spool.held(SYMBOL) == IdRanges([(1, 20)])
        await spool.forget(1)
        assert spool.held(SYMBOL) == IdRanges([(11, 20)])
        assert spool.status.rows == 13
        await spool.forget(2)
        assert spool.held(SYMBOL) == IdRanges()
        assert spool.status.size_bytes == spool.status.rows == 0


def test_a_day_of_small_batches_takes_no_more_memory_than_a_few() -> None:
    spooled = SpoolContents()

    def fill(first: int, last: int) -> None:
        for number in range(first, last):
            spooled.add(SpoolEntry(number, 2, {"BTCUSDT": [(2 * number, 2 * number + 1)]}, 100))

    fill(0, 100)
    tracemalloc.start()
    fill(100, 5_000)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 20_000
    assert (spooled.trades, spooled.size_bytes) == (10_000, 500_000)
    assert spooled.held("BTCUSDT") == IdRanges([(0, 9_999)])


def test_an_unreadable_sector_counts_as_damage_of_the_file() -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = 266
    assert is_damage(error)
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    assert not is_damage(error)
