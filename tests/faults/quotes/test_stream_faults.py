"""Every fault of the stream itself and every answer instead of one: what was received is stored once and in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.quotes.kinds import STREAM_FAULTS, QuoteKind, in_parts
from tests.faults.quotes.rig import suffer_each
from tests.faults.world import DatabaseServer

SEED = 11


@pytest.mark.parametrize("kinds", in_parts(STREAM_FAULTS), ids=lambda kinds: f"{kinds[0]} to {kinds[-1]}")
async def test_nothing_is_lost_or_doubled_by_each_of(
    kinds: list[QuoteKind], database: DatabaseServer, url: str, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await suffer_each(kinds, SEED, database, url, data_dir, caplog)
