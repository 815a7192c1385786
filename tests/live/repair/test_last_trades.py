"""The final trades of halted symbols: fetched to the end, retried while the exchange is away, then left alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.live.recording.symbol_directory import SymbolDirectory
from app.live.repair.last_trades import LastTrades
from app.market.symbol import DELISTED, Symbol
from tests.live.helpers import SYMBOL, FakeExchange, HandClock, away, recorder_for
from tests.live.repair.helpers import exchange_with, receive


class Halt:
    """A recorder that holds trades 1 to 3 of a symbol whose exchange has more, and says it is halted."""

    def __init__(self, last: int, *, status: str = "HALT", repair_trades: int = 5_000) -> None:
        self.exchange: FakeExchange = exchange_with(range(1, last + 1))
        self.clock = HandClock()
        self.recorder = recorder_for(repair_trades=repair_trades, queue_trades=100_000)
        self.directory = SymbolDirectory(self.exchange, self.clock)
        self.directory.symbols = {SYMBOL: Symbol(SYMBOL, "BTC", "USDT", status=status)}
        self.directory.is_current = True
        receive(self.recorder, 1, 2, 3)
        self.last_trades = LastTrades(self.recorder, self.exchange, self.directory, self.clock)

    def held(self) -> list[tuple[int, int]]:
        tracker = self.recorder.tracker(SYMBOL)
        assert tracker is not None
        return list(tracker.held())


@pytest.fixture
async def halt() -> AsyncIterator[Halt]:
    made = Halt(2_500)
    yield made
    made.recorder.close()


async def test_all_trades_behind_the_last_one_held_are_fetched_page_by_page(halt: Halt) -> None:
    await halt.last_trades.fetch([SYMBOL])
    assert halt.held() == [(1, 2_500)]
    assert [first for first, _ in halt.exchange.trade_calls] == [4, 1_004, 2_004]


async def test_an_exchange_that_is_away_is_asked_again(halt: Halt) -> None:
    halt.exchange.failure = away()

    def come_back(seconds: float) -> None:
        halt.exchange.failure = None

    halt.clock.on_sleep = come_back
    await halt.last_trades.fetch([SYMBOL])
    assert (halt.held(), halt.clock.slept) == ([(1, 2_500)], [5.0])


async def test_no_more_is_fetched_than_a_gap_may_have(halt: Halt) -> None:
    halt.recorder.repair_trades = 1_000
    await halt.last_trades.fetch([SYMBOL])
    assert halt.held() == [(1, 1_003)]


@pytest.mark.parametrize("status", ["TRADING", DELISTED])
async def test_a_symbol_that_trades_or_is_not_listed_is_not_asked_about(halt: Halt, status: str) -> None:
    halt.directory.symbols = {SYMBOL: Symbol(SYMBOL, "BTC", "USDT", status=status)}
    await halt.last_trades.fetch([SYMBOL, "NEVERUSDT"])
    assert halt.exchange.trade_calls == []
