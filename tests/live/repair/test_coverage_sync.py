"""Missing trades as the program and the database know them, kept in step."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from app.live.environment.clocks import ExchangeClock
from app.live.recording.market_snapshot import MarketSnapshot
from app.live.recording.recorder import Recorder
from app.live.repair.coverage_sync import CoverageSync
from app.market.coverage import IdRanges
from app.market.errors import StoreUnavailable
from storage.spool.batches import TRADES
from storage.spool.disk_spool import FILE_NAME, DiskSpool
from storage.spool.sqlite_file import SpoolFile
from tests.live.databases import FakeDatabase, FakeStore
from tests.live.helpers import PATIENCE_S, SYMBOL, HandClock, recorder_for, trade, until


def holding(*ids: int) -> FakeDatabase:
    return FakeDatabase([trade(number) for number in ids])


class SlowStore(FakeStore):
    """Answers with the ids it held when it was asked, once the test lets it."""

    def __init__(self, *ids: int) -> None:
        super().__init__([trade(number) for number in ids])
        self.is_asked, self.may_answer = threading.Event(), threading.Event()

    def coverage_of(self, symbols: Collection[str]) -> dict[str, IdRanges]:
        answer = super().coverage_of(symbols)
        self.is_asked.set()
        assert self.may_answer.wait(PATIENCE_S)
        return answer


async def test_trades_moving_from_disk_to_the_database_during_a_read_are_not_missing(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / FILE_NAME, TRADES)
    file.append([trade(number) for number in range(3, 6)])
    file.close()
    spool = DiskSpool(tmp_path / FILE_NAME, 1 << 30)
    recorder = Recorder(
        ExchangeClock(HandClock()), MarketSnapshot(), queue_trades=100, repair_trades=0, spool=spool, clock=HandClock()
    )
    recorder.set_symbols([SYMBOL])
    database = FakeDatabase()
    database.store = store = SlowStore(1, 2, 6)
    coverage_sync = CoverageSync(recorder, lambda: database, HandClock())
    recorder.outbox.start()
    try:
        await until(lambda: recorder.outbox.spool_status.rows == 3)
        loading = asyncio.ensure_future(coverage_sync.load([SYMBOL]))
        await until(store.is_asked.is_set)
        recorder.attach(database.writer)
        await until(lambda: not recorder.outbox.is_spooling)
        store.may_answer.set()
        await loading
        assert recorder.missing() == 0
    finally:
        store.may_answer.set()
        await recorder.outbox.finish()


async def test_absent_ids_are_saved_once_the_database_takes_them_and_others_gaps_read_again() -> None:
    database, clock = holding(1, 9, 10), HandClock()
    recorder = recorder_for(clock=clock)
    coverage_sync = CoverageSync(recorder, lambda: database, clock)
    assert await coverage_sync.load([SYMBOL]) == {SYMBOL}
    tracker = recorder.tracker(SYMBOL)
    assert tracker is not None
    assert tracker.missing() == 7
    tracker.ids.note_absent(2, 4)
    database.store.failure = StoreUnavailable("The database is away.")
    await coverage_sync.save()
    assert list(tracker.ids.absent_unsaved) == [(2, 4)]
    database.store.failure = None
    database.store.stored[6] = trade(6)  # by another program
    working = asyncio.ensure_future(coverage_sync.run())
    await until(lambda: tracker.missing() == 3)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    assert database.store.absent_ids == IdRanges([(2, 4)])
    assert not tracker.ids.absent_unsaved
    assert list(tracker.absent) == [(2, 4)]
    recorder.outbox.close()


async def test_coverage_that_could_not_be_read_is_read_once_the_database_is_back() -> None:
    database, clock = holding(1, 2), HandClock()
    recorder = recorder_for(clock=clock)
    coverage_sync = CoverageSync(recorder, lambda: database, clock)
    database.store.failure = StoreUnavailable("The database is away.")
    assert await coverage_sync.load([SYMBOL]) == set()
    await recorder.ingest([trade(9)])
    assert recorder.missing() == 0  # not known yet
    database.store.failure = None
    working = asyncio.ensure_future(coverage_sync.run())
    await until(lambda: recorder.missing() == 6)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    recorder.outbox.close()


async def test_with_a_read_only_database_nothing_is_missing_and_nothing_is_saved() -> None:
    database, clock = holding(1, 9), HandClock()
    database.read_only_reason = "Reading only."
    recorder = recorder_for(clock=clock)
    coverage_sync = CoverageSync(recorder, lambda: database, clock)
    assert await coverage_sync.load([SYMBOL]) == set()
    tracker = recorder.tracker(SYMBOL)
    assert tracker is not None
    tracker.ids.note_absent(2, 4)
    await coverage_sync.save()
    assert not database.store.absent_ids
    recorder.outbox.close()
