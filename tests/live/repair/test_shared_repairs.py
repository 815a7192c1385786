"""Sharing the repairs with other programs on the same database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.live.recording.recorder import Recorder
from app.live.repair.coverage_sync import CoverageSync
from app.live.repair.repairer import Repairer
from app.live.repair.shared_repairs import SharedRepairs
from app.market.errors import StoreUnavailable
from tests.live.databases import FakeDatabase, FakeWriter
from tests.live.helpers import SYMBOL, FakeExchange, HandClock, recorder_for, trade


class Desk:
    """A recorder and a repairer that share with others through a store in memory."""

    def __init__(self) -> None:
        self.clock = HandClock(trade(2_000).time_us)
        self.recorder: Recorder = recorder_for(clock=self.clock, repair_trades=100)
        self.recorder.attach(FakeWriter())
        database = FakeDatabase()
        self.store = database.store
        self.exchange = FakeExchange([trade(number) for number in range(1, 1_000)], self.clock)
        self.repairer = Repairer(self.recorder, self.exchange, self.clock)
        coverage_sync = CoverageSync(self.recorder, lambda: database, self.clock)
        self.shared_repairs = SharedRepairs(self.recorder, self.repairer, coverage_sync, lambda: database, self.clock)

    def receive(self, *ids: int) -> None:
        for number in ids:
            self.recorder.receive(trade(number), 0)
            self.store.stored[number] = trade(number)

    @property
    def asked(self) -> list[int]:
        return [first for first, _ in self.exchange.trade_calls]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    made.recorder.outbox.close()


async def test_repairs_are_announced_and_withdrawn_once_nothing_is_missing(desk: Desk) -> None:
    desk.receive(1, 10, 500)
    await desk.shared_repairs.step()
    assert desk.store.announced_repairs == ({SYMBOL}, set(), 100)
    desk.repairer.download(SYMBOL)
    await desk.shared_repairs.step()
    assert desk.store.announced_repairs == ({SYMBOL}, {SYMBOL}, 100)
    while not await desk.repairer.step():
        pass
    await desk.shared_repairs.step()
    assert desk.store.announced_repairs == (set(), set(), 100)


async def test_another_programs_repairs_are_left_to_it_except_trades_missed_later(desk: Desk) -> None:
    desk.receive(1, 10)
    desk.store.others_fetch = {SYMBOL}
    await desk.shared_repairs.step()
    assert await desk.repairer.step()
    assert desk.asked == []
    assert (desk.repairer.repairing, desk.repairer.fetching, desk.repairer.plan.too_large(SYMBOL)) == (
        {SYMBOL},
        set(),
        0,
    )
    desk.receive(15)
    await desk.repairer.step()
    assert desk.asked == [11]
    for number in range(2, 7):
        desk.store.stored[number] = trade(number)
    desk.store.others_fetch = set()
    await desk.shared_repairs.step()
    await desk.repairer.step()
    assert desk.asked == [11, 7]  # the rest, after reading what the other one stored
    assert desk.recorder.missing() == 0


async def test_while_the_database_is_away_repairs_go_on_alone(desk: Desk) -> None:
    desk.receive(1, 10)
    desk.store.failure = StoreUnavailable("The database is away.")
    await desk.shared_repairs.step()
    await desk.repairer.step()
    assert desk.recorder.missing() == 0
