"""
After every kind of fault: stored ids equal sent ids, nothing twice, trades to the digit, rollups equal to trades.

Each runs the real program against the sandbox over real sockets, into a real database. Several kinds strike one
recording in turn, with calm between; ``make deeptest`` has a recording for each.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.depth import DEEP
from tests.faults.kinds import KINDS, Kind, in_turns, name_of
from tests.faults.rig import run_faults
from tests.faults.world import DatabaseServer, scene_of

SEED = 11


@pytest.mark.parametrize("kinds", in_turns(KINDS, most=1 if DEEP else 7), ids=name_of)
async def test_nothing_is_lost_or_doubled_by(
    kinds: list[Kind], database: DatabaseServer, url: str, data_dir: Path
) -> None:
    async with scene_of(SEED, database, **kinds[0].pace) as scene:
        scene.outage_s = kinds[0].outage_s or scene.outage_s
        assert await run_faults(kinds, scene, url, data_dir) == []
