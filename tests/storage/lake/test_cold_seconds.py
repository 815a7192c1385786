"""A chart gets the seconds of days whose trades only the lake has, once, and works on where the lake is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.live.charts.candle_history import CandleHistory
from app.live.charts.cold_days import ColdDays
from app.live.charts.page_loader import Page, load_page
from app.market.candle import Candle
from app.market.errors import LakeError
from app.market.interval import SECOND_US, Interval
from storage.lake.folder_store import FolderStore
from storage.lake.lake import Lake
from storage.lake.partition import DAY_US
from storage.lake.push import Push
from storage.lake.reading.cold_seconds import ColdSeconds
from storage.lake.trade_days import TradeDays
from tests.live.helpers import FakeExchange, HandClock, folded, until
from tests.storage.helpers import World
from tests.storage.lake.trades import FIRST_DAY_US, days_of_trades, on_days

TRADES = days_of_trades(4, 3_000, first_id=1)
SECOND, SEVEN = Interval.parse("1s"), Interval.parse("7s")
DAY = FIRST_DAY_US + DAY_US  # the second of three that are in the lake
NOON = DAY + DAY_US // 2


class CountedSource(ColdSeconds):
    """A real lake, whose days are counted as they are read."""

    def __init__(self, open_lake: Callable[[], Lake]) -> None:
        super().__init__(open_lake)
        self.read = list[int]()
        self.listed = 0
        self.on_read: Callable[[], None] = lambda: None

    def days(self, symbol: str) -> frozenset[int]:
        self.listed += 1
        return super().days(symbol)

    def seconds(
        self, symbol: str, day_us: int, on_progress: Callable[[float], None], is_cancelled: Callable[[], bool]
    ) -> list[Candle]:
        self.read.append(day_us)
        self.on_read()
        return super().seconds(symbol, day_us, on_progress, is_cancelled)


@pytest.fixture
def lake(world: World, tmp_path: Path) -> Lake:
    """A lake with three days, whose trades the database has not any more."""
    world.record(TRADES)
    lake = Lake(FolderStore(tmp_path / "lake"))
    assert len(Push(lake, [TradeDays(world.store.pool)], "1").run(["BTCUSDT"]).pushed) == 3
    with world.connect() as connection:
        connection.execute("DELETE FROM trades")
        connection.execute("UPDATE retention SET kept_from = timestamptz '2024-09-01 00:00Z'")
    return lake


def history_of(world: World, source: ColdSeconds) -> tuple[CandleHistory, FakeExchange, ColdDays]:
    clock = HandClock(FIRST_DAY_US + 10 * DAY_US)
    exchange = FakeExchange([], clock)
    history = CandleHistory(exchange, world.store)
    history.cold = ColdDays(source, clock)
    return history, exchange, history.cold


async def page(history: CandleHistory, interval: Interval = SECOND, end_us: int = NOON) -> Page:
    return await load_page(history, "BTCUSDT", interval, end_us, limit=900)


def figures(candles: list[Candle], start_us: int, end_us: int) -> list[tuple[int, ...]]:
    return [one[:10] for one in candles if one.trades and start_us <= one.open_time_us < end_us]


@pytest.mark.embedded_only
def test_seconds_come_from_the_lake_once_and_then_from_the_database(world: World, lake: Lake) -> None:
    async def load() -> None:
        source = CountedSource(lambda: lake)
        history, exchange, cold = history_of(world, source)
        loaded = await page(history)
        wanted = figures(folded(on_days(TRADES, 1, 1), SECOND), NOON - 900 * SECOND_US, NOON)
        assert figures(loaded.candles, 0, NOON) == wanted
        assert len(wanted) > 10
        assert [one.complete for one in loaded.candles] == [True] * 900
        assert source.read == [DAY]
        assert not [one for one in exchange.kline_calls if one[0] == SECOND]
        assert (cold.sentence, cold.failure) == ("", "")
        exchange.kline_calls.clear()
        asked = list[Candle]()
        await history.published("BTCUSDT", SECOND, DAY, DAY + SECOND_US, asked.extend)
        assert [one[0] for one in exchange.kline_calls] == [SECOND]  # comparisons and exports ask the exchange alone
        # A later program knows them, and so do other intervals that seconds make up.
        later, later_exchange, _ = history_of(world, source)
        assert figures((await page(later)).candles, 0, NOON) == wanted
        sevens = await page(later, SEVEN, SEVEN.open_time_us(NOON))
        begin_us = sevens.candles[0].open_time_us
        assert figures(sevens.candles, 0, NOON) == figures(
            folded(on_days(TRADES, 1, 1), SEVEN), begin_us, SEVEN.open_time_us(NOON)
        )
        assert source.read == [DAY]
        assert not [one for one in later_exchange.kline_calls if one[0] == SECOND]

    asyncio.run(load())


@pytest.mark.embedded_only
def test_a_day_that_the_lake_has_not_is_the_exchanges_and_its_list_is_read_once(world: World, lake: Lake) -> None:
    async def load() -> None:
        source = CountedSource(lambda: lake)
        history, exchange, _ = history_of(world, source)
        for _ in range(3):
            await page(history, end_us=NOON + 4 * DAY_US)
        assert (source.read, source.listed) == ([], 1)
        assert [one for one in exchange.kline_calls if one[0] == SECOND]

    asyncio.run(load())


@pytest.mark.embedded_only
def test_a_lake_that_is_away_is_one_sentence_and_the_exchange_answers(world: World) -> None:
    async def load() -> None:
        def refuse() -> Lake:
            raise LakeError("The store at x does not answer: check the network and the endpoint, and try again.")

        source = CountedSource(refuse)
        history, exchange, cold = history_of(world, source)
        await page(history)
        await page(history, end_us=NOON - 900 * SECOND_US)
        assert cold.failure.startswith("The store at x does not answer")
        assert source.listed == 1  # not again for a minute
        assert [one for one in exchange.kline_calls if one[0] == SECOND]
        cold.dismiss()
        assert cold.failure == ""

    asyncio.run(load())


@pytest.mark.embedded_only
def test_a_cancelled_day_is_left_to_the_exchange_and_progress_is_said(world: World, lake: Lake) -> None:
    async def load() -> None:
        source = CountedSource(lambda: lake)
        history, exchange, cold = history_of(world, source)
        said = list[str]()

        def cancel() -> None:
            said.append(cold.sentence)
            cold.cancel()

        source.on_read = cancel
        await page(history)
        await until(lambda: not cold.sentence)
        assert said == ["Fetching BTCUSDT of 2024-08-10 from the lake: 0%."]
        assert [one for one in exchange.kline_calls if one[0] == SECOND]
        await page(history, end_us=NOON - 900 * SECOND_US)
        assert source.read == [DAY]

    asyncio.run(load())


@pytest.mark.embedded_only
def test_a_day_that_was_read_is_said_to_be_stored(world: World, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    async def load() -> None:
        history, _, cold = history_of(world, CountedSource(lambda: lake))
        said = list[tuple[str, bool]]()
        save = world.store.save_klines

        def noted(*given: Any) -> int:
            said.append((cold.sentence, cold.is_storing))
            return save(*given)

        monkeypatch.setattr(world.store, "save_klines", noted)
        await page(history)
        assert said[0] == ("Fetching BTCUSDT of 2024-08-10 from the lake: storing it.", True)
        assert (cold.sentence, cold.is_storing) == ("", False)

    asyncio.run(load())
