"""With a lake in the record, retention drops only what that lake holds, byte for byte and id for id."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.market.errors import LakeError
from app.market.trade import Trade
from storage.integrity.verify import verify
from storage.lake.folder_store import FolderStore
from storage.lake.lake import Lake
from storage.lake.manifest import Manifest
from storage.lake.partition import LakeKind, Partition
from storage.lake.push import Push
from storage.lake.trade_days import TradeDays
from storage.retention.job import RetentionJob
from storage.retention.lake_check import StoredDay, holds
from storage.retention.policy import RetentionPlan, confirm, enforce, plan
from storage.schema.retention_period import RetentionPeriod
from storage.schema.retention_record import read_retention
from tests.storage.helpers import PATIENCE_S, World, stored
from tests.storage.lake.trades import days_of_trades, on_days

YEAR = RetentionPeriod.parse("1y")
OLD = days_of_trades(3, 60, first_id=1)
YOUNG = [OLD[-1]._replace(trade_id=len(OLD) + 1, time_us=time.time_ns() // 1_000 - 86_400_000_000)]


@pytest.fixture
def aged(world: World) -> World:
    """A world with three old days, all of them complete, and a young trade."""
    world.record([*OLD, *YOUNG])
    with world.connect() as connection:
        connection.execute("UPDATE late_days SET stored_at = stored_at - interval '30 days'")
    return world


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(FolderStore(tmp_path / "lake"))


def push(world: World, lake: Lake, *days: int) -> None:
    for day in days:
        start_us = on_days(OLD, day, day)[0].time_us
        Push(lake, [TradeDays(world.store.pool)], "1.2.3").run(["BTCUSDT"], start_us, start_us + 1)


def enforced(world: World, lake: Lake | None) -> RetentionPlan:
    with world.connect() as connection:
        done = enforce(connection, None, None if lake is None else lambda _: lake)
        assert done is not None
        assert not done.by_policy
        jobs = "SELECT count(*) FROM pg_class WHERE relname = 'bgw_job'"
        if connection.execute(jobs).fetchone() != (0,):
            proc = "SELECT count(*) FROM timescaledb_information.jobs WHERE proc_name = 'policy_retention'"
            assert connection.execute(proc).fetchone() == (0,)
        return done


def reasons(done: RetentionPlan) -> list[str]:
    return [one.reason for one in done.waiting]


def left(world: World) -> list[Trade]:
    return stored(world.store)


def test_what_the_lake_has_not_stays_and_the_plan_says_which_day(aged: World, lake: Lake) -> None:
    with aged.connect() as connection:
        confirm(connection, YEAR, lake.name)
        assert read_retention(connection).lake == lake.name
        planned = plan(connection, YEAR, lake.name, lambda _: lake)
    assert planned.parts == []
    assert reasons(planned)[0] == f"BTCUSDT 2024-08-09 is not in the lake {lake.name}"
    assert reasons(enforced(aged, lake))[0] == f"BTCUSDT 2024-08-09 is not in the lake {lake.name}"
    assert left(aged) == [*OLD, *YOUNG]
    push(aged, lake, 0, 1)
    done = enforced(aged, lake)  # where parts are days, two are gone; a month waits for its last day
    assert reasons(done) == [f"BTCUSDT 2024-08-11 is not in the lake {lake.name}"]
    assert left(aged)[-61:] == [*on_days(OLD, 2, 2), *YOUNG]
    push(aged, lake, 2)
    assert enforced(aged, lake).waiting == ()
    assert left(aged) == YOUNG
    with aged.connect() as connection:
        assert list(verify(connection).listed) == []
    assert aged.store.coverage("BTCUSDT").count() == len(OLD) + 1


def test_a_flipped_byte_in_the_lake_keeps_the_trades(aged: World, lake: Lake, tmp_path: Path) -> None:
    push(aged, lake, 0, 1, 2)
    path = sorted((tmp_path / "lake").glob("**/*.parquet"))[-1]
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)
    with aged.connect() as connection:
        confirm(connection, YEAR, lake.name)
    (reason,) = reasons(enforced(aged, lake))
    assert path.name in reason
    assert left(aged)[-61:] == [*on_days(OLD, 2, 2), *YOUNG]
    content[50] ^= 1
    path.write_bytes(content)
    assert enforced(aged, lake).waiting == ()


def test_trades_that_came_after_the_push_keep_their_day(aged: World, lake: Lake) -> None:
    push(aged, lake, 0, 1, 2)
    day = Partition(LakeKind.TRADES, "BTCUSDT", "2024-08-11")
    manifest = lake.manifest(day)
    stored_day = StoredDay("BTCUSDT", day.start_us, manifest.rows, manifest.first, manifest.last)
    assert holds(manifest, stored_day)
    assert not holds(manifest, stored_day._replace(rows=manifest.rows + 1))
    assert not holds(manifest, stored_day._replace(last=(manifest.last or 0) + 1))
    assert holds(manifest, stored_day._replace(rows=manifest.rows - 1))  # the lake has more, and all of it


def test_a_day_of_quotes_is_held_by_its_number_of_rows() -> None:
    day = Partition(LakeKind.QUOTES, "oanda:EURUSD", "2024-08-11")
    manifest = Manifest(day, 7, 1, 9, "sampled", "oanda", "1", ())
    assert holds(manifest, StoredDay("oanda:EURUSD", day.start_us, 7, None, None))
    assert not holds(manifest, StoredDay("oanda:EURUSD", day.start_us, 8, None, None))


def test_a_lake_that_is_away_keeps_everything_with_one_sentence(aged: World, lake: Lake) -> None:
    push(aged, lake, 0, 1, 2)
    with aged.connect() as connection:
        confirm(connection, YEAR, lake.name)

        def refuse(_: str) -> Lake:
            raise LakeError("The store at x does not answer: check the network and the endpoint, and try again.")

        planned = enforce(connection, None, refuse)
        assert planned is not None
        assert set(reasons(planned)) == {
            "The store at x does not answer: check the network and the endpoint, and try again"
        }
    assert set(reasons(enforced(aged, None))) == {f"this program cannot read the lake {lake.name}"}
    assert left(aged) == [*OLD, *YOUNG]


@pytest.mark.parametrize("after", [0, 1, 4])
def test_once_cancelled_it_reads_no_further_and_drops_nothing(aged: World, tmp_path: Path, after: int) -> None:
    class CountedStore(FolderStore):
        gets = 0

        def get(self, key: str) -> bytes | None:
            self.gets += 1
            return super().get(key)

    store = CountedStore(tmp_path / "lake")
    lake = Lake(store)
    push(aged, lake, 0, 1, 2)
    with aged.connect() as connection:
        confirm(connection, YEAR, lake.name)
        store.gets = 0
        done = enforce(connection, None, lambda _: lake, lambda: store.gets >= after)
    assert done is not None
    assert "its check was cancelled" in reasons(done)
    assert store.gets <= after + 3  # the manifests of a part are read at once
    assert left(aged)[-61:] == [*on_days(OLD, 2, 2), *YOUNG]


def test_the_recorders_job_asks_the_lake_and_a_longer_period_keeps_it(aged: World, lake: Lake) -> None:
    push(aged, lake, 0, 1, 2)
    with aged.connect() as connection:
        confirm(connection, YEAR, lake.name)
        enforce(connection, RetentionPeriod.parse("2y"), None)
        record = read_retention(connection)
        assert (str(record.keep), record.lake) == ("2y", lake.name)
    job = RetentionJob(aged.connect, None, first_after_s=0.0, open_lake=lambda _: lake)
    try:
        end_s = time.monotonic() + PATIENCE_S
        while left(aged) != YOUNG and time.monotonic() < end_s:
            time.sleep(0.05)
    finally:
        job.close()
    assert left(aged) == YOUNG


def test_without_the_lake_everything_old_goes_again(aged: World, lake: Lake) -> None:
    with aged.connect() as connection:
        confirm(connection, YEAR, lake.name)
        confirm(connection, YEAR)
        assert read_retention(connection).lake == ""
        enforce(connection)
