"""
After every kind of fault: stored ids equal sent ids, nothing twice, trades to the digit, rollups equal to trades.

Each runs the real program against the sandbox over real sockets, into a real database.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.kinds import KINDS, Kind
from tests.faults.rig import run_fault
from tests.faults.world import DatabaseServer, scene_of

SEED = 11


@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_nothing_is_lost_or_doubled_by(kind: Kind, database: DatabaseServer, url: str, data_dir: Path) -> None:
    async with scene_of(SEED, database, **kind.pace) as scene:
        scene.outage_s = kind.outage_s or scene.outage_s
        assert await run_fault(kind, scene, url, data_dir) == []
