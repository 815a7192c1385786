"""The rig knows from when to when a broker was away, and sees a price that is lost outside of that."""

from __future__ import annotations

import asyncio
from pathlib import Path

from storage.postgres.connection import connect
from tests.brokers.oanda.kinds import answered
from tests.faults.quotes.kinds import QuoteKind
from tests.faults.quotes.rig import found_by, loaded, recording, settings_for, suffer
from tests.faults.quotes.truth import compared
from tests.faults.quotes.world import QuoteScene, quote_scene
from tests.faults.world import DatabaseServer

SEED = 51
_LOSE_ONE = """
    DELETE FROM quotes WHERE (symbol_id, time) = (
        SELECT symbol_id, max(time) FROM quotes WHERE extract(epoch FROM time) * 1000000 < %s GROUP BY symbol_id LIMIT 1
    )
"""


async def _page_that_looks_live(scene: QuoteScene) -> None:
    """Answer with a page, and return at a moment at which the feed takes it for a stream."""
    answers = scene.server.faults.counts["answered"] + 2
    answered(b"<html>sign in</html>")(scene)
    while scene.server.faults.counts["answered"] < answers or not scene.is_live:
        await asyncio.sleep(0)


async def test_an_outage_lasts_until_a_stream_begins_and_not_longer(
    database: DatabaseServer, url: str, data_dir: Path
) -> None:
    async with quote_scene(SEED, database, prices_per_s=20.0) as scene:
        async with recording(scene, loaded(settings_for(scene, url, data_dir))):
            await suffer(QuoteKind("a page that looks live", _page_that_looks_live), scene)
        assert await found_by(scene, url) == []
        ((begin_us, _),) = scene.away
        with connect(url) as connection:
            connection.execute(_LOSE_ONE, (begin_us,))
            found = compared(connection, scene, received=None)
        assert any("missing outside of the outages" in sentence for sentence in found), found
