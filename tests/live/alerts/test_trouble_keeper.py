"""Alerts on trouble while a program records: saved, announced once, also while the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from app.live.alerts.trouble_keeper import TroubleKeeper
from app.live.alerts.trouble_sources import TroubleSources
from app.market.alerts.alert import Incident, Repeat, TroubleKind
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import StoredAlert
from app.market.errors import StoreUnavailable
from app.market.ports.exchange import FeedState, FeedStatus
from tests.live.databases import FakeDatabase
from tests.live.helpers import SYMBOL, HandClock, recorder_for, trade


def alert(number: int, rule: str) -> StoredAlert:
    return StoredAlert(number, "", read_rule(rule), Repeat.EVERY, "", "", None, None, None, None)


class Book:
    """Keeps incidents, unless it is away; knows those of before."""

    def __init__(self, *known: int) -> None:
        self.is_away = False
        self.known = set(known)  # first ids of gaps
        self.kept: list[Incident] = []

    def save_incidents(self, incidents: Sequence[Incident]) -> list[Incident]:
        if self.is_away:
            raise StoreUnavailable("The database is away.")
        fresh = [one for one in incidents if one.first_id not in self.known]
        self.kept += fresh
        return fresh


class World:
    def __init__(self) -> None:
        self.clock = HandClock()
        self.recorder = recorder_for(clock=self.clock)
        self.database: FakeDatabase | None = FakeDatabase()
        self.state = FeedStatus(FeedState.LIVE)
        self.reason = ""
        self.announced: list[str] = []
        sources = TroubleSources(
            self.recorder,
            lambda name: self.state,
            lambda name: True,
            lambda: self.database,  # type: ignore[arg-type, return-value]  # because the fake has what is used
            lambda: self.reason,
        )
        self.sources = sources
        self.keeper = TroubleKeeper(sources, self.clock, lambda alert, one: self.announced.append(one.reason))
        self.book = Book()

    def look(self, after_s: float) -> None:
        self.clock.time_us += round(after_s * 1e6)
        self.keeper.look()

    async def save(self) -> None:
        await self.keeper.save(self.book)  # type: ignore[arg-type]  # because the fake has what is used


@pytest.fixture
def world() -> World:
    return World()


def test_a_gap_is_announced_once_it_is_kept_and_only_if_it_is_new(world: World) -> None:
    world.keeper.set_alerts([alert(1, "trades missing for 5s")])
    tracker = world.recorder.tracker(SYMBOL)
    assert tracker is not None
    for number in (1, 2, 6, 7, 11):
        tracker.add(trade(number, number, 100, 1))
    world.book.known = {8}
    world.look(0)
    world.look(5)
    assert world.announced == []
    asyncio.run(world.save())
    assert world.announced == ["3 trades missing"]
    assert [(one.symbol, one.first_id, one.last_id) for one in world.book.kept] == [(SYMBOL, 3, 5)]
    world.look(10)
    asyncio.run(world.save())
    assert len(world.announced) == 1


def test_while_the_database_is_away_all_is_announced_at_once_and_kept_later(world: World) -> None:
    world.keeper.set_alerts([alert(1, "trades missing for 5s"), alert(2, "recorder in trouble for 5s")])
    tracker = world.recorder.tracker(SYMBOL)
    assert tracker is not None
    tracker.add(trade(1, 1, 100, 1))
    tracker.add(trade(4, 4, 100, 1))
    assert world.database is not None
    world.database.writer.reason = "The database is away."
    world.book.is_away = True
    world.look(0)
    world.look(5)
    with pytest.raises(StoreUnavailable):
        asyncio.run(world.save())
    assert sorted(world.announced) == ["2 trades missing", "The database is away."]
    with pytest.raises(StoreUnavailable):
        asyncio.run(world.save())
    world.book.is_away = False
    asyncio.run(world.save())
    assert len(world.announced) == 2
    assert len(world.book.kept) == 2


def test_what_is_wrong_is_seen_and_what_is_usual_is_not(world: World) -> None:
    assert world.sources.seen(list(TroubleKind)) == []
    world.state = FeedStatus(FeedState.BACKING_OFF, "No route to the exchange.")
    (lost,) = world.sources.seen([TroubleKind.FEED])
    assert (lost.symbol, lost.reason) == (SYMBOL, "No route to the exchange.")
    world.database = None
    assert world.sources.seen([TroubleKind.RECORDER]) == []  # it is starting
    world.reason = "The disk is full."
    assert [one.reason for one in world.sources.seen([TroubleKind.RECORDER])] == ["The disk is full."]
