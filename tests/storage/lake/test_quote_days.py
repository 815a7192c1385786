"""Days of quotes: which are complete, and that they go into a lake and come back with their places."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from app.market.calendar.always_open import AlwaysOpen
from app.market.coverage import IdRanges
from app.market.quotes.tick import Tick
from app.market.quotes.tick_columns import columns_of_ticks
from storage.lake.folder_store import FolderStore
from storage.lake.lake import Lake
from storage.lake.partition import DAY_US, LakeKind
from storage.lake.pull import Pull, PullReport
from storage.lake.push import Push, PushReport
from storage.lake.quote_days import QuoteDays, judged_days
from storage.lake.verify import Verification
from storage.loading.bulk_loader import BulkLoader
from storage.postgres.connection import connect
from storage.quotes.tick_store import TickStore
from storage.sides.market_store import MarketStore
from tests.storage.lake.trades import FIRST_DAY_US
from tests.tables import our_tables

SYMBOL = "dukascopy:EURUSD"
HOUR_US = 3_600_000_000


def quotes_of(days: int, a_day: int = 500) -> list[Tick]:
    """Return quotes, some of one time, on each day but Saturday the 10th and the Sunday's begin."""
    ticks = []
    for day in (one for one in range(days) if one != 1):
        start = FIRST_DAY_US + day * DAY_US + (22 * HOUR_US if day == 2 else 0)
        for number in range(a_day):
            time_us = start + number // 3 * 10_000_000
            bid = 109_000_000 + number
            ticks.append(Tick(SYMBOL, time_us, number % 3, bid, bid + 7, 1_000 + number, 50))
    return ticks


def store(url: str, ticks: list[Tick], fetched: tuple[int, int]) -> None:
    loader = BulkLoader(lambda: connect(url))
    loader.load_ticks(columns_of_ticks(SYMBOL, ticks), fetched)
    loader.close()


def push(store: MarketStore, lake: Lake) -> PushReport:
    return Push(lake, [QuoteDays(store.pool, store.calendar_of)], "1").run([SYMBOL])


def pull(url: str, store: MarketStore, lake: Lake) -> PullReport:
    loader = BulkLoader(lambda: connect(url))
    try:
        pull = Pull(lake, loader, store, TickStore(store.pool))
        return pull.run(lake.partitions(LakeKind.QUOTES, SYMBOL))
    finally:
        loader.close()


def test_quotes_come_back_with_their_places_and_the_times_fetched(url: str, server_url: str, tmp_path: Path) -> None:
    ticks = quotes_of(5)  # Friday to Tuesday
    store(url, ticks, (FIRST_DAY_US, FIRST_DAY_US + 4 * DAY_US + 12 * HOUR_US))
    lake = Lake(FolderStore(tmp_path / "lake"))
    stored = MarketStore(lambda: connect(url))
    try:
        report = push(stored, lake)
        assert [(one.partition.period, one.rows, one.completeness) for one in report.pushed] == [
            ("2024-08-09", 500, "as published"),
            ("2024-08-10", 0, "as published"),
            ("2024-08-11", 500, "as published"),
            ("2024-08-12", 500, "as published"),
        ]
        assert [(one.period, reason) for one, reason in report.incomplete] == [
            ("2024-08-13", "720 minutes of its open time were not fetched")
        ]
        assert (push(stored, lake).pushed, push(stored, lake).there) == ([], 4)
    finally:
        stored.close()
    assert Verification(lake).run([(LakeKind.QUOTES, SYMBOL, "")]).problems == []
    with our_tables(server_url) as other_url:
        other = MarketStore(lambda: connect(other_url))
        try:
            assert [one.stored for one in pull(other_url, other, lake).days] == [500, 0, 500, 500]
            inside = [one for one in ticks if one.time_us < FIRST_DAY_US + 4 * DAY_US]
            assert other.tick_store.ticks(SYMBOL, 0, FIRST_DAY_US + 9 * DAY_US) == inside
            fetched = list(other.tick_store.fetched_ticks(SYMBOL))
            assert fetched == [(FIRST_DAY_US, FIRST_DAY_US + 4 * DAY_US - 1)]
            assert [one.held for one in pull(other_url, other, lake).days] == [500, 0, 500, 500]
            copy = Lake(FolderStore(tmp_path / "copy"))
            assert len(push(other, copy).pushed) == 4
        finally:
            other.close()


def test_days_that_retention_dropped_come_back_and_count_once(url: str, tmp_path: Path) -> None:
    ticks = quotes_of(5)
    store(url, ticks, (FIRST_DAY_US, FIRST_DAY_US + 5 * DAY_US))
    lake, second = (Lake(FolderStore(tmp_path / name)) for name in ("lake", "second"))
    stored = MarketStore(lambda: connect(url))
    counted = "SELECT sum(ticks), sum(bid_volume), count(*) FROM quote_rollup_5s"
    try:
        assert len(push(stored, lake).pushed) == 5
        with connect(url) as connection:
            before = connection.execute(counted).fetchone()
            connection.execute("DELETE FROM quotes WHERE time < '2024-08-12 00:05'")
            connection.execute("TRUNCATE late_quote_days")
            connection.execute("UPDATE quote_retention SET kept_from = '2024-08-13'")
        reasons = {one.period: reason for one, reason in push(stored, second).incomplete}
        assert reasons == dict.fromkeys(
            ("2024-08-09", "2024-08-11", "2024-08-12"), "quotes of it were dropped by db retention"
        )
        report = pull(url, stored, lake)
        assert [(one.stored, one.held) for one in report.days] == [(500, 0), (0, 0), (500, 0), (90, 410), (0, 500)]
        assert stored.tick_store.ticks(SYMBOL, 0, FIRST_DAY_US + 9 * DAY_US) == ticks
        with connect(url) as connection:
            assert connection.execute(counted).fetchone() == before
            late = connection.execute("SELECT count(*) FROM late_quote_days").fetchone()
            assert late == (3,)  # retention spares them for a week
        again = [(one.stored, one.held) for one in pull(url, stored, lake).days]
        assert again == [(0, 500), (0, 0), (0, 500), (0, 500), (0, 500)]
        assert len(push(stored, second).pushed) == 3
    finally:
        stored.close()


@given(st.lists(st.tuples(st.integers(0, 96), st.integers(1, 30)), max_size=5), st.sets(st.integers(0, 3)))
def test_a_day_is_complete_when_all_its_hours_were_fetched(spans: list[tuple[int, int]], days: set[int]) -> None:
    fetched = IdRanges()
    for begin, hours in spans:
        fetched.add_range(begin * HOUR_US, (begin + hours) * HOUR_US - 1)
    held = {hour for begin, hours in spans for hour in range(begin, begin + hours)}
    judged = judged_days("oanda:EURUSD", {day * DAY_US: 5 for day in days}, fetched, AlwaysOpen())
    for one in judged:
        first = one.partition.start_us // HOUR_US
        assert (not one.reason) == ({*range(first, first + 24)} <= held)
        assert one.completeness == "sampled"
        assert one.rows == (5 if one.partition.start_us // DAY_US in days else 0)
