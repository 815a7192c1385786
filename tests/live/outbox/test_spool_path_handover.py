"""The spool while the database changes: another is about to come, or may only be read, or trades flood in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.helpers import until
from tests.live.outbox.helpers import Ledger, ShakyWriter, batch, run_in, spooled_in


async def test_a_read_only_database_gets_no_spooled_trades_and_adds_none(tmp_path: Path) -> None:
    away, reading, writing = ShakyWriter(Ledger()), ShakyWriter(Ledger()), ShakyWriter(ledger := Ledger())
    async with spooled_in(tmp_path, away) as run:
        await run.put(batch(101, 110))
        assert await run.box.save() == []
        run.box.attach(reading, recording=False)
        await run.put(batch(111, 2_000))
        await until(lambda: len(reading.queue) == 1_890)
        assert run.box.spool_status.rows == 110
        run.box.attach(writing)
        await run.is_straight()
    assert ledger.ids() == list(range(1, 111))


async def test_with_a_read_only_database_nothing_is_on_disk_at_the_end(tmp_path: Path) -> None:
    reading = ShakyWriter(Ledger())
    async with run_in(tmp_path) as run:
        run.box.attach(reading, recording=False)
        await run.put(batch(1, 3))
        await run.box.drain()
        run.box.attach(None)
        assert await run.box.save() == []
        assert run.box.spool_status.rows == 0
    assert len(reading.queue) == 3


async def test_while_another_database_is_about_to_come_its_trades_wait_in_memory(tmp_path: Path) -> None:
    old, new = ShakyWriter(Ledger()), ShakyWriter(ledger := Ledger())
    old.manual = True
    async with run_in(tmp_path) as run:
        run.box.attach(old)
        await run.is_straight()
        await run.put(batch(1, 10))
        await until(lambda: len(old.queue) == 10)
        looks = 0

        def count_looks(_: float) -> None:
            nonlocal looks
            looks += 1
            run.clock.time_us = 0  # no time passes

        run.clock.on_sleep = count_looks
        run.box.attach(None)
        run.box.hold()
        await run.put(batch(11, 600))
        looked = looks
        await until(lambda: looks > looked + 50)
        assert run.spool.last_number == 0
        run.box.put_first(old.unwritten())
        run.box.attach(new)
        await until(lambda: not run.box.waiting)
        new.commit()
    assert ledger.ids() == list(range(1, 601))


@pytest.mark.parametrize("is_start", [True, False])
async def test_a_flood_while_a_database_is_about_to_come_goes_to_disk_and_nothing_is_given_up(
    tmp_path: Path, is_start: bool
) -> None:
    old, new = ShakyWriter(Ledger()), ShakyWriter(ledger := Ledger())
    async with run_in(tmp_path, limit=1_000) as run:
        run.clock.on_sleep = lambda s: setattr(run.clock, "time_us", run.clock.time_us - round(s * 990_000))  # slowly
        if not is_start:
            run.box.attach(old)
            await run.is_straight()
            run.box.attach(None)
            run.box.hold()
        await run.put(batch(1, 30_000))
        assert run.box.waiting <= 1_000
        assert run.box.spool_status.rows + run.box.waiting == 30_000
        assert run.box._writer_path.is_held
        run.clock.on_sleep = lambda _: None
        run.box.attach(new)
        await run.is_straight()
        new.commit()
    assert run.lost == []
    assert ledger.ids() == list(range(1, 30_001))
