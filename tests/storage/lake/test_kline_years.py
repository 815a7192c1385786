"""Years of klines: which are complete, and that they go into a lake and come back to the digit."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.market.candle import Candle, CandleSource
from app.market.interval import Interval
from storage.lake.folder_store import FolderStore
from storage.lake.kline_years import KlineYears
from storage.lake.lake import Lake
from storage.lake.partition import LakeKind, Partition
from storage.lake.pull import Pull
from storage.lake.push import Push, PushReport
from storage.lake.verify import Verification
from storage.loading.bulk_loader import BulkLoader
from storage.quotes.tick_store import TickStore
from tests.storage.helpers import World

HOUR = Interval.parse("1h")
YEAR = [int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000 for year in range(2022, 2026)]

pytestmark = pytest.mark.embedded_only


def klines_of(start_us: int, end_us: int) -> list[Candle]:
    dice = random.Random(start_us)
    candles = []
    for open_us in range(start_us, end_us, HOUR.length_us):
        low, body, high = sorted(dice.randrange(1, 10**13) for _ in "lbh")
        volume, quote = dice.randrange(2, 10**15), dice.randrange(2, 10**25)
        figures = (body, high, low, body, volume, quote, dice.randrange(1, 10**6), volume // 2, quote // 2)
        candles.append(Candle(open_us, *figures, None, None, True, True, CandleSource.KLINE))
    return candles


def push(world: World, lake: Lake) -> PushReport:
    return Push(lake, [KlineYears(world.store.pool)], "1").run(["BTCUSDT"])


def test_years_of_klines_come_back_to_the_digit(world: World, other: World, tmp_path: Path) -> None:
    listed_us = YEAR[0] + 40 * 24 * HOUR.length_us
    candles = klines_of(listed_us, YEAR[2] + 30 * HOUR.length_us)
    world.store.save_listing("BTCUSDT", listed_us)
    world.store.save_klines("BTCUSDT", HOUR, candles, (listed_us, YEAR[2] + 30 * HOUR.length_us))
    lake = Lake(FolderStore(tmp_path / "lake"))
    report = push(world, lake)
    assert [one.partition.period for one in report.pushed] == ["2022", "2023"]
    assert [(one.period, reason) for one, reason in report.incomplete] == [
        ("2024", "not all of its klines were fetched")
    ]
    assert (push(world, lake).pushed, push(world, lake).there) == ([], 2)
    assert Verification(lake).run([(LakeKind.CANDLES, "BTCUSDT", "1h")]).problems == []
    folder = tmp_path / "lake" / "candles" / "broker=binance" / "symbol=BTCUSDT" / "interval=1h" / "year=2023"
    assert len(list(folder.glob("candles-*.parquet"))) == 1
    loader = BulkLoader(other.connect)
    try:
        years = lake.partitions(LakeKind.CANDLES, "BTCUSDT", interval="1h")
        pull = Pull(lake, loader, other.store, TickStore(other.store.pool))
        report = pull.run(years)
        inside = [one for one in candles if one.open_time_us < YEAR[2]]
        assert report.total("stored") == len(inside)
        assert other.store.klines("BTCUSDT", HOUR, 0, YEAR[3]) == inside
        again = Pull(lake, loader, other.store, TickStore(other.store.pool)).run(years)
        assert (again.total("stored"), again.total("held")) == (0, len(inside))
    finally:
        loader.close()


def test_a_missing_year_and_a_missing_file_are_found(world: World, tmp_path: Path) -> None:
    world.store.save_klines("BTCUSDT", HOUR, klines_of(YEAR[0], YEAR[3]), (YEAR[0], YEAR[3]))
    lake = Lake(FolderStore(tmp_path / "lake"))
    assert len(push(world, lake).pushed) == 3
    middle = Partition(LakeKind.CANDLES, "BTCUSDT", "2023", "1h")
    for path in (tmp_path / "lake" / middle.folder).iterdir():
        path.unlink()
    report = Verification(lake).run([(LakeKind.CANDLES, "BTCUSDT", "1h")])
    assert [one.path for one in report.problems] == [middle.manifest_key]
