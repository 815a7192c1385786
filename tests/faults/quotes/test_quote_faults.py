"""
After every kind of fault: what was received is stored once, in order, to the digit, and the candles equal the ticks.

Each kind strikes by itself, with calm between, then many of them in a random order. Those of the stream are in
`test_stream_faults` and `test_line_faults`. The program is the real one, with its spool and a real database, against a
loopback OANDA over real sockets. No price is missing but in an outage, and no time is called whole of which one is
missing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from app.market.ports.exchange import FeedState
from storage.postgres.connection import connect
from tests.faults.quotes.kinds import KINDS, OTHER_FAULTS, QuoteKind, in_parts
from tests.faults.quotes.rig import asks_slowly, found_by, loaded, recording, settings_for, suffer, suffer_each
from tests.faults.quotes.world import quote_scene
from tests.faults.world import DatabaseServer

SEED = 11
_UNKNOWN = "oanda:FOOBAR"


@pytest.mark.parametrize("kinds", in_parts(OTHER_FAULTS), ids=lambda kinds: f"{kinds[0]} to {kinds[-1]}")
async def test_nothing_is_lost_or_doubled_by_each_of(
    kinds: list[QuoteKind], database: DatabaseServer, url: str, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await suffer_each(kinds, SEED, database, url, data_dir, caplog)


async def test_nothing_is_lost_or_doubled_by_all_of_them_in_any_order(
    database: DatabaseServer, url: str, data_dir: Path
) -> None:
    async with quote_scene(SEED + 1, database) as scene:
        symbols = ",".join([*scene.symbols, _UNKNOWN])
        async with recording(scene, loaded(settings_for(scene, url, data_dir, symbols=symbols))) as engine:
            # An instrument that the account does not have costs no other its prices.
            assert engine.status_of(_UNKNOWN).state is FeedState.REFUSED
            for kind in scene.random.sample([kind for kind in KINDS if "hangs" not in kind.name], 9):
                await suffer(kind, scene)
        assert await found_by(scene, url) == []
        asks_slowly(scene)
    with connect(url) as connection:
        (whole,) = connection.execute("SELECT count(*) FROM fetched_quotes").fetchone() or (0,)
    assert whole > 0
