"""
Kill -9 of ``cryptopipe collect`` in the middle of every kind of fault.

The next start finds and fetches what is missing. Of faults that differ in a code, a text or the rows of an answer only,
every test run has one, and ``make faultkills`` has all; `test_faults` has all without a kill. Several kinds strike one
recording in turn, each until every trade is stored; ``make faultkills`` has a recording for each.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.live.environment.ban_file import FILE_NAME
from tests.depth import DEEP
from tests.faults.alerts import alert_differences, watch_alerts
from tests.faults.kinds import KINDS, Kind, do, in_turns, name_of, one_of_each_family
from tests.faults.program import collecting, fork_server
from tests.faults.rig import Stored, first_trades_stored, recover, settings_for
from tests.faults.world import PATIENCE_S, DatabaseServer, Scene, scene_of, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork server")

SEED = 12

# What contradicts itself comes late over a connection that a kill ends.
_FIT = [one for one in KINDS if not one.needs_clock | one.contradicts]
_HAS_ALL = DEEP or os.environ.get("FAULT_KILLS") == "all"
_CHOSEN = in_turns(_FIT, most=1) if _HAS_ALL else in_turns(one_of_each_family(_FIT), most=7)


@pytest.mark.parametrize("kinds", _CHOSEN, ids=name_of)
async def test_nothing_is_lost_or_doubled_by_a_kill_during(
    kinds: list[Kind], database: DatabaseServer, url: str, data_dir: Path
) -> None:
    async with scene_of(SEED, database, **kinds[0].pace) as scene:
        scene.outage_s = 30.0
        stored = Stored(scene, url)
        await asyncio.to_thread(watch_alerts, scene, url)
        settings = settings_for(scene, url, data_dir, **kinds[0].settings)
        said = data_dir.with_name("said")
        program = collecting(fork_server(), settings, said)
        try:
            await first_trades_stored(scene, stored)
            for kind in kinds:
                scene.market_clock.resume()
                await in_the_middle(kind, scene)
                program.kill()
                await asyncio.to_thread(program.join)
                # Without its database, or banned, `collect` does not begin: it says so and ends.
                if kind.is_outage:
                    await do(kind.end, scene)
                await until(lambda: not is_banned(data_dir), "the end of the ban")
                program = collecting(fork_server(), settings, said)
                await recover(kind, scene, stored)
            program.terminate()
            await asyncio.to_thread(program.join, PATIENCE_S)
            assert program.exitcode == 0, said.read_text()
        finally:
            if program.is_alive():
                program.kill()
        assert await asyncio.to_thread(stored.differences) == []
        assert await asyncio.to_thread(alert_differences, scene, url) == []


def is_banned(data_dir: Path) -> bool:
    """Whether the exchange keeps out whoever records there."""
    path = data_dir / FILE_NAME
    return path.exists() and datetime.fromisoformat(json.loads(path.read_text())["until"]) > datetime.now(UTC)


async def in_the_middle(kind: Kind, scene: Scene) -> None:
    """Return when the fault has begun to bite and nothing has healed yet."""
    before = scene.count(kind.counter)
    await do(kind.begin, scene)
    if kind.counter not in ("", "connections"):
        await until(lambda: scene.count(kind.counter) > before, f"{kind.counter}: {scene.server.faults.counts}")
