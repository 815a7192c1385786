"""The engine while the exchange halts, resumes, delists and lists symbols: over sockets, on a staged market."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from app.brokers.binance.feed import BinanceFeed
from app.brokers.binance.rest import BinanceRest
from app.concurrency.system_clock import SystemClock
from app.live.engine import Engine
from app.live.environment.clocks import ExchangeClock
from app.market.ports.exchange import FeedState
from app.market.symbol import Symbol
from app.market.trade import Trade
from app.sandbox.server.server import SandboxServer
from tests.live.databases import FakeDatabase
from tests.live.helpers import until
from tests.sandbox.staged import StagedMarket

NAMES = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


def symbol_of(name: str, status: str = "TRADING") -> Symbol:
    return Symbol(name, name.removesuffix("USDT"), "USDT", 10**6, 10**3, status)


@dataclass
class Scene:
    """A staged market, its server, and an engine that records from it."""

    market: StagedMarket
    server: SandboxServer
    engine: Engine
    database: FakeDatabase

    def held(self, name: str) -> list[tuple[int, int]]:
        tracker = self.engine.recorder.tracker(name)
        return [] if tracker is None else list(tracker.held())

    def stored(self, name: str) -> list[int]:
        return [one.trade_id for one in self.database.writer.trades if one.symbol == name]

    def subscribed(self) -> set[str]:
        streams = {stream for link in self.server.connections for stream in link.subscriptions.names()}
        return {stream.partition("@")[0].upper() for stream in streams}

    async def receiving(self, *names: str) -> None:
        await until(lambda: self.subscribed() == set(names), f"{names}, not {self.subscribed()}")

    async def traded(self, name: str, count: int = 1) -> list[Trade]:
        trades = self.market.trade(name, count=count)
        await until(lambda: self.held(name) and self.held(name)[-1][1] == trades[-1].trade_id, f"trades of {name}")
        return trades

    def read_the_list(self) -> None:
        self.engine.directory.refresh(older_than_s=0)


Act = Callable[[Scene], Awaitable[None]]


@asynccontextmanager
async def recording(
    names: Iterable[str] = NAMES, *, stall_after_s: float = 15.0, listed: Iterable[str] = NAMES
) -> AsyncIterator[Scene]:
    clock = SystemClock()
    market = StagedMarket([symbol_of(name) for name in listed])
    server = SandboxServer(market)
    await server.start()
    rest = BinanceRest(server.rest_url, clock=clock)
    database = FakeDatabase()
    engine = Engine(
        feed=BinanceFeed(server.ws_url, clock=clock, stall_after_s=stall_after_s),
        exchange=rest,
        open_database=lambda: database,
        clock=clock,
        exchange_clock=ExchangeClock(clock),
        queue_trades=10_000,
        repair_trades=5_000,
    )
    engine.start(list(names))
    try:
        await until(lambda: engine.directory.is_current and engine.feed.status.state is FeedState.LIVE)
        yield Scene(market, server, engine, database)
    finally:
        await engine.close()
        await rest.close()
        await server.stop()


@pytest.mark.parametrize("status", ["HALT", "BREAK"])
async def test_a_halted_symbol_is_left_alone_and_goes_on_by_itself_with_nothing_missing(status: str) -> None:
    async with recording() as scene:
        await scene.receiving(*NAMES)
        for name in NAMES:
            await scene.traded(name, 3)
        scene.market.set_status("ETHUSDT", status)
        scene.read_the_list()
        await scene.receiving("BTCUSDT", "SOLUSDT")
        assert scene.engine.symbol("ETHUSDT").trouble == "Trading halted"
        assert scene.engine.not_trading() == ["ETHUSDT"]
        assert scene.held("ETHUSDT") == [(1, 3)]

        scene.market.set_status("ETHUSDT")
        scene.market.trade("ETHUSDT", count=40)  # before anybody knows that it trades again
        scene.read_the_list()
        await scene.receiving(*NAMES)
        await scene.traded("ETHUSDT")
        await until(lambda: scene.held("ETHUSDT") == [(1, 44)], "the trades that came before we listened")
        assert scene.engine.recorder.missing() == 0
        await until(lambda: sorted(scene.stored("ETHUSDT")) == [*range(1, 45)], "every trade stored once")


async def test_the_last_trades_before_a_halt_are_fetched_though_none_follows_them() -> None:
    async with recording() as scene:
        await scene.receiving(*NAMES)
        await scene.traded("ETHUSDT", 2)
        for link in scene.server.connections:
            link.faults.stalled = True  # trades from now on are not received
        scene.market.trade("ETHUSDT", count=1500)
        scene.market.set_status("ETHUSDT", "HALT")
        scene.read_the_list()
        await until(lambda: scene.held("ETHUSDT") == [(1, 1502)], "the trades before the halt")


async def test_the_last_trades_before_a_halt_are_fetched_once_an_exchange_that_was_away_is_back() -> None:
    async with recording() as scene:
        await scene.receiving(*NAMES)
        await scene.traded("ETHUSDT", 2)
        for link in scene.server.connections:
            link.faults.stalled = True
        scene.market.trade("ETHUSDT", count=5)
        scene.market.set_status("ETHUSDT", "HALT")
        scene.server.rest_faults.fail_next(503, path="/historicalTrades", retry_after_s=1)
        scene.read_the_list()
        await until(lambda: scene.held("ETHUSDT") == [(1, 7)], "the trades before the halt")


async def test_a_delisted_symbol_keeps_its_history_and_is_not_requested_any_more() -> None:
    async with recording() as scene:
        await scene.receiving(*NAMES)
        await scene.traded("SOLUSDT", 5)
        scene.market.delist("SOLUSDT")
        scene.read_the_list()
        await scene.receiving("BTCUSDT", "ETHUSDT")
        assert scene.engine.symbol("SOLUSDT").trouble == "Delisted"
        assert "SOLUSDT" in scene.engine.recorder.symbols
        assert scene.held("SOLUSDT") == [(1, 5)]
        scene.market.list_symbol(symbol_of("SOLUSDT"))
        scene.read_the_list()
        await scene.receiving(*NAMES)
        await scene.traded("SOLUSDT", 2)
        assert scene.held("SOLUSDT") == [(1, 7)]


async def test_a_new_listing_can_be_recorded_without_a_restart() -> None:
    async with recording() as scene:
        reported: list[bool] = []
        scene.engine.on_symbols = lambda: reported.append("NEWUSDT" in scene.engine.symbols)
        scene.market.list_symbol(symbol_of("NEWUSDT"))
        scene.read_the_list()
        await until(lambda: reported == [True])
        scene.engine.set_symbols([*NAMES, "NEWUSDT"])
        await scene.receiving(*NAMES, "NEWUSDT")
        await scene.traded("NEWUSDT", 3)
        await until(lambda: scene.stored("NEWUSDT") == [1, 2, 3])


async def test_a_name_that_is_listed_later_is_recorded_from_then_on() -> None:
    async with recording([*NAMES, "NEWUSDT"]) as scene:
        await scene.receiving(*NAMES)
        assert scene.engine.symbol("NEWUSDT").trouble == "Not listed"
        scene.market.list_symbol(symbol_of("NEWUSDT", "PRE_TRADING"))
        scene.read_the_list()
        await until(lambda: scene.engine.symbol("NEWUSDT").trouble == "Not trading yet")
        scene.market.set_status("NEWUSDT")
        scene.read_the_list()
        await scene.receiving(*NAMES, "NEWUSDT")


async def test_silent_halted_symbols_cause_no_reconnect() -> None:
    async with recording(["ETHUSDT"], stall_after_s=0.2) as scene:
        # Repeatedly: a trade between two connections shows only by a later one.
        await until(lambda: scene.market.trade("ETHUSDT") and scene.held("ETHUSDT"))
        scene.market.set_status("ETHUSDT", "HALT")
        scene.read_the_list()
        await scene.receiving()
        before = scene.engine.feed.counters.reconnects
        states: list[FeedState] = []
        scene.engine.feed.on_status(lambda status: states.append(status.state))
        clock = SystemClock()
        await clock.sleep(1.0)  # five times the silence after which a connection is replaced
        assert (scene.engine.feed.counters.reconnects, states) == (before, [])


async def test_after_a_reconnect_the_list_is_read_again() -> None:
    async with recording() as scene:
        await scene.receiving(*NAMES)
        scene.market.set_status("BTCUSDT", "BREAK")
        scene.engine.directory._asked_s -= 3600  # an hour has passed
        for link in list(scene.server.connections):
            link.cut()
        await until(lambda: not scene.engine.symbol("BTCUSDT").is_trading)
        await scene.receiving("ETHUSDT", "SOLUSDT")


async def test_hundreds_of_symbols_are_received_over_several_connections_and_stored() -> None:
    names = [f"S{number:03}USDT" for number in range(400)]
    async with recording(names, listed=names) as scene:
        await scene.receiving(*names)
        assert len(scene.server.connections) > 1
        for name in names:
            scene.market.trade(name, count=2)
        await until(lambda: len(scene.database.writer.trades) == 800, "two trades of each")
        scene.market.set_status("S399USDT", "HALT")
        scene.market.list_symbol(symbol_of("NEWUSDT"))
        scene.read_the_list()
        await scene.receiving(*names[:-1])
        scene.engine.set_symbols([*names[:10], "NEWUSDT"])
        await scene.receiving(*names[:10], "NEWUSDT")
        assert len(scene.engine.recorder.symbols) == 11
