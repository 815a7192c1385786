"""When missing trades would have happened."""

from __future__ import annotations

import pytest

from app.live.gaps import GapTimes, TimedGap, ids_in_view
from app.live.tracker import SymbolTracker
from app.market.coverage import TradeGap
from app.market.errors import StoreUnavailable
from app.market.interval import SECOND_US
from tests.live.helpers import START_US, SYMBOL, FakeStore, trade


def tracker_with(*ids: int) -> SymbolTracker:
    tracker = SymbolTracker(SYMBOL)
    for number in ids:
        tracker.add(trade(number))
    return tracker


async def test_a_gap_lies_between_its_neighbours() -> None:
    store = FakeStore([trade(1), trade(2), trade(6), trade(9)])
    found = await GapTimes().of(tracker_with(1, 2, 6, 9), store)
    assert found == [
        TimedGap(TradeGap(SYMBOL, 3, 5), START_US + 2 * SECOND_US, START_US + 6 * SECOND_US),
        TimedGap(TradeGap(SYMBOL, 7, 8), START_US + 6 * SECOND_US, START_US + 9 * SECOND_US),
    ]


async def test_a_gap_whose_neighbours_are_not_stored_yet_comes_later_and_each_is_looked_up_once() -> None:
    store = FakeStore([trade(1)])
    tracker, times = tracker_with(1, 5), GapTimes()
    assert await times.of(tracker, store) == []
    store.stored[5] = trade(5)
    assert len(await times.of(tracker, store)) == 1
    calls = store.trade_calls
    assert len(await times.of(tracker, store)) == 1
    assert store.trade_calls == calls


async def test_a_repaired_gap_is_gone() -> None:
    store = FakeStore([trade(1), trade(3)])
    tracker, times = tracker_with(1, 3), GapTimes()
    assert len(await times.of(tracker, store)) == 1
    tracker.add(trade(2))
    assert await times.of(tracker, store) == []


async def test_only_the_newest_gaps_are_looked_up() -> None:
    ids = range(1, 501, 2)
    found = await GapTimes().of(tracker_with(*ids), FakeStore([trade(number) for number in ids]))
    assert len(found) == 100
    assert found[-1].gap == TradeGap(SYMBOL, 498, 498)


async def test_a_database_that_is_away_raises() -> None:
    store = FakeStore()
    store.failure = StoreUnavailable("The database is away.")
    with pytest.raises(StoreUnavailable):
        await GapTimes().of(tracker_with(1, 3), store)


@pytest.mark.parametrize(
    ("start_us", "end_us", "expected"),
    [
        (0, 2_000, [(2_001, 2_010), (101, 200)]),
        (1_500, 2_000, [(2_001, 2_010)]),
        (0, 1_000, [(101, 200)]),
        (600, 700, [(121, 140)]),
        (0, 600, [(101, 120)]),
        (1_100, 1_200, []),
        (700, 700, []),
    ],
)
def test_the_ids_in_view_are_guessed_from_the_times_around_the_gap(
    start_us: int, end_us: int, expected: list[tuple[int, int]]
) -> None:
    gaps = [TimedGap(TradeGap(SYMBOL, 101, 200), 500, 1_000), TimedGap(TradeGap(SYMBOL, 2_001, 2_010), 1_600, 1_600)]
    assert ids_in_view(gaps, start_us, end_us) == expected


async def test_the_neighbours_of_absent_ids_stand_in_for_them() -> None:
    tracker = tracker_with(1, 2, 9)
    tracker.note_absent(3, 4)
    (found,) = await GapTimes().of(tracker, FakeStore([trade(1), trade(2), trade(9)]))
    assert found == TimedGap(TradeGap(SYMBOL, 5, 8), START_US + 2 * SECOND_US, START_US + 9 * SECOND_US)
