"""The rig sees what it is there to see: a lost trade, a doubled one, a wrong digit, a wrong candle, a stray symbol."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.settings import load
from storage.postgres.connection import connect
from tests.faults.kinds import KINDS, Kind
from tests.faults.rig import Stored, first_trades_stored, recording, recover, settings_for
from tests.faults.truth import compared, differences
from tests.faults.world import DatabaseServer, scene_of

ONE = (
    "(SELECT (min(trade_id) + max(trade_id)) / 2 FROM trades t JOIN symbols s ON s.id = symbol_id AND name = 'BTCUSDT')"
)
THERE = f"symbol_id = (SELECT id FROM symbols WHERE name = 'BTCUSDT') AND trade_id = {ONE}"
DAMAGES = {
    "a lost trade": (f"DELETE FROM trades WHERE {THERE}", "should be"),
    "a lost trade that was never known": (
        f"WITH gone AS (DELETE FROM trades WHERE {THERE} RETURNING *)"
        " UPDATE coverage c SET last_trade_id = gone.trade_id - 1 FROM gone WHERE c.symbol_id = gone.symbol_id",
        "is held, and not",
    ),
    "a doubled trade": (
        "INSERT INTO trades (symbol_id, time, trade_id, price, quantity, is_buyer_maker)"
        f" SELECT symbol_id, time + interval '1 s', trade_id, price, quantity, is_buyer_maker FROM trades"
        f" WHERE {THERE}",
        "should be",
    ),
    "a wrong digit": (f"UPDATE trades SET price = price + 0.00000001 WHERE {THERE}", "should be"),
    "a wrong time": (f"UPDATE trades SET time = time + interval '1 us' WHERE {THERE}", "should be"),
    "a wrong candle": ("UPDATE rollup_1m SET volume = volume + 0.00000001", "rollup_1m: "),
    "a lost candle": ("DELETE FROM rollup_5s WHERE open_time = (SELECT min(open_time) FROM rollup_5s)", "rollup_5s: "),
    "a symbol nobody wanted": (
        "INSERT INTO coverage (symbol_id, first_trade_id, last_trade_id)"
        " SELECT id, 1, 1 FROM symbols WHERE name = 'STRAYUSDT'",
        "is held, and not",
    ),
    "a refused trade": ("INSERT INTO refused_trades (reason, trade) VALUES ('why', '{}')", "were refused"),
}


async def test_the_comparison_sees(database: DatabaseServer, url: str, data_dir: Path) -> None:
    async with scene_of(3, database) as scene:
        stored = Stored(scene, url)
        settings = load(settings_for(scene, url, data_dir), environment={}, file=data_dir / "none.toml")
        async with recording(scene, settings):
            await first_trades_stored(scene, stored)
            await scene.pass_time(20)
            await recover(KINDS[0], scene, stored)
        with connect(url) as connection:
            connection.execute("INSERT INTO symbols (name) VALUES ('STRAYUSDT')")
            assert differences(connection, scene.market) == []
            for name, (damage, found) in DAMAGES.items():
                with connection.transaction(force_rollback=True):
                    done = connection.execute(damage.encode())
                    assert done.rowcount > 0, name
                    reported = compared(connection, scene.market)
                assert any(found in one for one in reported), (name, reported)


async def test_a_hole_that_nobody_fills_is_waited_for_in_vain(
    database: DatabaseServer, url: str, data_dir: Path
) -> None:
    async with scene_of(3, database) as scene:
        stored = Stored(scene, url)
        stored.patience_s = 1.0
        changes = {"repair_trades": 0}
        settings = load(settings_for(scene, url, data_dir, **changes), environment={}, file=data_dir / "none.toml")
        async with recording(scene, settings):
            await first_trades_stored(scene, stored)
            for connection in scene.connections:
                connection.faults.drop(times=1, stream="@trade")
            while not scene.count("dropped"):
                await scene.pass_time(1)
            with pytest.raises(AssertionError, match=r"held: .*; expected: "):
                await recover(Kind("none", lambda _: None), scene, stored)
        assert any("is held, and not" in one for one in stored.differences())
