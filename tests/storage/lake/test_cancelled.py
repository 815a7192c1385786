"""What reads a lake can be cancelled while it reads manifests: few are read then, and nothing is stored or given."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.market.interval import Interval
from storage.lake.folder_store import FolderStore
from storage.lake.lake import Lake
from storage.lake.partition import DAY_US, LakeKind, Partition, day_text
from storage.lake.partition_writer import PartitionWriter
from storage.lake.pull import Pull
from storage.lake.reading.lake_candles import LakeCandles
from storage.loading.bulk_loader import BulkLoader
from storage.quotes.tick_store import TickStore
from tests.storage.helpers import World
from tests.storage.lake.trades import FIRST_DAY_US

DAYS = 400
MINUTE = Interval.parse("1m")


class CountedStore(FolderStore):
    """A folder whose reads are counted; with ``gets`` above 20, a user has cancelled."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.gets = 0

    def get(self, key: str) -> bytes | None:
        self.gets += 1
        return super().get(key)

    def is_cancelled(self) -> bool:
        return self.gets > 20


@pytest.fixture
def store(tmp_path: Path) -> CountedStore:
    """The store of a lake with many days, all of them without a trade."""
    store = CountedStore(tmp_path / "lake")
    for day in range(DAYS):
        partition = Partition(LakeKind.TRADES, "BTCUSDT", day_text(FIRST_DAY_US + day * DAY_US))
        writer = PartitionWriter(store, partition, {}, completeness="complete", source="binance", version="1")
        writer.finish()
    return store


def test_candles(store: CountedStore) -> None:
    given = list[object]()
    work = LakeCandles(Lake(store), "BTCUSDT", [MINUTE], is_cancelled=store.is_cancelled)
    assert work.run(lambda *candles: given.append(candles)).is_cancelled
    assert given == []
    assert store.gets < DAYS


@pytest.mark.embedded_only
def test_pull(world: World, store: CountedStore) -> None:
    lake, loader = Lake(store), BulkLoader(world.connect)
    try:
        ticks = TickStore(world.store.pool)
        report = Pull(lake, loader, world.store, ticks, is_cancelled=store.is_cancelled).run(
            lake.partitions(LakeKind.TRADES, "BTCUSDT")
        )
    finally:
        loader.close()
    assert (report.is_cancelled, report.days) == (True, [])
    assert store.gets < DAYS
