"""The symbol directory: when the list is read again, and how an answer changes it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

import pytest

from app.live.recording.symbol_directory import REFRESH_EVERY_S, ListedHistory, SymbolDirectory
from app.market.errors import FeedDisconnected, FeedError, StoreUnavailable, UnknownSymbol
from app.market.interval import Interval
from app.market.symbol import DELISTED, UNLISTED, Symbol
from tests.live.helpers import START_US, FakeExchange, HandClock, away

BTC, ETH, LUNA = Symbol("BTCUSDT", "BTC", "USDT"), Symbol("ETHUSDT", "ETH", "USDT"), Symbol("LUNAUSDT", "LUNA", "USDT")


class ListingExchange(FakeExchange):
    """An exchange whose list of symbols the test sets; it notes when it was asked for it."""

    def __init__(self, clock: HandClock, listed: Iterable[Symbol]) -> None:
        super().__init__([], clock)
        self.listed = list(listed)
        self.asked_s: list[float] = []
        self.refused: set[str] = set()

    async def symbols(self) -> list[Symbol]:
        self.asked_s.append((self.clock.time_us - START_US) / 1e6)
        await self._answer()
        return list(self.listed)

    async def _answer(self) -> None:
        await super()._answer()
        if self.refused:
            raise UnknownSymbol(next(iter(self.refused)), code=-1121)


class Waiting(HandClock):
    """A clock by which sleepers sleep until the test lets time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        end_us = self.time_us + round(seconds * 1e6)
        while self.time_us < end_us:
            self.turn.clear()
            await self.turn.wait()

    async def pass_s(self, seconds: float) -> None:
        self.time_us += round(seconds * 1e6)
        self.turn.set()
        for _ in range(10):
            await asyncio.sleep(0)


class Scene:
    """A directory that runs, its exchange and its clock."""

    def __init__(self, *listed: Symbol) -> None:
        self.clock = Waiting()
        self.exchange = ListingExchange(self.clock, listed)
        self.directory = SymbolDirectory(self.exchange, self.clock, chance=random.Random(3))
        self.changes: list[list[str]] = []
        self.directory.on_change = lambda changed: self.changes.append(sorted(one.name for one in changed))

    async def play(self, act: Callable[[Scene], object]) -> None:
        running = asyncio.ensure_future(self.directory.run())
        await self.clock.pass_s(0)
        try:
            await act(self)  # type: ignore[misc]  # because acts are coroutine functions
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def read_again(self) -> None:
        await self.clock.pass_s(1)
        self.directory.refresh(older_than_s=0)
        await self.clock.pass_s(0)

    def statuses(self) -> dict[str, str]:
        return {name: symbol.status for name, symbol in self.directory.symbols.items()}


async def test_a_listing_a_halt_and_a_delisting_are_reported_once_each() -> None:
    async def act(scene: Scene) -> None:
        assert scene.changes == [["BTCUSDT", "ETHUSDT"]]
        scene.exchange.listed = [BTC, Symbol("ETHUSDT", "ETH", "USDT", status="HALT"), LUNA]
        await scene.read_again()
        scene.exchange.listed = [BTC, LUNA]
        await scene.read_again()
        await scene.read_again()
        assert scene.changes[1:] == [["ETHUSDT", "LUNAUSDT"], ["ETHUSDT"]]
        assert scene.statuses() == {"BTCUSDT": "TRADING", "ETHUSDT": DELISTED, "LUNAUSDT": "TRADING"}
        assert scene.directory.symbol("ETHUSDT").trouble == "Delisted"

    await Scene(BTC, ETH).play(act)


async def test_other_steps_are_a_change() -> None:
    async def act(scene: Scene) -> None:
        scene.exchange.listed = [Symbol("BTCUSDT", "BTC", "USDT", tick_size_e8=10)]
        await scene.read_again()
        assert scene.changes[-1] == ["BTCUSDT"]
        assert scene.directory.symbol("BTCUSDT").tick_size_e8 == 10

    await Scene(BTC).play(act)


async def test_the_list_is_read_every_ten_minutes_and_every_minute_while_urgent() -> None:
    async def act(scene: Scene) -> None:
        for _ in range(22):
            await scene.clock.pass_s(60)
        assert len(scene.exchange.asked_s) == 3
        scene.directory.is_urgent = lambda: True
        await scene.read_again()
        asked = len(scene.exchange.asked_s)
        for _ in range(22):
            await scene.clock.pass_s(60)
        assert 10 <= len(scene.exchange.asked_s) - asked <= 22
        assert all(abs(wait_s / REFRESH_EVERY_S - 1) <= 0.1 for wait_s in scene.clock.slept[:3])

    await Scene(BTC).play(act)


async def test_a_fresh_list_is_not_asked_for_again() -> None:
    async def act(scene: Scene) -> None:
        for _ in range(30):
            scene.directory.refresh()
            await scene.clock.pass_s(1)
        assert len(scene.exchange.asked_s) == 1
        await scene.clock.pass_s(31)
        scene.directory.refresh()
        await scene.clock.pass_s(0)
        assert len(scene.exchange.asked_s) == 2

    await Scene(BTC).play(act)


async def test_an_exchange_that_is_away_is_asked_less_and_less_often_and_known_symbols_stay() -> None:
    async def act(scene: Scene) -> None:
        scene.exchange.failure = FeedDisconnected("away", retry_after_s=100.0)
        await scene.read_again()
        assert scene.clock.slept[-1] >= 90
        scene.exchange.failure = FeedDisconnected("away")
        for _ in range(9):
            await scene.clock.pass_s(331)
        waits = [round(wait_s) for wait_s in scene.clock.slept[2:]]
        assert waits[0] < waits[2] < waits[4] <= 330
        assert scene.statuses() == {"BTCUSDT": "TRADING"}

    await Scene(BTC).play(act)


@pytest.mark.parametrize("left", [0, 5])
async def test_an_answer_that_lacks_most_symbols_is_ignored(left: int) -> None:
    many = [Symbol(f"A{number}USDT", f"A{number}", "USDT") for number in range(30)]

    async def act(scene: Scene) -> None:
        scene.exchange.listed = many[:left]
        await scene.read_again()
        assert set(scene.statuses().values()) == {"TRADING"}

    await Scene(*many).play(act)


async def test_remembered_symbols_count_until_the_exchange_has_answered() -> None:
    scene = Scene(BTC)
    halted = Symbol("ETHUSDT", "ETH", "USDT", status="HALT")
    scene.directory.remember([halted, Symbol("BTCUSDT", "BTC", "USDT", status="BREAK")])
    assert scene.directory.symbol("ETHUSDT") == halted
    assert scene.directory.symbol("NEVERUSDT").is_trading  # until the exchange says otherwise

    async def act(scene: Scene) -> None:
        assert scene.statuses() == {"BTCUSDT": "TRADING", "ETHUSDT": DELISTED}
        scene.directory.remember([LUNA])
        assert scene.directory.symbol("LUNAUSDT").status == DELISTED
        assert scene.directory.symbol("NEVERUSDT").status == UNLISTED

    await scene.play(act)


async def test_a_delisted_symbol_is_not_asked_about() -> None:
    async def act(scene: Scene) -> None:
        listed = ListedHistory(scene.exchange, scene.directory)
        scene.exchange.listed = [BTC]
        await scene.read_again()
        assert await listed.klines("ETHUSDT", Interval.parse("1m")) == []
        assert await listed.day_tickers(["ETHUSDT"]) == []
        with pytest.raises(UnknownSymbol, match="ETHUSDT"):
            await listed.trades_from("ETHUSDT", 1)
        assert (scene.exchange.kline_calls, scene.exchange.trade_calls) == ([], [])

    await Scene(BTC, ETH).play(act)


async def test_a_refused_name_causes_a_refresh_of_the_list() -> None:
    async def act(scene: Scene) -> None:
        listed = ListedHistory(scene.exchange, scene.directory)
        await scene.clock.pass_s(61)
        scene.exchange.listed, scene.exchange.refused = [BTC], {"ETHUSDT"}
        with pytest.raises(FeedError):
            await listed.klines("ETHUSDT", Interval.parse("1m"))
        scene.exchange.refused = set()
        await scene.clock.pass_s(0)
        assert scene.statuses()["ETHUSDT"] == DELISTED

    await Scene(BTC, ETH).play(act)


@pytest.mark.parametrize(
    "request_of",
    [
        lambda listed: listed.klines("ETHUSDT", Interval.parse("1m")),
        lambda listed: listed.day_tickers(["ETHUSDT"]),
        lambda listed: listed.trades_from("ETHUSDT", 1),
        lambda listed: listed.recent_trades("ETHUSDT"),
    ],
)
async def test_whatever_was_asked_a_refused_name_causes_a_refresh(
    request_of: Callable[[ListedHistory], Awaitable[object]],
) -> None:
    async def act(scene: Scene) -> None:
        await scene.clock.pass_s(61)
        asked = len(scene.exchange.asked_s)
        scene.exchange.refused = {"ETHUSDT"}
        with pytest.raises(UnknownSymbol):
            await request_of(ListedHistory(scene.exchange, scene.directory))
        scene.exchange.refused = set()
        await scene.clock.pass_s(0)
        assert len(scene.exchange.asked_s) == asked + 1

    await Scene(BTC, ETH).play(act)


class SymbolShelf:
    """A `SymbolStore` in memory that notes what was saved, or is away."""

    def __init__(self, *known: Symbol, is_away: bool = False) -> None:
        self.known = {symbol.name: symbol for symbol in known}
        self.saved: list[list[str]] = []
        self.is_away = is_away

    def symbols(self) -> list[Symbol]:
        if self.is_away:
            raise StoreUnavailable("The database is away.")
        return list(self.known.values())

    def save_symbols(self, symbols: Sequence[Symbol]) -> None:
        if self.is_away:
            raise StoreUnavailable("The database is away.")
        self.saved.append([symbol.name for symbol in symbols])
        self.known |= {symbol.name: symbol for symbol in symbols}


async def test_a_store_is_given_only_the_symbols_it_does_not_know() -> None:
    async def act(scene: Scene) -> None:
        store = SymbolShelf(BTC, LUNA)
        await scene.directory.load_from(store)
        assert scene.statuses()["LUNAUSDT"] == DELISTED
        assert store.saved == [["ETHUSDT"]]
        await scene.directory.save_to(store)
        assert store.saved == [["ETHUSDT"]]
        other = SymbolShelf()  # another database
        await scene.directory.load_from(other)
        assert other.saved == [["BTCUSDT", "ETHUSDT"]]  # not what only the first one remembers

    await Scene(BTC, ETH).play(act)


async def test_a_store_that_is_away_is_given_the_symbols_the_next_time() -> None:
    async def act(scene: Scene) -> None:
        store = SymbolShelf(is_away=True)
        await scene.directory.load_from(store)
        await scene.directory.save_to(store)
        store.is_away = False
        await scene.directory.save_to(store)
        assert store.saved == [["BTCUSDT", "ETHUSDT"]]

    await Scene(BTC, ETH).play(act)


async def test_a_list_that_could_not_be_read_is_read_as_soon_as_the_exchange_is_back() -> None:
    clock = Waiting()
    exchange = ListingExchange(clock, [BTC])
    exchange.failure = away()
    directory = SymbolDirectory(exchange, clock, chance=random.Random(1))
    noted: list[float] = []
    directory.on_away = lambda: noted.append(clock.monotonic_s())
    running = asyncio.ensure_future(directory.run())
    try:
        for _ in range(6):
            await clock.pass_s(300)
        assert len(noted) == len(exchange.asked_s)
        exchange.failure = None
        directory.retry_now()
        for _ in range(10):
            await asyncio.sleep(0)
        assert directory.is_current
        asked = len(exchange.asked_s)
        directory.retry_now()  # nothing failed: nothing is asked
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(exchange.asked_s) == asked
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_a_request_that_finds_the_exchange_away_says_so() -> None:
    clock = HandClock()
    exchange = ListingExchange(clock, [BTC])
    directory = SymbolDirectory(exchange, clock)
    noted: list[str] = []
    directory.on_away = lambda: noted.append("away")
    history = ListedHistory(exchange, directory)
    exchange.failure = FeedDisconnected("It asked for a pause.", retry_after_s=30.0)
    with pytest.raises(FeedDisconnected):
        await history.klines("BTCUSDT", Interval.parse("1m"))
    assert noted == []
    exchange.failure = away()
    with pytest.raises(FeedDisconnected):
        await history.klines("BTCUSDT", Interval.parse("1m"))
    assert noted == ["away"]
