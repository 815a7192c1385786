"""Trades that retention moved to a lake: the tables of research stay, and are built, kept and charted as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.market.interval import Interval
from storage.lake.folder_store import FolderStore
from storage.lake.lake import Lake
from storage.lake.partition import DAY_US, LakeKind
from storage.lake.pull import Pull
from storage.lake.push import Push
from storage.lake.reading.cold_seconds import ColdSeconds
from storage.lake.trade_days import TradeDays
from storage.loading.bulk_loader import BulkLoader
from storage.retention.policy import confirm, enforce
from storage.schema.retention_period import RetentionPeriod
from tests.storage.helpers import World, compress, folded, stored
from tests.storage.lake.trades import FIRST_DAY_US, days_of_trades, on_days
from tests.storage.research.helpers import Place, keep_once

OLD = days_of_trades(3, 900, first_id=1)
LENGTHS = [1, 5, 60]
INDICATORS = "rsi_14,atr_14,cvd,ema_20"
YEAR = RetentionPeriod.parse("1y")


def tables(place: Place) -> list[object]:
    return [place.everything(length) for length in LENGTHS]


@pytest.mark.mostly_embedded
@pytest.mark.parametrize("packs", [False, True])
def test_rows_of_dropped_days_stay_and_are_built_alike(place: Place, url: str, tmp_path: Path, packs: bool) -> None:
    after = OLD[-1]._replace(trade_id=len(OLD) + 1, time_us=FIRST_DAY_US + 24 * DAY_US)  # of the next month
    world = World(url)
    try:
        world.record([*OLD, after])
        lake = Lake(FolderStore(tmp_path / "lake"))
        with place.connect() as connection:
            if packs and not compress(connection):
                pytest.skip("only the Community edition compresses")
            connection.execute("UPDATE late_days SET stored_at = stored_at - interval '30 days'")
        end_us = FIRST_DAY_US + 3 * DAY_US
        assert len(Push(lake, [TradeDays(world.store.pool)], "1").run(["BTCUSDT"], None, end_us).pushed) == 3
        place.research.build(["BTCUSDT"], LENGTHS, None, end_us, indicators=INDICATORS, keep=True)
        before = tables(place)
        assert all(before)
        with place.connect() as connection:
            confirm(connection, YEAR, lake.name)
            done = enforce(connection, None, lambda _: lake)
        assert done is not None
        assert done.rows == len(OLD)
        assert {one.reason for one in done.waiting} == {f"BTCUSDT 2024-09-02 is not in the lake {lake.name}"}
        assert stored(world.store) == [after]
        assert tables(place) == before
        place.research.build(["BTCUSDT"], LENGTHS, None, end_us, indicators=INDICATORS, keep=True)
        assert tables(place) == before
        place.research.drop(["BTCUSDT"])
        place.research.build(["BTCUSDT"], LENGTHS, None, end_us, indicators=INDICATORS, keep=True)
        assert tables(place) == before  # made of the minutes, which stay

        cold = ColdSeconds(lambda: lake).seconds("BTCUSDT", FIRST_DAY_US + DAY_US, lambda _: None, lambda: False)
        traded = [one for one in cold if one.trades]
        expected = folded(on_days(OLD, 1, 1), Interval.parse("1s"))
        assert [one[:6] for one in traded] == [one[:6] for one in expected if one.trades]

        loader = BulkLoader(world.connect)
        try:
            days = lake.partitions(LakeKind.TRADES, "BTCUSDT")
            report = Pull(lake, loader, world.store, place.store.tick_store).run(days)
        finally:
            loader.close()
        assert report.total("stored") == len(OLD)
        with place.connect() as connection:
            keep_once(connection, place.store)
        assert [rows[: len(one)] for rows, one in zip(tables(place), before, strict=True)] == before
    finally:
        world.close()
