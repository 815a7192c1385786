"""The spool of ticks that takes no more while the database is away: what is given up is counted, and called missing."""

from __future__ import annotations

from pathlib import Path

from storage.spool.disk_spool import TickDiskSpool
from tests.faults.quotes.rig import found_by, is_stored, loaded, receives, recording, settings_for
from tests.faults.quotes.world import QuoteScene, quote_scene
from tests.faults.world import DatabaseServer, until
from tests.storage.small_disk import mounted

SEED = 41


def spool_of(scene: QuoteScene) -> TickDiskSpool:
    assert scene.engine is not None
    spool = scene.engine.quotes.recorder.outbox._spool_path._spool
    assert isinstance(spool, TickDiskSpool)
    return spool


async def test_beyond_the_spools_limit_the_newest_are_given_up_and_no_time_of_them_is_called_whole(
    database: DatabaseServer, url: str, data_dir: Path
) -> None:
    async with quote_scene(SEED, database, prices_per_s=20.0) as scene:
        settings = loaded(settings_for(scene, url, data_dir, queue_trades=1000))
        async with recording(scene, settings, given_up=True) as engine:
            spool_of(scene)._size_limit = 20_000
            recorder = engine.quotes.recorder
            begin_us = scene.market_clock.now_us()
            database.stop()
            await until(lambda: recorder.lost > 300, "ticks given up")
            database.start()
            await is_stored(scene)
            scene.away.append((begin_us, scene.market_clock.now_us()))
            await receives(scene)
            await scene.pass_time(15.0)  # in which the times watched are remembered
            lost = recorder.lost
        assert lost == recorder.lost
        assert await found_by(scene, url, given_up=lost) == []


async def test_a_full_disk_costs_nothing_while_memory_has_room(
    database: DatabaseServer, url: str, data_dir: Path
) -> None:
    with mounted(data_dir, "size=8m") as disk:
        async with quote_scene(SEED, database, prices_per_s=5.0) as scene:
            async with recording(scene, loaded(settings_for(scene, url, data_dir))) as engine:
                disk.fill()
                database.stop()
                await until(lambda: spool_of(scene).status.reason, "a full disk")
                await receives(scene)
                disk.make_room()
                database.start()
                await is_stored(scene)
                await receives(scene)
                assert engine.quotes.recorder.lost == 0
            assert await found_by(scene, url) == []
