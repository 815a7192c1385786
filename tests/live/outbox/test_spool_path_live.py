"""The engine with a real database that hangs, a real spool, and the next start."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psycopg

from app.config.settings import Settings, load
from app.market.coverage import IdRanges
from app.runtime.shutdown import SHUTDOWN_S
from app.runtime.wiring import engine_for, open_database
from app.sandbox.market.simulated import Listing, SimulatedMarket
from app.sandbox.server.server import SandboxServer
from storage.server.embedded_server import EmbeddedServer
from tests.live.helpers import until

SYMBOL = "BTCUSDT"


async def test_trades_given_to_a_database_that_hangs_are_kept_and_stored_by_the_next_start(
    data_dir: Path, tmp_path: Path
) -> None:
    embedded = EmbeddedServer(data_dir.with_name("hanging"))
    url = embedded.start()
    server = SandboxServer(SimulatedMarket(3, [Listing("BTC", "60000", "0.01", "0.00001", 1.0)], rate=400.0))
    await server.start()

    def settings() -> Settings:
        options = {"data_dir": str(data_dir), "database_url": url, "repair_trades": "0", "symbols": SYMBOL}
        addresses = {"binance_ws_url": server.ws_url, "binance_rest_url": server.rest_url}
        return load(options | addresses, environment={}, file=tmp_path / "none.toml")

    try:
        received = await _recorded_while_it_hangs(settings(), url)
        async with engine_for(settings()) as engine:
            engine.start([SYMBOL])
            await until(lambda: engine.database is not None and not engine.recorder.outbox.is_spooling)
            assert await engine.close() == 0
            assert engine.spool_status.rows == 0
        database = await asyncio.to_thread(open_database, settings())
        held = database.store.coverage(SYMBOL)
        stored = database.store.trades(SYMBOL, 0, 2**62)
        assert await asyncio.to_thread(database.close)
    finally:
        await server.stop()
        assert embedded.stop()
    assert all(not held.missing(first, last) for first, last in received)
    assert len(stored) == held.count()


async def _recorded_while_it_hangs(settings: Settings, url: str) -> IdRanges:
    """Record until another session locks the trades, close meanwhile; return the ids received."""
    async with engine_for(settings) as engine:
        engine.start([SYMBOL])
        await until(lambda: engine.database is not None and engine.database.writer.status.stored > 100)
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE trades IN ACCESS EXCLUSIVE MODE")
            await until(lambda: engine.spool_status.rows > 300)
            received = IdRanges(engine.recorder.tracker(SYMBOL).received.held)
            began_s = time.monotonic()
            assert await engine.close() == 0
            assert time.monotonic() - began_s < SHUTDOWN_S
    return received
