"""Binance's trades and OANDA's prices in one engine, with a real database: each on its own, whatever the other does."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from app.config.settings import Secret, Settings, load
from app.live.charts.chart_session import ChartSession
from app.live.engine import Engine
from app.market.interval import Interval
from app.market.ports.exchange import FeedState
from app.market.quotes.tick import PriceSide, Tick
from app.runtime.wiring import engine_for
from app.sandbox.market.simulated import LISTINGS, SimulatedMarket
from app.sandbox.oanda.server import ACCOUNT, TOKEN, OandaSandbox
from app.sandbox.oanda.tape import SimulatedTape
from app.sandbox.server.server import SandboxServer
from storage.database import Database
from storage.spool.disk_spool import TICK_FILE_NAME
from tests.brokers.binance.helpers import until
from tests.keyrings import MemoryKeyring, using
from tests.sandbox.helpers import serving
from tests.servers import EMBEDDED, shared_server
from tests.tables import our_tables

EUR, BTC = "oanda:EURUSD", "BTCUSDT"
TAPE = SimulatedTape(seed=3, prices_per_s=8.0, always_open=True)


class Brokers(NamedTuple):
    binance: SandboxServer
    oanda: OandaSandbox


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with our_tables(shared_server(EMBEDDED)) as url:
        yield url


@pytest.fixture(autouse=True)
def _keyring() -> Iterator[None]:
    with using(MemoryKeyring()):  # this machine's may ask somebody, or be slow
        yield


@pytest.fixture
async def brokers() -> AsyncIterator[Brokers]:
    oanda = OandaSandbox(TAPE, heartbeat_s=1.0)
    await oanda.start()
    market = SimulatedMarket(seed=7, symbols=LISTINGS[:1], history=timedelta(hours=1), rate=50)
    async with serving(market) as binance:
        yield Brokers(binance, oanda)
    await oanda.stop()


def settings_for(brokers: Brokers, data_dir: Path, url: str, **options: str) -> Settings:
    given = {
        "data_dir": str(data_dir),
        "database_url": url,
        "binance_ws_url": brokers.binance.ws_url,
        "binance_rest_url": brokers.binance.rest_url,
        "oanda_rest_url": brokers.oanda.url,
        "oanda_stream_url": brokers.oanda.url,
        "proxy": "none",
        **options,
    }
    return load(given, environment={"OANDA_API_KEY": TOKEN, "OANDA_ACCOUNT_ID": ACCOUNT}, file=data_dir / "none")


@asynccontextmanager
async def running(settings: Settings, symbols: list[str]) -> AsyncIterator[Engine]:
    async with engine_for(settings) as engine:
        engine.start(symbols)
        try:
            yield engine
        finally:
            assert await engine.close() == 0


@asynccontextmanager
async def chart(engine: Engine, side: PriceSide = PriceSide.MID) -> AsyncIterator[ChartSession]:
    session = ChartSession(
        EUR,
        Interval.parse("5s"),
        history=engine.chart_history(EUR, side),
        tracker=engine.chart_tracker(EUR, side),
        exchange_clock=engine.exchange_clock,
        clock=engine.clock,
        on_state=lambda: None,
        on_change=lambda: None,
    )
    work = asyncio.ensure_future(session.run())
    try:
        yield session
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        session.close()


def shows(session: ChartSession, price_e8: int) -> bool:
    """Whether the newest candle is at that price, and its volume counts its ticks."""
    session.refresh()
    newest = session.series.bar(len(session.series) - 1)
    return math.isclose(newest.close, price_e8 / 1e8) and newest.volume == newest.trades > 0


def stored(url: str, data_dir: Path) -> tuple[list[tuple[int, int, int]], int]:
    """Return the stored ticks as (time, bid, ask), and the number of stored trades of the other broker."""
    database = Database.open(url, data_dir)
    try:
        ticks = [(one.time_us, one.bid_e8, one.ask_e8) for one in database.ticks.ticks(EUR, 0, 1 << 52)]
        return ticks, database.store.coverage(BTC).count()
    finally:
        database.close()


async def test_each_broker_is_recorded_and_one_that_is_down_does_not_touch_the_other(
    brokers: Brokers, tmp_path: Path, url: str
) -> None:
    settings = settings_for(brokers, tmp_path, url)
    async with running(settings, [BTC, EUR]) as engine:
        quotes = engine.quotes.recorder
        await until(lambda: quotes.ticks_received > 20 and engine.recorder.trades_received > 20, "ticks and trades")
        assert engine.recorded == [BTC, EUR]
        assert engine.is_live(EUR)
        assert engine.symbol(EUR).display_name == "EUR/USD"
        assert EUR in engine.symbols
        latest = engine.market_snapshot.latest(EUR)
        assert latest.tick is not None
        assert latest.bid_ask_e8(0.0) == (latest.tick.bid_e8, latest.tick.ask_e8)

        await brokers.oanda.stop()
        await until(lambda: not engine.is_receiving(EUR), "the break")
        trades = engine.recorder.trades_received
        await until(lambda: engine.recorder.trades_received > trades + 20, "trades without the other broker")
        assert engine.is_receiving(BTC)

        await brokers.oanda.start()
        engine.retry_exchange()
        received = quotes.ticks_received
        await until(lambda: quotes.ticks_received > received + 20, "ticks again")
        assert await engine.database.tick_writer.flush(10.0)
        await until(lambda: engine.database.writer.status.queued == 0, "the trades to be stored")
        expected = quotes.ticks_received

    ticks, trades = await asyncio.to_thread(stored, url, tmp_path)
    assert len(ticks) >= expected
    assert len(set(ticks)) == len(ticks)
    assert trades > 20
    offered = {
        (one.time_us, one.bid * 1_000, one.ask * 1_000) for one in TAPE.prices("EUR_USD", ticks[0][0] - 1, ticks[-1][0])
    }
    assert set(ticks) <= offered


async def test_a_chart_shows_the_price_that_was_chosen_and_stays_current(
    brokers: Brokers, tmp_path: Path, url: str
) -> None:
    async with running(settings_for(brokers, tmp_path, url), [EUR]) as engine:
        await until(lambda: engine.quotes.recorder.ticks_received > 5, "ticks")
        async with chart(engine, PriceSide.BID) as bid, chart(engine, PriceSide.ASK) as ask:
            for session in (bid, ask):
                await until(lambda session=session: session.joined and len(session.series) > 30, "a joined chart")
            # More than once, and each time what was received last: no chart could show that by chance. A candle that
            # has just begun has no tick yet, so its price is that of the candle before.
            recorder = engine.quotes.recorder
            for _ in range(3):
                received = recorder.ticks_received
                await until(
                    lambda received=received: (
                        recorder.ticks_received > received
                        and shows(bid, recorder.tracker(EUR).last.bid_e8)
                        and shows(ask, recorder.tracker(EUR).last.ask_e8)
                    ),
                    "the newest prices in both charts",
                )
            assert not bid.failure


async def test_ticks_received_without_a_database_are_stored_by_the_next_start(
    brokers: Brokers, tmp_path: Path, url: str
) -> None:
    nowhere = settings_for(brokers, tmp_path, "postgresql://127.0.0.1:1/none")
    received: list[Tick] = []
    async with running(nowhere, [EUR]) as engine:
        engine.quotes.recorder.on_event = received.append
        await until(lambda: len(received) > 20, "ticks")
    assert (tmp_path / TICK_FILE_NAME).exists()
    async with running(settings_for(brokers, tmp_path, url), [BTC]) as engine:
        await until(lambda: engine.database is not None, "the database")
        await until(lambda: not engine.quotes.recorder.outbox.is_spooling, "an empty spool")
        assert engine.recorded == [BTC]
    ticks, _ = await asyncio.to_thread(stored, url, tmp_path)
    assert {(one.time_us, one.bid_e8, one.ask_e8) for one in received} <= set(ticks)


async def test_a_change_of_the_database_loses_no_tick_and_claims_none_of_the_other_one(
    brokers: Brokers, tmp_path: Path, url: str
) -> None:
    received: list[Tick] = []
    with our_tables(shared_server(EMBEDDED)) as other:
        async with running(settings_for(brokers, tmp_path, url), [EUR]) as engine:
            engine.quotes.recorder.on_event = received.append
            await until(lambda: len(received) > 20 and engine.database is not None, "ticks")
            await engine.change_database(partial(Database.open, other, tmp_path))
            before = len(received)
            await until(lambda: len(received) > before + 20, "ticks for the other one")
        first, _ = await asyncio.to_thread(stored, url, tmp_path)
        second, _ = await asyncio.to_thread(stored, other, tmp_path)
        database = await asyncio.to_thread(Database.open, other, tmp_path)
        watched = await asyncio.to_thread(database.ticks.fetched_ticks, EUR)
        await asyncio.to_thread(database.close)
    prices = [(one.time_us, one.bid_e8, one.ask_e8) for one in received]
    assert set(prices) <= {*first, *second}
    assert len(second) > 20
    assert watched.count() > 0
    assert {one for one in prices if not watched.missing(one[0], one[0])} <= set(second)


@pytest.mark.parametrize("token", ["", "wrong-token"])
async def test_refused_credentials_are_one_sentence_and_no_storm_of_requests(
    brokers: Brokers, tmp_path: Path, url: str, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = replace(settings_for(brokers, tmp_path, url), oanda_api_key=Secret(token))
    async with running(settings, [BTC, EUR]) as engine:
        await until(lambda: engine.status_of(EUR).state is FeedState.REFUSED, "the refusal")
        await until(lambda: engine.recorder.trades_received > 20, "trades of the other broker")
        assert engine.status_of(EUR).reason.count(".") >= 1
        asked = sum(brokers.oanda.requests.values())
        await asyncio.sleep(1.5)
        assert sum(brokers.oanda.requests.values()) == asked <= 3
        assert "wrong-token" not in caplog.text + engine.status_of(EUR).reason
