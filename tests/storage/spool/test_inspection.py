"""The summary of a spool: beside the program that fills it, after a kill, and of a file that cannot be read."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from app.market.coverage import IdRanges
from storage.spool.disk_spool import FILE_NAME, DiskSpool
from storage.spool.inspection import SpoolSummary, read_summary
from tests.live.helpers import START_US, SYMBOL, trade


async def test_the_summary_is_read_beside_the_program_that_fills_the_spool_and_after_a_kill(tmp_path: Path) -> None:
    (live := tmp_path / "live").mkdir()
    spool = DiskSpool(live / FILE_NAME, 1 << 30)
    assert read_summary(live / FILE_NAME) == SpoolSummary()
    await spool.open()
    try:
        assert read_summary(live / FILE_NAME) == SpoolSummary()
        await spool.append([trade(number) for number in range(1, 5_001)])
        await spool.append([trade(4_900), *(trade(number, symbol="ETHUSDT") for number in range(9_000, 9_010))])
        expected = SpoolSummary(
            5_011,
            {SYMBOL: IdRanges([(1, 5_000)]), "ETHUSDT": IdRanges([(9_000, 9_009)])},
            START_US + 1_000_000,
            START_US + 9_009_000_000,
        )
        assert read_summary(live / FILE_NAME) == expected
        shutil.copytree(live, killed := tmp_path / "killed")
        await spool.forget(2)
        assert read_summary(live / FILE_NAME).ids[SYMBOL] == IdRanges([(4_001, 5_000)])
    finally:
        assert await spool.close(10)
    assert read_summary(killed / FILE_NAME) == expected
    again = DiskSpool(killed / FILE_NAME, 1 << 30)
    await again.open()
    assert again.status.rows == 5_011
    assert await again.close(10)


async def test_a_file_that_cannot_be_read_is_a_problem_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(b"no database at all" * 400)
    assert read_summary(path).problem == "file is not a database"
    assert path.read_bytes() == b"no database at all" * 400
    path.unlink()
    spool = DiskSpool(path, 1 << 30)
    await spool.open()
    await spool.append([trade(1)])
    assert await spool.close(10)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE batches SET checksum = 1")
    other.close()
    assert read_summary(path) == SpoolSummary(problem="a batch does not have its checksum")
