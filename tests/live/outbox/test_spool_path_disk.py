"""The spool path when the disk fails: full, damaged, refusing, hanging, or missing."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.market.coverage import IdRanges
from app.market.ports.storage import SpoolStatus
from app.market.trade import Trade
from storage.spool.disk_spool import DiskSpool
from tests.live.helpers import PATIENCE_S, SYMBOL, until
from tests.live.outbox.helpers import AWAY, Ledger, Run, ShakyWriter, batch, run_in, spooled_in


async def test_trades_the_spool_cannot_take_are_given_up_and_counted_and_recovery_is_reported(tmp_path: Path) -> None:
    writer = ShakyWriter(ledger := Ledger())
    writer.reason = AWAY
    async with run_in(tmp_path, limit=1_000, size_limit=500_000) as run:
        run.box.attach(writer)
        for first in range(1, 30_000, 1_000):
            await run.put(batch(first, first + 999))
        await until(lambda: run.lost and run.box.spool_status.reason)
        kept = 30_000 - len(run.lost)
        assert run.box.spool_status.rows + run.box.waiting == kept
        assert run.recovered == 0
        writer.reason = ""
        await run.is_straight()
        await until(lambda: run.recovered == 1)
        writer.commit()
    assert sorted([*ledger.ids(), *run.lost]) == list(range(1, 30_001))
    assert ledger.ids() == sorted(ledger.ids())


async def test_a_damaged_spool_reports_the_ids_it_lost(tmp_path: Path) -> None:
    writer = ShakyWriter(ledger := Ledger())
    async with spooled_in(tmp_path, writer, 5_000) as run:
        run.spool._file._connection.execute("UPDATE batches SET checksum = 1 WHERE number = 1")
        writer.reason = ""
        await run.is_straight()
        writer.commit()
    held = IdRanges((number, number) for number in ledger.ids())
    assert held.missing(1, 5_000) == list(run.spool_lost[SYMBOL])
    assert 0 < run.spool_lost[SYMBOL].count() <= 2_000


async def test_after_a_fault_in_the_spool_trades_take_the_writer_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    writer = ShakyWriter(ledger := Ledger())
    async with spooled_in(tmp_path, writer) as run:
        monkeypatch.setattr(DiskSpool, "read", fail)
        monkeypatch.setattr(run.box._spool_path, "_given_to", None)
        writer.reason = ""
        await until(lambda: not run.box.has_spool)
        await run.put(batch(101, 300))
        await until(lambda: not run.box.waiting)
        writer.commit()
    assert set(range(101, 301)) <= set(ledger.ids())
    assert "a fault in the program" in caplog.text
    monkeypatch.undo()
    async with run_in(tmp_path) as run:  # the trades on disk are still there
        run.box.attach(ShakyWriter(ledger))
        await run.is_straight()
    assert sorted(ledger.ids()) == list(range(1, 301))


def deny(action: int) -> Callable[..., int]:
    """Return an authorizer for SQLite that refuses only that kind of action."""
    return lambda asked, *_: sqlite3.SQLITE_DENY if asked == action else sqlite3.SQLITE_OK


async def test_trades_that_cannot_be_read_stay_on_disk_until_they_can(tmp_path: Path) -> None:
    writer = ShakyWriter(ledger := Ledger())
    async with spooled_in(tmp_path, writer) as run:
        run.spool._file._connection.set_authorizer(deny(sqlite3.SQLITE_SELECT))
        writer.reason = ""
        await until(lambda: "not authorized" in run.box.spool_status.reason)
        await run.put(batch(101, 200))
        await until(lambda: run.box.spool_status.rows == 200)
        assert ledger.ids() == []
        run.spool._file._connection.set_authorizer(None)
        await run.is_straight()
        assert run.box.spool_status == SpoolStatus()
    assert ledger.ids() == list(range(1, 201))


async def test_stored_trades_that_the_disk_would_not_delete_are_deleted_later(tmp_path: Path) -> None:
    writer = ShakyWriter(ledger := Ledger())
    async with spooled_in(tmp_path, writer) as run:
        run.spool._file._connection.set_authorizer(deny(sqlite3.SQLITE_DELETE))
        writer.reason = ""
        await run.is_straight()
        assert ledger.ids() == list(range(1, 101))
        assert run.box.spool_status.rows == 100
        run.spool._file._connection.set_authorizer(None)
        await until(lambda: run.box.spool_status == SpoolStatus())


async def test_at_the_end_waiting_trades_go_to_disk_even_if_reading_it_fails(tmp_path: Path) -> None:
    writer = ShakyWriter(Ledger())
    async with spooled_in(tmp_path, writer) as run:
        run.spool._file._connection.set_authorizer(deny(sqlite3.SQLITE_SELECT))
        writer.reason = ""
        await until(lambda: "not authorized" in run.box.spool_status.reason)
        run.box.attach(None)
        await run.put(batch(101, 200))
        assert await run.box.save() == []
        assert run.box.spool_status.rows == 200


class LateWriter(ShakyWriter):
    """Commits at the last moment."""

    def unwritten(self) -> list[Trade]:
        self.manual = False
        self.commit()
        return super().unwritten()


async def test_a_disk_that_hangs_does_not_keep_the_program_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.live.outbox.spool_path._ENDING_S", 0.05)
    writer = LateWriter(Ledger())
    writer.reason, writer.manual = AWAY, True
    run = Run(tmp_path)
    run.box.attach(writer)
    await run.put(batch(1, 100))
    await until(lambda: run.box.spool_status.rows == 100)
    writer.reason = ""
    await until(lambda: len(writer.queue) == 100)
    hangs = threading.Event()
    run.spool._jobs.put(hangs.wait)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await run.box.finish()
    finally:
        hangs.set()
        assert run.spool._thread is not None
        run.spool._thread.join(PATIENCE_S)
    assert run.spool._file._connection is None, "the file stays open once the disk answers again"


async def test_when_the_spool_fails_to_open_the_last_trade_of_a_quiet_market_still_goes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(DiskSpool, "open", fail)
    writer = ShakyWriter(ledger := Ledger(), limit=10)
    writer.queue = batch(1, 10)
    async with run_in(tmp_path) as run:
        run.box.attach(writer)
        await run.put(batch(11, 20))
        await until(lambda: not run.box.has_spool)
        writer.commit()
        await until(lambda: not run.box.waiting)
        writer.commit()
    assert ledger.ids() == list(range(1, 21))
