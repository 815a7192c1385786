"""
After every kind of fault: what was received is stored once, in order, to the digit, and the candles equal the ticks.

Each kind strikes by itself, with calm between, then many of them in a random order. The program is the real one, with
its spool and a real database, against a loopback OANDA over real sockets. No price is missing but in an outage, and no
time is called whole of which one is missing.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from app.market.ports.exchange import FeedState
from storage.postgres.connection import connect
from tests.faults.quotes.kinds import KINDS, QuoteKind
from tests.faults.quotes.rig import found_by, loaded, recording, settings_for, suffer
from tests.faults.quotes.world import SECRETS, QuoteScene, quote_scene
from tests.faults.world import DatabaseServer

SEED = 11
_UNKNOWN = "oanda:FOOBAR"
_AT_ONCE = 7  # kinds of a recording: a new one for each would take as long as the fault
_PARTS = [KINDS[start : start + _AT_ONCE] for start in range(0, len(KINDS), _AT_ONCE)]


@pytest.mark.parametrize("kinds", _PARTS, ids=lambda kinds: f"{kinds[0]} to {kinds[-1]}")
async def test_nothing_is_lost_or_doubled_by_each_of(
    kinds: list[QuoteKind], database: DatabaseServer, url: str, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    changes = {name: value for kind in kinds for name, value in kind.settings.items()}
    async with quote_scene(SEED, database) as scene:
        async with recording(scene, loaded(settings_for(scene, url, data_dir, **changes))) as engine:
            for kind in kinds:
                await suffer(kind, scene)
                assert engine.quotes.recorder.lost == 0, kind
        assert await found_by(scene, url) == []
        asks_slowly(scene)
    says_no_secret(caplog.text)


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


def asks_slowly(scene: QuoteScene) -> None:
    """Check that the recording asked at most twice a second for a stream, and rarely for anything else."""
    assert scene.clock is not None
    seconds = (scene.market_clock.monotonic_s() - scene.began_s) + 1
    requests = scene.server.requests
    streams = sum(times for path, times in requests.items() if path.endswith("/pricing/stream"))
    assert streams <= 2 * seconds
    assert sum(requests.values()) <= 2 * streams + 5
    assert len(scene.server.connections) <= 2 * seconds


def says_no_secret(text: str) -> None:
    """Check that neither token nor account is in a log."""
    for name, value in SECRETS.items():
        assert value not in text, name
