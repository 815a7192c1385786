"""What the program knows of gaps and what the database says of them, kept in step."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from app.live.settled import SettledIds
from app.market.coverage import IdRanges
from app.market.errors import StoreUnavailable
from tests.live.helpers import SYMBOL, FakeStore, FakeWriter, HandClock, recorder_for, trade, until


class MemoryDatabase:
    """A database of a store in memory."""

    label = "in memory"

    def __init__(self, *ids: int) -> None:
        self.writer = FakeWriter()
        self.store = FakeStore([trade(number) for number in ids])
        self.reading_only = ""

    def close(self, timeout_s: float = 0.0) -> bool:
        return True


async def test_absent_ids_are_saved_once_the_database_takes_them_and_others_gaps_read_again() -> None:
    database, clock = MemoryDatabase(1, 9, 10), HandClock()
    recorder = recorder_for(clock=clock)
    settled = SettledIds(recorder, lambda: database, clock)  # type: ignore[arg-type, return-value]  # because a fake writer refuses nothing
    assert await settled.load([SYMBOL]) == {SYMBOL}
    tracker = recorder.tracker(SYMBOL)
    assert tracker is not None
    assert tracker.missing() == 7
    tracker.note_absent(2, 4)
    database.store.failure = StoreUnavailable("The database is away.")
    await settled.save()
    assert list(tracker.absent_unsaved) == [(2, 4)]
    database.store.failure = None
    database.store.stored[6] = trade(6)  # by another program
    working = asyncio.ensure_future(settled.run())
    await until(lambda: tracker.missing() == 3)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    assert database.store.absent_ids == IdRanges([(2, 4)])
    assert not tracker.absent_unsaved
    assert list(tracker.absent) == [(2, 4)]
    recorder.outbox.close()


async def test_where_only_reading_is_allowed_nothing_is_a_gap_and_nothing_is_noted() -> None:
    database, clock = MemoryDatabase(1, 9), HandClock()
    database.reading_only = "Reading only."
    recorder = recorder_for(clock=clock)
    settled = SettledIds(recorder, lambda: database, clock)  # type: ignore[arg-type, return-value]  # because a fake writer refuses nothing
    assert await settled.load([SYMBOL]) == set()
    tracker = recorder.tracker(SYMBOL)
    assert tracker is not None
    tracker.note_absent(2, 4)
    await settled.save()
    assert not database.store.absent_ids
    recorder.outbox.close()
