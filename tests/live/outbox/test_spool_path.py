"""The spool path while the database is away, hangs or is slow, and the return when it is back."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.live.helpers import SYMBOL, until
from tests.live.outbox.helpers import AWAY, Ledger, ShakyWriter, batch, run_in


async def test_while_the_database_is_away_waiting_trades_and_the_writers_go_to_disk(
    tmp_path: Path,
) -> None:
    writer = ShakyWriter(ledger := Ledger())
    async with run_in(tmp_path) as run:
        run.box.attach(writer)
        await run.is_straight()
        await run.put(batch(1, 700))
        await until(lambda: len(writer.queue) == 700)
        writer.commit(300)
        writer.reason = AWAY
        await until(lambda: run.box.spool_status.rows == 400)
        await run.put(batch(701, 1_500))
        await until(lambda: run.box.spool_status.rows == 1_200)
        assert list(run.box.spooled(SYMBOL)) == [(301, 1_500)]
        assert len(writer.queue) == 400
        writer.reason = ""
        await run.is_straight()
        assert run.box.spool_status.rows == 0
        await run.put(batch(1_501, 1_600))
        await until(lambda: len(writer.queue) == 100)
        writer.commit()
    assert ledger.ids() == list(range(1, 1_601))
    assert run.lost == []


async def test_a_short_outage_does_not_use_the_disk(tmp_path: Path) -> None:
    writer = ShakyWriter(Ledger())
    async with run_in(tmp_path) as run:
        run.box.attach(writer)
        await run.is_straight()
        looks = 0

        def count_looks(_: float) -> None:
            nonlocal looks
            looks += 1
            writer.reason = AWAY if looks % 2 else ""

        await run.put(batch(1, 10))
        await until(lambda: writer.queue)
        run.clock.on_sleep = count_looks
        await until(lambda: looks > 50)
        run.clock.on_sleep = lambda _: None
        assert run.spool.last_number == 0


async def test_trades_given_to_a_database_that_hangs_go_to_disk_too(tmp_path: Path) -> None:
    writer = ShakyWriter(ledger := Ledger())
    async with run_in(tmp_path) as run:
        run.box.attach(writer)
        await run.is_straight()
        writer.hangs = True
        await run.put(batch(1, 600))
        await until(lambda: run.box.spool_status.rows == 600)
        assert run.box.can_skip_database
    # Killed now, the next run stores them.
    async with run_in(tmp_path) as run:
        run.box.attach(ShakyWriter(ledger))
        await run.is_straight()
    assert ledger.ids() == list(range(1, 601))


async def test_a_full_queue_goes_to_disk_and_the_feed_never_waits_for_it(tmp_path: Path) -> None:
    writer = ShakyWriter(ledger := Ledger(), limit=1_000)
    writer.manual = True
    async with run_in(tmp_path, limit=5_000) as run:
        writer.clock = run.clock
        run.box.attach(writer)
        await run.is_straight()
        for first in range(1, 20_001, 1_000):
            for one in batch(first, first + 999):
                assert run.box.put(one)
            await until(lambda: run.box.waiting < 1_000)
        assert run.box.is_spooling
        writer.manual = False
        await run.is_straight()
        writer.commit()
    assert ledger.ids() == list(range(1, 20_001))
    assert run.lost == []
    assert writer.longest <= 10_000


async def test_a_busy_market_with_the_database_away_for_long_is_stored_in_order(tmp_path: Path) -> None:
    writer = ShakyWriter(ledger := Ledger())
    writer.reason = AWAY
    count = 20 * 5_000
    async with run_in(tmp_path, limit=20_000) as run:
        run.box.attach(writer)
        most = 0
        for first in range(1, count, 5_000):
            await run.put(batch(first, first + 4_999))
            most = max(most, run.box.waiting)
            await asyncio.sleep(0)
        await until(lambda: run.box.spool_status.rows == count)
        assert most <= 20_000
        assert run.box.spool_status.size_bytes < count * 48
        writer.reason = ""
        number = count
        while run.box.is_spooling:  # the market goes on while it is drained
            await run.put(batch(number + 1, number + 50))
            number += 50
            await asyncio.sleep(0.001)
        await until(lambda: run.box.waiting == 0)
        writer.commit()
    assert ledger.ids() == list(range(1, number + 1))
    assert run.lost == []
