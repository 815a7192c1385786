"""Changing databases while the real engine records a simulated market into real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from app.market.coverage import IdRanges
from app.sandbox.server import SandboxServer
from app.sandbox.simulated import Listing, SimulatedMarket
from app.settings import Settings, load
from app.wiring import engine_for, open_database
from storage.embedded import EmbeddedServer
from tests.live.helpers import until

SYMBOL = "BTCUSDT"
MARKET = [Listing("BTC", "60000", "0.01", "0.00001", 1.0)]


@pytest.fixture
def other_url(data_dir: Path) -> Iterator[str]:
    """Another real server than the embedded one, as a conninfo."""
    server = EmbeddedServer(data_dir.with_name("other"))
    try:
        yield server.start()
    finally:
        assert server.stop()


@pytest.fixture
def settings_for(data_dir: Path, tmp_path: Path) -> Callable[..., Settings]:
    def make(**options: object) -> Settings:
        return load({"data_dir": str(data_dir), **options}, environment={}, file=tmp_path / "none.toml")

    return make


@asynccontextmanager
async def market() -> AsyncIterator[SandboxServer]:
    server = SandboxServer(SimulatedMarket(3, MARKET, rate=400.0))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def held(settings: Settings) -> IdRanges:
    database = open_database(settings)
    try:
        trades = database.store.trades(SYMBOL, 0, 2**62)
        ranges = database.store.coverage(SYMBOL)
        assert IdRanges((trade.trade_id, trade.trade_id) for trade in trades) == ranges
        return ranges
    finally:
        assert database.close()


async def test_every_trade_received_while_databases_are_changed_again_and_again_is_in_one_of_them(
    settings_for: Callable[..., Settings], other_url: str
) -> None:
    embedded, other = settings_for(), settings_for(database_url=other_url)
    async with market() as server:
        addresses = {"binance_ws_url": server.ws_url, "binance_rest_url": server.rest_url}
        async with engine_for(settings_for(repair_trades="0", **addresses)) as engine:
            engine.start([SYMBOL])
            try:
                await until(lambda: engine.database is not None)
                for chosen in (other, embedded, other, embedded):
                    before = engine.recorder.trades_received
                    await until(lambda before=before: engine.recorder.trades_received > before + 100)
                    await engine.change_database(lambda chosen=chosen: open_database(chosen))
                before = engine.recorder.trades_received
                await until(lambda: engine.recorder.trades_received > before + 100)
                tracker = engine.recorder.tracker(SYMBOL)
                assert tracker is not None
            finally:
                assert await engine.close() == 0
    in_embedded, in_other = await asyncio.to_thread(held, embedded), await asyncio.to_thread(held, other)
    received = tracker.received.held
    assert list(IdRanges([*in_embedded, *in_other])) == list(received)
    assert in_embedded.count() + in_other.count() == received.count()
    assert (len(list(in_embedded)), len(list(in_other))) == (3, 2)


async def test_with_repair_the_new_database_is_brought_up_to_now(
    settings_for: Callable[..., Settings], other_url: str
) -> None:
    async with market() as server:
        addresses = {"binance_ws_url": server.ws_url, "binance_rest_url": server.rest_url}
        other = settings_for(database_url=other_url)
        async with engine_for(settings_for(**addresses)) as engine:
            engine.start([SYMBOL])
            try:
                await until(lambda: engine.database is not None and engine.recorder.trades_received > 50)
                await engine.change_database(lambda: open_database(other))
                await until(lambda: engine.recorder.tracker(SYMBOL).held().count() > 50)
                await engine.change_database(lambda: open_database(settings_for()))
                # What the other one recorded meanwhile is a gap here, and is fetched.
                await until(lambda: engine.repairer.repaired > 50 and engine.recorder.missing() == 0)
                received = engine.recorder.tracker(SYMBOL).received.held
            finally:
                assert await engine.close() == 0
    assert list(await asyncio.to_thread(held, settings_for())) == list(received)


async def test_a_server_that_dies_is_left_for_another_with_all_that_it_was_not_given(
    settings_for: Callable[..., Settings], data_dir: Path
) -> None:
    dying = EmbeddedServer(data_dir.with_name("dying"))
    url = dying.start()
    try:
        async with market() as server:
            addresses = {"binance_ws_url": server.ws_url, "binance_rest_url": server.rest_url}
            async with engine_for(settings_for(database_url=url, repair_trades="0", **addresses)) as engine:
                engine.start([SYMBOL])
                try:
                    await until(lambda: engine.database is not None and engine.recorder.trades_received > 50)
                    await asyncio.to_thread(dying.stop)
                    before = engine.recorder.trades_received
                    await until(lambda: engine.recorder.trades_received > before + 100)
                    await until(lambda: engine.database.writer.status.reason)
                    await engine.change_database(lambda: open_database(settings_for()))
                    received = engine.recorder.tracker(SYMBOL).received.held
                finally:
                    assert await engine.close() == 0
        in_new = await asyncio.to_thread(held, settings_for())
        with psycopg.connect(dying.start()) as connection:
            in_old = IdRanges(connection.execute("SELECT first_trade_id, last_trade_id FROM coverage").fetchall())
    finally:
        assert dying.stop()
    assert list(IdRanges([*in_old, *in_new])) == list(received)
    assert in_new.count() >= 100
